// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/run.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace warplight::cpu {

/// φ, the map of queries and keys to features whose products stand for the weights of attention. It is applied to
/// x = √scale · q and x = √scale · k.
enum class FeatureMap {
    Elu1,    ///< x > 0 ? x + 1 : e^x (Katharopoulos et al. 2020)
    Relu,    ///< max(x, 0)
    Relu2,   ///< max(x, 0)²
    Exp,     ///< e^x
    Softmax, ///< of Q over its features, of K over positions (Shen et al. 2018); not causal
    Cos,     ///< [1; x/|x|]: weights 1 + cos(q, k)
    Taylor2, ///< [1; x; x ⊗ x/√2]: weights 1 + s + s²/2, the second-order Taylor polynomial of e^s
    Favor,   ///< e^(ω·x - |x|²/2)/√m for m random ω: weights whose mean is e^s (Choromanski et al. 2020)
    Identity ///< x itself: what RetNet, GLA and DeltaNet take
};

/// How the state S [features, valueDim] takes a key k = φ(k_t) and its value v = v_t.
enum class LinearRule {
    Add,       ///< S += k vᵀ
    Retention, ///< S = γ_t S + k vᵀ, γ a number a step (RetNet, Sun et al. 2023)
    Gla,       ///< S = diag(α_t) S + k vᵀ, α_t a number a feature (Yang et al. 2023)
    Delta,     ///< S -= β_t k (kᵀ S - vᵀ) (Schlag et al. 2021)
    GatedDelta ///< S = γ_t S, then Delta (Yang et al. 2024)
};

/// The rungs of the ladder: forms of one and the same sum.
enum class LinearForm {
    Reference, ///< Recurrent in double precision, rounded once
    Parallel,  ///< masked scores times values, n² of them
    Recurrent, ///< step by step
    Cumsum,    ///< outer products kept, and added up along the sequence
    Chunked    ///< Parallel within a chunk, Recurrent from chunk to chunk
};

std::span<const RungInfo<FeatureMap>> featureMaps();
std::span<const RungInfo<LinearRule>> linearRules();
std::span<const RungInfo<LinearForm>> linearForms();
/// Of that name; each throws InputError that lists the names.
FeatureMap featureMapByName(std::string_view name);
LinearRule linearRuleByName(std::string_view name);
LinearForm linearFormByName(std::string_view name);

/// One problem of linear attention: o_t = φ(q_t)ᵀ S_t, divided, where `normalise` says so, by the same for values of 1.
/// Causal: S_t is the state after key t, and there are as many queries as keys. Otherwise it is the state after the
/// last key. Rules that forget or overwrite are causal.
struct LinearShape {
    int64_t batch = 1, heads = 1, queryLen = 0, keyLen = 0, headDim = 0;
    int64_t valueDim = 0;
    FeatureMap map = FeatureMap::Elu1;
    LinearRule rule = LinearRule::Add;
    bool causal = false, normalise = true;
    std::optional<double> scale{}; ///< none: 1/√headDim for taylor2, favor and exp, else 1
    int64_t features = 64;         ///< m of favor
    bool orthogonal = true;        ///< favor: blocks of headDim orthogonal ω; false: independent ones
    uint64_t seed = 0;             ///< of favor's ω
    int64_t chunk = 64;            ///< steps of a chunk; at least 1, more than there are: all
};

/// All row-major and contiguous: q [batch, heads, queryLen, headDim], k [batch, heads, keyLen, headDim], v [batch,
/// heads, keyLen, valueDim], o [batch, heads, queryLen, valueDim].
template <class T>
struct LinearTensors {
    const T *q = nullptr, *k = nullptr, *v = nullptr;
    /// Factors, not logarithms: [batch, heads, keyLen] of retention and gated-delta, [batch, heads, keyLen, features]
    /// of gla. Null with retention: RetNet's 1 - 2^(-5-head).
    const T* decay = nullptr;
    const T* beta = nullptr; ///< of delta and gated-delta: [batch, heads, keyLen]
    T* o = nullptr;
    T* state = nullptr; ///< S after the last key, [batch, heads, features, valueDim]; null: not wanted
    T* z = nullptr;     ///< the same for values of 1, [batch, heads, features]; null: not wanted
};

constexpr int64_t largestLinearDim = 512; ///< of queries, keys and values

/// How many features φ has.
int64_t featureCount(const LinearShape& shape);
/// The factor that x = √scale · q has in it, squared.
double scaleOf(const LinearShape& shape);
/// RetNet's γ of a head: 1 - 2^(-5-head).
double retentionDecay(int64_t head);
/// Throws InputError, one sentence, for shapes that there are none of. Pointers are not looked at.
void checkShape(const LinearShape& shape);

/// Runs one form. A denominator of zero, NaN and infinities give what IEEE arithmetic makes of them, and a step never
/// touches what comes before it. Favor: where it is normalised, each query's largest exponent is taken off its features
/// and, unless causal, the largest of all keys off theirs, so that `state` and `z` are the sums of e^(… - that); keys
/// under a causal mask stay as they are. The result is bitwise the same for any number of threads. Throws InputError,
/// Cancelled, std::bad_alloc.
RunCost linearAttention(LinearForm form, const LinearShape& shape, const LinearTensors<float>& tensors,
                        const RunOptions& options = {});
/// The same in double precision throughout (Reference is Recurrent then).
RunCost linearAttention(LinearForm form, const LinearShape& shape, const LinearTensors<double>& tensors,
                        const RunOptions& options = {});

/// What RunCost::extraBytes of a run on f32 will be at most; INT64_MAX when the size overflows.
int64_t extraBytesAtMost(LinearForm form, const LinearShape& shape, int threads = 0);

/// Floating-point operations of the sums alone, without feature maps and decays: 4 · features · valueDim a step for the
/// state, and 2 · (features + valueDim) for each pair of steps that a form multiplies.
double flopsOf(LinearForm form, const LinearShape& shape);

} // namespace warplight::cpu
