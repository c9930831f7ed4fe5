// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/ops/linear_attention.h"

#include "gpu/error.h"
#include "gpu/host/memory_budget.h"
#include "gpu/ops/linear_attention_launch.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace warplight::gpu {
namespace {

using number::Format;

constexpr std::string_view maps[] = {"elu1", "relu", "relu2", "exp", "softmax", "cos", "taylor2", "favor", "identity"};
constexpr std::string_view rules[] = {"add", "retention", "gla", "delta", "gated-delta"};

constexpr LinearRungInfo rungs[] = {
    {LinearRung::Recurrent, "recurrent", "Step by step, the state in registers",
     "Nothing but the inputs and the output goes through memory; nothing is parallel over the sequence.", false},
    {LinearRung::Chunked, "chunked", "Chunks: states first, then all queries at once",
     "One kernel passes the state from chunk to chunk, another answers all queries in parallel, by products of tiles.",
     false},
    {LinearRung::ChunkedMma, "chunked-mma", "The same on tensor cores, f16 or bf16",
     "Products by mma.sync from swizzled shared memory without bank conflicts; states are kept in 16 bits.", true}};

} // namespace

std::string_view name(FeatureMap map) { return maps[static_cast<size_t>(map)]; }
std::string_view name(LinearRule rule) { return rules[static_cast<size_t>(rule)]; }
std::span<const LinearRungInfo> linearRungs() { return rungs; }
const LinearRungInfo& info(LinearRung rung) { return rungs[static_cast<size_t>(rung)]; }

int64_t features(const LinearShape& s) {
    return s.map == FeatureMap::Cos       ? s.headDim + 1
           : s.map == FeatureMap::Taylor2 ? 1 + s.headDim + s.headDim * s.headDim
           : s.map == FeatureMap::Favor   ? s.randomFeatures
                                          : s.headDim;
}
int64_t decaysPerStep(const LinearShape& s) {
    return s.rule == LinearRule::Gla                                             ? features(s)
           : s.rule == LinearRule::Retention || s.rule == LinearRule::GatedDelta ? 1
                                                                                 : 0;
}
bool takesBeta(LinearRule rule) { return rule == LinearRule::Delta || rule == LinearRule::GatedDelta; }

void checkShape(const LinearShape& s) {
    if (s.batch < 0 || s.heads < 1)
        throw InputError(
            fmt::format("linear attention: batch {} and {} heads, expected at least 0 and 1", s.batch, s.heads));
    for (const auto& [called, dim] : {std::pair("headDim", s.headDim), std::pair("valueDim", s.valueDim)})
        if (dim < 1 || dim > largestLinearDim)
            throw InputError(
                fmt::format("linear attention: {} is {}, expected 1 to {}", called, dim, largestLinearDim));
    if (s.map == FeatureMap::Favor && (s.randomFeatures < 1 || s.randomFeatures > INT16_MAX))
        throw InputError(fmt::format("linear attention: favor with {} random features, expected 1 to {}",
                                     s.randomFeatures, INT16_MAX));
    if (s.chunk < 1)
        throw InputError(fmt::format("linear attention: a chunk of {} steps, expected at least 1", s.chunk));
    if (!(s.scale >= 0) || !std::isfinite(s.scale))
        throw InputError(fmt::format("linear attention: scale is {}, expected a number of at least 0", s.scale));
    if (s.rule != LinearRule::Add && !s.causal)
        throw InputError(fmt::format("linear attention: rule {} is causal, its state depends on the order of the keys",
                                     name(s.rule)));
    if (s.map == FeatureMap::Softmax && s.causal)
        throw InputError("linear attention: feature map softmax is not causal, its sum over positions needs all keys");
    if (s.causal && s.queryLen != s.keyLen)
        throw InputError(fmt::format("linear attention: {} queries and {} keys, expected as many of both if causal",
                                     s.queryLen, s.keyLen));
    if (s.queryLen < 0 || s.keyLen < 0 || s.queryLen > INT32_MAX - 128 || s.keyLen > INT32_MAX - 128 ||
        s.allHeads() > 65535)
        throw InputError(fmt::format("linear attention: {} heads of {} queries and {} keys are too many for one launch",
                                     s.allHeads(), s.queryLen, s.keyLen));
}

std::string whyNot(LinearRung rung, const LinearShape& s, Format format) {
    const bool half = format == Format::F16 || format == Format::BF16, onTensorCores = rung == LinearRung::ChunkedMma;
    if (info(rung).halfInputs ? !half : format != Format::F32)
        return fmt::format("it takes {}, not {}", info(rung).halfInputs ? "f16 and bf16" : "f32", number::name(format));
    if (rung == LinearRung::Recurrent && features(s) > largestRecurrentFeatures)
        return fmt::format("it keeps states of up to {} features in registers, not {} ({} of headDim {})",
                           largestRecurrentFeatures, features(s), name(s.map), s.headDim);
    if (rung == LinearRung::Recurrent)
        return {};
    if (std::find(std::begin(linearChunks), std::end(linearChunks), s.chunk) == std::end(linearChunks))
        return fmt::format("chunks of {} are not compiled, expected one of {}", s.chunk, fmt::join(linearChunks, ", "));
    if (onTensorCores && s.chunk < mmaRows)
        return fmt::format("it takes chunks of 64 and 128, not {}", s.chunk);
    if (onTensorCores && s.rule != LinearRule::Add && s.rule != LinearRule::Retention)
        return fmt::format("it takes rules add and retention, not {}, which chunked takes", name(s.rule));
    if (takesBeta(s.rule) && features(s) > largestRecurrentFeatures)
        return fmt::format(
            "it keeps states of up to {} features in shared memory for rule {}, not {} ({} of headDim {})",
            largestRecurrentFeatures, name(s.rule), features(s), name(s.map), s.headDim);
    return {};
}

int64_t deviceBytes(LinearRung rung, const LinearShape& s, Format format) {
    const auto times = [](int64_t a, int64_t b) { return saturatedProduct(a, b); };
    const int64_t element = number::bytes(format), heads = s.allHeads(), rows = times(heads, s.queryLen),
                  keys = times(heads, s.keyLen), f = features(s);
    const auto width = [&](int64_t columns) { return format == Format::F32 ? columns : (columns + 7) / 8 * 8; };
    int64_t bytes = 0;
    const auto add = [&](int64_t numbers, int64_t size) { bytes = saturatedSum(bytes, times(numbers, size)); };
    add(times(saturatedSum(rows, keys), width(s.headDim) + width(s.valueDim)), element);
    add(times(keys, decaysPerStep(s) + (takesBeta(s.rule) ? 1 : 0)), 4);
    if (s.keepsState || (rung == LinearRung::Chunked && !s.causal))
        add(times(heads, times(f, width(s.valueDim) + 1)), 4);
    if (!appliesItself(rung, s.map)) {
        add(times(saturatedSum(rows, keys), width(f)), element);
        if (s.map == FeatureMap::Favor) // ω, and the largest exponents of blocks of keys and of heads
            add(saturatedSum(times(f, s.headDim), times(heads, s.keyLen / 16 + 2)), 4);
    }
    if (rung == LinearRung::Chunked && takesBeta(s.rule)) // what steps add
        add(times(keys, s.valueDim + 1), 4);
    if (rung == LinearRung::ChunkedMma || (rung == LinearRung::Chunked && s.causal)) {
        const int64_t states = times(heads, s.causal ? chunksOf(s) - 1 : 1);
        add(times(states, times(f, width(s.valueDim))), element);
        add(times(states, f), 4);
    }
    return bytes;
}

} // namespace warplight::gpu
