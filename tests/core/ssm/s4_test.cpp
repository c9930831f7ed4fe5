// SPDX-License-Identifier: GPL-3.0-or-later
// S4 and S4D: kernels by every road against each other, SciPy's and golden numbers; recurrence = convolution.
#include "core/ssm/s4.h"

#include "core/error.h"
#include "tests/core/ssm/oracle.h"

#include <QTest>
#include <atomic>
#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

using namespace warplight;
using namespace warplight::test;
using Complex = std::complex<double>;
using ssm::Measure;
using ssm::Rule;
using ssm::S4Kind;
using ssm::System;

namespace {

std::vector<double> waves(int64_t n, double pace) {
    std::vector<double> x;
    for (int64_t i = 0; i < n; ++i)
        x.push_back(std::sin(pace * static_cast<double>(i) + 0.3) + 0.1);
    return x;
}

} // namespace

class S4Test : public QObject {
    Q_OBJECT
  private slots:
    void goldenKernel() {
        const System s = ssm::discretise(ssm::hippo(Measure::LegS, 2), Rule::Bilinear, 0.1);
        QVERIFY(worst(s.a, {.904761905, 0, -.149961109, .818181818}) < 1e-9);
        QVERIFY(worst(s.b, {.095238095, .149961109}) < 1e-9);
        const std::vector<double> c{1, 1},
            want{.245199204, .194581243, .153741432, .120847175, .094404288, .073194978, .056227134, .042692892};
        QVERIFY(worst(ssm::kernelByPowers(s, c, 8), want) < 1e-9);
        QVERIFY(worst(ssm::kernelByGeneratingFunction(s, c, 8), want) < 1e-9);
        QVERIFY(worst(ssm::kernelByDplr(ssm::legsDplr(2), c, 0.1, 8), want) < 1e-9);
    }

    void kernelsOfTheOracles() {
        for (const char* file : {"hippo_4", "hippo_8", "hippo_16"}) {
            const auto c = oracle(file, "C"), want = oracle(file, "kernel"), u = oracle(file, "u");
            const double dt = oracle(file, "dt").at(0);
            const auto n = static_cast<int64_t>(c.size()), length = static_cast<int64_t>(want.size());
            const System s = ssm::discretise(ssm::hippo(Measure::LegS, n), Rule::Bilinear, dt);
            QVERIFY(worst(ssm::kernelByPowers(s, c, length), want) < 1e-11);
            QVERIFY(worst(ssm::kernelByDplr(ssm::legsDplr(n), c, dt, length), want) < 1e-11);
            QVERIFY(worst(ssm::recurrent(s, c, u), oracle(file, "y")) < 1e-11);
        }
    }

    void everyRoadGivesTheSameKernel_data() {
        QTest::addColumn<int>("n");
        QTest::addColumn<int>("length");
        QTest::addColumn<double>("step");
        const std::vector<std::pair<int, int>> shapes{{1, 1}, {2, 7}, {4, 64}, {7, 100}, {16, 257}, {64, 512}};
        for (const auto& [n, length] : shapes)
            for (const double step : {0.001, 0.03, 0.1})
                QTest::addRow("n %d, length %d, step %g", n, length, step) << n << length << step;
    }
    void everyRoadGivesTheSameKernel() {
        QFETCH(int, n);
        QFETCH(int, length);
        QFETCH(double, step);
        const std::vector<double> c = waves(n, 1.1);
        const System s = ssm::discretise(ssm::hippo(Measure::LegS, n), Rule::Bilinear, step);
        const std::vector<double> want = ssm::kernelByPowers(s, c, length);
        const double dplr = worst(ssm::kernelByDplr(ssm::legsDplr(n), c, step, length), want),
                     generating =
                         n < 64 || step < 0.002 ? worst(ssm::kernelByGeneratingFunction(s, c, length), want) : 0;
        QVERIFY2(dplr < 1e-10, qPrintable(QString("DPLR is off by %1").arg(dplr)));
        QVERIFY2(generating < 1e-10, qPrintable(QString("the generating function is off by %1").arg(generating)));
    }

    void legsIsDiagonalLessRankOne() {
        for (const int64_t n : {1, 2, 5, 16}) {
            const ssm::Dplr d = ssm::legsDplr(n);
            const System legs = ssm::hippo(Measure::LegS, n);
            const auto size = static_cast<size_t>(n);
            for (size_t i = 0; i < size; ++i)
                for (size_t k = 0; k < size; ++k) {
                    Complex sum, unit;
                    for (size_t a = 0; a < size; ++a) {
                        const Complex left = d.vectors[i * size + a];
                        unit += left * std::conj(d.vectors[k * size + a]);
                        sum += left * d.lambda[a] * std::conj(d.vectors[k * size + a]);
                        for (size_t b = 0; b < size; ++b)
                            sum -= left * d.p[a] * std::conj(d.p[b]) * std::conj(d.vectors[k * size + b]);
                    }
                    QVERIFY(std::abs(sum - legs.a[i * size + k]) < 1e-11);
                    QVERIFY(std::abs(unit - (i == k ? 1.0 : 0.0)) < 1e-12);
                }
        }
    }

