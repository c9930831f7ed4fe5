// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/linear/chunked_products.h"
#include "core/cpu/linear/linear_attention.h"
#include "core/cpu/memory.h"
#include "core/cpu/parallel.h"
#include "core/cpu/rounding.h"

#include <algorithm>
#include <cstdint>

namespace warplight::cpu {
namespace {

/// Features, values with a column of ones, and decays of all heads.
int64_t preparedBytes(const LinearShape& s) {
    const int64_t heads = s.batch * s.heads, d = featureCount(s), c = s.valueDim + 1;
    const int64_t queries = saturatedProduct(heads, s.queryLen), keys = saturatedProduct(heads, s.keyLen);
    return buffers({floats(queries, d), floats(keys, d), floats(keys, c), floats(keys, 1)});
}

/// Favor's ω, in double precision at first and with what it is made from.
int64_t omegaBytes(const LinearShape& s) {
    const int64_t rows = roundUp(s.features, std::max<int64_t>(s.headDim, 1));
    return s.map == FeatureMap::Favor ? floats(4 * rows, s.headDim) : 0;
}

int64_t formBytes(LinearForm form, const LinearShape& s, int threads) {
    const int64_t workers = workerCount(threads), heads = s.batch * s.heads, d = featureCount(s), c = s.valueDim + 1;
    const int64_t keys = saturatedProduct(heads, s.keyLen), prepared = preparedBytes(s);
    switch (form) {
    case LinearForm::Parallel:
        return buffers({prepared, floats(workers, s.keyLen + d + c + 16), floats(keys, c), floats(d, c + 1)});
    case LinearForm::Recurrent:
        return buffers({prepared, floats(workers * (d + 3), c)});
    case LinearForm::Cumsum:
        return buffers({prepared, floats(saturatedProduct(std::max<int64_t>(s.keyLen, 1), d), c), floats(workers, c)});
    case LinearForm::Chunked: {
        if (hasChunkProducts(s))
            return chunkedProductsBytesAtMost(s, threads);
        const int64_t length = std::clamp<int64_t>(s.chunk, 1, std::max<int64_t>(s.keyLen, 1));
        return buffers({prepared, floats(workers, 2 * d * c + length * (c + 1) + d + c + 16)});
    }
    case LinearForm::Reference: { // copies of all tensors, in double precision as what is made of them
        const int64_t queries = saturatedProduct(heads, s.queryLen);
        const int64_t tensors = buffers({floats(queries, s.headDim + s.valueDim), floats(keys, s.headDim + s.valueDim),
                                         floats(keys, d + 1), floats(saturatedProduct(heads, d), c)});
        return saturatedProduct(2, buffers({prepared, floats(workers * (d + 3), c), tensors}));
    }
    }
    return 0;
}

} // namespace

int64_t extraBytesAtMost(LinearForm form, const LinearShape& s, int threads) {
    return saturatedSum(formBytes(form, s, threads), omegaBytes(s));
}

} // namespace warplight::cpu
