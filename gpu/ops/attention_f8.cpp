// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/ops/attention_f8.h"

#include "gpu/error.h"
#include "gpu/host/memory_budget.h"
#include "gpu/ops/cast.h"
#include "gpu/ops/device_matrix.h"
#include "gpu/ops/kernel_problem.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace warplight::gpu {
namespace {

using number::Format;

constexpr const char* family = "attention_f8";
constexpr int64_t tile = 64;          ///< queries and keys
constexpr int64_t chunk = 16;         ///< bytes that are copied at once: rows are whole multiples of it
constexpr int64_t castOfBlock = 1024; ///< bytes that a block of e4m3_rows writes
constexpr int64_t castSide = 32;      ///< of the squares of e4m3_columns

/// F8Options of gpu/kernels/attention_f8.cu.
struct KernelOptions {
    uint64_t amax, s;
    int32_t outDim, keyStride, subtractMaximum, unused = 0;
};
static_assert(sizeof(KernelOptions) == 32);

int64_t wholeChunks(int64_t length) { return (length + chunk - 1) / chunk * chunk; }

struct Sizes {
    int64_t rows, keyHeads, keyRows, rowBytes, keyStride;
    explicit Sizes(const AttentionShape& s)
        : rows(saturatedProduct(s.heads(), s.queryLen)),
          keyHeads(s.batch * s.keyHeads),
          keyRows(saturatedProduct(keyHeads, s.keyLen)),
          rowBytes(wholeChunks(s.headDim)),
          keyStride(wholeChunks(s.keyLen)) {}
    int64_t valueBytes() const { return saturatedProduct(keyHeads, saturatedProduct(rowBytes, keyStride)); }
};

void castRows(Launcher& launcher, uint64_t x, uint64_t y, uint64_t amax, int64_t rows, int64_t columns) {
    const int64_t stride = wholeChunks(columns);
    if (rows > 0)
        launcher.start(family, "e4m3_rows", {ceilDiv(rows * stride, castOfBlock)}, {castOfBlock / 4}, 0,
                       {x, y, amax, rows, static_cast<int32_t>(columns), static_cast<int32_t>(stride)});
}

} // namespace

HalfAttentionRun attentionInF8(KernelLibrary& library, const AttentionShape& shape, const float* q, const float* k,
                               const float* v, bool subtractMaximum, bool keepsScores, const LaunchOptions& options) {
    checkShape(shape);
    Launcher launcher(library, options);
    Device& device = launcher.device();
    if (const std::string why = whyNotOn(device.architecture(), architectureOf(AttentionRung::MmaE4M3), device.name());
        !why.empty())
        throw InputError(fmt::format("attention: {}: {}", info(AttentionRung::MmaE4M3).name, why));
    const Sizes n(shape);
    const bool watched = keepsScores || !subtractMaximum;
    DeviceMatrix dq(device, "Q", n.rows, shape.headDim, Format::F32),
        dk(device, "K", n.keyRows, shape.headDim, Format::F32), dv(device, "V", n.keyRows, shape.headDim, Format::F32),
        out(device, "O", n.rows, shape.headDim, Format::F32), lse(device, "lse", n.rows, 1, Format::F32);
    std::optional<DeviceMatrix> s;
    if (watched) { // keys that no tile of a block holds stay behind the mask
        s.emplace(device, "S", n.rows, shape.keyLen, Format::F32);
        s->fill(-std::numeric_limits<float>::infinity());
    }
    dq.upload(q, options.cancel);
    dk.upload(k, options.cancel);
    dv.upload(v, options.cancel);
    const int64_t d = shape.headDim;
    if (n.rows > 0) {
        const uint64_t amax = launchAmax(
            launcher, {{dq.address(), n.rows * d}, {dk.address(), n.keyRows * d}, {dv.address(), n.keyRows * d}});
        const uint64_t q8 = launcher.temporary(n.rows * n.rowBytes, "Q8").address(),
                       k8 = launcher.temporary(n.keyRows * n.rowBytes, "K8").address(),
                       v8 = launcher.temporary(n.valueBytes(), "V8").address();
        castRows(launcher, dq.address(), q8, amax, n.rows, d);
        castRows(launcher, dk.address(), k8, amax + 4, n.keyRows, d);
        if (n.keyRows > 0)
            launcher.start(
                family, "e4m3_columns",
                {ceilDiv(n.keyStride, castSide), ceilDiv(n.rowBytes, castSide), static_cast<uint32_t>(n.keyHeads)},
                {castSide, 8}, 0,
                {dv.address(), v8, amax + 8, static_cast<int32_t>(shape.keyLen), static_cast<int32_t>(d),
                 static_cast<int32_t>(n.rowBytes), static_cast<int32_t>(n.keyStride)});
        const KernelProblem problem = kernelProblem(shape, {q8, k8, v8, out.address(), lse.address()}, n.rowBytes);
        const KernelOptions how{amax, s ? s->address() : 0, static_cast<int32_t>(d), static_cast<int32_t>(n.keyStride),
                                subtractMaximum};
        const int64_t padded = paddedDim(d);
        launcher.start(family, fmt::format("attention_e4m3_{}d{}", watched ? "watched_" : "", padded),
                       {ceilDiv(shape.queryLen, tile), static_cast<uint32_t>(shape.heads())}, {128}, 5 * tile * padded,
                       {problem, how});
    }
    HalfAttentionRun result{{launcher.finish(), {}, {}}, {}, {}};
    result.o = out.download(options.cancel);
    result.lse = lse.download(options.cancel);
    if (keepsScores)
        result.s = s->download(options.cancel);
    return result;
}

