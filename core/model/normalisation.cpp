// SPDX-License-Identifier: GPL-3.0-or-later
// Layer normalisation and GELU.
#include "core/model/kernels.h"
#include "core/model/layers.h"
#include "core/model/spread.h"

#include <algorithm>
#include <cstdint>

namespace warplight::model {

void normalise(const Normalisation& n, const float* x, float* y, const RunOptions& options) {
    const ModelKernels& kernel = modelKernels();
    inRows(n.rows, n.width, options, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
            const float* from = x + row * n.width;
            kernel.moments(from, n.width, n.epsilon, n.means[row], n.scales[row]);
            kernel.normalise(from, n.width, n.means[row], n.scales[row], n.weight, n.bias, y + row * n.width);
        }
    });
}

void normaliseBackward(const Normalisation& n, const float* x, const float* dy, float* dx, float* dWeight, float* dBias,
                       const RunOptions& options) {
    const ModelKernels& kernel = modelKernels();
    inColumns(n.width, options, [&](int64_t begin, int64_t end) {
        std::fill(dWeight + begin, dWeight + end, 0.0f);
        std::fill(dBias + begin, dBias + end, 0.0f);
        for (int64_t row = 0; row < n.rows; ++row) {
            const int64_t at = row * n.width + begin;
            kernel.normaliseColumns(x + at, dy + at, end - begin, n.means[row], n.scales[row], dWeight + begin,
                                    dBias + begin);
        }
    });
    inRows(n.rows, n.width, options, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
            const int64_t at = row * n.width;
            kernel.normaliseBackward(x + at, dy + at, n.width, n.means[row], n.scales[row], n.weight, dx + at);
        }
    });
}

void gelu(int64_t count, const float* x, float* y, const RunOptions& options) {
    const ModelKernels& kernel = modelKernels();
    inRows(count, 1, options, [&](int64_t begin, int64_t end) { kernel.gelu(x + begin, end - begin, y + begin); });
}

void geluBackward(int64_t count, const float* x, float* dy, const RunOptions& options) {
    const ModelKernels& kernel = modelKernels();
    inRows(count, 1, options,
           [&](int64_t begin, int64_t end) { kernel.geluBackward(x + begin, end - begin, dy + begin); });
}

} // namespace warplight::model
