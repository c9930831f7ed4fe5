// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/error.h"
#include "gpu/ops/device_matrix.h"
#include "gpu/ops/kernel_problem.h"
#include "gpu/ops/linear_attention.h"
#include "gpu/ops/linear_attention_features.h"
#include "gpu/ops/linear_attention_launch.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <optional>
#include <string>
#include <vector>

namespace warplight::gpu {
namespace {

using number::Format;

/// LinearProblem<T> of gpu/kernels/linear_attention.cuh.
struct KernelArguments {
    uint64_t q = 0, k = 0, v = 0, decay = 0, beta = 0, o = 0, state = 0, z = 0;
    int32_t queryLen = 0, keyLen = 0, headDim = 0, valueDim = 0, features = 0;
    FeatureMap map = FeatureMap::Identity;
    float root = 1;
    int32_t causal = 0, normalised = 0, unused = 0;
};
static_assert(sizeof(KernelArguments) == 104);

/// RetNet's 1 - 2^(-5-head), for every step.
std::vector<float> retentionDecays(const LinearShape& s) {
    std::vector<float> decay(static_cast<size_t>(s.allHeads() * s.keyLen));
    for (size_t i = 0; i < decay.size(); ++i) {
        const int64_t head = static_cast<int64_t>(i) / s.keyLen % s.heads;
        decay[i] = static_cast<float>(1 - std::ldexp(1.0, static_cast<int>(-5 - head)));
    }
    return decay;
}

std::string underscored(LinearRule rule) {
    return rule == LinearRule::GatedDelta ? "gated_delta" : std::string(name(rule));
}

/// The tensors on the device, and the launches of a rung.
class Run {
  public:
    Run(KernelLibrary& library, LinearRung r, const LinearShape& shape, Format f, const LaunchOptions& o)
        : rung(r), s(shape), format(f), options(o), launcher(library, o) {}

    LinearRun run(const LinearTensors& t) {
        const int64_t heads = s.allHeads(), rows = heads * s.queryLen, keys = heads * s.keyLen, f = features(s);
        const int64_t multiple = format == Format::F32 ? 1 : 8; // 16-byte copies want whole chunks
        DeviceMatrix q(device(), "Q", rows, s.headDim, format, multiple),
            k(device(), "K", keys, s.headDim, format, multiple), v(device(), "V", keys, s.valueDim, format, multiple),
            o(device(), "O", rows, s.valueDim, format, multiple);
        std::optional<DeviceMatrix> decay, beta, state, z;
        q.upload(t.q, options.cancel);
        k.upload(t.k, options.cancel);
        v.upload(t.v, options.cancel);
        if (const int64_t numbers = decaysPerStep(s)) {
            decay.emplace(device(), "decay", keys, numbers, Format::F32);
            decay->upload(t.decay ? t.decay : retentionDecays(s).data(), options.cancel);
        }
        if (takesBeta(s.rule)) {
            beta.emplace(device(), "beta", keys, 1, Format::F32);
            beta->upload(t.beta, options.cancel);
        }
        if (s.keepsState || (rung == LinearRung::Chunked && !s.causal)) {
            state.emplace(device(), "state", heads * f, s.valueDim, Format::F32, multiple);
            z.emplace(device(), "z", heads, f, Format::F32);
        }
        const auto address = [](const std::optional<DeviceMatrix>& m) { return m ? m->address() : 0; };
        at = {q.address(),
              k.address(),
              v.address(),
              address(decay),
              address(beta),
              o.address(),
              address(state),
              address(z),
              static_cast<int32_t>(s.queryLen),
              static_cast<int32_t>(s.keyLen),
              static_cast<int32_t>(q.rowLength()),
              static_cast<int32_t>(v.rowLength()),
              static_cast<int32_t>(f),
              s.map,
              s.map == FeatureMap::Cos ? 1 : std::sqrt(s.scale),
              s.causal,
              s.normalised};
        if (!appliesItself(rung, s.map))
            writeFeatures(t);
        if (heads > 0 && (rows > 0 || state))
            launch();
        LinearRun result{launcher.finish(), {}, {}, {}};
        result.o = o.download(options.cancel);
        if (s.keepsState) {
            result.state = state->download(options.cancel);
            result.z = z->download(options.cancel);
        }
        return result;
    }

  private:
    Device& device() { return launcher.device(); }
    uint32_t heads() const { return static_cast<uint32_t>(s.allHeads()); }

    /// Features come in the place of queries and keys.
    void writeFeatures(const LinearTensors& t) {
        const int64_t width = featureRow(s, format), element = number::bytes(format);
        uint64_t omega = 0;
        if (s.map == FeatureMap::Favor) {
            std::vector<float> transposed(static_cast<size_t>(s.headDim * s.randomFeatures));
            for (int64_t f = 0; f < s.randomFeatures; ++f)
                for (int64_t i = 0; i < s.headDim; ++i)
                    transposed[static_cast<size_t>(i * s.randomFeatures + f)] = t.projection[f * s.headDim + i];
            const Buffer& buffer = launcher.temporary(s.headDim * s.randomFeatures * 4, "omega");
            device().upload(buffer.address(), transposed.data(), buffer.bytes());
            omega = buffer.address();
        }
        const auto write = [&](bool keys, const char* called, uint64_t& tensor) {
            const int64_t rows = s.allHeads() * (keys ? s.keyLen : s.queryLen);
            const uint64_t phi = launcher.temporary(rows * width * element, called).address();
            launchFeatures(launcher, s, format, keys, tensor, at.headDim, phi, omega);
            tensor = phi;
        };
        write(false, "phiQ", at.q);
        write(true, "phiK", at.k);
        at.headDim = static_cast<int32_t>(width);
        at.map = FeatureMap::Identity;
        at.root = 1;
    }

