// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/ssm/hippo_rungs.h"

#include "core/cpu/hippo/kernels.h"
#include "core/cpu/parallel.h"
#include "core/cpu/workspace.h"
#include "core/error.h"
#include "gpu/host/memory_budget.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <optional>

namespace warplight::ssm {
namespace {

using cpu::RunCost;
using cpu::RunOptions;

constexpr cpu::RungInfo<HippoRung> infos[] = {
    {HippoRung::Reference, "reference", "a memory a channel in double precision", "what the others are judged by"},
    {HippoRung::Dense, "dense", "matrix times state, channels in vector lanes",
     "f32; one number of Ā serves as many channels as a vector has lanes. LegS has another matrix at each step"},
    {HippoRung::Linear, "linear", "LegS by forward substitution, channels in vector lanes",
     "O(n) a step instead of O(n²), and no matrix"}};

constexpr int64_t blockSteps = 64;                 ///< of a group of channels, before the cancel flag is looked at
constexpr int64_t chunkNumbers = int64_t{1} << 20; ///< of LegS's matrices that are there at a time

bool isLegs(const HippoShape& s) { return s.memory.measure == Measure::LegS; }
bool needsExponential(Rule rule) { return rule == Rule::Zoh || rule == Rule::Mamba; }

int64_t matrixNumbers(int64_t n) { return n * (n + 1); }
int64_t chunkSteps(const HippoShape& s) {
    return std::clamp(chunkNumbers / matrixNumbers(s.memory.n), int64_t{1}, blockSteps);
}
int64_t matricesHeld(const HippoShape& s) { return isLegs(s) ? std::min(s.length, chunkSteps(s)) : 1; }
/// Doubles of what makes matrices or steps, at most.
int64_t makersBytes(int64_t n) { return 80 * (n + 8) * (n + 8); }

int64_t padded(int64_t n, int64_t lanes) { return (n + lanes - 1) / lanes * lanes; }
int64_t groupsOf(const HippoShape& s, int64_t lanes) { return s.channels / lanes + (s.channels % lanes > 0); }

/// Ā transposed and B̄ below it, of step k of LegS.
void writeLegsMatrix(LegsStepper& stepper, std::vector<double>& c, int64_t k, float* to) {
    const auto write = [&] {
        std::transform(c.begin(), c.end(), to, [](double x) { return static_cast<float>(x); });
        to += c.size();
    };
    for (size_t column = 0; column < c.size(); ++column) {
        std::fill(c.begin(), c.end(), 0.0);
        c[column] = 1;
        stepper.step(k, 0, c);
        write();
    }
    std::fill(c.begin(), c.end(), 0.0);
    stepper.step(k, 1, c);
    write();
}

/// The same of the others, whose steps are all alike.
void writeMatrix(const MemorySettings& m, float* to) {
    const System stepped = discretise(hippo(m.measure, m.n, m.theta), m.rule, m.step);
    const auto n = static_cast<size_t>(m.n);
    for (size_t k = 0; k < n; ++k)
        for (size_t i = 0; i < n; ++i)
            *to++ = static_cast<float>(stepped.a[i * n + k]);
    std::transform(stepped.b.begin(), stepped.b.end(), to, [](double x) { return static_cast<float>(x); });
}

/// Makes LegS's matrices of some steps, a worker each.
class LegsMatrices {
  public:
    LegsMatrices(const MemorySettings& settings, int count)
        : n(settings.n),
          workers(count),
          steppers(static_cast<size_t>(count), LegsStepper(settings.n, settings.rule)),
          columns(static_cast<size_t>(count), std::vector<double>(static_cast<size_t>(settings.n))) {}
    void make(int64_t first, int64_t steps, float* to, const std::atomic<bool>* cancel) {
        cpu::parallelItems(steps, workers, cancel, [&](int64_t step, int worker) {
            const auto w = static_cast<size_t>(worker);
            writeLegsMatrix(steppers[w], columns[w], first + step, to + step * matrixNumbers(n));
        });
    }

