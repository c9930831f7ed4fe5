// SPDX-License-Identifier: GPL-3.0-or-later
// How fast the virtual GPU is, on one core, with all counters on: thread-instructions a second on the scalar attention
// kernels, and modelled tensor-core work a second beside them on the mma kernel and on Triton's f16 product.
//
//   vgpu_bench [--target AVX2] [--gpu A100] [--checks] [--kernel flash2-mma] [seqLen]
#include "gpu/error.h"
#include "gpu/number/half.h"
#include "gpu/ops/attention.h"
#include "gpu/virtual/target.h"
#include "gpu/virtual/virtual_device.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <fmt/format.h>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

using namespace warplight;

namespace {

constexpr double scalarBar = 2.0e9, tensorInstructionBar = 1.2e9, tensorBar = 12.0e9;

struct Settings {
    int64_t seqLen = 512;
    std::string target, gpu, kernel;
    bool checks = false;
    int repetitions = 5;
};

struct Rate {
    double instructions = 0, tensor = 0, seconds = 0; ///< a second; a second; in all
};

Rate rateOf(const std::vector<gpu::LaunchStats>& launches) {
    double instructions = 0, tensor = 0, seconds = 0;
    for (const gpu::LaunchStats& stats : launches) {
        instructions += static_cast<double>(stats.threadInstructions);
        tensor += static_cast<double>(stats.tensorFlops);
        seconds += stats.hostSeconds;
    }
    return {instructions / seconds, tensor / seconds, seconds};
}

/// The median of several runs; `run` returns what its launches counted.
template <class Run>
void measure(const Settings& settings, const std::string& name, bool tensorCores, Run run) {
    if (!settings.kernel.empty() && settings.kernel != name)
        return;
    std::vector<Rate> rates;
    for (int i = 0; i < settings.repetitions; ++i)
        rates.push_back(rateOf(run()));
    std::sort(rates.begin(), rates.end(), [](const Rate& a, const Rate& b) { return a.seconds < b.seconds; });
    const Rate rate = rates[rates.size() / 2];
    const bool good = tensorCores ? rate.tensor >= tensorBar && rate.instructions >= tensorInstructionBar
                                  : rate.instructions >= scalarBar;
    fmt::print("{:<14}{:>20.2f}e9{:>18.1f}{:>10.3f}  {}\n", name, rate.instructions * 1e-9, rate.tensor * 1e-9,
               rate.seconds, good ? "" : "below its bar");
}

std::vector<float> gaussians(int64_t count) {
    std::mt19937 random(1);
    std::normal_distribution<float> gaussian;
    std::vector<float> x(static_cast<size_t>(count));
    for (float& value : x)
        value = gaussian(random);
    return x;
}

void attention(gpu::Device& device, const Settings& settings) {
    gpu::KernelLibrary library(device);
    for (const gpu::AttentionRungInfo& rung : gpu::attentionRungs()) {
        const bool decode = rung.id == gpu::AttentionRung::FlashDecode;
        const int64_t n = settings.seqLen;
        const gpu::AttentionShape shape{1, 1, 1, decode ? 4 : n, decode ? 64 * n : n, 64, 0.125f, false};
        const std::vector<float> x = gaussians(std::max(shape.queryLen, shape.keyLen) * 64);
        gpu::AttentionOptions options;
        options.format = rung.halfInputs ? number::Format::F16 : number::Format::F32;
        options.threads = 1;
        options.gpu = settings.gpu;
        options.checks = settings.checks;
        measure(settings, std::string(rung.name), rung.halfInputs || !rung.factors.empty(), [&] {
            std::vector<gpu::LaunchStats> launches;
            for (const gpu::LaunchRecord& launch :
                 gpu::attentionForward(library, rung.id, shape, x.data(), x.data(), x.data(), options).launches)
                launches.push_back(launch.stats);
            return launches;
        });
    }
}

/// C = A · B with three stages of cp.async, ldmatrix and mma: 64 × 64 of C a block, k in steps of 32.
void tritonProduct(gpu::Device& device, const Settings& settings) {
    constexpr int size = 512, tile = 64;
    std::ifstream file(WARPLIGHT_TEST_DATA "/data/ptx/triton_matmul.ptx");
    std::stringstream text;
    text << file.rdbuf();
    const auto module = device.load(text.str(), "triton_matmul.ptx");
    std::vector<uint16_t> halves;
    for (const float value : gaussians(size * size))
        halves.push_back(number::floatToF16(value));
    gpu::Buffer x(device, static_cast<int64_t>(halves.size() * sizeof(uint16_t)), "x"), y(device, 2 * x.bytes(), "y");
    x.upload(halves.data());
    gpu::LaunchConfig config;
    config.grid = {size / tile, size / tile};
    config.block = {128};
    config.dynamicShared = 16384;
    config.threads = 1;
    config.gpu = settings.gpu;
    config.checks = settings.checks;
    const std::vector<gpu::Argument> arguments = {x.address(), x.address(), y.address(), size,
                                                  size,        size,        uint64_t(0), uint64_t(0)};
    measure(settings, "triton-matmul", true,
            [&] { return std::vector<gpu::LaunchStats>{module->kernel("matmul").launch(config, arguments)}; });
}

} // namespace

int main(int argc, char** argv) {
    Settings settings;
    CLI::App options("How fast the virtual GPU is on one core.");
    options.add_option("seqLen", settings.seqLen, "queries and keys of attention");
    options.add_option("--target", settings.target, "instruction set: AVX3 (AVX-512), AVX2, SSE2");
    options.add_option("--gpu", settings.gpu, "whose caches and time are modelled (A100); none if left out");
    options.add_option("--kernel", settings.kernel, "only this one");
    options.add_option("--repetitions", settings.repetitions, "the median of so many runs")->check(CLI::Range(1, 100));
    options.add_flag("--checks", settings.checks, "look for races and unwritten memory");
    CLI11_PARSE(options, argc, argv);
    try {
        vgpu::useTarget(settings.target);
        const auto device = vgpu::makeVirtualDevice();
        fmt::print("{}, one core, all counters on, caches {}, checks {}, seqLen {}, headDim 64\n",
                   settings.target.empty() ? vgpu::supportedTargets()[0] : settings.target,
                   settings.gpu.empty() ? "not modelled" : "of " + settings.gpu, settings.checks ? "on" : "off",
                   settings.seqLen);
        fmt::print("{:<14}{:>22}{:>18}{:>10}\n", "kernel", "thread-instructions/s", "tensor GFLOP/s", "seconds");
        attention(*device, settings);
        tritonProduct(*device, settings);
    } catch (const std::exception& error) {
        fmt::print(stderr, "vgpu_bench: {}\n", error.what());
        return 1;
    }
    fmt::print("bars: {:.1f}e9 thread-instructions/s on scalar kernels, {:.1f}e9 and {:.0f} GFLOP/s on tensor cores\n",
               scalarBar * 1e-9, tensorInstructionBar * 1e-9, tensorBar * 1e-9);
    return 0;
}
