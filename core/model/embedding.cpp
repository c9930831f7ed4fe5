// SPDX-License-Identifier: GPL-3.0-or-later
// Where tokens come in, and what is lost where they come out.
#include "core/cpu/softmax/kernels.h"
#include "core/model/kernels.h"
#include "core/model/layers.h"
#include "core/model/spread.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace warplight::model {
namespace {

double mean(int64_t rows, const double* rowLosses) {
    double sum = 0;
    for (int64_t row = 0; row < rows; ++row)
        sum += rowLosses[row];
    return sum / static_cast<double>(rows);
}

} // namespace

void embed(const Embedding& e, const float* tokenTable, const float* positionTable, float* y,
           const RunOptions& options) {
    const ModelKernels& kernel = modelKernels();
    inRows(e.batch * e.length, e.width, options, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row)
            kernel.add(tokenTable + e.tokens[static_cast<size_t>(row)] * e.width,
                       positionTable + (e.firstPosition + row % e.length) * e.width, y + row * e.width, e.width);
    });
}

void embedBackward(const Embedding& e, const float* dy, float* dTokens, float* dPositions, int64_t positions,
                   const RunOptions& options) {
    const ModelKernels& kernel = modelKernels();
    inColumns(e.width, options, [&](int64_t begin, int64_t end) {
        for (int64_t position = 0; position < positions; ++position)
            std::fill(dPositions + position * e.width + begin, dPositions + position * e.width + end, 0.0f);
        for (int64_t row = 0; row < e.batch * e.length; ++row) {
            float* token = dTokens + e.tokens[static_cast<size_t>(row)] * e.width + begin;
            float* position = dPositions + (e.firstPosition + row % e.length) * e.width + begin;
            const float* from = dy + row * e.width + begin;
            kernel.add(token, from, token, end - begin);
            kernel.add(position, from, position, end - begin);
        }
    });
}

double crossEntropy(int64_t rows, int64_t classes, const float* logits, std::span<const int32_t> targets,
                    double* rowLosses, const RunOptions& options) {
    const cpu::SoftmaxKernels& kernel = cpu::softmaxKernels();
    inRows(rows, classes, options, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
            const float* x = logits + row * classes;
            const float max = kernel.maximum(x, classes);
            rowLosses[row] =
                std::log(kernel.sum(x, classes, max)) - static_cast<double>(x[targets[static_cast<size_t>(row)]] - max);
        }
    });
    return mean(rows, rowLosses);
}

double crossEntropyBackward(int64_t rows, int64_t classes, float* logits, std::span<const int32_t> targets,
                            double* rowLosses, const RunOptions& options) {
    const cpu::SoftmaxKernels& kernel = cpu::softmaxKernels();
    const double share = 1 / static_cast<double>(rows);
    inRows(rows, classes, options, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
            float* x = logits + row * classes;
            const float max = kernel.maximum(x, classes);
            const double sum = kernel.sum(x, classes, max);
            float& target = x[targets[static_cast<size_t>(row)]];
            rowLosses[row] = std::log(sum) - static_cast<double>(target - max);
            kernel.scale(x, x, classes, max, static_cast<float>(share / sum));
            target -= static_cast<float>(share);
        }
    });
    return mean(rows, rowLosses);
}

} // namespace warplight::model
