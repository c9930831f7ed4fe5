// SPDX-License-Identifier: GPL-3.0-or-later
// The GPU kernels of S4 on the virtual GPU with all checks: against the recurrence in f64, formulas of the
// bytes that are what is counted, no bank conflicts.
#include "gpu/error.h"
#include "gpu/ops/s4.h"
#include "gpu/virtual/virtual_device.h"
#include "tests/gpu/counted.h"

#include <QTest>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

using namespace warplight;
using namespace warplight::test;
using gpu::S4Rung;
using gpu::S4Shape;

namespace {

struct Case {
    S4Shape shape;
    std::vector<float> factors, u;

    explicit Case(const S4Shape& s) : shape(s) {
        std::mt19937 random(3);
        std::normal_distribution<float> normal;
        for (int64_t i = 0; i < s.channels * s.length; ++i)
            u.push_back(normal(random));
        if (s.isLegs) {
            for (int64_t channel = 0; channel < s.channels; ++channel)
                for (int64_t i = 0; i < s.states; ++i) {
                    const auto k = static_cast<double>(i);
                    const double half = stepOf(channel) / 2, under = 1 + half * (k + 1);
                    for (const double x : {(1 + half * k) / under, half * (2 * k + 1) / under, (1 - half * k) / under})
                        factors.push_back(static_cast<float>(x));
                    factors.push_back(0.1f * normal(random));
                }
            return;
        }
        std::uniform_real_distribution<float> size(0.5f, 1), turn(-3, 3);
        for (int64_t i = 0; i < s.channels * s.states; ++i) {
            const std::complex<float> a = std::polar(size(random), turn(random));
            for (const float x : {a.real(), a.imag(), 0.1f * normal(random), 0.1f * normal(random)})
                factors.push_back(x);
        }
    }
    /// Δ of LegS's channels.
    static double stepOf(int64_t channel) { return 0.02 / static_cast<double>(channel + 1); }
    std::vector<double> exact() const {
        std::vector<double> y;
        if (shape.isLegs) {
            for (int64_t c = 0; c < shape.channels; ++c)
                appendLegs(c, y);
            return y;
        }
        for (int64_t c = 0; c < shape.channels; ++c) {
            std::vector<std::complex<double>> x(static_cast<size_t>(shape.states));
            for (int64_t k = 0; k < shape.length; ++k) {
                const auto in = static_cast<double>(u[static_cast<size_t>(c * shape.length + k)]);
                double sum = 0;
                for (size_t i = 0; i < x.size(); ++i) {
                    const float* f = factors.data() + (static_cast<size_t>(c * shape.states) + i) * 4;
                    const std::complex<double> a(static_cast<double>(f[0]), static_cast<double>(f[1])),
                        w(static_cast<double>(f[2]), static_cast<double>(f[3]));
                    x[i] = a * x[i] + w * in;
                    sum += x[i].real();
                }
                y.push_back(sum);
            }
        }
        return y;
    }
    /// Of (I - ΔA/2) x = (I + ΔA/2) x + ΔB u, by forward substitution with all of A.
    void appendLegs(int64_t channel, std::vector<double>& y) const {
        const auto n = static_cast<size_t>(shape.states);
        const double step = stepOf(channel);
        const auto norm = [](size_t i) { return std::sqrt(static_cast<double>(2 * i + 1)); };
        const auto a = [&](size_t i, size_t k) { return i > k ? -norm(i) * norm(k) : -static_cast<double>(i + 1); };
        const float* f = factors.data() + static_cast<size_t>(channel) * n * 4;
        std::vector<double> x(n), right(n);
        for (int64_t k = 0; k < shape.length; ++k) {
            const auto in = static_cast<double>(u[static_cast<size_t>(channel * shape.length + k)]);
            double sum = 0;
            for (size_t i = 0; i < n; ++i) {
                right[i] = x[i] + step * norm(i) * in;
                for (size_t j = 0; j <= i; ++j)
                    right[i] += step / 2 * a(i, j) * x[j];
            }
            for (size_t i = 0; i < n; ++i) {
                for (size_t j = 0; j < i; ++j)
                    right[i] += step / 2 * a(i, j) * right[j];
                right[i] /= 1 - step / 2 * a(i, i);
                sum += static_cast<double>(f[4 * i + 3]) * norm(i) * right[i];
            }
            x = right;
            y.push_back(sum);
        }
    }
};

} // namespace

class S4KernelsTest : public QObject {
    Q_OBJECT
    std::unique_ptr<gpu::Device> device = vgpu::makeVirtualDevice();
    gpu::KernelLibrary library{*device};