int64_t deviceBytesInF8(const AttentionShape& s) {
    const Sizes n(s);
    const int64_t both = saturatedSum(n.rows, n.keyRows);
    const int64_t single = saturatedSum(saturatedProduct(8 * s.headDim, both), saturatedProduct(4, n.rows));
    return saturatedSum(saturatedSum(single, 12), saturatedSum(saturatedProduct(n.rowBytes, both), n.valueBytes()));
}

TensorTraffic algorithmicTrafficInF8(const AttentionShape& s) {
    const Sizes n(s);
    const auto real = [](int64_t x) { return static_cast<double>(x); };
    const double rows = real(n.rows), keyRows = real(n.keyRows), d = real(s.headDim), bytes = real(n.rowBytes);
    const int64_t blocks = s.heads() * ceilDiv(s.queryLen, tile);
    // Keys that blocks of queries load, as far as the last of their rows sees: those of K, and whole chunks of V's.
    double ofK = 0, ofV = 0;
    for (int64_t first = 0; first < s.queryLen; first += tile) {
        const int64_t last = std::min(first + tile, s.queryLen) - 1,
                      end = s.causal ? std::clamp<int64_t>(last + 1 + s.keyLen - s.queryLen, 0, s.keyLen) : s.keyLen,
                      whole = (end + tile - 1) / tile * tile;
        ofK += real(s.heads() * std::min(whole, s.keyLen));
        ofV += real(s.heads() * std::min(whole, n.keyStride));
    }
    TensorTraffic t;
    t["Q"] = {2 * 4 * rows * d, 0}; // for its scale and for the copy
    t["K"] = t["V"] = {2 * 4 * keyRows * d, 0};
    t["Q8"] = {rows * bytes, rows * bytes};
    t["K8"] = {ofK * bytes, keyRows * bytes};
    t["V8"] = {ofV * bytes, real(n.valueBytes())};
    t["O"] = {0, 4 * rows * d};
    t["lse"] = {0, 4 * rows};
    const int64_t castBlocks = ceilDiv(n.rows * n.rowBytes, castOfBlock) +
                               ceilDiv(n.keyRows * n.rowBytes, castOfBlock) +
                               n.keyHeads * ceilDiv(n.keyStride, castSide) * ceilDiv(n.rowBytes, castSide);
    t["amax"] = {4 * real(castBlocks + 3 * blocks), 0}; // one thread of a block
    for (const int64_t count : {n.rows * s.headDim, n.keyRows * s.headDim, n.keyRows * s.headDim}) {
        const Traffic found = amaxTraffic(count);
        t["amax"].read += found.read;
        t["amax"].written += found.written;
    }
    return withoutEmpty(t);
}

} // namespace warplight::gpu
