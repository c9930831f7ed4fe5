// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/ops/attention_sparse.h"

#include "gpu/error.h"
#include "gpu/host/memory_budget.h"
#include "gpu/number/format.h"
#include "gpu/ops/device_matrix.h"
#include "gpu/ops/kernel_problem.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <string>
#include <utility>

namespace warplight::gpu {
namespace {

int64_t blocksOf(int64_t length, int64_t size) { return (length + size - 1) / size; }

/// Blocks of keys that a block of queries may look at: as far as its last row sees.
int64_t keyBlocksSeen(const AttentionShape& s, const BlockMask& mask, int64_t queryBlock) {
    const int64_t last = std::min((queryBlock + 1) * mask.blockSize, s.queryLen) - 1;
    const int64_t keys = s.causal ? std::clamp<int64_t>(last + 1 + s.keyLen - s.queryLen, 0, s.keyLen) : s.keyLen;
    return blocksOf(keys, mask.blockSize);
}

bool isVisible(const AttentionShape& s, const BlockMask& mask, int64_t maskHead, int64_t queryBlock, int64_t block) {
    const int64_t rows = blocksOf(s.queryLen, mask.blockSize), columns = blocksOf(s.keyLen, mask.blockSize);
    return block < keyBlocksSeen(s, mask, queryBlock) &&
           mask.visible[(maskHead * rows + queryBlock) * columns + block] != 0;
}

int64_t keysOf(const AttentionShape& s, const BlockMask& mask, int64_t block) {
    return std::min(mask.blockSize, s.keyLen - block * mask.blockSize);
}

/// Keys and values that any query head of a group sees, over all key heads of a batch.
int64_t keysSeenByAny(const AttentionShape& s, const BlockMask& mask) {
    const int64_t group = s.queryHeads / s.keyHeads, rows = blocksOf(s.queryLen, mask.blockSize);
    int64_t keys = 0;
    for (int64_t keyHead = 0; keyHead < s.keyHeads; ++keyHead)
        for (int64_t block = 0; block < blocksOf(s.keyLen, mask.blockSize); ++block) {
            bool seen = false;
            for (int64_t head = keyHead * group; !seen && head < (keyHead + 1) * group; ++head)
                for (int64_t row = 0; !seen && row < rows; ++row)
                    seen = isVisible(s, mask, head % mask.heads, row, block);
            keys += seen ? keysOf(s, mask, block) : 0;
        }
    return keys;
}

/// Rows of queries in the listed blocks that are visible in part.
int64_t partRows(const AttentionShape& s, const BlockMask& mask, const BlockLists& lists) {
    int64_t rows = 0;
    for (size_t i = 0; i + 1 < lists.starts.size(); ++i) {
        const int64_t queryBlock = static_cast<int64_t>(i) % blocksOf(s.queryLen, mask.blockSize);
        for (int32_t at = lists.starts[i]; at < lists.starts[i + 1]; ++at)
            if (lists.places[static_cast<size_t>(at)] >= 0)
                rows += std::min(mask.blockSize, s.queryLen - queryBlock * mask.blockSize);
    }
    return rows;
}

constexpr int64_t mmaBlockSize = 64;

/// Of flash2Mma: a tile of Q, two each of K and V, and what one thread reads for all.
int64_t mmaSharedBytes(int64_t paddedHeadDim) { return 2 * paddedHeadDim * (64 + 4 * mmaBlockSize) + 16; }

/// Of a block: three tiles of B × (D + 1), one of B × (B + 1), and what one thread reads for all.
int64_t sharedBytes(int64_t paddedHeadDim, int64_t blockSize) {
    return 4 * (3 * blockSize * (paddedHeadDim + 1) + blockSize * (blockSize + 1) + 3);
}

bool isHalf(number::Format format) { return format == number::Format::F16 || format == number::Format::BF16; }

/// 16-byte copies want rows that are multiples of 8 elements.
int64_t rowLength(int64_t headDim, number::Format format) { return isHalf(format) ? (headDim + 7) / 8 * 8 : headDim; }

/// Bytes of rows of Q, K, V or O.
double rowBytes(const AttentionShape& s, int64_t rows, number::Format format) {
    return static_cast<double>(rows) * static_cast<double>(rowLength(s.headDim, format) * number::bytes(format));
}

template <class T>
const Buffer& uploaded(Launcher& launcher, const T* from, int64_t count, const char* name) {
    const Buffer& buffer = launcher.temporary(count * static_cast<int64_t>(sizeof(T)), name);
    launcher.device().upload(buffer.address(), from, buffer.bytes());
    return buffer;
}

} // namespace

std::string_view name(BlockSparseRung rung) {
    return rung == BlockSparseRung::MaskedDense ? "masked-dense" : "block-sparse";
}

void checkShape(const AttentionShape& s, const BlockMask& mask) {
    checkShape(s);
    if (s.headDim > sparseLargestHeadDim)
        throw InputError(
            fmt::format("block-sparse attention: headDim {} is not between 1 and {}", s.headDim, sparseLargestHeadDim));
    if (std::find(sparseBlockSizes.begin(), sparseBlockSizes.end(), mask.blockSize) == sparseBlockSizes.end())
        throw InputError(fmt::format("block-sparse attention: blocks of {} are not compiled, expected one of {}",
                                     mask.blockSize, fmt::join(sparseBlockSizes, ", ")));
    if (mask.heads != 1 && mask.heads != s.queryHeads && (!mask.hidesPairs() || mask.heads != s.heads()))
        throw InputError(
            fmt::format("block-sparse attention: a mask of {} heads, expected 1 or one for each of the {} query heads",
                        mask.heads, s.queryHeads));
    const int64_t blocks = saturatedProduct(
        mask.heads, saturatedProduct(blocksOf(s.queryLen, mask.blockSize), blocksOf(s.keyLen, mask.blockSize)));
    if (blocks > INT32_MAX)
        throw InputError(
            fmt::format("block-sparse attention: a mask of {} blocks, expected at most {}", blocks, INT32_MAX));
}

BlockLists visibleBlocks(const AttentionShape& s, const BlockMask& mask) {
    BlockLists lists{{0}, {}, {}};
    for (int64_t head = 0; head < mask.heads; ++head)
        for (int64_t row = 0; row < blocksOf(s.queryLen, mask.blockSize); ++row) {
            for (int64_t block = 0; block < keyBlocksSeen(s, mask, row); ++block)
                if (isVisible(s, mask, head, row, block)) {
                    lists.blocks.push_back(static_cast<int32_t>(block));
                    if (mask.part)
                        lists.places.push_back(mask.part[(head * blocksOf(s.queryLen, mask.blockSize) + row) *
                                                             blocksOf(s.keyLen, mask.blockSize) +
                                                         block]);
                }
            lists.starts.push_back(static_cast<int32_t>(lists.blocks.size()));
        }
    return lists;
}

std::string whyNot(BlockSparseRung rung, const BlockMask& mask, number::Format format) {
    if (mask.hidesPairs() && (format != number::Format::F32 || rung != BlockSparseRung::BlockSparse))
        return fmt::format("block-sparse attention: {} in {} hides whole blocks only, not pairs within blocks of {}; "
                           "block-sparse in f32 does",
                           name(rung), number::name(format), mask.blockSize);
    if (format == number::Format::F32)
        return {};
    if (!isHalf(format) || rung != BlockSparseRung::BlockSparse)
        return fmt::format("block-sparse attention: {} takes {}, not {}", name(rung),
                           rung == BlockSparseRung::BlockSparse ? "f32, f16 and bf16" : "f32", number::name(format));
    if (mask.blockSize != mmaBlockSize)
        return fmt::format("block-sparse attention: {} takes blocks of {}, not {}", number::name(format), mmaBlockSize,
                           mask.blockSize);
    return {};
}

void launchBlockSparse(Launcher& launcher, BlockSparseRung rung, const AttentionShape& s, const BlockMask& mask,
                       const AttentionAddresses& at, number::Format format) {
    checkShape(s, mask);
    if (const std::string why = whyNot(rung, mask, format); !why.empty())
        throw InputError(why);
    if (s.heads() * s.queryLen == 0)
        return;
    const int64_t rows = blocksOf(s.queryLen, mask.blockSize), columns = blocksOf(s.keyLen, mask.blockSize),
                  d = rowLength(s.headDim, format), padded = paddedDim(d);
    std::vector<Argument> arguments{kernelProblem(s, at, d)};
    if (rung == BlockSparseRung::MaskedDense) {
        arguments.emplace_back(uploaded(launcher, mask.visible, mask.heads * rows * columns, "mask").address());
        arguments.emplace_back(static_cast<int32_t>(columns));
    } else {
        const BlockLists lists = visibleBlocks(s, mask);
        for (const auto& [list, called] : {std::pair{&lists.starts, "starts"}, std::pair{&lists.blocks, "blocks"},
                                           std::pair{&lists.places, "places"}})
            if (list != &lists.places || mask.hidesPairs())
                arguments.emplace_back(
                    uploaded(launcher, list->data(), static_cast<int64_t>(list->size()), called).address());
        if (mask.hidesPairs())
            arguments.emplace_back(uploaded(launcher, mask.bits, mask.parts * mask.blockSize, "bits").address());
    }
    arguments.emplace_back(static_cast<int32_t>(mask.heads));
    const Extent grid{static_cast<uint32_t>(rows), static_cast<uint32_t>(s.heads())};
    if (isHalf(format))
        launcher.start("attention_sparse_mma", fmt::format("block_sparse_mma_{}_d{}", number::name(format), padded),
                       grid, {128}, mmaSharedBytes(padded), std::move(arguments));
    else if (mask.hidesPairs())
        launcher.start("attention_sparse_pairs", fmt::format("block_sparse_pairs_d{}_b{}", padded, mask.blockSize),
                       grid, {static_cast<uint32_t>(4 * mask.blockSize)}, sharedBytes(padded, mask.blockSize) + 4,
                       std::move(arguments));
    else
        launcher.start("attention_sparse",
                       fmt::format("{}_d{}_b{}", rung == BlockSparseRung::MaskedDense ? "masked_dense" : "block_sparse",
                                   padded, mask.blockSize),
                       grid, {static_cast<uint32_t>(4 * mask.blockSize)}, sharedBytes(padded, mask.blockSize),
                       std::move(arguments));
}

AttentionRun blockSparseForward(KernelLibrary& library, BlockSparseRung rung, const AttentionShape& s,
                                const BlockMask& mask, const float* q, const float* k, const float* v,
                                const LaunchOptions& options, number::Format format) {
    checkShape(s, mask);
    if (const std::string why = whyNot(rung, mask, format); !why.empty())
        throw InputError(why);
    Launcher launcher(library, options);
    const int64_t rows = s.heads() * s.queryLen, keys = s.batch * s.keyHeads * s.keyLen;
    const auto matrix = [&](const char* called, int64_t height) {
        return DeviceMatrix(launcher.device(), called, height, s.headDim, format, isHalf(format) ? 8 : 1);
    };
    DeviceMatrix queries = matrix("Q", rows), keyRows = matrix("K", keys), values = matrix("V", keys),
                 out = matrix("O", rows), lse(launcher.device(), "lse", rows, 1, number::Format::F32);
    queries.upload(q, options.cancel);
    keyRows.upload(k, options.cancel);
    values.upload(v, options.cancel);
    launchBlockSparse(launcher, rung, s, mask,
                      {queries.address(), keyRows.address(), values.address(), out.address(), lse.address()}, format);
    AttentionRun run{launcher.finish(), {}, {}};
    run.o = out.download(options.cancel);
    run.lse = lse.download(options.cancel);
    return run;
}

TensorTraffic compulsoryTraffic(const AttentionShape& s, const BlockMask& mask, number::Format format) {
    const int64_t rows = s.heads() * s.queryLen;
    const double queries = rowBytes(s, rows, format), keys = rowBytes(s, s.batch * keysSeenByAny(s, mask), format);
    const double blocks =
        static_cast<double>(mask.heads * blocksOf(s.queryLen, mask.blockSize) * blocksOf(s.keyLen, mask.blockSize));
    return withoutEmpty({{"Q", {queries, 0}},
                         {"K", {keys, 0}},
                         {"V", {keys, 0}},
                         {"O", {0, queries}},
                         {"lse", {0, static_cast<double>(rows * 4)}},
                         {"mask", {blocks, 0}}});
}

TensorTraffic algorithmicTraffic(BlockSparseRung rung, const AttentionShape& s, const BlockMask& mask,
                                 number::Format format) {
    const int64_t rows = s.heads() * s.queryLen, queryBlocks = blocksOf(s.queryLen, mask.blockSize), heads = s.heads();
    const double queries = rowBytes(s, rows, format);
    TensorTraffic t{{"Q", {queries, 0}}, {"O", {0, queries}}, {"lse", {0, static_cast<double>(rows * 4)}}};
    if (rung == BlockSparseRung::MaskedDense) { // a byte of the mask for each block of keys, whatever it says
        t["K"] = t["V"] = {rowBytes(s, heads * queryBlocks * s.keyLen, format), 0};
        t["mask"] = {static_cast<double>(heads * queryBlocks * blocksOf(s.keyLen, mask.blockSize)), 0};
        return withoutEmpty(t);
    }
    const BlockLists lists = visibleBlocks(s, mask);
    int64_t keys = 0;
    for (const int32_t block : lists.blocks)
        keys += keysOf(s, mask, block);
    const int64_t sharing = heads / std::max<int64_t>(mask.heads, 1); // heads of all batches that go through one list
    t["K"] = t["V"] = {rowBytes(s, sharing * keys, format), 0};
    t["starts"] = {static_cast<double>(heads * queryBlocks * 8), 0};
    t["blocks"] = {static_cast<double>(sharing * static_cast<int64_t>(lists.blocks.size()) * 4), 0};
    if (mask.hidesPairs()) {
        constexpr int64_t threadsOfARow = 4, wordBytes = 8;
        t["places"] = t["blocks"];
        t["bits"] = {static_cast<double>(sharing * partRows(s, mask, lists) * threadsOfARow * wordBytes), 0};
    }
    return withoutEmpty(t);
}

int64_t deviceBytes(BlockSparseRung rung, const AttentionShape& s, const BlockMask& mask, number::Format format) {
    const int64_t rows = blocksOf(s.queryLen, mask.blockSize),
                  blocks = saturatedProduct(mask.heads, saturatedProduct(rows, blocksOf(s.keyLen, mask.blockSize)));
    const int64_t index =
        rung == BlockSparseRung::MaskedDense
            ? blocks
            : saturatedProduct(
                  4, saturatedSum(mask.hidesPairs() ? saturatedProduct(2, blocks) : blocks, mask.heads * rows + 1)) +
                  saturatedProduct(8, saturatedProduct(mask.parts, mask.blockSize));
    return saturatedSum(deviceBytes(AttentionRung::Flash2, s, format), index); // which takes the tensors alone
}

} // namespace warplight::gpu
