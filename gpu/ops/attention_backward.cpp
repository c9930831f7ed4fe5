#include "gpu/ops/attention_backward.h"

#include "gpu/ops/kernel_problem.h"

#include <algorithm>
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
    Backward(KernelLibrary& l, const AttentionShape& s, const AttentionOptions& o) : library(l), shape(s), options(o) {}

    AttentionGradients run(BackwardRung rung, const float* q, const float* k, const float* v, const float* o,
                           const float* lse, const float* dOut) {
        const int64_t rows = shape.heads() * shape.queryLen, keyRows = shape.batch * shape.keyHeads * shape.keyLen,
                      d = shape.headDim;
        Buffer dq = filled("Q", q, rows * d), dk = filled("K", k, keyRows * d), dv = filled("V", v, keyRows * d),
               out = filled("O", o, rows * d), sums = filled("lse", lse, rows),
               outGradient = filled("dO", dOut, rows * d);
        const std::vector<float> zero(static_cast<size_t>(std::max(rows, keyRows) * d));
        Buffer gradientQ = filled("dQ", zero.data(), rows * d), gradientK = filled("dK", zero.data(), keyRows * d),
               gradientV = filled("dV", zero.data(), keyRows * d), rowSums(device(), rows * 4, "D");
        problem = {dq.address(),
                   dk.address(),
                   dv.address(),
                   out.address(),
                   sums.address(),
                   static_cast<int32_t>(shape.queryHeads),
                   static_cast<int32_t>(shape.keyHeads),
                   static_cast<int32_t>(shape.queryLen),
                   static_cast<int32_t>(shape.keyLen),
                   static_cast<int32_t>(d),
                   shape.scale,
                   shape.causal};
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
        result.dq.resize(static_cast<size_t>(rows * d));
        result.dk.resize(static_cast<size_t>(keyRows * d));
        result.dv.resize(static_cast<size_t>(keyRows * d));
        gradientQ.download(result.dq.data());
        gradientK.download(result.dk.data());
        gradientV.download(result.dv.data());
        return std::move(result);
    }

  private:
    Device& device() { return library.device(); }

    Buffer filled(const std::string& name, const float* from, int64_t elements) {
        Buffer buffer(device(), elements * 4, name);
        buffer.upload(from);
        return buffer;
    }

    void standard() {
        const int64_t scores = shape.heads() * shape.queryLen * shape.keyLen;
        const Buffer p(device(), scores * 4, "P"), ds(device(), scores * 4, "dS");
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
        LaunchConfig config;
        config.grid = grid;
        config.block = block;
        config.dynamicShared = shared;
        config.checks = options.checks;
        config.gpu = options.gpu;
        config.threads = options.threads;
        config.cancel = options.cancel;
        config.registers = kernelRegisters("attention_backward", kernel);
        Kernel& k = library.kernel("attention_backward", kernel);
        result.launches.push_back({kernel, grid, block, shared + k.info().sharedBytes, k.launch(config, arguments)});
    }

    KernelLibrary& library;
    const AttentionShape& shape;
    const AttentionOptions& options;
    KernelProblem problem{};
    KernelGradients gradients{};
    AttentionGradients result;
};

} // namespace

std::string_view name(BackwardRung rung) { return rung == BackwardRung::Standard ? "standard-bwd" : "flash2-bwd"; }

AttentionGradients attentionBackward(KernelLibrary& library, BackwardRung rung, const AttentionShape& shape,
                                     const float* q, const float* k, const float* v, const float* o, const float* lse,
                                     const float* dOut, const AttentionOptions& options) {
    checkShape(shape);
    return Backward(library, shape, options).run(rung, q, k, v, o, lse, dOut);
}

} // namespace warplight::gpu
