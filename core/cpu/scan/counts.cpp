// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/rounding.h"
#include "core/cpu/scan/scan.h"

#include <algorithm>
#include <bit>
#include <cstdint>

namespace warplight::cpu {
namespace {

/// Bits that are set in 0 … n - 1.
int64_t bitsBelow(int64_t n) {
    int64_t bits = 0;
    for (int64_t half = 1; half < n; half *= 2)
        bits += n / (2 * half) * half + std::max<int64_t>(n % (2 * half) - half, 0);
    return bits;
}

} // namespace

ScanCounts scanCounts(ScanRung rung, int64_t n, int64_t chunk) {
    if (n == 0)
        return {};
    const int64_t doublings = std::bit_width(static_cast<uint64_t>(n - 1)), // ⌈log2 n⌉
        halvings = std::bit_width(static_cast<uint64_t>(n)) - 1;            // ⌊log2 n⌋
    switch (rung) {
    case ScanRung::Reference:
    case ScanRung::Serial:
        return {n - 1, n - 1, 0, 0};
    case ScanRung::HillisSteele:
        return {n * doublings - (int64_t{1} << doublings) + 1, doublings, doublings, 0};
    case ScanRung::Sklansky:
        return {bitsBelow(n), doublings, doublings, 0};
    case ScanRung::Blelloch: {
        int64_t up = 0;
        for (int64_t half = 1; 2 * half <= n; half *= 2)
            up += n / (2 * half);
        return {up + n - 1 + n, halvings + doublings + 1, halvings + doublings, 0};
    }
    case ScanRung::Chunked:
    case ScanRung::LookBack: {
        const int64_t chunks = ceilDiv(n, chunk);
        if (chunks == 1)
            return {n, n, 0, 0};
        return {2 * n - chunk - 1, chunk + chunks - 1, 0, chunks - 1};
    }
    }
    return {};
}

} // namespace warplight::cpu
