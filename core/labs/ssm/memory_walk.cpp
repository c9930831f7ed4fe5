// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/ssm/memory_walk.h"

#include "core/error.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <utility>

namespace warplight::labs::ssm {
namespace {

using warplight::ssm::Measure;

constexpr size_t mostRanges = 100;
constexpr double growsBeyond = 10; ///< times the largest sample: a stable memory holds at most about once that

std::vector<double> ages(int64_t count) {
    std::vector<double> result(static_cast<size_t>(count));
    for (size_t i = 0; i < result.size(); ++i)
        result[i] = static_cast<double>(i) + 0.5;
    return result;
}

double relative(double wrong, double was) { return was > 0 ? std::sqrt(wrong / was) : std::sqrt(wrong); }

} // namespace

std::span<const MemoryKind> memoryKinds() {
    static const std::vector<MemoryKind> kinds{
        {"legs", "LegS, all of the past", Measure::LegS}, {"legt", "LegT, a window", Measure::LegT},
        {"lmu", "LMU, a window", Measure::Lmu},           {"lagt", "LagT, fading", Measure::LagT},
        {"fout", "FouT, a window", Measure::FouT},        {"s4", "S4, fading by its step", Measure::LegS, true}};
    return kinds;
}

const MemoryKind& memoryKind(const std::string& id) {
    const auto kinds = memoryKinds();
    const auto found = std::find_if(kinds.begin(), kinds.end(), [&](const MemoryKind& kind) { return kind.id == id; });
    if (found == kinds.end())
        throw InputError("measure '" + id + "' is not known, expected legs, legt, lmu, lagt, fout or s4");
    return *found;
}

Remembering::Remembering(const MemoryKind& kind, const MemoryOptions& options) : of(kind), options(options) {
    if (!kind.fixedStep) {
        memory.emplace(warplight::ssm::MemorySettings{kind.measure, options.n, options.rule, options.window, 1});
        return;
    }
    warplight::ssm::System discrete =
        warplight::ssm::discretise(warplight::ssm::hippo(kind.measure, options.n), options.rule, options.step);
    matrix = std::move(discrete.a);
    input = std::move(discrete.b);
    state.resize(input.size());
    next.resize(input.size());
}

void Remembering::hear(float sample) {
    ++heard;
    if (memory)
        return memory->push(static_cast<double>(sample));
    const size_t n = state.size();
    for (size_t i = 0; i < n; ++i) {
        double sum = input[i] * static_cast<double>(sample);
        for (size_t k = 0; k <= i; ++k)
            sum += matrix[i * n + k] * state[k];
        next[i] = sum;
    }
    state.swap(next);
}

std::span<const double> Remembering::coefficients() const {
    return memory ? memory->coefficients() : std::span<const double>(state);
}

int64_t Remembering::reach() const {
    // Functions that fade never end: what weighs less than a hundredth is left out.
    constexpr double faded = 4.6; // -ln 0.01
    const double whole = of.fixedStep                  ? faded / options.step
                         : of.measure == Measure::LegS ? static_cast<double>(heard)
                         : of.measure == Measure::LagT ? faded * options.window
                                                       : options.window;
    return std::clamp<int64_t>(static_cast<int64_t>(whole), std::min<int64_t>(heard, 1), heard);
}

std::vector<double> Remembering::recall(int64_t count) const {
    if (memory)
        return memory->reconstruct(ages(count));
    std::vector<double> positions = ages(count), result(static_cast<size_t>(count));
    for (double& age : positions)
        age = 1 - std::exp(-options.step * age); // of the polynomials over [0, 1], 0 is now
    warplight::ssm::Basis(of.measure, options.n, positions).reconstruct(state, result);
    return result;
}

std::vector<std::complex<double>> Remembering::poles() const {
    if (memory)
        return memory->discretePoles();
    std::vector<std::complex<double>> result;
    for (int64_t i = 1; i <= options.n; ++i)
        result.push_back(warplight::ssm::mapped(-static_cast<double>(i), options.rule, options.step));
    return result;
}

MemoryWalk::MemoryWalk(const MemoryKind& kind, const MemoryOptions& options, std::span<const float> heard,
                       std::span<const float> clean)
    : memory(kind, options),
      options(options),
      heard(heard),
      clean(clean),
      wrong(heard.size()),
      was(heard.size()),
      looks(heard.size()) {
    for (const float sample : heard)
        bound = std::max(bound, growsBeyond * std::fabs(static_cast<double>(sample)));
}

Moment MemoryWalk::walkTo(int64_t stop) {
    while (memory.samples() < stop) {
        memory.hear(heard[static_cast<size_t>(memory.samples())]);
        if (diverges)
            continue;
        double square = 0;
        for (const double c : memory.coefficients())
            square += c * c;
        if (!(std::sqrt(square) <= bound)) // also NaN
            diverges = memory.samples();
    }
    Moment moment;
    moment.now = stop;
    const auto held = memory.coefficients();
    moment.coefficients.assign(held.begin(), held.end());
    moment.recalled = memory.recall(memory.reach());
    moment.poles = memory.poles();
    outside |= warplight::ssm::largest(moment.poles) > onCircle;
    double off = 0, all = 0;
    for (size_t age = 0; age < static_cast<size_t>(stop); ++age) { // what it does not claim to know counts as 0
        const auto truth = static_cast<double>(clean[static_cast<size_t>(stop) - 1 - age]);
        const double error = (age < moment.recalled.size() ? moment.recalled[age] : 0) - truth;
        wrong[age] += error * error;
        was[age] += truth * truth;
        ++looks[age];
        off += error * error;
        all += truth * truth;
        if (static_cast<double>(age) + 1 == std::floor(options.window))
            moment.errorNear = relative(off, all);
    }
    moment.errorAll = relative(off, all);
    return moment;
}

std::vector<MemoryWalk::ErrorAtAge> MemoryWalk::errorByAge() const {
    const auto ages = static_cast<size_t>(memory.samples()), range = std::max<size_t>(1, wrong.size() / mostRanges);
    // Relative to the signal as a whole: where it passes 0 there is no error by itself.
    const double mean = std::accumulate(was.begin(), was.end(), 0.0) / std::accumulate(looks.begin(), looks.end(), 0.0);
    std::vector<ErrorAtAge> errors;
    for (size_t begin = 0; begin < ages; begin += range) {
        const size_t end = std::min(begin + range, ages);
        const auto sum = [&](const std::vector<double>& of) {
            return std::accumulate(of.begin() + static_cast<ptrdiff_t>(begin), of.begin() + static_cast<ptrdiff_t>(end),
                                   0.0);
        };
        errors.push_back({static_cast<double>(begin + end) / 2, relative(sum(wrong) / sum(looks), mean)});
    }
    return errors;
}

} // namespace warplight::labs::ssm
