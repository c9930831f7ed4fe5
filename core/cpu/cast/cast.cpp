// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/cast/cast.h"

#include "core/cpu/cast/kernels.h"
#include "core/cpu/parallel.h"
#include "core/cpu/rounding.h"
#include "core/error.h"
#include "gpu/number/half.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <fmt/format.h>

namespace warplight::cpu {
namespace {

constexpr int64_t piece = 1 << 15; ///< numbers that one thread takes at a time

/// Whether all of y is finite.
bool exactly(const CastProblem& p, int64_t begin, int64_t end) {
    bool finite = true;
    for (int64_t i = begin; i < end; ++i) {
        p.y[i] = static_cast<float>(static_cast<double>(p.factor) * static_cast<double>(p.x[i]));
        finite = finite && std::isfinite(p.y[i]);
    }
    return finite;
}

bool toHalf(const CastProblem& p, int64_t begin, int64_t end) {
    bool finite = true;
    for (int64_t i = begin; i < end; ++i) {
        p.y[i] = number::f16ToFloat(number::floatToF16(p.factor * p.x[i]));
        finite = finite && std::isfinite(p.y[i]);
    }
    return finite;
}

} // namespace

RunCost cast(CastRung rung, number::Format to, const CastProblem& p, const RunOptions& options) {
    if (p.count < 0)
        throw InputError(fmt::format("cast: {} numbers, expected at least 0", p.count));
    const int workers = workerCount(options.threads);
    const SmallFloat format = rung == CastRung::Vectorised ? smallFloat(to) : SmallFloat{};
    std::atomic<bool> finite{true};
    parallelItems(ceilDiv(p.count, piece), workers, options.cancel, [&](int64_t item, int) {
        const int64_t begin = item * piece, end = std::min(p.count, begin + piece);
        const bool all = rung == CastRung::Reference ? exactly(p, begin, end)
                         : rung == CastRung::Plain
                             ? toHalf(p, begin, end)
                             : castKernels().cast(p.x + begin, p.y + begin, end - begin, p.factor, format);
        if (!all)
            finite = false;
    });
    *p.found = finite ? 0 : 1;
    return {0, workers};
}

} // namespace warplight::cpu
