// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/ssm/scan_walk.h"

#include "core/cpu/scan/recorder.h"
#include "gpu/ops/kernel_library.h"
#include "gpu/virtual/virtual_device.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <utility>

namespace warplight::labs::ssm {
namespace {

using Known = ScanWalk::Known;
using gpu::ScanCombine;

size_t at(int64_t i) { return static_cast<size_t>(i); }

double worstError(const ScanInputs& in, const std::vector<float>& h) {
    double state = 0, worst = 0;
    for (size_t i = 0; i < h.size(); ++i) {
        state = static_cast<double>(in.a[i]) * state + static_cast<double>(in.b[i]);
        worst = std::max(worst, std::fabs(state - static_cast<double>(h[i])));
    }
    return worst;
}

/// What is known of each element after a step that follows others.
void know(ScanWalk::Step& step, std::vector<Known>& known) {
    if (step.phase == "down" && std::count(known.begin(), known.end(), Known::State) == 0) {
        std::fill(known.begin(), known.end(), Known::Nothing);
        known.front() = Known::State; // the state before the first step
    }
    for (const ScanCombine& c : step.combines)
        known[at(c.into)] = c.state ? Known::State : Known::Pair;
    step.known = known;
}

/// Makes the numbers of a kernel's step again, as it makes them: one fused multiply-add for b, one product for a.
class Replay {
  public:
    explicit Replay(const ScanInputs& in) : inputs(in), a(in.a), b(in.b), states(in.a.size()) {}

    void play(ScanWalk::Step& step) {
        const std::vector<float> oldA = a, oldB = b;
        for (const ScanCombine& c : step.combines) {
            const size_t into = at(c.into), earlier = at(std::max<int64_t>(c.middle - 1, 0));
            if (step.phase == "step" && c.state) { // serial
                b[into] = std::fma(inputs.a[into], c.into > 0 ? b[into - 1] : 0, inputs.b[into]);
            } else if (step.phase == "own step") {
                states[into] = std::fma(inputs.a[into], states[into], inputs.b[into]);
            } else if (step.phase == "down") {
                states[into] = std::fma(a[earlier], states[at(c.from)], b[earlier]);
            } else {
                b[into] = std::fma(oldA[into], oldB[earlier], oldB[into]);
                a[into] = oldA[into] * oldA[earlier];
            }
        }
        const bool hasStates = step.phase == "down" || step.phase == "own step";
        step.a = a;
        step.b = hasStates ? states : b;
    }

  private:
    const ScanInputs& inputs;
    std::vector<float> a, b, states; ///< states: before each step, then behind it
};

/// Chunks: what each does to a state, and the state behind it.
void fillChunks(ScanWalk& walk, const ScanInputs& in) {
    const auto length = static_cast<int64_t>(in.a.size());
    std::vector<float> states;
    for (int64_t begin = 0; begin < length; begin += walk.chunk) {
        double a = 1, b = 0;
        const int64_t end = std::min(begin + walk.chunk, length);
        for (int64_t i = begin; i < end; ++i) {
            a *= static_cast<double>(in.a[at(i)]);
            b = static_cast<double>(in.a[at(i)]) * b + static_cast<double>(in.b[at(i)]);
        }
        walk.a.push_back(static_cast<float>(a));
        walk.b.push_back(static_cast<float>(b));
        states.push_back(walk.h[at(end - 1)]);
    }
    std::vector<Known> known(walk.a.size(), Known::Nothing);
    for (ScanWalk::Step& step : walk.steps) {
        if (step.phase == "look back") // what is found is the state before the chunk: the one before it shows it
            step.known = known;
        else
            know(step, known);
        step.a = walk.a;
        step.b = walk.b;
        for (size_t i = 0; i < known.size(); ++i)
            if (step.known[i] == Known::State)
                step.b[i] = states[i];
    }
}

} // namespace

ScanWalk walkOnCpu(cpu::ScanRung rung, const ScanInputs& inputs, int64_t chunk) {
    ScanWalk walk;
    walk.rung = cpu::scanRungs()[static_cast<size_t>(rung)].name;
    walk.a = inputs.a;
    walk.b = inputs.b;
    cpu::ScanRecord record = cpu::recordScan(
        rung,
        {{1, static_cast<int64_t>(inputs.a.size()), false, chunk}, inputs.a.data(), inputs.b.data(), nullptr, nullptr});
    std::vector<Known> known(inputs.a.size(), Known::Pair);
    if (rung == cpu::ScanRung::Serial && !known.empty())
        known.front() = Known::State; // h_0 = b_0
    for (cpu::ScanStep& s : record.steps) {
        ScanWalk::Step step{std::move(s.phase), {}, std::move(s.a), std::move(s.b), {}, 0};
        for (const cpu::ScanCombine& c : s.combines)
            step.combines.push_back({c.from, c.middle, c.into, c.state});
        know(step, known);
        walk.steps.push_back(std::move(step));
    }
    walk.h = std::move(record.h);
    walk.combines = record.counted.combines;
    walk.depth = record.counted.depth;
    walk.barriers = record.counted.barriers;
    walk.handovers = record.counted.handovers;
    walk.worst = worstError(inputs, walk.h);
    return walk;
}

ScanWalk walkOnGpu(gpu::ScanRung rung, const ScanInputs& inputs, const std::atomic<bool>* cancel) {
    ScanWalk walk;
    walk.onGpu = true;
    walk.rung = gpu::scanRungs()[static_cast<size_t>(rung)].name;
    const bool inChunks = rung == gpu::ScanRung::Chunked || rung == gpu::ScanRung::LookBack;
    const gpu::ScanShape shape{1, static_cast<int64_t>(inputs.a.size()), false};
    const auto device = vgpu::makeVirtualDevice();
    gpu::KernelLibrary library(*device);
    gpu::ScanRecorder recorder(rung, shape);
    gpu::LaunchOptions options;
    options.gpu = "A100"; // phases are told where time is modelled
    options.cancel = cancel;
    options.prepare = [&](gpu::LaunchConfig& config) { recorder.watch(config); };
    gpu::ScanRun run = gpu::scan(library, rung, shape, {inputs.a.data(), inputs.b.data(), nullptr}, options);
    walk.h = std::move(run.h);
    for (gpu::ScanPhase& phase : recorder.phases())
        walk.steps.push_back({std::move(phase.name), std::move(phase.combines), {}, {}, {}, phase.lookedAt});
    for (const gpu::LaunchRecord& launch : run.launches)
        walk.barriers +=
            static_cast<int64_t>(launch.stats.barriers / std::max<uint64_t>(1, (launch.block.count() + 31) / 32));
    walk.bytes = gpu::countedTraffic(run);
    if (inChunks) {
        walk.chunk = gpu::scanChunkSteps;
        fillChunks(walk, inputs);
    } else {
        walk.a = inputs.a;
        walk.b = inputs.b;
        Replay replay(inputs);
        std::vector<Known> known(inputs.a.size(), Known::Pair);
        for (ScanWalk::Step& step : walk.steps) {
            replay.play(step);
            know(step, known);
        }
    }
    for (const ScanWalk::Step& step : walk.steps) {
        walk.combines += static_cast<int64_t>(step.combines.size());
        walk.handovers += step.phase == "look back" || step.phase == "carry";
    }
    walk.depth = static_cast<int64_t>(walk.steps.size());
    walk.worst = worstError(inputs, walk.h);
    return walk;
}

} // namespace warplight::labs::ssm
