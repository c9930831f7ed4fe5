// SPDX-License-Identifier: GPL-3.0-or-later
// Knobs and numbers of the selective scan.
#include "core/labs/ssm/selective_operator.h"
#include "core/workbench/knobs.h"

#include <cstdint>
#include <fmt/format.h>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::ssm {
namespace {

using lab::Parameter;
using workbench::Knob;
using workbench::Page;
using workbench::Problem;

Knob sizeKnob(const char* id, const char* symbol, const char* axis, const char* title, int64_t standing, int64_t most,
              std::vector<int64_t> swept, double probe) {
    return workbench::dimension(
        id, symbol, axis,
        Parameter::integer(id, title, standing, 1, static_cast<double>(most), fmt::format("{}.", title)),
        std::move(swept), probe);
}

Knob flagKnob(const char* id, const char* symbol, const char* title, const char* doc) {
    Knob k = workbench::option(Parameter::flag(id, title, true, doc));
    k.symbol = symbol;
    return k;
}

} // namespace

std::vector<Knob> selectiveKnobs(Page page) {
    const bool race = page == Page::Race, traffic = page == Page::Traffic;
    std::vector<Knob> all{
        sizeKnob("len", "L", "length", "Length", race ? 2048 : 256, race ? 1 << 20 : 16384,
                 race ? std::vector<int64_t>{256, 512, 1024, 2048, 4096} : std::vector<int64_t>{64, 256, 1024}, 256),
        sizeKnob("dim", "E", "channels", "Channels", race ? 256 : 32, 1 << 14,
                 race ? std::vector<int64_t>{64, 128, 256, 512, 1024} : std::vector<int64_t>{16, 32, 64},
                 race ? 64 : 16),
        sizeKnob("state", "N", "states of a channel", "States", 16, cpu::largestState, {4, 8, 16, 32, 64}, 4)};
    if (!traffic)
        all.push_back(sizeKnob("batch", "batch", "sequences", "Batch", 1, 1 << 10, {1, 2, 4, 8}, 1));
    all.push_back(flagKnob("delta-softplus", "softplus", "Softplus", "Δ = softplus(delta + bias)."));
    all.push_back(flagKnob("gate", "gate", "Gate", "y is multiplied by silu(z)."));
    all.push_back(flagKnob("skip", "skip", "Skip", "D u is added to y."));
    return all;
}

void completeSelective(Problem& p) {
    p.setDefault("batch", 1);
    p.setDefault("len", 256);
    p.setDefault("dim", 32);
    p.setDefault("state", 16);
    p.setDefault("groups", 1);
    p.setDefault("delta-softplus", 0);
    p.setDefault("gate", 0);
    p.setDefault("skip", 0);
    p.setDefault("bias", p.real("delta-softplus"));
    p.setDefault("first", 0);
    cpu::checkShape(selectiveShape(p));
    const auto ifThere = [&](const char* extent, const char* flag, const char* size) {
        p.numbers[extent] = p.flag(flag) ? p.real(size) : 0;
    };
    ifThere("gateDim", "gate", "dim");
    ifThere("skipDim", "skip", "dim");
    ifThere("biasDim", "bias", "dim");
    ifThere("firstBatch", "first", "batch");
}

std::string selectiveInWords(const Problem& p) {
    std::string text = fmt::format("L = {} of {} channels with {} states", p["len"], p["dim"], p["state"]);
    if (p["batch"] != 1)
        text += fmt::format(", batch {}", p["batch"]);
    if (p["groups"] != 1)
        text += fmt::format(", {} groups", p["groups"]);
    return text + (p.flag("gate") ? ", gated" : "");
}

} // namespace warplight::labs::ssm