  private:
    int64_t n;
    int workers;
    std::vector<LegsStepper> steppers;
    std::vector<std::vector<double>> columns;
};

void reference(const HippoShape& s, const HippoTensors& t, int workers, const RunOptions& options) {
    std::vector<Memory> memories(static_cast<size_t>(workers), Memory(s.memory));
    const int64_t n = s.memory.n, rows = kept(s);
    cpu::parallelItems(s.channels, workers, options.cancel, [&](int64_t channel, int worker) {
        Memory& memory = memories[static_cast<size_t>(worker)];
        memory.reset();
        float* out = t.coefficients + channel * rows * n;
        for (int64_t k = 0; k < s.length; ++k) {
            checkCancelled(options.cancel);
            memory.push(static_cast<double>(t.u[channel * s.length + k]));
            if (k + 1 == s.length || (s.every > 0 && (k + 1) % s.every == 0)) {
                const auto c = memory.coefficients();
                out = std::transform(c.begin(), c.end(), out, [](double x) { return static_cast<float>(x); });
            }
        }
    });
}

/// Groups of channels in f32, each with its state [n, lanes], of Dense twice: before a step and after it.
class Groups {
  public:
    Groups(HippoRung which, const HippoShape& shape, const HippoTensors& tensors, int workers,
           cpu::Workspace& workspace)
        : rung(which), s(shape), t(tensors), lanes(kernels.lanes), n(shape.memory.n), rows(kept(shape)) {
        states = workspace.take<float>(groupsOf(s, lanes) * stateNumbers(rung, n, lanes));
        std::fill_n(states, groupsOf(s, lanes) * stateNumbers(rung, n, lanes), 0.0f);
        for (int w = 0; w < workers; ++w)
            inputs.push_back(workspace.take<float>(inputNumbers(rung, n, lanes)));
        if (rung == HippoRung::Linear) {
            norms = workspace.take<float>(padded(n, lanes));
            for (int64_t i = 0; i < padded(n, lanes); ++i)
                norms[i] = static_cast<float>(std::sqrt(static_cast<double>(2 * i + 1)));
        }
    }
    static int64_t stateNumbers(HippoRung rung, int64_t n, int64_t lanes) {
        return (rung == HippoRung::Dense ? 2 : 1) * n * lanes;
    }
    /// Inputs of some steps, and factors of a step of Linear.
    static int64_t inputNumbers(HippoRung rung, int64_t n, int64_t lanes) {
        return blockSteps * lanes + (rung == HippoRung::Dense ? 0 : 5 * padded(n, lanes));
    }

    /// Steps begin .. end - 1 of a group; `matrices`: from step `begin` on, `stride` numbers from one to the next.
    void run(int64_t group, int worker, int64_t begin, int64_t end, const float* matrices, int64_t stride,
             const std::atomic<bool>* cancel) const {
        const int64_t first = group * lanes, count = std::min(lanes, s.channels - first);
        float* u = inputs[static_cast<size_t>(worker)];
        std::fill_n(u, blockSteps * lanes, 0.0f);
        for (int64_t at = begin; at < end; at += blockSteps) {
            checkCancelled(cancel);
            const int64_t steps = std::min(blockSteps, end - at);
            for (int64_t l = 0; l < count; ++l)
                for (int64_t k = 0; k < steps; ++k)
                    u[k * lanes + l] = t.u[(first + l) * s.length + at + k];
            for (int64_t k = 0; k < steps; ++k)
                keep(step(group, at + k, u + k * lanes, u + blockSteps * lanes, matrices + (at + k - begin) * stride),
                     at + k, first, count);
        }
    }

  private:
    /// The state after step k.
    const float* step(int64_t group, int64_t k, const float* u, float* factors, const float* matrix) const {
        float* c = states + group * stateNumbers(rung, n, lanes);
        if (rung == HippoRung::Dense) {
            float* other = c + n * lanes;
            kernels.dense(matrix, n, k % 2 == 0 ? c : other, u, k % 2 == 0 ? other : c);
            return k % 2 == 0 ? other : c;
        }
        const auto length = static_cast<float>(legsStep(s.memory.rule, k));
        const bool isBilinear = s.memory.rule == Rule::Bilinear, isForward = s.memory.rule == Rule::ForwardEuler;
        kernels.linear({length,
                        isBilinear  ? length / 2
                        : isForward ? length
                                    : 0,
                        isBilinear  ? length / 2
                        : isForward ? 0
                                    : length},
                       norms, factors, n, c, u);
        return c;
    }
    void keep(const float* c, int64_t k, int64_t first, int64_t count) const {
        const bool isLast = k + 1 == s.length;
        if (!isLast && (s.every == 0 || (k + 1) % s.every != 0))
            return;
        const int64_t row = isLast ? rows - 1 : (k + 1) / s.every - 1;
        for (int64_t l = 0; l < count; ++l)
            for (int64_t i = 0; i < n; ++i)
                t.coefficients[((first + l) * rows + row) * n + i] = c[i * lanes + l];
    }

