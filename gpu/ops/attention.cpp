// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/ops/attention.h"

#include "gpu/error.h"
#include "gpu/host/memory_budget.h"
#include "gpu/ops/attention_f8.h"
#include "gpu/ops/device_matrix.h"
#include "gpu/ops/kernel_problem.h"
#include "gpu/ops/tile_recorder.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <optional>
#include <string>
#include <utility>

namespace warplight::gpu {
namespace {

constexpr AttentionRungInfo rungs[] = {
    {AttentionRung::Naive, "naive", "Three kernels, one thread an element",
     "The formula as it stands: every thread reads its row of Q and of K by itself, S and P go through memory.", false},
    {AttentionRung::Tiled, "tiled", "Products by tiles in shared memory",
     "An element of Q or K that a block has loaded serves 32 results; lanes read consecutive elements.", false},
    {AttentionRung::Fused2Pass, "fused-2pass", "Online softmax, K read twice",
     "S never goes to memory: a first pass finds each row's maximum and sum, a second one the output.", false},
    {AttentionRung::Flash1, "flash1", "FlashAttention's order: outer loop over K and V",
     "One pass over K and V, scores computed once; O and the statistics are rewritten for each tile of keys.", false},
    {AttentionRung::Flash2, "flash2", "FlashAttention-2's order: outer loop over Q",
     "O and the statistics stay in registers until they are final; every tile of queries is a block of its own.",
     false},
    {AttentionRung::Flash2Mma, "flash2-mma", "The same on tensor cores, f16 or bf16",
     "Products by mma.sync, tiles fetched ahead by cp.async into swizzled shared memory without bank conflicts.", true},
    {AttentionRung::MmaTf32, "mma-tf32", "The same on tensor cores, f32 rounded to tf32",
     "Tensor cores for f32: they take 11 bits of each factor, at half the rate of f16, and tiles are twice as large.",
     false, false, "tf32"},
    {AttentionRung::MmaE4M3, "mma-e4m3", "The same on tensor cores with 8-bit inputs (E4M3)",
     "Q, K and V are cast to e4m3 first, with a scale each; twice the rate of f16. Weights have 4 bits, too.", false,
     false, "e4m3"},
    {AttentionRung::FlashDecode, "flash-decode", "Few queries: keys split over blocks",
     "One query has no rows to spread over the GPU; its keys have. A second kernel merges the parts.", false}};

constexpr AttentionRungInfo cublasRung{
    AttentionRung::Cublas,
    "cublas",
    "Both products by cuBLAS, softmax between them",
    "The best matrix products there are, and S and P whole in memory: what fusing has to beat.",
    false,
    true};

constexpr int32_t keysPerSplit = 256; ///< of flash-decode

/// Rows are whole multiples of so many numbers: copies of 16 bytes want that.
int64_t elementsOfChunk(AttentionRung rung, number::Format format) {
    return format != number::Format::F32 ? 8 : rung == AttentionRung::MmaTf32 ? 4 : 1;
}

class Forward {
  public:
    Forward(KernelLibrary& l, const AttentionShape& s, const AttentionOptions& o)
        : shape(s), options(o), launcher(l, o) {}

    AttentionRun run(AttentionRung rung, const float* q, const float* k, const float* v) {
        const number::Format format = options.format;
        const int64_t multiple = elementsOfChunk(rung, format);
        const int64_t rows = shape.heads() * shape.queryLen, keyRows = shape.batch * shape.keyHeads * shape.keyLen;
        DeviceMatrix dq(device(), "Q", rows, shape.headDim, format, multiple),
            dk(device(), "K", keyRows, shape.headDim, format, multiple),
            dv(device(), "V", keyRows, shape.headDim, format, multiple),
            out(device(), "O", rows, shape.headDim, format, multiple),
            lse(device(), "lse", rows, 1, number::Format::F32);
        dim = dq.rowLength();
        dq.upload(q, options.cancel);
        dk.upload(k, options.cancel);
        dv.upload(v, options.cancel);
        problem = kernelProblem(shape, {dq.address(), dk.address(), dv.address(), out.address(), lse.address()}, dim);
        if (rows > 0)
            launch(rung);
        AttentionRun result{launcher.finish(), {}, {}};
        result.o = out.download(options.cancel);
        result.lse = lse.download(options.cancel);
        return result;
    }

  private:
    Device& device() { return launcher.device(); }

