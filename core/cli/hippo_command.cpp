// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cli/hippo_command.h"

#include "core/error.h"
#include "core/formats/signal_file.h"
#include "core/formats/tensor_file.h"
#include "core/ssm/memory.h"
#include "gpu/host/memory_budget.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <iostream>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::cli {
namespace {

struct HippoOptions {
    std::string measure, rule = "bilinear", signal, column, output, reconstruction;
    int64_t n = 0, every = 0;
    std::optional<double> theta, step;
};

constexpr int64_t largestN = 1024;   ///< the matrices take O(n³)
constexpr int64_t rowsAtATime = 256; ///< ages that are looked up together

using ssm::Measure;
using ssm::Memory;

/// What is taken where nobody says: a window of the whole signal, of LagT a time in which `n` functions reach over it.
double thetaOf(const HippoOptions& o, Measure measure, double duration) {
    return o.theta.value_or(measure == Measure::LagT ? duration / static_cast<double>(o.n) : duration);
}

/// The signal as the memory has it, each sample in the middle of its step; NaN for what lies before the window.
std::vector<float> reconstructed(const Memory& memory, int64_t samples) {
    const ssm::MemorySettings& s = memory.settings();
    const bool hasEnd = s.measure != Measure::LagT;
    std::vector<float> values(static_cast<size_t>(samples));
    std::vector<double> ages;
    for (int64_t begin = 0; begin < samples; begin += rowsAtATime) {
        ages.clear();
        for (int64_t i = begin; i < std::min(samples, begin + rowsAtATime); ++i)
            ages.push_back((static_cast<double>(samples - i) - 0.5) * s.step);
        const std::vector<double> piece = memory.reconstruct(ages);
        for (size_t i = 0; i < ages.size(); ++i)
            values[static_cast<size_t>(begin) + i] = hasEnd && ages[i] > memory.span()
                                                         ? std::numeric_limits<float>::quiet_NaN()
                                                         : static_cast<float>(piece[i]);
    }
    return values;
}

int64_t rowsOf(const HippoOptions& o, int64_t samples) { return o.every > 0 ? samples / o.every : 1; }

void computeHippo(const HippoOptions& o) {
    const Measure measure = ssm::measureByName(o.measure);
    std::vector<formats::OutputTensor> outputs{{o.output, {"coefficients", {}, number::Format::F32}}};
    if (!o.reconstruction.empty())
        outputs.push_back({o.reconstruction, {"reconstruction", {}, number::Format::F32}});
    formats::checkOutputs(outputs);
    if (o.step && (!(*o.step > 0) || !std::isfinite(*o.step)))
        throw InputError(fmt::format("--step {}: expected a number above 0", *o.step));
    const formats::Signal signal = formats::readSignal(o.signal, o.column);
    const auto samples = static_cast<int64_t>(signal.samples.size());
    if (o.every > samples)
        throw InputError(fmt::format("--every {}: expected at most the {} samples of {}", o.every, samples, o.signal));
    const double step = o.step.value_or(signal.rate ? 1 / *signal.rate : 1);
    Memory memory(
        {measure, o.n, ssm::ruleByName(o.rule), thetaOf(o, measure, step * static_cast<double>(samples)), step});
    const int64_t rows = rowsOf(o, samples);
    requireMemory({saturatedProduct(4, saturatedSum(saturatedProduct(rows, o.n), samples)), 0,
                   fmt::format("{} times {} coefficients", rows, o.n), "--n, or larger --every"});
    tensor::Tensor& kept = outputs[0].tensor.tensor;
    kept.shape = o.every > 0 ? std::vector<int64_t>{rows, o.n} : std::vector<int64_t>{o.n};
    for (int64_t i = 0; i < samples; ++i) {
        memory.push(static_cast<double>(signal.samples[static_cast<size_t>(i)]));
        if (o.every > 0 ? (i + 1) % o.every == 0 : i + 1 == samples)
            for (const double c : memory.coefficients())
                kept.values.push_back(static_cast<float>(c));
    }
    const auto isFinite = [](auto x) { return std::isfinite(x); };
    if (std::all_of(signal.samples.begin(), signal.samples.end(), isFinite) &&
        !std::all_of(kept.values.begin(), kept.values.end(), isFinite))
        std::cerr << fmt::format("warplight-cli: coefficients grew without end: {} with a step of {} is unstable for "
                                 "this n\n",
                                 o.rule, step);
    if (!o.reconstruction.empty())
        outputs[1].tensor.tensor = {{samples}, reconstructed(memory, samples)};
    formats::saveTensors(outputs);
}

template <class Infos>
std::vector<std::string> namesOf(const Infos& infos) {
    std::vector<std::string> names;
    for (const auto& info : infos)
        names.emplace_back(info.name);
    return names;
}

} // namespace

void addHippoCommand(Command compute) {
    const auto given = std::make_shared<HippoOptions>();
    HippoOptions& o = *given;
    const Command command = compute.command("hippo", "A signal as the coefficients of a HiPPO memory, x' = Ax + Bu");
    const auto measures = namesOf(ssm::measures()), rules = namesOf(ssm::rules());
    command.option("--measure", &o.measure, fmt::format("{}", fmt::join(measures, ", "))).required().oneOf(measures);
    command.option("--n", &o.n, "Coefficients").required().between(int64_t{1}, largestN);
    command.option("--rule", &o.rule, fmt::format("{}", fmt::join(rules, ", "))).oneOf(rules).withDefaultInHelp();
    command.option("--theta", &o.theta,
                   "Length of the window, of lagt the time in which the past fades (default: of the whole signal, of "
                   "lagt that over n; legs has none)");
    command.option("--step", &o.step, "Time between samples (default: 1 / the rate of a WAV file, else 1)");
    command
        .option("--signal", &o.signal,
                "FILE.wav, FILE.csv, FILE.tsv, FILE.txt, FILE.npy, FILE.npz:key or FILE.safetensors:name")
        .required();
    command.option("--column", &o.column, "Of a table: the name above it (default: the first with numbers)");
    command
        .option("--every", &o.every, "Coefficients after each this many samples, [times, n] (default: the last, [n])")
        .between(int64_t{1}, std::numeric_limits<int64_t>::max());
    command.option("-o,--output", &o.output, "Coefficients: FILE.npy, FILE.npz[:key] or FILE.safetensors[:name]")
        .required();
    command.option("--reconstruct", &o.reconstruction,
                   "The signal as the last coefficients have it, [samples]; NaN before the window");
    command.does([given] {
        computeHippo(*given);
        return 0;
    });
}

} // namespace warplight::cli
