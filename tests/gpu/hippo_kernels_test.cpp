// SPDX-License-Identifier: GPL-3.0-or-later
// The GPU kernels of HiPPO memories on the virtual GPU with all checks: against the recurrence in f64, formulas of the
// bytes that are what is counted, no bank conflicts.
#include "gpu/error.h"
#include "gpu/ops/hippo.h"
#include "gpu/virtual/virtual_device.h"
#include "tests/gpu/counted.h"

#include <QTest>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

using namespace warplight;
using namespace warplight::test;
using gpu::HippoRung;
using gpu::HippoShape;

namespace {

HippoShape shapeOf(int64_t channels, int64_t length, int64_t state, int64_t every = 0) {
    return {channels, length, state, every, every == 0 ? 1 : (length + every - 1) / every};
}

std::vector<float> normal(size_t count, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> one;
    std::vector<float> x(count);
    std::generate(x.begin(), x.end(), [&] { return one(random); });
    return x;
}

/// Matrices [count, n + 1, n] that shrink what they meet, and signals.
struct DenseCase {
    HippoShape shape;
    std::vector<float> matrices, u;

    DenseCase(const HippoShape& s, int64_t count)
        : shape(s),
          matrices(normal(static_cast<size_t>(count * s.state * (s.state + 1)), 3)),
          u(normal(static_cast<size_t>(s.channels * s.length), 4)) {
        for (float& x : matrices)
            x *= 0.4f / std::sqrt(static_cast<float>(s.state));
    }
    /// The states that are kept, in f64.
    std::vector<double> exact() const {
        const auto n = static_cast<size_t>(shape.state);
        const bool isOne = matrices.size() == n * (n + 1);
        std::vector<double> all;
        for (int64_t channel = 0; channel < shape.channels; ++channel) {
            std::vector<double> c(n), next(n);
            for (int64_t k = 0; k < shape.length; ++k) {
                const float* m = matrices.data() + (isOne ? 0 : static_cast<size_t>(k) * n * (n + 1));
                const auto in = static_cast<double>(u[static_cast<size_t>(channel * shape.length + k)]);
                for (size_t i = 0; i < n; ++i) {
                    next[i] = static_cast<double>(m[n * n + i]) * in;
                    for (size_t j = 0; j < n; ++j)
                        next[i] += static_cast<double>(m[j * n + i]) * c[j];
                }
                c.swap(next);
                if (k + 1 == shape.length || (shape.every > 0 && (k + 1) % shape.every == 0))
                    all.insert(all.end(), c.begin(), c.end());
            }
        }
        return all;
    }
};

/// LegS in f64 from its definition: (I - behind Δ A) c = c + ahead Δ A c + Δ B u, by forward substitution with all of
/// A.
std::vector<double> exactLegs(const HippoShape& s, double ahead, double behind, const std::vector<float>& u) {
    const auto n = static_cast<size_t>(s.state);
    const auto norm = [](size_t i) { return std::sqrt(static_cast<double>(2 * i + 1)); };
    const auto a = [&](size_t i, size_t k) { return i > k ? -norm(i) * norm(k) : -static_cast<double>(i + 1); };
    std::vector<double> all;
    for (int64_t channel = 0; channel < s.channels; ++channel) {
        std::vector<double> c(n), right(n);
        for (int64_t step = 0; step < s.length; ++step) {
            const double length = 1 / static_cast<double>(step + 1),
                         in = static_cast<double>(u[static_cast<size_t>(channel * s.length + step)]);
            for (size_t i = 0; i < n; ++i) {
                right[i] = c[i] + length * norm(i) * in;
                for (size_t k = 0; k <= i; ++k)
                    right[i] += ahead * length * a(i, k) * c[k];
            }
            for (size_t i = 0; i < n; ++i) {
                for (size_t k = 0; k < i; ++k)
                    right[i] += behind * length * a(i, k) * right[k];
                right[i] /= 1 - behind * length * a(i, i);
            }
            c = right;
            if (step + 1 == s.length || (s.every > 0 && (step + 1) % s.every == 0))
                all.insert(all.end(), c.begin(), c.end());
        }
    }
    return all;
}

void compare(const gpu::HippoRun& made, const std::vector<double>& exact, double bound) {
    QCOMPARE(made.coefficients.size(), exact.size());
    double most = 0;
    for (const double x : exact)
        most = std::max(most, std::abs(x));
    for (size_t i = 0; i < exact.size(); ++i) {
        const auto is = static_cast<double>(made.coefficients[i]);
        QVERIFY2(std::abs(is - exact[i]) <= bound * most,
                 qPrintable(QString("%1: %2, expected %3").arg(i).arg(is).arg(exact[i])));
    }
}

void verifyClean(const gpu::HippoRun& made, HippoRung rung, const HippoShape& shape) {
    failOnFindings(made, false);
    for (const gpu::LaunchRecord& launch : made.launches) {
        const QString conflict = bankConflict(launch);
        QVERIFY2(conflict.isEmpty(), qPrintable(conflict));
    }
    if (!made.launches.empty())
        QVERIFY(gpu::withoutEmpty(gpu::countedTraffic(made)) == gpu::algorithmicTraffic(rung, shape));
}

} // namespace

