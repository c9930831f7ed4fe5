// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/ops/attention_backward.h"

#include "gpu/ops/device_matrix.h"
#include "gpu/ops/kernel_problem.h"

#include <cstdint>
#include <fmt/format.h>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace warplight::gpu {
namespace {

/// Gradients of gpu/kernels/attention_backward.cu.
struct KernelGradients {
    uint64_t dOut, d, dq, dk, dv;
};

class Backward {
  public:
    Backward(KernelLibrary& l, const AttentionShape& s, const LaunchOptions& o)
        : shape(s), options(o), launcher(l, o) {}

    AttentionGradients run(BackwardRung rung, const float* q, const float* k, const float* v, const float* o,
                           const float* lse, const float* dOut) {
        const int64_t rows = shape.heads() * shape.queryLen, keyRows = shape.batch * shape.keyHeads * shape.keyLen,
                      d = shape.headDim;
        const auto matrix = [&](const char* name, int64_t height, int64_t width, const float* from) {
            DeviceMatrix made(launcher.device(), name, height, width, number::Format::F32);
            if (from)
                made.upload(from, options.cancel);
            else
                made.fill(0);
            return made;
        };
        const DeviceMatrix dq = matrix("Q", rows, d, q), dk = matrix("K", keyRows, d, k),
                           dv = matrix("V", keyRows, d, v), out = matrix("O", rows, d, o),
                           sums = matrix("lse", rows, 1, lse), outGradient = matrix("dO", rows, d, dOut),
                           gradientQ = matrix("dQ", rows, d, nullptr), gradientK = matrix("dK", keyRows, d, nullptr),
                           gradientV = matrix("dV", keyRows, d, nullptr);
        const Buffer& rowSums = launcher.temporary(rows * 4, "D");
        problem = kernelProblem(shape, {dq.address(), dk.address(), dv.address(), out.address(), sums.address()}, d);
        gradients = {outGradient.address(), rowSums.address(), gradientQ.address(), gradientK.address(),
                     gradientV.address()};
        if (rows > 0 && keyRows > 0) {
            start("backward_rows", {ceilDiv(rows, 4)}, {128}, 0,
                  {problem, outGradient.address(), rowSums.address(), static_cast<int32_t>(rows)});
            if (rung == BackwardRung::Standard)
                standard();
            else
                start(fmt::format("flash2_bwd_d{}", paddedDim(d)),
                      {ceilDiv(shape.keyLen, 32), static_cast<uint32_t>(shape.heads())}, {128},
                      4 * (4 * 32 * (paddedDim(d) + 1) + 2 * 32 * 33), {problem, gradients});
        }
        AttentionGradients result{launcher.finish(), {}, {}, {}};
        result.dq = gradientQ.download(options.cancel);
        result.dk = gradientK.download(options.cancel);
        result.dv = gradientV.download(options.cancel);
        return result;
    }

  private:
    void standard() {
        const int64_t scores = shape.heads() * shape.queryLen * shape.keyLen;
        const Buffer &p = launcher.temporary(scores * 4, "P"), &ds = launcher.temporary(scores * 4, "dS");
        const uint32_t heads = static_cast<uint32_t>(shape.heads()),
                       keyHeads = static_cast<uint32_t>(shape.batch * shape.keyHeads);
        start("standard_bwd_scores", {ceilDiv(shape.keyLen, 32), ceilDiv(shape.queryLen, 8), heads}, {32, 8}, 0,
              {problem, gradients, p.address(), ds.address()});
        start("standard_bwd_queries", {ceilDiv(shape.headDim, 32), ceilDiv(shape.queryLen, 8), heads}, {32, 8}, 0,
              {problem, gradients, ds.address()});
        start("standard_bwd_keys", {ceilDiv(shape.headDim, 32), ceilDiv(shape.keyLen, 8), keyHeads}, {32, 8}, 0,
              {problem, gradients, p.address(), ds.address()});
    }

    void start(const std::string& kernel, Extent grid, Extent block, int64_t shared, std::vector<Argument> arguments) {
        launcher.start("attention_backward", kernel, grid, block, shared, std::move(arguments));
    }

    const AttentionShape& shape;
    const LaunchOptions& options;
    Launcher launcher;
    KernelProblem problem{};
    KernelGradients gradients{};
};

} // namespace

std::string_view name(BackwardRung rung) { return rung == BackwardRung::Standard ? "standard-bwd" : "flash2-bwd"; }

AttentionGradients attentionBackward(KernelLibrary& library, BackwardRung rung, const AttentionShape& shape,
                                     const float* q, const float* k, const float* v, const float* o, const float* lse,
                                     const float* dOut, const LaunchOptions& options) {
    checkShape(shape);
    return Backward(library, shape, options).run(rung, q, k, v, o, lse, dOut);
}

} // namespace warplight::gpu
