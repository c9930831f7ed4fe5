// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/virtual/program.h"

#include <cstdint>
#include <string>

namespace warplight::vgpu {

/// mma.sync of one shape and one set of types. Its rows are, in Program::rows from `detail` on: D, A, B, C.
struct MatrixOperation {
    Handler run = nullptr;
    int dRows = 0, aRows = 0, bRows = 0, cRows = 0; ///< registers a thread
    int rowBytes = 4;                               ///< 8 for f64
    uint32_t flops = 0;                             ///< of the warp: 2·m·n·k
};

/// By what is behind "mma.sync.aligned.": "m16n8k16.row.col.f32.f16.f16.f32". `run` is null for what there is not.
///
/// The accumulation model: products are exact, and each is added by one fused multiply-add in the accumulator's format
/// (f32; f64 for f64; two's complement for integers), k ascending from the value of C. An f16 accumulator is f32 inside
/// and rounded once at the end. Hardware adds several products at a time with truncation; see docs/virtual-gpu.md.
MatrixOperation matrixOperation(const std::string& name);
/// The same of integers whose sums stay at the ends of 32 bits (.satfinite, which is no part of the name).
MatrixOperation saturatingMatrixOperation(const std::string& name);

/// ldmatrix and stmatrix: a is the address (imm its offset, `bytes` its width), `count` matrices of 8×8 16-bit elements
/// in the rows from `detail` on; negated: transposed.
Handler loadMatrixHandler();
Handler storeMatrixHandler();
Handler moveMatrixHandler(); ///< movmatrix.trans

} // namespace warplight::vgpu
