// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/gau/kernels.h"
#include "core/cpu/gau/mixing.h"
#include "core/cpu/matmul/kernels.h"
#include "core/cpu/workspace.h"

#include <cstdint>

namespace warplight::cpu {

/// Consecutive tokens whose keys and values lie together; never of two chunks.
struct TokenBlock {
    int64_t begin = 0, tokens = 0;
};

/// Keys and values of all sequences in the order in which products read them: a block's keys as panels
/// [shared, panelColumns], its values as panels [tokens, panelColumns] with zeros behind the last column.
class PackedTokens {
  public:
    /// `linearKeys`: keys of the linear part as well. Takes the memory, does not pack yet.
    PackedTokens(const GauMixing& mixing, bool linearKeys, Workspace& workspace);
    void pack(int workers, const RunOptions& options) const;

    int64_t segments() const { return segmentCount; }
    int64_t blocksPerSegment() const { return perSegment; }
    int64_t blocks() const { return segmentCount * perSegment; } ///< of a sequence; some of the last segment are empty
    TokenBlock block(int64_t index) const;
    int64_t columns() const { return width; }        ///< of a row of A V: e and what fills the last panel
    int64_t panels() const { return width / panel; } ///< of values
    int64_t panelColumns() const { return panel; }
    const float* values(int64_t sequence, int64_t block, int64_t panelIndex) const;

    /// scores [rows, tokens of the block] = q [rows, shared] · keysᵀ.
    void scores(bool linear, int64_t sequence, int64_t block, const float* q, int64_t rows, float* to,
                int64_t stride) const;
    /// m [rows, columns()] += weights · values of a block whose first seen + r keys row r sees: what lies behind never
    /// touches it, since 0 · NaN would.
    void accumulate(int64_t sequence, int64_t block, const float* weights, int64_t stride, int64_t rows, int64_t seen,
                    float* m) const;
    /// Rows first … first + rows - 1 of a sequence, seen as view `index` of Z; each times scaleOf(row).
    template <class ScaleOf>
    void view(int64_t index, int64_t sequence, int64_t first, int64_t rows, const ScaleOf& scaleOf, float* to) const {
        const int64_t s = shape.shared;
        for (int64_t r = 0; r < rows; ++r)
            kernel.view(mixing.z + (sequence * shape.length + first + r) * s, mixing.gamma + index * s,
                        mixing.beta + index * s, scaleOf(first + r), to + r * s, s);
    }

    /// What the constructor takes at most.
    static int64_t bytesAtMost(const GauShape& shape, bool linearKeys);

    const GauMixing& mixing;
    const GauShape& shape;
    const GauKernels& kernel = gauKernels();
    const MatmulKernels& product = matmulKernels();

  private:
    float* keys(bool linear, int64_t sequence, int64_t block) const;

    const int64_t panel, width, segmentCount, perSegment;
    float *quadraticKeys, *linearKeys, *packedValues;
};

} // namespace warplight::cpu
