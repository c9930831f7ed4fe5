// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/ops/launcher.h"

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::gpu {

/// O = softmax(scale · Q Kᵀ + mask) V; shapes and mask as in gpu/kernels/attention.cuh.
struct AttentionShape {
    int64_t batch = 1, queryHeads = 1, keyHeads = 1, queryLen = 0, keyLen = 0, headDim = 0;
    float scale = 0; ///< usually 1/sqrt(headDim)
    bool causal = false;
    int64_t heads() const { return batch * queryHeads; }
};

/// Where a problem's tensors lie on a device.
struct AttentionAddresses {
    uint64_t q = 0, k = 0, v = 0, o = 0, lse = 0;
};

/// The rungs of the ladder on the GPU, each improving one thing.
enum class AttentionRung { Naive, Tiled, Fused2Pass, Flash1, Flash2, Flash2Mma, MmaTf32, MmaE4M3, FlashDecode, Cublas };

struct AttentionRungInfo {
    AttentionRung id;
    std::string_view name;     ///< as on the command line: "flash2-mma"
    std::string_view title;    ///< one line: what this rung does
    std::string_view improves; ///< what it changes against the rung before, and why that helps
    bool halfInputs;           ///< f16 and bf16 instead of f32
    bool anyInputs = false;    ///< all three
    /// What it makes of f32 before it multiplies: "tf32", of which the tensor core takes 11 bits, or "e4m3", to which
    /// the device casts first; empty: nothing.
    std::string_view factors = {};
};
/// Those that need no library.
std::span<const AttentionRungInfo> attentionRungs();
/// Those of this one: not mma-e4m3 before compute capability 8.9, and cublas, too, where the device has a matrix
/// library.
std::vector<AttentionRungInfo> attentionRungs(Device& device);
const AttentionRungInfo& info(AttentionRung rung);
/// The compute capability that a rung's kernels need beyond that of all kernels, 89: 8.9; 0: none.
int architectureOf(AttentionRung rung);
AttentionRung attentionRungByName(std::string_view name); ///< throws InputError that lists the names

/// Tiles that flash1 and flash2 are compiled for at a head dimension, ascending; other rungs have one of their own.
std::vector<int64_t> flashTiles(int64_t headDim);
/// Shared memory that a block of flash1 or flash2 needs, bytes.
int64_t flashSharedBytes(int64_t headDim, int64_t tile);

struct AttentionRun : Launched {
    std::vector<float> o, lse; ///< as f32, whatever the format
};

/// What flash1 or flash2 did with a tile of keys, told when it is done.
struct TileVisit {
    struct Row {
        int64_t row;
        double runningMax, runningSum; ///< of the row's exponentials, after this tile
        double rescale;                ///< what earlier sums and outputs were multiplied by
    };
    int64_t head = 0, queryBegin = 0, queryEnd = 0, keyBegin = 0, keyEnd = 0;
    std::vector<Row> rows;
    std::vector<float> scores; ///< [rows, keyEnd - keyBegin], scaled: what the kernel had; -inf behind the mask
    std::map<std::string, std::pair<int64_t, int64_t>>
        moved; ///< bytes read and written since the tile before, by tensor
};

/// How a rung is launched.
struct AttentionOptions : LaunchOptions {
    number::Format format = number::Format::F32; ///< f16 or bf16 for rungs with half inputs
    int64_t tile = 0; ///< queries and keys of a tile of flash1 and flash2, one of flashTiles(); 0: 32
    /// Called for each tile in the order in which a virtual GPU works on them; only flash1 and flash2 with a tile of 8,
    /// 16 or 32 and headDim up to 32, which have kernels that write their statistics down.
    std::function<void(const TileVisit&)> onTile;
};

/// Throws InputError for what the kernels cannot launch: headDim above 256, heads that do not divide, too many rows.
void checkShape(const AttentionShape& shape);

/// Device memory that attentionForward takes for a rung, its tensors included; INT64_MAX when the size overflows.
int64_t deviceBytes(AttentionRung rung, const AttentionShape& shape, number::Format format);

/// Copies the tensors (f32, contiguous; rounded to the format) to the device, runs the rung, copies the result back.
/// Buffers are called Q, K, V, S, P, O, lse, the statistics of single rungs m, l, partO,
/// and of mma-e4m3 as attentionInF8 has them. headDim up to 256.
/// Throws InputError for shapes outside that and for GPUs that a rung does not run on, KernelError, Cancelled.
AttentionRun attentionForward(KernelLibrary& library, AttentionRung rung, const AttentionShape& shape, const float* q,
                              const float* k, const float* v, const AttentionOptions& options = {});

} // namespace warplight::gpu
