// SPDX-License-Identifier: GPL-3.0-or-later
// The other way through φ: from gradients of features to those of queries and keys.
#include "core/cpu/linear/feature_map.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace warplight::cpu {

template <class T>
void Features<T>::rowGradient(const T* from, const T* y, const T* dy, T* dx) const {
    const int64_t d = shape.headDim;
    const auto x = [&](int64_t i) { return root * from[i]; };
    switch (shape.map) {
    case FeatureMap::Elu1: // e^x is its own derivative
        for (int64_t i = 0; i < d; ++i)
            dx[i] = root * dy[i] * (x(i) > 0 ? T{1} : y[i]);
        break;
    case FeatureMap::Relu:
        for (int64_t i = 0; i < d; ++i)
            dx[i] = x(i) < 0 ? T{0} : root * dy[i];
        break;
    case FeatureMap::Relu2:
        for (int64_t i = 0; i < d; ++i)
            dx[i] = x(i) < 0 ? T{0} : 2 * root * dy[i] * x(i);
        break;
    case FeatureMap::Exp:
        for (int64_t i = 0; i < d; ++i)
            dx[i] = root * dy[i] * y[i];
        break;
    case FeatureMap::Cos: { // across the direction, over the length
        T square = 0, along = 0;
        for (int64_t i = 0; i < d; ++i) {
            square += from[i] * from[i];
            along += dy[i + 1] * y[i + 1];
        }
        for (int64_t i = 0; i < d; ++i)
            dx[i] = (dy[i + 1] - along * y[i + 1]) / std::sqrt(square);
        break;
    }
    case FeatureMap::Taylor2: {
        const T *first = dy + 1, *second = first + d;
        for (int64_t i = 0; i < d; ++i) {
            T sum = 0;
            for (int64_t j = 0; j < d; ++j)
                sum += (second[i * d + j] + second[j * d + i]) * x(j);
            dx[i] = root * (first[i] + sum * static_cast<T>(0.70710678118654752440));
        }
        break;
    }
    case FeatureMap::Favor:
        std::fill_n(dx, d, T{0});
        for (int64_t f = 0; f < features; ++f)
            for (int64_t i = 0; i < d; ++i)
                dx[i] += root * dy[f] * y[f] * (omega[static_cast<size_t>(f * d + i)] - x(i));
        break;
    default:
        for (int64_t i = 0; i < d; ++i)
            dx[i] = root * dy[i];
    }
}

template <class T>
void Features<T>::queryGradient(const T* x, const T* y, const T* dy, int64_t rows, T* dx) const {
    for (int64_t r = 0; r < rows; ++r, x += shape.headDim, y += features, dy += features, dx += shape.headDim) {
        if (shape.map != FeatureMap::Softmax) {
            rowGradient(x, y, dy, dx);
            continue;
        }
        T mean = 0;
        for (int64_t f = 0; f < features; ++f)
            mean += dy[f] * y[f];
        for (int64_t f = 0; f < features; ++f)
            dx[f] = root * y[f] * (dy[f] - mean);
    }
}

template <class T>
void Features<T>::keyGradient(const T* x, const T* y, const T* dy, int64_t rows, T* dx) const {
    for (int64_t r = 0; shape.map != FeatureMap::Softmax && r < rows; ++r)
        rowGradient(x + r * shape.headDim, y + r * features, dy + r * features, dx + r * shape.headDim);
    for (int64_t f = 0; shape.map == FeatureMap::Softmax && f < features; ++f) {
        T mean = 0;
        for (int64_t r = 0; r < rows; ++r)
            mean += dy[r * features + f] * y[r * features + f];
        for (int64_t r = 0; r < rows; ++r)
            dx[r * features + f] = root * y[r * features + f] * (dy[r * features + f] - mean);
    }
}

template void Features<float>::rowGradient(const float*, const float*, const float*, float*) const;
template void Features<double>::rowGradient(const double*, const double*, const double*, double*) const;
template void Features<float>::queryGradient(const float*, const float*, const float*, int64_t, float*) const;
template void Features<double>::queryGradient(const double*, const double*, const double*, int64_t, double*) const;
template void Features<float>::keyGradient(const float*, const float*, const float*, int64_t, float*) const;
template void Features<double>::keyGradient(const double*, const double*, const double*, int64_t, double*) const;

} // namespace warplight::cpu
