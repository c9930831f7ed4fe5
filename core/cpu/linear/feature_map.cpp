// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/linear/feature_map.h"

#include "core/algebra/decomposition.h"
#include "core/error.h"
#include "core/tensor/random.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace warplight::cpu {
namespace {

enum Stream : uint64_t { directionStream = 16, lengthStream };

std::vector<float> gaussian(int64_t count, uint64_t seed, uint64_t stream) {
    std::vector<float> numbers(static_cast<size_t>(count));
    tensor::fillGaussian(numbers, seed, stream);
    return numbers;
}

/// e^(x - max), divided by their sum, of `count` numbers that are `step` apart.
template <class T>
void softmax(T* x, int64_t count, int64_t step) {
    T largest = -std::numeric_limits<T>::infinity(), sum = 0;
    for (int64_t i = 0; i < count; ++i)
        largest = std::max(largest, x[i * step]);
    for (int64_t i = 0; i < count; ++i)
        sum += x[i * step] = std::exp(x[i * step] - largest);
    for (int64_t i = 0; i < count; ++i)
        x[i * step] /= sum;
}

/// The largest, or 0 where that is not finite: no number is saved by taking off an infinity.
template <class T>
T largestFinite(const T* x, int64_t count) {
    T largest = -std::numeric_limits<T>::infinity();
    for (int64_t i = 0; i < count; ++i)
        largest = std::max(largest, x[i]);
    return std::isfinite(largest) ? largest : 0;
}

} // namespace

std::vector<double> favorProjection(const LinearShape& s) {
    const int64_t d = s.headDim, m = s.features, blocks = (m + d - 1) / d;
    const std::vector<float> directions = gaussian(blocks * d * d, s.seed, directionStream);
    std::vector<double> omega(directions.begin(), directions.end());
    if (s.orthogonal) {
        const std::vector<float> lengths = gaussian(blocks * d * d, s.seed, lengthStream);
        for (int64_t block = 0; block < blocks; ++block)
            algebra::orthonormaliseRows(omega.data() + block * d * d, d, d);
        for (int64_t row = 0; row < m; ++row) {
            double length = 0;
            for (int64_t i = 0; i < d; ++i)
                length += std::pow(static_cast<double>(lengths[static_cast<size_t>(row * d + i)]), 2);
            for (int64_t i = 0; i < d; ++i)
                omega[static_cast<size_t>(row * d + i)] *= std::sqrt(length);
        }
    }
    omega.resize(static_cast<size_t>(m * d));
    return omega;
}

template <class T>
Features<T>::Features(const LinearShape& s)
    : shape(s), features(featureCount(s)), root(static_cast<T>(std::sqrt(scaleOf(s)))) {
    if (s.map != FeatureMap::Favor)
        return;
    const std::vector<double> exact = favorProjection(s);
    omega.resize(exact.size());
    std::transform(exact.begin(), exact.end(), omega.begin(), [](double x) { return static_cast<T>(x); });
}

template <class T>
bool Features<T>::joinsKeys() const {
    return shape.map == FeatureMap::Softmax || (shape.map == FeatureMap::Favor && shape.normalise && !shape.causal);
}

template <class T>
void Features<T>::exponents(const T* x, T* y) const {
    const int64_t d = shape.headDim;
    T square = 0;
    for (int64_t i = 0; i < d; ++i)
        square += root * x[i] * (root * x[i]);
    for (int64_t f = 0; f < features; ++f) {
        const T* row = omega.data() + f * d;
        T sum = 0;
        for (int64_t i = 0; i < d; ++i)
            sum += row[i] * (root * x[i]);
        y[f] = sum - square / 2;
    }
}

template <class T>
void Features<T>::ofRow(const T* from, T* y) const {
    const int64_t d = shape.headDim;
    const auto x = [&](int64_t i) { return root * from[i]; };
    switch (shape.map) {
    case FeatureMap::Elu1:
        for (int64_t i = 0; i < d; ++i)
            y[i] = x(i) > 0 ? x(i) + 1 : std::exp(x(i));
        break;
    case FeatureMap::Relu:
        for (int64_t i = 0; i < d; ++i)
            y[i] = x(i) < 0 ? 0 : x(i); // NaN stays one
        break;
    case FeatureMap::Relu2:
        for (int64_t i = 0; i < d; ++i)
            y[i] = x(i) < 0 ? 0 : x(i) * x(i);
        break;
    case FeatureMap::Exp:
        for (int64_t i = 0; i < d; ++i)
            y[i] = std::exp(x(i));
        break;
    case FeatureMap::Cos: {
        T square = 0;
        for (int64_t i = 0; i < d; ++i)
            square += from[i] * from[i];
        const T length = std::sqrt(square);
        y[0] = 1;
        for (int64_t i = 0; i < d; ++i)
            y[i + 1] = from[i] / length;
        break;
    }
    case FeatureMap::Taylor2:
        y[0] = 1;
        for (int64_t i = 0; i < d; ++i)
            y[i + 1] = x(i);
        for (int64_t i = 0; i < d; ++i)
            for (int64_t j = 0; j < d; ++j)
                y[1 + d + i * d + j] = x(i) * x(j) * static_cast<T>(0.70710678118654752440);
        break;
    default:
        for (int64_t i = 0; i < d; ++i)
            y[i] = x(i);
    }
}

template <class T>
void Features<T>::ofQueries(const T* x, int64_t rows, T* y) const {
    const T factor = 1 / std::sqrt(static_cast<T>(features));
    for (int64_t r = 0; r < rows; ++r, x += shape.headDim, y += features) {
        if (shape.map != FeatureMap::Favor) {
            ofRow(x, y);
            if (shape.map == FeatureMap::Softmax)
                softmax(y, features, 1);
            continue;
        }
        exponents(x, y);
        const T shift = shape.normalise ? largestFinite(y, features) : 0;
        for (int64_t f = 0; f < features; ++f)
            y[f] = std::exp(y[f] - shift) * factor;
    }
}

template <class T>
void Features<T>::ofKeys(const T* x, int64_t rows, T* y, const std::atomic<bool>* cancel) const {
    const bool isFavor = shape.map == FeatureMap::Favor;
    for (int64_t r = 0; r < rows; ++r) {
        checkCancelled(cancel);
        isFavor ? exponents(x + r * shape.headDim, y + r * features) : ofRow(x + r * shape.headDim, y + r * features);
    }
    for (int64_t f = 0; shape.map == FeatureMap::Softmax && f < features; ++f) {
        checkCancelled(cancel);
        softmax(y + f, rows, features);
    }
    if (!isFavor)
        return;
    const T shift = joinsKeys() ? largestFinite(y, rows * features) : 0;
    const T factor = 1 / std::sqrt(static_cast<T>(features));
    for (int64_t r = 0; r < rows; ++r) {
        checkCancelled(cancel);
        for (int64_t f = 0; f < features; ++f)
            y[r * features + f] = std::exp(y[r * features + f] - shift) * factor;
    }
}

template class Features<float>;
template class Features<double>;

} // namespace warplight::cpu
