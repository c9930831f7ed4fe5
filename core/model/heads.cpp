// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/heads.h"

#include "core/model/spread.h"

#include <algorithm>
#include <cmath>

namespace warplight::model {
namespace {

/// Calls copy(row, head, at): the features of a head in a row of features begin at head · size, in a tensor of heads
/// at `at`.
template <class Copy>
void forEachHead(const Heads& h, const cpu::RunOptions& options, const Copy& copy) {
    inRows(h.batch * h.length, h.features(), options, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row)
            for (int64_t head = 0; head < h.heads; ++head)
                copy(row, head, ((row / h.length * h.heads + head) * h.length + row % h.length) * h.size);
    });
}

void addInto(const float* x, const float* bias, float* y, int64_t count) {
    for (int64_t i = 0; i < count; ++i)
        y[i] = x[i] + bias[i];
}

} // namespace

void splitHeads(const Heads& h, const float* rows, const float* bias, float* q, float* k, float* v,
                const cpu::RunOptions& options) {
    const int64_t features = h.features();
    forEachHead(h, options, [&](int64_t row, int64_t head, int64_t at) {
        const float *from = rows + row * 3 * features + head * h.size, *add = bias + head * h.size;
        addInto(from, add, q + at, h.size);
        addInto(from + features, add + features, k + at, h.size);
        addInto(from + 2 * features, add + 2 * features, v + at, h.size);
    });
}

void joinHeads(const Heads& h, const float* q, const float* k, const float* v, float* rows,
               const cpu::RunOptions& options) {
    const int64_t features = h.features();
    forEachHead(h, options, [&](int64_t row, int64_t head, int64_t at) {
        float* to = rows + row * 3 * features + head * h.size;
        std::copy_n(q + at, h.size, to);
        std::copy_n(k + at, h.size, to + features);
        std::copy_n(v + at, h.size, to + 2 * features);
    });
}

void mergeHeads(const Heads& h, const float* heads, float* rows, const cpu::RunOptions& options) {
    forEachHead(h, options, [&](int64_t row, int64_t head, int64_t at) {
        std::copy_n(heads + at, h.size, rows + row * h.features() + head * h.size);
    });
}

void spreadHeads(const Heads& h, const float* rows, float* heads, const cpu::RunOptions& options) {
    forEachHead(h, options, [&](int64_t row, int64_t head, int64_t at) {
        std::copy_n(rows + row * h.features() + head * h.size, h.size, heads + at);
    });
}

cpu::AttentionProblem attentionOf(const Heads& h, const float* q, const float* k, const float* v, float* o,
                                  float* lse) {
    cpu::AttentionProblem p;
    p.batch = h.batch;
    p.queryHeads = p.keyHeads = h.heads;
    p.queryLen = p.keyLen = h.length;
    p.headDim = h.size;
    p.scale = 1 / std::sqrt(static_cast<float>(h.size));
    p.causal = true;
    p.q = q;
    p.k = k;
    p.v = v;
    p.o = o;
    p.lse = lse;
    return p;
}

} // namespace warplight::model
