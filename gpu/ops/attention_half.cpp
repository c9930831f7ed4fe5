// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/ops/attention_half.h"

#include "gpu/error.h"
#include "gpu/host/memory_budget.h"
#include "gpu/ops/device_matrix.h"
#include "gpu/ops/kernel_problem.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>

namespace warplight::gpu {
namespace {

using number::Format;
using number::Sums;

/// HalfOptions of gpu/kernels/attention_half.cu.
struct KernelOptions {
    int32_t stride, scaleFirst, subtractMaximum;
};
static_assert(sizeof(KernelOptions) == 12);

constexpr int64_t step = 16; ///< of the matrix instruction: rows of all matrices are whole multiples of it

int64_t wholeSteps(int64_t length) { return (length + step - 1) / step * step; }

} // namespace

HalfAttentionRun attentionInHalf(KernelLibrary& library, const HalfAttention& how, const AttentionShape& shape,
                                 const float* q, const float* k, const float* v, bool keepsScores,
                                 const LaunchOptions& options) {
    checkShape(shape);
    if (how.format != Format::F16 && (how.format != Format::BF16 || how.sums != Sums::Single))
        throw InputError("attention in 16 bits takes f16, or bf16 with sums in f32");
    Launcher launcher(library, options);
    Device& device = launcher.device();
    const int64_t rows = shape.heads() * shape.queryLen, keyRows = shape.batch * shape.keyHeads * shape.keyLen;
    DeviceMatrix dq(device, "Q", rows, shape.headDim, how.format, step),
        dk(device, "K", keyRows, shape.headDim, how.format, step),
        dv(device, "V", keyRows, shape.headDim, how.format, step),
        out(device, "O", rows, shape.headDim, how.format, step), lse(device, "lse", rows, 1, Format::F32);
    DeviceMatrix s(device, "S", rows, shape.keyLen, how.format, step),
        p(device, "P", rows, shape.keyLen, how.format, step);
    dq.upload(q, options.cancel);
    dk.upload(k, options.cancel);
    dv.upload(v, options.cancel);
    const int64_t dim = dq.rowLength();
    const KernelProblem problem =
        kernelProblem(shape, {dq.address(), dk.address(), dv.address(), out.address(), lse.address()}, dim);
    const KernelOptions steps{static_cast<int32_t>(s.rowLength()), how.scaleFirst, how.subtractMaximum};
    const auto heads = static_cast<uint32_t>(shape.heads());
    const bool onCores = how.sums == Sums::Half;
    const std::string in = how.format == Format::BF16 ? "bf16_f32" : how.sums == Sums::Single ? "f16_f32" : "f16_f16";
    const auto start = [&](const std::string& kernel, Extent grid, Extent block, std::vector<Argument> arguments) {
        launcher.start("attention_half", kernel, grid, block, 0, std::move(arguments));
    };
    if (rows > 0) {
        if (shape.keyLen > 0 && onCores)
            start("half2_scores", {ceilDiv(shape.keyLen, 64), ceilDiv(shape.queryLen, 32), heads}, {32, 8},
                  {problem, s.address(), steps});
        else if (shape.keyLen > 0)
            start("stored_scores_" + in, {ceilDiv(shape.keyLen, 32), ceilDiv(shape.queryLen, 64), heads}, {128},
                  {problem, s.address(), steps});
        start("stored_softmax_" + in, {ceilDiv(shape.queryLen, 4), heads}, {128},
              {problem, s.address(), p.address(), steps});
        if (onCores)
            start("half2_output", {ceilDiv(dim, 64), ceilDiv(shape.queryLen, 8), heads}, {32, 8},
                  {problem, p.address(), steps});
        else
            start("stored_output_" + in, {ceilDiv(dim, 32), ceilDiv(shape.queryLen, 64), heads}, {128},
                  {problem, p.address(), steps});
    }
    HalfAttentionRun result{{launcher.finish(), {}, {}}, {}, {}};
    result.o = out.download(options.cancel);
    result.lse = lse.download(options.cancel);
    if (keepsScores) {
        result.s = s.download(options.cancel);
        result.p = p.download(options.cancel);
    }
    return result;
}

int64_t deviceBytes(const HalfAttention& how, const AttentionShape& s) {
    const int64_t rows = saturatedProduct(s.heads(), s.queryLen),
                  keyRows = saturatedProduct(s.batch * s.keyHeads, s.keyLen),
                  rowBytes = wholeSteps(s.headDim) * number::bytes(how.format);
    return saturatedSum(
        saturatedProduct(2 * rowBytes, saturatedSum(rows, keyRows)),
        saturatedProduct(rows, saturatedSum(4, saturatedProduct(2 * number::bytes(how.format), wholeSteps(s.keyLen)))));
}

TensorTraffic algorithmicTraffic(const HalfAttention& how, const AttentionShape& s) {
    constexpr double element = 2;
    const bool onCores = how.sums == Sums::Half;
    const auto n = static_cast<double>(s.queryLen), m = static_cast<double>(s.keyLen),
               d = static_cast<double>(wholeSteps(s.headDim));
    const auto visible = [&](int64_t row) {
        return s.causal ? std::clamp<int64_t>(row + 1 + s.keyLen - s.queryLen, 0, s.keyLen) : s.keyLen;
    };
    // Of a warp's rows: steps of keys as far as its last row sees.
    double seen = 0, keysOfWarps = 0, stepsOfRows = 0, rowsWithKeys = 0;
    for (int64_t row = 0; row < s.queryLen; ++row) {
        seen += static_cast<double>(visible(row));
        rowsWithKeys += visible(row) > 0;
        if (row % step)
            continue;
        const int64_t rows = std::min(step, s.queryLen - row), keys = visible(row + rows - 1);
        keysOfWarps += static_cast<double>(keys);
        stepsOfRows += static_cast<double>(rows * wholeSteps(keys));
    }
    const auto blocks = [](double length, double size) { return std::ceil(length / size); };
    TensorTraffic t;
    t["Q"] = {n * d * blocks(m, onCores ? 64 : 32), 0};
    t["K"] = {m * d * blocks(n, onCores ? 32 : 16), 0};
    t["S"] = {m * ((how.subtractMaximum ? 2 : 1) * n + rowsWithKeys), n * m};
    t["P"] = {onCores ? seen * d / 2 : stepsOfRows * blocks(d, 32), n * static_cast<double>(wholeSteps(s.keyLen))};
    t["V"] = {onCores ? seen * d : keysOfWarps * d, 0};
    t["O"] = {0, n * d};
    for (auto& [name, bytes] : t)
        bytes = {bytes.read * element * static_cast<double>(s.heads()),
                 bytes.written * element * static_cast<double>(s.heads())};
    t["lse"] = {0, 4 * n * static_cast<double>(s.heads())};
    return t;
}

} // namespace warplight::gpu