    gpu::S4Run run(const Case& c, S4Rung rung, const gpu::LaunchOptions& options = {}) {
        return gpu::s4(library, rung, c.shape, c.factors.data(), c.u.data(), options);
    }

  private slots:
    void equalTheRecurrenceInDoublePrecision_data() {
        QTest::addColumn<int>("rung");
        for (const S4Rung rung : {S4Rung::Recurrent, S4Rung::Direct})
            QTest::addRow("%s", std::string(gpu::name(rung)).c_str()) << static_cast<int>(rung);
    }
    void equalTheRecurrenceInDoublePrecision() {
        QFETCH(int, rung);
        gpu::LaunchOptions checked;
        checked.checks = true;
        for (const S4Shape& shape : {S4Shape{1, 1, 1},
                                     {5, 31, 7},
                                     {4, 32, 32},
                                     {3, 700, 33},
                                     {2, 1025, 64},
                                     {9, 129, 128},
                                     {2, 512, 5},
                                     {0, 4, 4},
                                     {4, 0, 4},
                                     {1, 1, 1, true},
                                     {5, 70, 7, true},
                                     {4, 33, 33, true},
                                     {2, 200, 100, true},
                                     {3, 64, 129, true},
                                     {1, 40, 256, true}}) {
            const Case c(shape);
            const gpu::S4Run made = run(c, static_cast<S4Rung>(rung), checked);
            const std::vector<double> exact = c.exact();
            QCOMPARE(made.y.size(), exact.size());
            double most = 0;
            for (const double x : exact)
                most = std::max(most, std::abs(x));
            for (size_t i = 0; i < exact.size(); ++i)
                QVERIFY2(std::abs(static_cast<double>(made.y[i]) - exact[i]) <= (shape.isLegs ? 2e-5 : 3e-6) * most,
                         qPrintable(
                             QString("%1: %2, expected %3").arg(i).arg(static_cast<double>(made.y[i])).arg(exact[i])));
            for (const gpu::LaunchRecord& launch : made.launches) {
                for (const gpu::Finding& finding : launch.stats.findings)
                    QVERIFY2(finding.note, finding.message.c_str());
                const QString conflict = bankConflict(launch);
                QVERIFY2(conflict.isEmpty(), qPrintable(conflict));
            }
            if (!made.launches.empty())
                QVERIFY(gpu::withoutEmpty(gpu::countedTraffic(made)) ==
                        gpu::algorithmicTraffic(static_cast<S4Rung>(rung), shape));
            QVERIFY(device->held().empty());
        }
    }

    void whatIsNoNumberStaysInItsChannel() {
        for (const S4Rung rung : {S4Rung::Recurrent, S4Rung::Direct}) {
            for (const bool isLegs : {false, true}) {
                Case c({6, 200, 8, isLegs});
                const std::vector<float> before = run(c, rung).y;
                c.u[2 * 200 + 77] = std::numeric_limits<float>::quiet_NaN();
                const std::vector<float> after = run(c, rung).y;
                for (size_t i = 0; i < after.size(); ++i)
                    if (i / 200 != 2 || i % 200 < 77)
                        QCOMPARE(after[i], before[i]);
                    else
                        QVERIFY(std::isnan(after[i]));
            }
        }
    }

    void wrongShapesAreRefusedAndCancelStops() {
        QVERIFY_THROWS_EXCEPTION(InputError, gpu::checkShape({1, 4, 0}));
        QVERIFY_THROWS_EXCEPTION(InputError, gpu::checkShape({1, 4, 129}));
        gpu::checkShape({1, 4, 256, true});
        QVERIFY_THROWS_EXCEPTION(InputError, gpu::checkShape({1, 4, 257, true}));
        QVERIFY_THROWS_EXCEPTION(InputError, gpu::checkShape({65536, 4, 1}));
        QVERIFY_THROWS_EXCEPTION(InputError, gpu::checkShape({1, -1, 1}));
        const std::atomic<bool> cancel{true};
        gpu::LaunchOptions options;
        options.cancel = &cancel;
        QVERIFY_THROWS_EXCEPTION(Cancelled, run(Case({2, 64, 4}), S4Rung::Direct, options));
        QCOMPARE(gpu::deviceBytes(S4Rung::Direct, {int64_t{1} << 40, int64_t{1} << 40, 4}),
                 std::numeric_limits<int64_t>::max());
    }
};

QTEST_GUILESS_MAIN(S4KernelsTest)
#include "s4_kernels_test.moc"
