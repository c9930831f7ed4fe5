// SPDX-License-Identifier: GPL-3.0-or-later
// What the selective scan and the convolution before it are made of, compiled for each instruction set.
#pragma once

#include <cstdint>

namespace warplight::cpu {

constexpr int64_t scanSteps = 512; ///< most steps of a tile

/// Some steps of as many channels as a vector has lanes. Rows are a channel's steps, `stride` numbers apart.
struct ScanTile {
    int64_t channels = 0; ///< that there are, at most a vector's lanes
    int64_t steps = 0;    ///< at most scanSteps
    int64_t state = 0;
    int64_t stride = 0;
    bool softplus = false;
    const float *u = nullptr, *delta = nullptr, *z = nullptr; ///< first rows; z may be null
    float* y = nullptr;
    const float *b = nullptr, *c = nullptr;    ///< [steps, state]
    const float* a = nullptr;                  ///< A log2(e), [state, lanes]
    const float *d = nullptr, *bias = nullptr; ///< [lanes]; d may be null
    float* h = nullptr;                        ///< [state, lanes], from the first step to the last
    float* scratch = nullptr;                  ///< scratchFloats(lanes)
    const float* ahead[3] = {};                ///< rows that the next tile reads, to be fetched meanwhile; may be null
    const float* aheadY = nullptr;             ///< and that it writes
    int64_t aheadChannels = 0, aheadSteps = 0;
};
constexpr int64_t pieceSteps = 64, pieceStride = pieceSteps + 16; ///< of rows on their way to lanes
/// u, Δ and y, each steps by lanes; and a piece of each row.
constexpr int64_t scratchFloats(int64_t lanes) { return lanes * (3 * scanSteps + pieceStride); }

constexpr int64_t stepChannels = 256; ///< most channels of a ScanStep

/// One step of some channels.
struct ScanStep {
    int64_t channels = 0, state = 0;
    bool softplus = false;
    const float *u = nullptr, *delta = nullptr;              ///< of each
    const float *d = nullptr, *z = nullptr, *bias = nullptr; ///< may be null
    const float* a = nullptr;                                ///< [channels, state]
    const float *b = nullptr, *c = nullptr;                  ///< [state]
    const float* first = nullptr;                            ///< [channels, state]; null: zeros
    float* last = nullptr;                                   ///< [channels, state]; null: not wanted
    float* y = nullptr;
};

struct SelectiveKernels {
    int64_t lanes;
    void (*scanTile)(const ScanTile& tile);
    void (*scanStep)(const ScanStep& step);
    /// [rows, steps], rows `stride` apart, to [steps, rows].
    void (*transpose)(const float* from, int64_t stride, int64_t rows, int64_t steps, float* to);
    /// Δ = delta + bias (which may be null), or softplus of that.
    void (*stepSizes)(const float* delta, const float* bias, bool softplus, float* size, int64_t count);
    void (*gate)(const float* z, float* y, int64_t count); ///< y times silu(z)
    void (*exp2)(float* x, int64_t count);
    void (*silu)(float* x, int64_t count);
    /// y_i = bias + Σ_k w_k x_{i-width+1+k}: reads width - 1 numbers before x.
    void (*convolve)(const float* x, const float* w, int64_t width, float bias, float* y, int64_t count);
};

const SelectiveKernels& selectiveKernels();

} // namespace warplight::cpu