    void launch(AttentionRung rung) {
        const auto heads = static_cast<uint32_t>(shape.heads());
        switch (rung) {
        case AttentionRung::Naive:
            standard("naive", heads);
            break;
        case AttentionRung::Tiled:
            standard("tiled", heads);
            break;
        case AttentionRung::Fused2Pass:
            launcher.start("attention_flash", fmt::format("fused_2pass_d{}", paddedDim(dim)),
                           {ceilDiv(shape.queryLen, 32), heads}, {128}, flashSharedBytes(dim, 32), {problem});
            break;
        case AttentionRung::Flash2:
            flash("flash2", {ceilDiv(shape.queryLen, tile()), heads}, {problem});
            break;
        case AttentionRung::Flash1:
            flash1(heads);
            break;
        case AttentionRung::Flash2Mma:
            mma(heads);
            break;
        case AttentionRung::MmaTf32:
            mmaTf32(heads);
            break;
        case AttentionRung::MmaE4M3: // attentionInF8
            break;
        case AttentionRung::FlashDecode:
            decode();
            break;
        case AttentionRung::Cublas:
            cublas();
            break;
        }
    }

    void standard(const std::string& rung, uint32_t heads) {
        const int64_t scores = shape.heads() * shape.queryLen * shape.keyLen;
        const Buffer &s = launcher.temporary(scores * 4, "S"), &p = launcher.temporary(scores * 4, "P");
        const bool tiled = rung == "tiled";
        if (shape.keyLen > 0)
            launcher.start("attention_standard", rung + "_scores",
                           {ceilDiv(shape.keyLen, 32), ceilDiv(shape.queryLen, tiled ? 32 : 8), heads}, {32, 8}, 0,
                           {problem, s.address()});
        launcher.start("attention_standard", rung + "_softmax", {ceilDiv(shape.queryLen, tiled ? 4 : 128), heads},
                       {128}, 0, {problem, s.address(), p.address()});
        launcher.start("attention_standard", rung + "_output",
                       {ceilDiv(dim, 32), ceilDiv(shape.queryLen, tiled ? 32 : 8), heads}, {32, 8}, 0,
                       {problem, p.address()});
    }

    int64_t tile() const { return options.tile ? options.tile : 32; }

    /// Launches flash1 or flash2 with the tile that was asked for, and the kernel that tells of itself if somebody
    /// listens.
    void flash(const std::string& name, Extent grid, std::vector<Argument> arguments) {
        const Extent block{static_cast<uint32_t>(4 * tile())};
        const int64_t shared = flashSharedBytes(dim, tile());
        if (!options.onTile) {
            const std::string kernel = fmt::format("{}_d{}", name, paddedDim(dim));
            if (tile() == 32)
                launcher.start("attention_flash", kernel, grid, block, shared, std::move(arguments));
            else
                launcher.start("attention_tiles", fmt::format("{}_t{}", kernel, tile()), grid, block, shared,
                               std::move(arguments));
            return;
        }
        recorder.emplace(device(), shape, tile(), options.onTile);
        arguments.emplace_back(recorder->traceAddress());
        arguments.emplace_back(recorder->scoresAddress());
        launcher.start("attention_traced", fmt::format("{}_traced_t{}", name, tile()), grid, block, shared,
                       std::move(arguments), [&](const MemoryAccess& access) { recorder->take(access); });
        recorder->finish();
        recorder.reset();
    }

    void flash1(uint32_t heads) {
        if (shape.keyLen == 0) { // its loop over keys never sets the output
            flash("flash2", {ceilDiv(shape.queryLen, tile()), heads}, {problem});
            return;
        }
        const int64_t rows = shape.heads() * shape.queryLen;
        const Buffer &m = launcher.temporary(rows * 4, "m"), &l = launcher.temporary(rows * 4, "l");
        flash("flash1", {heads}, {problem, m.address(), l.address()});
    }

    void mma(uint32_t heads) {
        const int64_t d = paddedDim(dim), keys = keysOfTile(AttentionRung::Flash2Mma, d);
        launcher.start("attention_mma",
                       fmt::format("flash2_mma_{}_d{}", options.format == number::Format::BF16 ? "bf16" : "f16", d),
                       {ceilDiv(shape.queryLen, 64), heads}, {128}, 2 * d * (64 + 4 * keys), {problem});
    }

    void mmaTf32(uint32_t heads) {
        const int64_t d = paddedDim(dim), keys = keysOfTile(AttentionRung::MmaTf32, d);
        launcher.start("attention_tf32", fmt::format("attention_tf32_d{}", d), {ceilDiv(shape.queryLen, 64), heads},
                       {128}, 4 * d * (64 + 4 * keys), {problem});
    }

