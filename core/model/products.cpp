// SPDX-License-Identifier: GPL-3.0-or-later
// The layers that are matrix products, and what is added to their rows.
#include "core/cpu/matmul/matmul.h"
#include "core/model/kernels.h"
#include "core/model/layers.h"
#include "core/model/spread.h"

#include <algorithm>
#include <cstdint>

namespace warplight::model {

using cpu::MatmulRung;

void multiply(const Product& s, const float* x, const float* weight, float* y, const RunOptions& options) {
    cpu::matmul(MatmulRung::Packed, {s.rows, s.out, s.in, false, x, weight, y}, worth(options, s.rows * s.in * s.out));
}

void multiplyBackward(const Product& s, const float* x, const float* weight, const float* dy, float* dWeight, float* dx,
                      const RunOptions& options) {
    cpu::matmul(MatmulRung::Packed, {s.in, s.out, s.rows, false, x, dy, dWeight, true}, options);
    if (dx)
        cpu::matmul(MatmulRung::Packed, {s.rows, s.in, s.out, true, dy, weight, dx}, options);
}

void multiplyFew(const Product& s, const float* x, const float* weight, float* y, const RunOptions& given) {
    constexpr int64_t fewest = 1 << 17; // every weight is read for a row or two: it is the memory that counts
    const RunOptions options = worth(given, s.rows * s.in * s.out, fewest);
    const ModelKernels& kernel = modelKernels();
    // As wide as possible: a narrow strip of columns is read a piece of a page at a time.
    const int64_t width = cpu::roundUp(cpu::ceilDiv(s.out, cpu::workerCount(options.threads)), 16);
    inPieces(s.out, width, options, [&](int64_t begin, int64_t end) {
        for (int64_t row = 0; row < s.rows; ++row)
            kernel.rowTimesColumns(x + row * s.in, s.in, weight + begin, s.out, y + row * s.out + begin, end - begin);
    });
}

void addBias(int64_t rows, int64_t width, const float* bias, float* y, const RunOptions& options) {
    const ModelKernels& kernel = modelKernels();
    inRows(rows, width, options, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row)
            kernel.add(y + row * width, bias, y + row * width, width);
    });
}

void addResidual(int64_t rows, int64_t width, const float* x, const float* bias, const float* residual, float* y,
                 const RunOptions& options) {
    const ModelKernels& kernel = modelKernels();
    inRows(rows, width, options, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row)
            kernel.addThree(x + row * width, bias, residual + row * width, y + row * width, width);
    });
}

void biasBackward(int64_t rows, int64_t width, const float* dy, float* dBias, const RunOptions& options) {
    const ModelKernels& kernel = modelKernels();
    inColumns(width, options, [&](int64_t begin, int64_t end) {
        std::fill(dBias + begin, dBias + end, 0.0f);
        for (int64_t row = 0; row < rows; ++row)
            kernel.add(dBias + begin, dy + row * width + begin, dBias + begin, end - begin);
    });
}

} // namespace warplight::model
