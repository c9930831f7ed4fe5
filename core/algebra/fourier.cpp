// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/algebra/fourier.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fftw3.h>
#include <limits>
#include <mutex>
#include <new>
#include <stdexcept>
#include <utility>

namespace warplight::algebra {
namespace {

/// FFTW makes and unmakes plans on one thread at a time only.
std::mutex planner;

template <class T>
struct Api;
template <>
struct Api<double> {
    using Plan = fftw_plan;
    static constexpr auto forward = fftw_plan_dft_r2c_1d;
    static constexpr auto inverse = fftw_plan_dft_c2r_1d;
    static constexpr auto runForward = fftw_execute_dft_r2c;
    static constexpr auto runInverse = fftw_execute_dft_c2r;
    static constexpr auto destroy = fftw_destroy_plan;
    using Complex = fftw_complex;
};
template <>
struct Api<float> {
    using Plan = fftwf_plan;
    static constexpr auto forward = fftwf_plan_dft_r2c_1d;
    static constexpr auto inverse = fftwf_plan_dft_c2r_1d;
    static constexpr auto runForward = fftwf_execute_dft_r2c;
    static constexpr auto runInverse = fftwf_execute_dft_c2r;
    static constexpr auto destroy = fftwf_destroy_plan;
    using Complex = fftwf_complex;
};

constexpr std::align_val_t alignment{64};

/// Numbers aligned as transforms want them.
template <class T>
class Buffer {
  public:
    explicit Buffer(int64_t count)
        : data(static_cast<T*>(::operator new(static_cast<size_t>(count) * sizeof(T), alignment))) {}
    ~Buffer() { ::operator delete(data, alignment); }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    T* const data;
};

} // namespace

int64_t goodLength(int64_t n) {
    for (int64_t length = std::max<int64_t>(2, n + n % 2);; length += 2) {
        int64_t rest = length;
        for (const int64_t factor : {2, 3, 5})
            while (rest % factor == 0)
                rest /= factor;
        if (rest == 1)
            return length;
    }
}

template <class T>
struct Fourier<T>::Plans {
    explicit Plans(int64_t n) {
        if (n < 1 || n > std::numeric_limits<int>::max() / 2)
            throw std::invalid_argument("a transform's length is out of range");
        const Buffer<T> buffer(2 * (n / 2 + 1)); // planning by estimate does not touch it
        auto* complex = reinterpret_cast<typename Api<T>::Complex*>(buffer.data);
        const std::lock_guard lock(planner);
        forward = Api<T>::forward(static_cast<int>(n), buffer.data, complex, FFTW_ESTIMATE);
        inverse = Api<T>::inverse(static_cast<int>(n), complex, buffer.data, FFTW_ESTIMATE);
    }
    ~Plans() {
        const std::lock_guard lock(planner);
        Api<T>::destroy(forward);
        Api<T>::destroy(inverse);
    }
    Plans(const Plans&) = delete;
    Plans& operator=(const Plans&) = delete;
    typename Api<T>::Plan forward, inverse;
};

template <class T>
Fourier<T>::Fourier(int64_t length) : n(length), plans(std::make_unique<Plans>(length)) {}
template <class T>
Fourier<T>::~Fourier() = default;

template <class T>
void Fourier<T>::forward(T* buffer) const {
    Api<T>::runForward(plans->forward, buffer, reinterpret_cast<typename Api<T>::Complex*>(buffer));
}

template <class T>
void Fourier<T>::inverse(T* buffer) const {
    Api<T>::runInverse(plans->inverse, reinterpret_cast<typename Api<T>::Complex*>(buffer), buffer);
    const T scale = T{1} / static_cast<T>(n);
    for (int64_t i = 0; i < n; ++i)
        buffer[i] *= scale;
}

template <class T>
CausalConvolution<T>::CausalConvolution(int64_t length) : count(length), fourier(goodLength(2 * length)) {}

template <class T>
int64_t CausalConvolution<T>::scratchOf(int64_t length) {
    constexpr int64_t line = 64 / sizeof(T);
    const int64_t numbers = 2 * (goodLength(2 * length) / 2 + 1);
    return 2 * ((numbers + line - 1) / line * line);
}

template <class T>
void CausalConvolution<T>::apply(const T* kernel, const T* u, T* y, T* scratchNumbers) const {
    T *k = scratchNumbers, *x = scratchNumbers + scratch() / 2;
    for (const auto& [from, to] : {std::pair{kernel, k}, std::pair{u, x}}) {
        std::copy(from, from + count, to);
        std::fill(to + count, to + fourier.length(), T{0});
        fourier.forward(to);
    }
    for (int64_t i = 0; i < fourier.numbers(); i += 2) {
        const T re = x[i] * k[i] - x[i + 1] * k[i + 1];
        x[i + 1] = x[i] * k[i + 1] + x[i + 1] * k[i];
        x[i] = re;
    }
    fourier.inverse(x);
    std::copy(x, x + count, y);
}

template class Fourier<float>;
template class Fourier<double>;
template class CausalConvolution<float>;
template class CausalConvolution<double>;

std::vector<double> magnitudes(std::span<const double> signal, int64_t length) {
    const Fourier<double> fourier(goodLength(std::max<int64_t>(length, static_cast<int64_t>(signal.size()))));
    const Buffer<double> buffer(fourier.numbers());
    std::fill(std::copy(signal.begin(), signal.end(), buffer.data), buffer.data + fourier.numbers(), 0.0);
    fourier.forward(buffer.data);
    std::vector<double> sizes(static_cast<size_t>(fourier.bins()));
    for (size_t i = 0; i < sizes.size(); ++i)
        sizes[i] = std::hypot(buffer.data[2 * i], buffer.data[2 * i + 1]);
    return sizes;
}

std::vector<double> fromSpectrum(std::span<const double> spectrum, int64_t n) {
    const Fourier<double> fourier(n);
    const Buffer<double> buffer(fourier.numbers());
    std::copy_n(spectrum.begin(), fourier.numbers(), buffer.data);
    fourier.inverse(buffer.data);
    return {buffer.data, buffer.data + n};
}

} // namespace warplight::algebra