    void decode() {
        const int64_t rows = shape.heads() * shape.queryLen;
        const auto splits = static_cast<int32_t>(std::max<uint32_t>(1, ceilDiv(shape.keyLen, keysPerSplit)));
        const Buffer &o = launcher.temporary(rows * splits * dim * 4, "partO"),
                     &m = launcher.temporary(rows * splits * 4, "m"), &l = launcher.temporary(rows * splits * 4, "l");
        launcher.start("attention_flash", "flash_decode_split",
                       {static_cast<uint32_t>(splits), static_cast<uint32_t>(rows)}, {128}, 0,
                       {problem, o.address(), m.address(), l.address(), keysPerSplit});
        launcher.start("attention_flash", "flash_decode_combine", {static_cast<uint32_t>(rows)}, {128}, 0,
                       {problem, o.address(), m.address(), l.address(), splits});
    }

    /// The query heads that read one key head lie one after the other: to the library they are one matrix.
    void cublas() {
        const number::Format number = options.format;
        const bool single = number == number::Format::F32;
        const int64_t scores = shape.heads() * shape.queryLen * shape.keyLen,
                      rows = shape.queryHeads / shape.keyHeads * shape.queryLen;
        const Buffer &s = launcher.temporary(scores * 4, "S"), &p = launcher.temporary(scores * (single ? 4 : 2), "P");
        const int64_t batch = shape.batch * shape.keyHeads;
        if (shape.keyLen == 0) { // a sum of nothing, which no library is asked for
            const std::vector<float> zero(static_cast<size_t>(shape.heads() * shape.queryLen * dim));
            device().upload(problem.o, zero.data(), shape.heads() * shape.queryLen * dim * (single ? 4 : 2));
        } else
            launcher.multiply({problem.q, problem.k, s.address(), batch, rows, shape.keyLen, dim, true, shape.scale,
                               number, number::Format::F32},
                              "Q·Kᵀ");
        launcher.start("softmax",
                       single                          ? "softmax_attention_f32"
                       : number == number::Format::F16 ? "softmax_attention_f16"
                                                       : "softmax_attention_bf16",
                       {static_cast<uint32_t>(shape.queryLen), static_cast<uint32_t>(shape.heads())}, {128}, 0,
                       {s.address(), p.address(), problem.lse, static_cast<int32_t>(shape.queryLen),
                        static_cast<int32_t>(shape.keyLen), int32_t(shape.causal)});
        if (shape.keyLen > 0)
            launcher.multiply(
                {p.address(), problem.v, problem.o, batch, rows, dim, shape.keyLen, false, 1, number, number}, "P·V");
    }

