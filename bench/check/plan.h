// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace warplight::check {

/// One run of a page on the GPU, as `warplight-cli run` takes it.
struct PageRun {
    std::string experiment;            ///< "attention.race"
    std::vector<std::string> settings; ///< "seqLen=512,1024"
    double atMostSeconds = 60;
};

/// The runs of "race" or "traffic" of every operator that has it on NVIDIA GPUs, at sizes that a GPU is used for;
/// `small`: at sizes that the virtual GPU does in seconds. Of an operator that has no sizes here, the page's own.
/// `operators`: what `warplight-cli list operators --json` prints.
std::vector<PageRun> runsOf(const nlohmann::json& operators, const std::string& page, bool small);

} // namespace warplight::check
