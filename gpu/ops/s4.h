// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/ops/launcher.h"
#include "gpu/ops/traffic.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace warplight::gpu {

/// S4, f32 (gpu/kernels/s4.cu), with a diagonal A: x = a x + w u, y = Σ Re x over the states of a channel, or with that
/// of LegS by the bilinear rule.
struct S4Shape {
    int64_t channels = 0, length = 0;
    int64_t states = 0; ///< of a channel: complex ones, 1 to 128, of LegS real ones, 1 to 256
    bool isLegs = false;
};

/// Recurrent keeps states in registers; Direct makes the kernel by the same recurrence, then convolves term by term,
/// Cufft by the device's Fourier library.
enum class S4Rung { Recurrent, Direct, Cufft };
std::string_view name(S4Rung rung); ///< "recurrent", "direct", "cufft"

/// Throws InputError for what the kernels cannot launch: states beyond 128, of LegS 256, more than 2³⁰ steps or 65,535
/// channels.
void checkShape(const S4Shape& shape);

struct S4Run : Launched {
    std::vector<float> y; ///< [channels, length]
};
/// `factors` [channels, states, 4]: a and w, real and imaginary part each; of LegS p, q, g and what a state adds to y,
/// as Legs of the kernels has them; u [channels, length]. Buffers are called factors, U, K and Y, of Cufft also padded.
/// Throws InputError for other shapes, KernelError, Cancelled.
S4Run s4(KernelLibrary& library, S4Rung rung, const S4Shape& shape, const float* factors, const float* u,
         const LaunchOptions& options = {});

/// What the loops of a rung ask memory for; of Cufft nobody knows.
TensorTraffic algorithmicTraffic(S4Rung rung, const S4Shape& shape);
/// Device memory of all buffers, of Cufft without what the library asks for beside them; INT64_MAX when the size
/// overflows.
int64_t deviceBytes(S4Rung rung, const S4Shape& shape);

} // namespace warplight::gpu