    void launch() {
        if (rung == LinearRung::Recurrent)
            recurrent();
        else if (rung == LinearRung::Chunked)
            chunked();
        else
            mma();
    }

    void recurrent() {
        const int64_t f = features(s), padded = paddedDim(f);
        const bool ones = s.normalised || s.keepsState; // one more warp
        launcher.start("linear_attention", fmt::format("linear_recurrent_{}_d{}", underscored(s.rule), padded),
                       {ceilDiv(s.valueDim, recurrentColumns), heads()}, {ones ? 160u : 128u}, 0, {at});
    }

    void chunked() {
        const int64_t f = features(s), between = s.causal ? s.allHeads() * (chunksOf(s) - 1) : 0;
        uint64_t states = at.state, sums = at.z; // not causal: what is left at the end
        if (between > 0) {
            states = launcher.temporary(between * f * s.valueDim * 4, "states").address();
            sums = s.normalised ? launcher.temporary(between * f * 4, "sums").address() : 0;
        }
        KernelArguments queries = at;
        std::string rule = underscored(s.rule);
        if (takesBeta(s.rule)) { // queries take what each step adds for its value
            const int64_t keys = s.allHeads() * s.keyLen;
            queries.v = launcher.temporary(keys * s.valueDim * 4, "added").address();
            const uint64_t ones = countsOnes(s) ? launcher.temporary(keys * 4, "ones").address() : 0;
            queries.beta = s.normalised ? ones : 0;
            launcher.start("linear_attention_delta", "linear_states_" + rule,
                           {ceilDiv(deltaColumnsOf(s), deltaColumns), heads()}, {128},
                           4 * (deltaColumns + 1) * int64_t{ceilDiv(f, stateFeatures)} * stateFeatures,
                           {at, queries.v, ones, states, sums, static_cast<int32_t>(s.chunk)});
            rule = s.rule == LinearRule::Delta ? "add" : "retention";
        } else if (needsStates(s))
            launcher.start("linear_attention_chunked", "linear_states_" + rule,
                           {ceilDiv(f, stateFeatures) * ceilDiv(s.valueDim, stateColumns), heads()}, {128}, 0,
                           {at, states, sums, static_cast<int32_t>(s.chunk)});
        if (s.queryLen > 0)
            launcher.start("linear_attention_chunked", fmt::format("linear_outputs_{}_c{}", rule, s.chunk),
                           {ceilDiv(s.queryLen, outputRows(s)), heads()}, {128}, 0, {queries, states, sums});
    }

    void mma() {
        const int64_t f = features(s), tile = mmaRows * mmaRows * 2,
                      between = s.allHeads() * (s.causal ? chunksOf(s) - 1 : 1);
        const bool half = format == Format::F16;
        uint64_t states = 0, sums = 0;
        if (between > 0) {
            states = launcher.temporary(between * f * at.valueDim * 2, "states").address();
            sums = s.normalised ? launcher.temporary(between * f * 4, "sums").address() : 0;
        }
        if (needsStates(s))
            launcher.start("linear_attention_mma", half ? "linear_states_mma_f16" : "linear_states_mma_bf16",
                           {ceilDiv(f, mmaRows) * ceilDiv(at.valueDim, mmaRows), heads()}, {128}, 5 * tile,
                           {at, states, sums, static_cast<int32_t>(s.chunk)});
        if (s.queryLen > 0) // tiles of Q, state, K and V, and where decays are worked out
            launcher.start("linear_attention_mma",
                           fmt::format("linear_outputs_mma_{}_c{}", half ? "f16" : "bf16", s.chunk),
                           {ceilDiv(s.queryLen, mmaRows), heads()}, {128},
                           2 * tile + 2 * s.chunk * mmaRows * 2 + 4 * (3 * s.chunk + mmaRows * 24), {at, states, sums});
    }

    const LinearRung rung;
    const LinearShape& s;
    const Format format;
    const LaunchOptions& options;
    Launcher launcher;
    KernelArguments at;
};

} // namespace

LinearRun linearAttention(KernelLibrary& library, LinearRung rung, const LinearShape& s, const LinearTensors& t,
                          Format format, const LaunchOptions& options) {
    checkShape(s);
    if (const std::string why = whyNot(rung, s, format); !why.empty())
        throw InputError(fmt::format("linear attention: {}: {}", info(rung).name, why));
    if (!t.decay && (s.rule == LinearRule::Gla || s.rule == LinearRule::GatedDelta))
        throw InputError(fmt::format("linear attention: decay is missing, expected {} for rule {}",
                                     s.rule == LinearRule::Gla ? "a factor for each step and feature" : "one a step",
                                     name(s.rule)));
    if (!t.beta && takesBeta(s.rule))
        throw InputError(
            fmt::format("linear attention: beta is missing, expected one a step for rule {}", name(s.rule)));
    if (!t.projection && s.map == FeatureMap::Favor)
        throw InputError("linear attention: the projection is missing, expected ω [randomFeatures, headDim] for favor");
    return Run(library, rung, s, format, options).run(t);
}

} // namespace warplight::gpu