    const cpu::HippoKernels& kernels = cpu::hippoKernels();
    HippoRung rung;
    const HippoShape& s;
    const HippoTensors& t;
    int64_t lanes, n, rows;
    float* states;
    float* norms = nullptr;
    std::vector<float*> inputs;
};

} // namespace

std::span<const cpu::RungInfo<HippoRung>> hippoRungs() { return infos; }

int64_t kept(const HippoShape& s) { return s.every == 0 ? 1 : s.length / s.every + (s.length % s.every > 0); }

int64_t matricesOf(const HippoShape& s) { return isLegs(s) ? s.length : 1; }

void checkShape(const HippoShape& s) {
    const auto refuse = [](const char* what, int64_t is, const std::string& expected) {
        throw InputError(fmt::format("hippo: {} is {}, expected {}", what, is, expected));
    };
    if (s.channels < 0)
        refuse("channels", s.channels, "at least 0");
    if (s.length < 1 || s.length > int64_t{1} << 28)
        refuse("length", s.length, fmt::format("1 to {}", int64_t{1} << 28));
    if (s.every < 0)
        refuse("every", s.every, "at least 0");
    if (s.memory.n < 1 || s.memory.n > largestHippo)
        refuse("state", s.memory.n, fmt::format("1 to {}", largestHippo));
    if (s.memory.measure == Measure::FouT && s.memory.n % 2 != 0)
        refuse("state", s.memory.n, "an even number for FouT");
    if (!(s.memory.theta > 0) || !std::isfinite(s.memory.theta))
        throw InputError(fmt::format("hippo: theta is {}, expected a number above 0", s.memory.theta));
}

std::string whyNot(HippoRung rung, const HippoShape& s) {
    if (rung == HippoRung::Linear && (!isLegs(s) || needsExponential(s.memory.rule)))
        return "it is the step of LegS by Euler's rules or the bilinear one alone";
    return {};
}

RunCost hippo(HippoRung rung, const HippoShape& s, const HippoTensors& t, const RunOptions& options) {
    checkShape(s);
    if (const std::string why = whyNot(rung, s); !why.empty())
        throw InputError(fmt::format("hippo: not by {}: {}", infos[static_cast<size_t>(rung)].name, why));
    const int workers = cpu::workerCount(options.threads);
    if (s.channels == 0)
        return {0, workers};
    if (rung == HippoRung::Reference) {
        reference(s, t, workers, options);
        return {extraBytesAtMost(rung, s, options.threads), workers};
    }
    cpu::Workspace workspace;
    const int64_t lanes = cpu::hippoKernels().lanes, n = s.memory.n;
    const Groups groups(rung, s, t, workers, workspace);
    float* matrices = nullptr;
    std::optional<LegsMatrices> makers;
    int64_t held = 0;
    if (rung == HippoRung::Dense) {
        matrices = workspace.take<float>(matricesHeld(s) * matrixNumbers(n));
        held = makersBytes(n) * (isLegs(s) ? workers : 1);
        if (isLegs(s))
            makers.emplace(s.memory, workers);
        else
            writeMatrix(s.memory, matrices);
    }
    const int64_t chunk = makers ? chunkSteps(s) : s.length;
    for (int64_t begin = 0; begin < s.length; begin += chunk) {
        const int64_t end = std::min(s.length, begin + chunk);
        if (makers)
            makers->make(begin, end - begin, matrices, options.cancel);
        cpu::parallelItems(groupsOf(s, lanes), workers, options.cancel, [&](int64_t group, int worker) {
            groups.run(group, worker, begin, end, matrices, makers ? matrixNumbers(n) : 0, options.cancel);
        });
    }
    return {workspace.bytes() + held, workers};
}

int64_t extraBytesAtMost(HippoRung rung, const HippoShape& s, int threads) {
    if (s.channels == 0)
        return 0;
    const int64_t workers = cpu::workerCount(threads), n = s.memory.n, lanes = cpu::hippoKernels().lanes;
    if (rung == HippoRung::Reference)
        return saturatedProduct(workers + 1, makersBytes(n));
    const int64_t states = saturatedProduct(groupsOf(s, lanes), 4 * Groups::stateNumbers(rung, n, lanes)),
                  inputs = workers * 4 * Groups::inputNumbers(rung, n, lanes);
    if (rung == HippoRung::Linear)
        return saturatedSum(saturatedSum(states, inputs), 4 * padded(n, lanes));
    const int64_t made = 4 * matricesHeld(s) * matrixNumbers(n) + makersBytes(n) * (isLegs(s) ? workers : 1);
    return saturatedSum(saturatedSum(states, inputs), made);
}

double flopsOf(HippoRung rung, const HippoShape& s) {
    const auto steps = static_cast<double>(s.length), channels = static_cast<double>(s.channels),
               n = static_cast<double>(s.memory.n);
    if (rung == HippoRung::Linear || (rung == HippoRung::Reference && whyNot(HippoRung::Linear, s).empty()))
        return 10 * n * steps * channels;
    const double made =
        !isLegs(s) || rung == HippoRung::Reference ? 0 : n * n * (needsExponential(s.memory.rule) ? 9 * n : 10);
    return steps * (channels * 2 * n * (n + 1) + made);
}

std::vector<float> hippoMatrices(const HippoShape& s, const RunOptions& options) {
    checkShape(s);
    std::vector<float> all(static_cast<size_t>(matricesOf(s) * matrixNumbers(s.memory.n)));
    if (!isLegs(s))
        writeMatrix(s.memory, all.data());
    else
        LegsMatrices(s.memory, cpu::workerCount(options.threads)).make(0, s.length, all.data(), options.cancel);
    return all;
}

} // namespace warplight::ssm
