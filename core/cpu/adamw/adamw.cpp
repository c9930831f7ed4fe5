// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/adamw/adamw.h"

#include "core/cpu/adamw/kernels.h"
#include "core/cpu/parallel.h"
#include "core/cpu/rounding.h"
#include "core/error.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <fmt/format.h>

namespace warplight::cpu {
namespace {

constexpr int64_t piece = 1 << 13; ///< parameters that one thread takes at a time

constexpr std::array<RungInfo<AdamwRung>, 3> infos{{
    {AdamwRung::Reference, "reference", "double precision, plain loops",
     "nothing: this is the formula that every other rung is judged by"},
    {AdamwRung::Plain, "plain", "f32, a parameter after the other", "the same in f32"},
    {AdamwRung::Vectorised, "vectorised", "f32, a vector of parameters at a time",
     "as many parameters an instruction as a vector holds: memory is what is left to wait for"},
}};

template <class Number>
void one(const AdamwProblem& p, const gpu::AdamwConstants<Number>& constants, int64_t i) {
    Number w = static_cast<Number>(p.w[i]), m = static_cast<Number>(p.m[i]), v = static_cast<Number>(p.v[i]);
    constants.update(w, static_cast<Number>(p.g[i]), m, v);
    p.wNew[i] = static_cast<float>(w);
    p.mNew[i] = static_cast<float>(m);
    p.vNew[i] = static_cast<float>(v);
    p.copy[i] = number::rounded(p.wNew[i], p.copied);
}

} // namespace

std::span<const RungInfo<AdamwRung>> adamwRungs() { return infos; }

RunCost adamw(AdamwRung rung, const AdamwProblem& p, const RunOptions& options) {
    if (p.count < 0)
        throw InputError(fmt::format("adamw: {} parameters, expected at least 0", p.count));
    gpu::checkStep(p.step);
    const int workers = workerCount(options.threads);
    const gpu::AdamwConstants<double> exact(p.step);
    const gpu::AdamwConstants<float> constants(p.step);
    const bool rounds = number::isSmallFloat(p.copied);
    const SmallFloat copied = rounds ? smallFloat(p.copied) : SmallFloat{};
    parallelItems(ceilDiv(p.count, piece), workers, options.cancel, [&](int64_t item, int) {
        const int64_t begin = item * piece, end = std::min(p.count, begin + piece);
        if (rung == AdamwRung::Vectorised) {
            adamwKernels().step(p, constants, rounds ? &copied : nullptr, begin, end);
            return;
        }
        for (int64_t i = begin; i < end; ++i)
            if (rung == AdamwRung::Reference)
                one(p, exact, i);
            else
                one(p, constants, i);
    });
    return {0, workers};
}

double adamwFlops(int64_t count) { return 15.0 * static_cast<double>(count); }

} // namespace warplight::cpu
