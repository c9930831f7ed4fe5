// SPDX-License-Identifier: GPL-3.0-or-later
// Fourier transforms against their definition, convolutions against sums.
#include "core/algebra/fourier.h"

#include "core/cpu/workspace.h"

#include <QTest>
#include <algorithm>
#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <thread>
#include <vector>

using namespace warplight;

namespace {

double wave(int64_t i) { return std::sin(1.7 * static_cast<double>(i * i % 97)) + 0.2; }

template <class T>
double worstOfTransform(int64_t n) {
    const algebra::Fourier<T> fourier(n);
    cpu::Workspace workspace;
    T* x = workspace.take<T>(fourier.numbers());
    for (int64_t i = 0; i < n; ++i)
        x[i] = static_cast<T>(wave(i));
    fourier.forward(x);
    double worst = 0;
    for (int64_t l = 0; l < fourier.bins(); ++l) {
        std::complex<double> sum;
        for (int64_t i = 0; i < n; ++i)
            sum += static_cast<double>(static_cast<T>(wave(i))) *
                   std::polar(1.0, -2 * std::numbers::pi * static_cast<double>(l * i % n) / static_cast<double>(n));
        worst = std::max(worst, std::abs(sum - std::complex<double>(static_cast<double>(x[2 * l]),
                                                                    static_cast<double>(x[2 * l + 1]))));
    }
    fourier.inverse(x);
    for (int64_t i = 0; i < n; ++i)
        worst = std::max(worst, std::abs(static_cast<double>(x[i]) - wave(i)));
    return worst;
}

template <class T>
double worstOfConvolution(int64_t n) {
    const algebra::CausalConvolution<T> convolution(n);
    if (convolution.padded() < 2 * n)
        return HUGE_VAL;
    cpu::Workspace workspace;
    std::vector<T> kernel, u, y(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) {
        kernel.push_back(static_cast<T>(wave(i + 3)));
        u.push_back(static_cast<T>(wave(5 * i + 1)));
    }
    convolution.apply(kernel.data(), u.data(), y.data(), workspace.take<T>(convolution.scratch()));
    double worst = 0;
    for (int64_t k = 0; k < n; ++k) {
        double sum = 0;
        for (int64_t j = 0; j <= k; ++j)
            sum += static_cast<double>(kernel[static_cast<size_t>(j)]) *
                   static_cast<double>(u[static_cast<size_t>(k - j)]);
        worst = std::max(worst, std::abs(sum - static_cast<double>(y[static_cast<size_t>(k)])));
    }
    return worst;
}

} // namespace

class FourierTest : public QObject {
    Q_OBJECT
  private slots:
    void transformsAreTheirDefinition() {
        for (const int64_t n : {1, 2, 3, 5, 16, 30, 97, 100}) {
            QVERIFY(worstOfTransform<double>(n) < 1e-12);
            QVERIFY(worstOfTransform<float>(n) < 2e-4);
        }
    }

    void convolutionsAreSums() {
        for (const int64_t n : {1, 2, 7, 64, 101, 500}) {
            QVERIFY(worstOfConvolution<double>(n) < 1e-11);
            QVERIFY(worstOfConvolution<float>(n) < 1e-3);
        }
    }

    void goodLengthsHaveSmallFactors() {
        QCOMPARE(algebra::goodLength(0), int64_t{2});
        QCOMPARE(algebra::goodLength(7), int64_t{8});
        QCOMPARE(algebra::goodLength(31), int64_t{32});
        QCOMPARE(algebra::goodLength(97), int64_t{100});
        QCOMPARE(algebra::goodLength(2 * 4097), int64_t{8640});
    }

    void aSineIsOneMagnitude() {
        std::vector<double> x;
        for (int i = 0; i < 60; ++i)
            x.push_back(std::cos(2 * std::numbers::pi * 7 * i / 60));
        const std::vector<double> sizes = algebra::magnitudes(x, 60);
        QCOMPARE(sizes.size(), size_t{31});
        for (size_t l = 0; l < sizes.size(); ++l)
            QVERIFY(std::abs(sizes[l] - (l == 7 ? 30 : 0)) < 1e-12);
    }

    // Plans are made on several threads at once, and every thread has the same bits.
    void threadsAgreeToTheBit() {
        std::vector<std::vector<float>> results(4, std::vector<float>(777));
        std::vector<std::jthread> threads;
        for (auto& y : results)
            threads.emplace_back([&y] {
                std::vector<float> kernel, u;
                for (int64_t i = 0; i < 777; ++i) {
                    kernel.push_back(static_cast<float>(wave(i)));
                    u.push_back(static_cast<float>(wave(3 * i)));
                }
                const algebra::CausalConvolution<float> convolution(777);
                cpu::Workspace workspace;
                convolution.apply(kernel.data(), u.data(), y.data(), workspace.take<float>(convolution.scratch()));
            });
        threads.clear();
        for (const auto& y : results)
            QCOMPARE(y, results.front());
    }
};

QTEST_GUILESS_MAIN(FourierTest)
#include "fourier_test.moc"
