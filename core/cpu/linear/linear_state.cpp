// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/linear/linear_state.h"

#include "core/error.h"

#include <algorithm>
#include <cstddef>
#include <fmt/format.h>

namespace warplight::cpu {
namespace {

LinearShape causalOne(LinearShape shape) {
    shape.batch = shape.heads = shape.queryLen = shape.keyLen = 1;
    shape.causal = true;
    checkShape(shape);
    return shape;
}

} // namespace

template <class T>
StateOf<T>::StateOf(LinearRule r, int64_t f, int64_t c)
    : rule(r),
      features(f),
      columns(c),
      s(static_cast<size_t>(f * c)),
      held(static_cast<size_t>(c)),
      partial(static_cast<size_t>(c)) {}

template <class T>
void StateOf<T>::step(const T* key, const T* value, const T* decay, T beta) {
    if (decay)
        for (int64_t f = 0; f < features; ++f) {
            const T factor = decay[rule == LinearRule::Gla ? f : 0];
            for (int64_t c = 0; c < columns; ++c)
                s[static_cast<size_t>(f * columns + c)] *= factor;
        }
    if (rule == LinearRule::Delta || rule == LinearRule::GatedDelta) {
        read(key, held.data());
        for (int64_t c = 0; c < columns; ++c)
            held[static_cast<size_t>(c)] = beta * (value[c] - held[static_cast<size_t>(c)]);
        value = held.data();
    }
    for (int64_t f = 0; f < features; ++f)
        for (int64_t c = 0; c < columns; ++c)
            s[static_cast<size_t>(f * columns + c)] += key[f] * value[c];
}

template <class T>
void StateOf<T>::read(const T* query, T* o) const {
    constexpr int64_t block = 16; // sums of sums err less than one long sum
    std::fill_n(o, columns, T{0});
    for (int64_t begin = 0; begin < features; begin += block) {
        std::fill(partial.begin(), partial.end(), T{0});
        for (int64_t f = begin; f < std::min(features, begin + block); ++f)
            for (int64_t c = 0; c < columns; ++c)
                partial[static_cast<size_t>(c)] += query[f] * s[static_cast<size_t>(f * columns + c)];
        for (int64_t c = 0; c < columns; ++c)
            o[c] += partial[static_cast<size_t>(c)];
    }
}

template class StateOf<float>;
template class StateOf<double>;

LinearState::LinearState(const LinearShape& s, int64_t head)
    : shape(causalOne(s)),
      map(shape),
      state(shape.rule, map.count(), shape.valueDim + 1),
      ownDecay(retentionDecay(head)) {}

void LinearState::step(std::span<const double> key, std::span<const double> value, std::span<const double> decay,
                       double beta) {
    const bool isGated = shape.rule == LinearRule::Gla || shape.rule == LinearRule::GatedDelta;
    const size_t wanted = shape.rule == LinearRule::Gla ? static_cast<size_t>(features()) : 1;
    if (isGated && decay.size() != wanted)
        throw InputError(fmt::format("decay has {} numbers, expected {}", decay.size(), wanted));
    const std::vector<double> k = keyFeatures(key);
    std::vector<double> v(value.begin(), value.end());
    v.push_back(1);
    const double* factors = isGated ? decay.data() : nullptr;
    if (shape.rule == LinearRule::Retention)
        factors = decay.empty() ? &ownDecay : decay.data();
    state.step(k.data(), v.data(), factors, beta);
}

std::vector<double> LinearState::read(std::span<const double> query) const {
    std::vector<double> o(static_cast<size_t>(shape.valueDim) + 1);
    state.read(queryFeatures(query).data(), o.data());
    const double sum = shape.normalise ? o.back() : 1;
    o.pop_back();
    for (double& x : o)
        x /= sum;
    return o;
}

std::vector<double> LinearState::matrix() const {
    std::vector<double> all;
    for (int64_t f = 0; f < features(); ++f)
        all.insert(all.end(), state.data() + f * (shape.valueDim + 1),
                   state.data() + (f + 1) * (shape.valueDim + 1) - 1);
    return all;
}

std::vector<double> LinearState::normaliser() const {
    std::vector<double> z;
    for (int64_t f = 0; f < features(); ++f)
        z.push_back(state.data()[(f + 1) * (shape.valueDim + 1) - 1]);
    return z;
}

std::vector<double> LinearState::keyFeatures(std::span<const double> key) const {
    std::vector<double> y(static_cast<size_t>(features()));
    map.ofKeys(key.data(), 1, y.data());
    return y;
}

std::vector<double> LinearState::queryFeatures(std::span<const double> query) const {
    std::vector<double> y(static_cast<size_t>(features()));
    map.ofQueries(query.data(), 1, y.data());
    return y;
}

} // namespace warplight::cpu
