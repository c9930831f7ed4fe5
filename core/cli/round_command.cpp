// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cli/round_command.h"

#include "core/cli/load_input.h"
#include "core/error.h"
#include "core/formats/tensor_file.h"
#include "core/precision/rounding.h"
#include "core/precision/stored.h"

#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace warplight::cli {
namespace {

struct RoundOptions {
    std::string in, out, to, rounding = "nearest", format = "text";
    bool saturate = false;
    double scale = 1;
    uint64_t seed = 42;
};

void print(const precision::RoundingCounts& counts, const std::string& to, bool asJson) {
    const std::vector<std::pair<const char*, int64_t>> all{{"values", counts.values},
                                                           {"exact", counts.exact},
                                                           {"overflowed", counts.overflowed},
                                                           {"saturated", counts.saturated},
                                                           {"flushed", counts.flushed},
                                                           {"subnormal", counts.subnormal},
                                                           {"nan", counts.nan},
                                                           {"infinite", counts.infinite}};
    if (asJson) {
        nlohmann::json j{{"to", to}, {"largest_relative_error", counts.largestRelativeError}};
        for (const auto& [name, count] : all)
            j[name] = count;
        std::cout << j.dump(2) << '\n';
        return;
    }
    for (const auto& [name, count] : all)
        std::cout << fmt::format(
            "{:<12}{:>14}{}\n", name, count,
            counts.values > 0 && count > 0 && count < counts.values
                ? fmt::format("  {:.3g} %", 100.0 * static_cast<double>(count) / static_cast<double>(counts.values))
                : "");
    std::cout << fmt::format("largest relative error {:.4g}\n", counts.largestRelativeError);
}

void roundTensor(const RoundOptions& options) {
    if (!std::isfinite(options.scale) || options.scale == 0)
        throw InputError(fmt::format("--scale {}: expected a finite number other than 0", options.scale));
    std::vector<formats::OutputTensor> outputs{{options.out, {"rounded", {}, number::Format::F32}}};
    formats::checkOutputs(outputs);
    tensor::Tensor& made = outputs.front().tensor.tensor;
    made = loadInput(options.in);
    precision::HowToRound how;
    how.rounding = precision::roundingByName(options.rounding);
    how.beyond = options.saturate ? number::Beyond::Saturate : number::Beyond::Infinity;
    how.scale = options.scale;
    how.seed = options.seed;
    const auto counts = precision::roundTo(made.values, precision::targetByName(options.to), how);
    formats::saveTensors(outputs);
    print(counts, options.to, options.format == "json");
}

} // namespace

void addRoundCommand(Command compute) {
    const auto given = std::make_shared<RoundOptions>();
    RoundOptions& options = *given;
    const Command command = compute.command("round", "A tensor rounded to a number format and back to f32");
    command
        .option("--in", &options.in,
                "FILE.npy, FILE.npz:key, FILE.safetensors:name or FILE.safetensors.index.json:name")
        .required();
    command.option("-o,--out", &options.out, "FILE.npy, FILE.npz[:key] or FILE.safetensors[:name]").required();
    command.option("--to", &options.to, fmt::format("{}", fmt::join(precision::targetNames(), ", ")))
        .required()
        .oneOf(precision::targetNames());
    command.option("--rounding", &options.rounding, "nearest (ties to even), zero, up, down or stochastic")
        .oneOf(precision::roundingNames());
    command.flag("--saturate", options.saturate,
                 "Beyond the range to the largest number instead of infinity; blocks do so anyway");
    command.option("--scale", &options.scale, "Multiply by this before and divide after");
    command.option("--seed", &options.seed, "Of stochastic rounding");
    command.option("--format", &options.format, "text or json").oneOf({"text", "json"});
    command.does([given] {
        roundTensor(*given);
        return 0;
    });
}

} // namespace warplight::cli
