// SPDX-License-Identifier: GPL-3.0-or-later
// The matrix product as it stands, and with tiles that stay in the cache.
#include "core/cpu/matmul/kernels.h"
#include "core/cpu/matmul/rungs.h"
#include "core/cpu/memory.h"
#include "core/cpu/parallel.h"
#include "core/cpu/workspace.h"

#include <algorithm>
#include <cstdint>

namespace warplight::cpu {
namespace {

/// C element by element, in pieces of a row that take some milliseconds at most.
template <class Number>
RunCost byElement(const MatmulProblem& p, const RunOptions& options) {
    const int workers = workerCount(options.threads);
    const int64_t piece = std::clamp<int64_t>((int64_t{1} << 19) / p.k, 1, p.n), pieces = (p.n + piece - 1) / piece;
    const int64_t row = p.transposedB ? 1 : p.n, column = p.transposedB ? p.k : 1;  // steps in B
    const int64_t down = p.transposedA ? 1 : p.k, across = p.transposedA ? p.m : 1; // and in A
    parallelItems(p.m * pieces, workers, options.cancel, [&](int64_t item, int) {
        const int64_t i = item / pieces, begin = item % pieces * piece;
        for (int64_t j = begin; j < std::min(p.n, begin + piece); ++j) {
            Number sum = 0;
            for (int64_t x = 0; x < p.k; ++x)
                sum += static_cast<Number>(p.a[i * down + x * across]) * static_cast<Number>(p.b[x * row + j * column]);
            p.c[i * p.n + j] = static_cast<float>(sum);
        }
    });
    return {0, workers};
}

// A tile of B is 64 KiB: half of a second-level cache is larger on every CPU since 2010.
constexpr int64_t tileRows = 64, tileDepth = 64, tileColumns = 256;

int64_t tiles(int64_t length, int64_t tile) { return (length + tile - 1) / tile; }

} // namespace

RunCost referenceMatmul(const MatmulProblem& problem, const RunOptions& options) {
    return byElement<double>(problem, options);
}

RunCost naiveMatmul(const MatmulProblem& problem, const RunOptions& options) {
    return byElement<float>(problem, options);
}

RunCost blockedMatmul(const MatmulProblem& p, const RunOptions& options) {
    const MatmulKernels& kernel = matmulKernels();
    const int workers = workerCount(options.threads);
    Workspace workspace;
    float* transposed = p.transposedB ? workspace.take<float>(workers * tileDepth * tileColumns) : nullptr;
    float* transposedRows = p.transposedA ? workspace.take<float>(workers * tileRows * tileDepth) : nullptr;
    const int64_t across = tiles(p.n, tileColumns);
    parallelItems(tiles(p.m, tileRows) * across, workers, options.cancel, [&](int64_t item, int worker) {
        const int64_t row = item / across * tileRows, column = item % across * tileColumns,
                      rows = std::min(tileRows, p.m - row), columns = std::min(tileColumns, p.n - column);
        float* c = p.c + row * p.n + column;
        for (int64_t r = 0; r < rows; ++r)
            std::fill_n(c + r * p.n, columns, 0.0f);
        for (int64_t k = 0; k < p.k; k += tileDepth) {
            const int64_t depth = std::min(tileDepth, p.k - k);
            const float* b = p.b + k * p.n + column;
            if (transposed) {
                float* tile = transposed + worker * tileDepth * tileColumns;
                for (int64_t j = 0; j < columns; ++j)
                    for (int64_t x = 0; x < depth; ++x)
                        tile[x * tileColumns + j] = p.b[(column + j) * p.k + k + x];
                b = tile;
            }
            const float* a = p.a + row * p.k + k;
            if (transposedRows) {
                float* tile = transposedRows + worker * tileRows * tileDepth;
                for (int64_t x = 0; x < depth; ++x)
                    for (int64_t r = 0; r < rows; ++r)
                        tile[r * tileDepth + x] = p.a[(k + x) * p.m + row + r];
                a = tile;
            }
            kernel.addTile(a, transposedRows ? tileDepth : p.k, rows, b, transposed ? tileColumns : p.n, depth, c, p.n,
                           columns);
        }
    });
    return {workspace.bytes(), workers};
}

int64_t blockedBytesAtMost(const MatmulProblem& p, int threads) {
    const int64_t workers = workerCount(threads);
    return (p.transposedB ? buffers({floats(workers, tileDepth * tileColumns)}) : 0) +
           (p.transposedA ? buffers({floats(workers, tileRows * tileDepth)}) : 0);
}

} // namespace warplight::cpu