    void publishedPoles() {
        const auto legs = [](int64_t n) { return ssm::s4dPoles(S4Kind::DiagonalLegS, n); };
        const std::vector<double> eight{.427489, 1.957794, 5.354209, 19.85741};
        QVERIFY(std::abs(legs(2)[0] - Complex(-0.5, .866025)) < 1e-6);
        QVERIFY(std::abs(legs(4)[0] - Complex(-0.5, .556501)) < 1e-6);
        QVERIFY(std::abs(legs(4)[1] - Complex(-0.5, 4.603293)) < 1e-6);
        for (size_t i = 0; i < 4; ++i)
            QVERIFY(std::abs(legs(8)[i] - Complex(-0.5, eight[i])) < 1e-5);
        QVERIFY(std::abs(legs(64).back().imag() - 1303.27) < 0.005);
        QVERIFY(std::abs(ssm::s4dPoles(S4Kind::DiagonalInv, 64)[0].imag() - 1283.43) < 0.005);
        QCOMPARE(ssm::s4dPoles(S4Kind::DiagonalReal, 6), (std::vector<Complex>{-1, -2, -3}));
        QVERIFY_THROWS_EXCEPTION(InputError, ssm::s4dPoles(S4Kind::DiagonalLin, 3));
        QVERIFY_THROWS_EXCEPTION(InputError, ssm::s4KindByName("s5"));
        for (const auto& info : ssm::s4Kinds())
            QCOMPARE(ssm::s4KindByName(info.name), info.id);
    }

    void goldenDiagonalKernel() {
        const std::vector<Complex> pole{{-0.5, 3.141592653589793}}, one{1};
        const auto kernel = ssm::kernelOf(ssm::diagonalSystem(pole, one, Rule::Zoh, 0.1), 5);
        QVERIFY(worst(kernel, {.191928907, .164773162, .124467186, .076111269, .025089044}) < 1e-9);
    }

    void diagonalKernelsOfTheOracles() {
        for (const auto& [kind, name] : {std::pair{S4Kind::DiagonalLin, "lin"}, std::pair{S4Kind::DiagonalInv, "inv"},
                                         std::pair{S4Kind::DiagonalReal, "real"}}) {
            const std::string prefix = std::string("s4d_") + name;
            const auto a = oracle<Complex>("recurrences", prefix + "_A"),
                       c = oracle<Complex>("recurrences", prefix + "_C");
            QVERIFY(worst(ssm::s4dPoles(kind, 2 * static_cast<int64_t>(a.size())), a) < 1e-12);
            const double dt = oracle("recurrences", "dt").at(0);
            const ssm::DiagonalSystem s = ssm::diagonalSystem(a, c, Rule::Zoh, dt);
            QVERIFY(worst(ssm::kernelOf(s, 64), oracle("recurrences", prefix + "_kernel")) < 1e-12);
        }
    }

    void recurrenceIsConvolution() {
        const auto c = oracle("recurrences", "C"), u = oracle("recurrences", "u");
        const auto length = static_cast<int64_t>(u.size());
        const System s =
            ssm::discretise(ssm::hippo(Measure::LegS, 8), Rule::Bilinear, oracle("recurrences", "dt").at(0));
        const auto kernel = ssm::kernelByPowers(s, c, length);
        const auto y = oracle("recurrences", "y_convolution");
        QVERIFY(worst(ssm::recurrent(s, c, u), y) < 1e-11);
        QVERIFY(worst(ssm::convolvedDirectly(kernel, u), y) < 1e-11);
        QVERIFY(worst(ssm::convolvedByFourier(kernel, u), y) < 1e-11);
    }

    void diagonalRecurrenceIsConvolution() {
        for (const auto& info : ssm::s4Kinds()) {
            const auto poles = ssm::s4dPoles(info.id, 32);
            std::vector<Complex> c;
            for (size_t i = 0; i < poles.size(); ++i)
                c.emplace_back(std::cos(static_cast<double>(i)), std::sin(2.0 * static_cast<double>(i)));
            const auto u = waves(777, 0.21);
            const ssm::DiagonalSystem s = ssm::diagonalSystem(poles, c, Rule::Zoh, 0.01);
            const auto kernel = ssm::kernelOf(s, 777);
            QVERIFY(worst(ssm::recurrent(s, u), ssm::convolvedDirectly(kernel, u)) < 1e-10);
            QVERIFY(worst(ssm::recurrent(s, u), ssm::convolvedByFourier(kernel, u)) < 1e-10);
        }
    }

    void emptySignalsAreEmptyAndCancelStops() {
        const System s = ssm::discretise(ssm::hippo(Measure::LegS, 4), Rule::Bilinear, 0.1);
        const std::vector<double> c(4, 1.0), none;
        QVERIFY(ssm::kernelByPowers(s, c, 0).empty() && ssm::kernelByGeneratingFunction(s, c, 0).empty());
        QVERIFY(ssm::kernelByDplr(ssm::legsDplr(4), c, 0.1, 0).empty());
        QVERIFY(ssm::recurrent(s, c, none).empty() && ssm::convolvedByFourier(none, none).empty());
        const std::atomic<bool> cancel{true};
        QVERIFY_THROWS_EXCEPTION(Cancelled, ssm::kernelByPowers(s, c, 10, &cancel));
        QVERIFY_THROWS_EXCEPTION(Cancelled, ssm::kernelByGeneratingFunction(s, c, 10, &cancel));
        QVERIFY_THROWS_EXCEPTION(Cancelled, ssm::kernelByDplr(ssm::legsDplr(4), c, 0.1, 10, &cancel));
        QVERIFY_THROWS_EXCEPTION(Cancelled, ssm::convolvedDirectly(c, c, &cancel));
    }
};

QTEST_GUILESS_MAIN(S4Test)
#include "s4_test.moc"