class HippoKernelsTest : public QObject {
    Q_OBJECT
    std::unique_ptr<gpu::Device> device = vgpu::makeVirtualDevice();
    gpu::KernelLibrary library{*device};

    gpu::HippoRun dense(const DenseCase& c, const gpu::LaunchOptions& options = {}) {
        return gpu::hippoDense(library, c.shape, c.matrices, c.u.data(), options);
    }

  private slots:
    void denseEqualsTheProductsInDoublePrecision() {
        gpu::LaunchOptions checked;
        checked.checks = true;
        for (const HippoShape& shape : {shapeOf(1, 1, 1), shapeOf(5, 40, 7), shapeOf(8, 32, 32), shapeOf(9, 65, 33, 20),
                                        shapeOf(17, 10, 130, 1), shapeOf(2, 4, 512, 9), shapeOf(0, 4, 4)})
            for (const int64_t matrices : {int64_t{1}, shape.length}) {
                const DenseCase c(shape, matrices);
                const gpu::HippoRun made = dense(c, checked);
                compare(made, c.exact(), 3e-6);
                verifyClean(made, HippoRung::Dense, shape);
                QVERIFY(device->held().empty());
            }
    }

    void linearEqualsSubstitutionWithTheMatrixInDoublePrecision() {
        gpu::LaunchOptions checked;
        checked.checks = true;
        for (const HippoShape& shape :
             {shapeOf(1, 1, 1), shapeOf(5, 70, 7, 1), shapeOf(4, 32, 32), shapeOf(3, 100, 33, 33), shapeOf(9, 65, 64),
              shapeOf(2, 90, 128, 40), shapeOf(3, 40, 129), shapeOf(1, 20, 256, 10), shapeOf(0, 4, 4)}) {
            const std::vector<float> u = normal(static_cast<size_t>(shape.channels * shape.length), 4);
            for (const float ahead : {0.0f, 0.5f, 1.0f}) {
                if (ahead == 1 && shape.state > 8) // forward Euler grows with many states
                    continue;
                const gpu::HippoRun made = gpu::hippoLinear(library, shape, ahead, 1 - ahead, u.data(), checked);
                compare(made, exactLegs(shape, static_cast<double>(ahead), static_cast<double>(1 - ahead), u), 1e-5);
                verifyClean(made, HippoRung::Linear, shape);
                QVERIFY(device->held().empty());
            }
        }
    }

    void whatIsNoNumberStaysInItsChannelAndBehindItself() {
        const HippoShape shape = shapeOf(11, 50, 6, 1);
        DenseCase c(shape, 1);
        const auto linear = [&] { return gpu::hippoLinear(library, shape, 0.5f, 0.5f, c.u.data()).coefficients; };
        const std::vector<float> denseBefore = dense(c).coefficients, linearBefore = linear();
        c.u[3 * 50 + 17] = std::numeric_limits<float>::quiet_NaN();
        const std::vector<float> denseAfter = dense(c).coefficients, linearAfter = linear();
        for (size_t i = 0; i < denseAfter.size(); ++i)
            if (i / 300 != 3 || i / 6 % 50 < 17) {
                QCOMPARE(denseAfter[i], denseBefore[i]);
                QCOMPARE(linearAfter[i], linearBefore[i]);
            } else
                QVERIFY(std::isnan(denseAfter[i]) && std::isnan(linearAfter[i]));
    }

    void wrongShapesAreRefusedAndCancelStops() {
        QVERIFY_THROWS_EXCEPTION(InputError, gpu::checkShape(HippoRung::Dense, shapeOf(1, 4, 513)));
        QVERIFY_THROWS_EXCEPTION(InputError, gpu::checkShape(HippoRung::Linear, shapeOf(1, 4, 257)));
        QVERIFY_THROWS_EXCEPTION(InputError, gpu::checkShape(HippoRung::Linear, shapeOf(1, 0, 4)));
        QVERIFY_THROWS_EXCEPTION(InputError, gpu::checkShape(HippoRung::Linear, {1, 4, 4, 2, 3}));
        QVERIFY_THROWS_EXCEPTION(InputError, gpu::checkShape(HippoRung::Dense, shapeOf(1, 1 << 20, 64), 1 << 20));
        DenseCase c(shapeOf(2, 64, 4), 3);
        QVERIFY_THROWS_EXCEPTION(InputError, dense(c));
        const std::atomic<bool> cancel{true};
        gpu::LaunchOptions options;
        options.cancel = &cancel;
        QVERIFY_THROWS_EXCEPTION(Cancelled, dense(DenseCase(shapeOf(2, 64, 4), 1), options));
        QVERIFY_THROWS_EXCEPTION(Cancelled,
                                 gpu::hippoLinear(library, shapeOf(2, 64, 4), 0.5f, 0.5f, c.u.data(), options));
        QCOMPARE(gpu::deviceBytes(HippoRung::Dense, {int64_t{1} << 40, int64_t{1} << 40, 4}, 1),
                 std::numeric_limits<int64_t>::max());
    }
};

QTEST_GUILESS_MAIN(HippoKernelsTest)
#include "hippo_kernels_test.moc"
