// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

namespace warplight::tensor {

/// Fills `out` with independent N(0, standardDeviation²) numbers. The same seed and stream give the same numbers on
/// every machine and with any thread count (counter-based: Philox4x32-10, Box-Muller; Salmon et al., SC'11).
/// Throws Cancelled.
void fillGaussian(std::span<float> out, uint64_t seed, uint64_t stream, float standardDeviation = 1.0f,
                  const std::atomic<bool>* cancel = nullptr);

/// Fills `out` with numbers uniform in [low, high), with the same guarantees.
void fillUniform(std::span<float> out, uint64_t seed, uint64_t stream, float low, float high,
                 const std::atomic<bool>* cancel = nullptr);

} // namespace warplight::tensor
