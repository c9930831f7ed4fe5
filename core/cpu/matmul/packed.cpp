// SPDX-License-Identifier: GPL-3.0-or-later
// The matrix product by the scheme of Goto and van de Geijn (2008): panels of B are packed once for all rows, blocks of
// A once for all panels where there are many, and six rows times a panel of columns add up in registers.
#include "core/cpu/matmul/kernels.h"
#include "core/cpu/matmul/rungs.h"
#include "core/cpu/memory.h"
#include "core/cpu/parallel.h"
#include "core/cpu/rounding.h"
#include "core/cpu/workspace.h"

#include <algorithm>
#include <cstdint>

namespace warplight::cpu {
namespace {

constexpr int64_t blockDepth = 256;    // a panel of B, 16 to 64 KiB, serves a whole block of rows
constexpr int64_t blockRows = 96;      // 96 KiB of A: with the panel in the second-level cache
constexpr int64_t blockColumns = 2048; // 2 MiB of B, packed by all threads together
constexpr int64_t itemColumns = 256;   // of an item: a few hundred microseconds, and threads even out
constexpr int64_t mostPanelColumns = 64;
constexpr int64_t fewColumns = 1024;

/// Packing A is a pass of single numbers: it pays where many panels read them.
bool packsA(const MatmulProblem& p) { return p.n > fewColumns; }

class PackedMatmul {
  public:
    PackedMatmul(const MatmulProblem& problem, const RunOptions& o)
        : p(problem), options(o), workers(workerCount(o.threads)), depthAtMost(std::min(blockDepth, p.k)) {
        packedB = workspace.take<float>(depthAtMost * roundUp(std::min(blockColumns, p.n), panel));
        packedA = packed ? workspace.take<float>(depthAtMost * roundUp(p.m, matmulStripRows)) : nullptr;
    }

    RunCost run() {
        for (int64_t k = 0; k < p.k; k += blockDepth) {
            const int64_t depth = std::min(blockDepth, p.k - k), rowBlocks = ceilDiv(p.m, blockRows);
            parallelItems(packed ? rowBlocks : 0, workers, options.cancel, [&](int64_t item, int) {
                const int64_t end = std::min(p.m, (item + 1) * blockRows);
                for (int64_t row = item * blockRows; row < end; row += matmulStripRows)
                    packStrip(row, std::min(matmulStripRows, p.m - row), k, depth);
            });
            for (int64_t column = 0; column < p.n; column += blockColumns) {
                const int64_t columns = std::min(blockColumns, p.n - column);
                parallelItems(ceilDiv(columns, panel), workers, options.cancel, [&](int64_t item, int) {
                    packPanel(column + item * panel, std::min(panel, columns - item * panel), k, depth,
                              packedB + item * panel * depth);
                });
                const int64_t across = ceilDiv(columns, itemColumns);
                parallelItems(rowBlocks * across, workers, options.cancel, [&](int64_t item, int) {
                    const int64_t first = item % across * itemColumns;
                    multiply(item / across * blockRows, column, first, std::min(columns, first + itemColumns), k,
                             depth);
                });
            }
        }
        return {workspace.bytes(), workers};
    }

  private:
    float* strip(int64_t row, int64_t depth) const { return packedA + row * depth; }

    /// Rows of A one after the other for each step of the depth; missing ones are never read.
    void packStrip(int64_t row, int64_t rows, int64_t k, int64_t depth) const {
        float* to = strip(row, depth);
        if (p.transposedA) {
            for (int64_t x = 0; x < depth; ++x)
                std::copy_n(p.a + (k + x) * p.m + row, rows, to + x * matmulStripRows);
            return;
        }
        for (int64_t r = 0; r < rows; ++r)
            for (int64_t x = 0; x < depth; ++x)
                to[x * matmulStripRows + r] = p.a[(row + r) * p.k + k + x];
    }

    void packPanel(int64_t column, int64_t columns, int64_t k, int64_t depth, float* to) const {
        if (p.transposedB) {
            for (int64_t j = 0; j < panel; ++j)
                for (int64_t x = 0; x < depth; ++x)
                    to[x * panel + j] = j < columns ? p.b[(column + j) * p.k + k + x] : 0;
            return;
        }
        for (int64_t x = 0; x < depth; ++x) {
            std::copy_n(p.b + (k + x) * p.n + column, columns, to + x * panel);
            std::fill_n(to + x * panel + columns, panel - columns, 0.0f);
        }
    }

    /// A block of rows times columns first … end of the packed ones; `itemColumns` is a multiple of any panel.
    void multiply(int64_t row, int64_t column, int64_t first, int64_t end, int64_t k, int64_t depth) const {
        const bool contiguous = packed || p.transposedA; // the rows of a strip
        const int64_t rowStep = contiguous ? 1 : p.k, columnStep = packed ? matmulStripRows : contiguous ? p.m : 1;
        const float* a = p.transposedA ? p.a + k * p.m : p.a + k;
        const int64_t rowEnd = std::min(p.m, row + blockRows);
        for (int64_t j = first; j < end; j += panel)
            for (int64_t r = row; r < rowEnd; r += matmulStripRows)
                kernel.multiplyPacked(packed ? strip(r, depth) : a + r * rowStep, rowStep, columnStep,
                                      std::min(matmulStripRows, p.m - r), packedB + j * depth, depth,
                                      p.c + r * p.n + column + j, p.n, std::min(panel, end - j), k > 0);
    }

    static_assert(itemColumns % mostPanelColumns == 0 && blockRows % matmulStripRows == 0);

    const MatmulProblem& p;
    const RunOptions& options;
    const MatmulKernels& kernel = matmulKernels();
    const int64_t panel = kernel.panelColumns;
    const int workers;
    const int64_t depthAtMost;
    const bool packed = packsA(p);
    Workspace workspace;
    float *packedA = nullptr, *packedB = nullptr;
};

} // namespace

RunCost packedMatmul(const MatmulProblem& problem, const RunOptions& options) {
    return PackedMatmul(problem, options).run();
}

int64_t packedBytesAtMost(const MatmulProblem& p, int) {
    const int64_t depth = std::min(blockDepth, p.k);
    return buffers({floats(depth, roundUp(std::min(blockColumns, p.n), mostPanelColumns)),
                    packsA(p) ? floats(depth, roundUp(p.m, matmulStripRows)) : 0});
}

} // namespace warplight::cpu