    const AttentionShape& shape;
    const AttentionOptions& options;
    Launcher launcher;
    int64_t dim = 0;
    KernelProblem problem{};
    std::optional<TileRecorder> recorder;
};

} // namespace

std::span<const AttentionRungInfo> attentionRungs() { return rungs; }

std::vector<AttentionRungInfo> attentionRungs(Device& device) {
    std::vector<AttentionRungInfo> all;
    for (const AttentionRungInfo& i : rungs)
        if (whyNotOn(device.architecture(), architectureOf(i.id), "it").empty())
            all.push_back(i);
    if (device.matrixLibrary())
        all.push_back(cublasRung);
    return all;
}

const AttentionRungInfo& info(AttentionRung rung) {
    if (rung == AttentionRung::Cublas)
        return cublasRung;
    return *std::find_if(std::begin(rungs), std::end(rungs), [&](const AttentionRungInfo& i) { return i.id == rung; });
}

int architectureOf(AttentionRung rung) {
    const int compiled = rung == AttentionRung::MmaE4M3 ? architectureOf("attention_f8") : 0;
    return compiled > oldestGpu ? compiled : 0;
}

AttentionRung attentionRungByName(std::string_view name) {
    std::string known;
    for (const AttentionRungInfo& i : rungs) {
        if (i.name == name)
            return i.id;
        known += (known.empty() ? "" : ", ") + std::string(i.name);
    }
    if (name == cublasRung.name)
        return cublasRung.id;
    throw InputError(fmt::format("implementation '{}': on a GPU there are {}", name, known));
}

std::vector<int64_t> flashTiles(int64_t headDim) {
    // What fits into the 163 KiB that a block may have on an A100, as gpu/kernels/attention_tiles.cu has it.
    const int64_t d = paddedDim(headDim);
    return d <= 64    ? std::vector<int64_t>{8, 16, 32, 48, 64, 96}
           : d <= 128 ? std::vector<int64_t>{8, 16, 32, 48, 64}
                      : std::vector<int64_t>{32};
}

/// sizeof(FlashShared<D, T, T>): three tiles of T × (D + 1) and one of T × (T + 1).
int64_t flashSharedBytes(int64_t headDim, int64_t tile) {
    return 4 * (3 * tile * (paddedDim(headDim) + 1) + tile * (tile + 1));
}

AttentionRun attentionForward(KernelLibrary& library, AttentionRung rung, const AttentionShape& s, const float* q,
                              const float* k, const float* v, const AttentionOptions& options) {
    checkShape(s);
    if (rung == AttentionRung::Cublas && !library.device().matrixLibrary())
        throw InputError(fmt::format("attention: cublas runs on an NVIDIA GPU beside which cuBLAS is found, not on {}",
                                     library.device().name()));
    if (!info(rung).anyInputs && info(rung).halfInputs == (options.format == number::Format::F32))
        throw InputError(
            fmt::format("attention: {} takes {}", info(rung).name, info(rung).halfInputs ? "f16 or bf16" : "f32"));
    const bool tiled = rung == AttentionRung::Flash1 || rung == AttentionRung::Flash2;
    if ((options.tile || options.onTile) && !tiled)
        throw InputError(fmt::format("attention: {} has tiles of its own; only flash1 and flash2 come in several sizes",
                                     info(rung).name));
    const std::vector<int64_t> tiles = options.onTile ? std::vector<int64_t>{8, 16, 32} : flashTiles(s.headDim);
    if (options.tile && std::find(tiles.begin(), tiles.end(), options.tile) == tiles.end())
        throw InputError(fmt::format("attention: a tile of {} is not compiled at headDim {}, expected one of {}",
                                     options.tile, s.headDim, fmt::join(tiles, ", ")));
    if (options.onTile && s.headDim > 32)
        throw InputError(fmt::format("attention: tiles are told up to headDim 32, not {}", s.headDim));
    if (rung == AttentionRung::MmaE4M3)
        return attentionInF8(library, s, q, k, v, true, false, options);
    return Forward(library, s, options).run(rung, q, k, v);
}

int64_t deviceBytes(AttentionRung rung, const AttentionShape& s, number::Format format) {
    const auto times = [](int64_t a, int64_t b) { return saturatedProduct(a, b); };
    const int64_t rows = times(s.heads(), s.queryLen), keyRows = times(s.batch * s.keyHeads, s.keyLen);
    const int64_t rowBytes = number::bytes(format) * wholeMultiple(s.headDim, elementsOfChunk(rung, format));
    const int64_t tensors =
        saturatedSum(times(2 * rowBytes, rows), saturatedSum(times(2 * rowBytes, keyRows), times(4, rows)));
    switch (rung) {
    case AttentionRung::Naive:
    case AttentionRung::Tiled:
    case AttentionRung::Cublas:
        return saturatedSum(tensors, times(8, times(rows, s.keyLen))); // S and P
    case AttentionRung::MmaE4M3:
        return deviceBytesInF8(s);
    case AttentionRung::Flash1:
        return saturatedSum(tensors, times(8, rows)); // m and l
    case AttentionRung::FlashDecode:
        return saturatedSum(tensors, times(times(rows, s.keyLen / keysPerSplit + 1), 4 * (s.headDim + 10)));
    default:
        return tensors;
    }
}

void checkShape(const AttentionShape& s) {
    if (s.batch < 0 || s.keyHeads < 1 || s.queryHeads < 1 || s.queryHeads % s.keyHeads != 0)
        throw InputError(
            fmt::format("attention: {} query heads must be a multiple of {} key heads", s.queryHeads, s.keyHeads));
    if (s.headDim < 1 || s.headDim > 256)
        throw InputError(fmt::format("attention: headDim {} is not between 1 and 256", s.headDim));
    if (s.queryLen < 0 || s.keyLen < 0 || s.queryLen > INT32_MAX || s.keyLen > INT32_MAX || s.heads() > 65535)
        throw InputError(fmt::format("attention: {} heads of {} queries and {} keys are too many for one launch",
                                     s.heads(), s.queryLen, s.keyLen));
}

} // namespace warplight::gpu
