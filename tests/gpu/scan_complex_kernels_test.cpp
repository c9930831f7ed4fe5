// SPDX-License-Identifier: GPL-3.0-or-later
// The GPU kernels of the linear scan of complex numbers on the virtual GPU with all checks: against loops in f64, a
// closed form, and formulas of the bytes that are what is counted.
#include "gpu/error.h"
#include "gpu/ops/scan.h"
#include "gpu/virtual/virtual_device.h"
#include "tests/gpu/counted.h"
#include "tests/gpu/metered_device.h"
#include "tests/gpu/scan_rows.h"
#include "tests/thinned.h"

#include <QTest>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <complex>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace warplight;
using namespace warplight::test;

namespace {

using Rows = ScanRows<Complex>;

gpu::ScanTensors tensorsOf(const Rows& rows) {
    const auto floats = [](const std::vector<Complex>& x) { return reinterpret_cast<const float*>(x.data()); };
    return {floats(rows.a), floats(rows.b), floats(rows.h0)};
}
gpu::ScanShape shapeOf(const Rows& rows, bool begins) { return {rows.channels, rows.length, begins, true}; }

std::complex<double> wide(const std::vector<float>& x, size_t at) {
    return {static_cast<double>(x[2 * at]), static_cast<double>(x[2 * at + 1])};
}

/// The largest error, relative to what the scan of the sizes of a and b is.
double errorOf(const Rows& rows, bool begins, const std::vector<float>& h) {
    double worst = 0;
    for (int64_t channel = 0; channel < rows.channels; ++channel) {
        std::complex<double> state = begins ? rows.h0[static_cast<size_t>(channel)] : std::complex<double>();
        double size = std::abs(state);
        for (int64_t t = 0; t < rows.length; ++t) {
            const size_t at = rows.at(channel, t);
            const std::complex<double> decay = rows.a[at], in = rows.b[at];
            state = decay * state + in;
            size = std::abs(decay) * size + std::abs(in);
            const double error = std::abs(wide(h, at) - state);
            worst = std::isfinite(error) ? std::max(worst, error / size) : 1e30;
        }
    }
    return worst;
}

} // namespace

class ScanComplexKernelsTest : public QObject {
    Q_OBJECT
    std::unique_ptr<gpu::Device> device = vgpu::makeVirtualDevice();
    gpu::KernelLibrary library{*device};

    gpu::ScanRun run(const Rows& rows, bool begins = true, int threads = 0) {
        gpu::LaunchOptions options;
        options.checks = true;
        options.threads = threads;
        gpu::ScanRun result = gpu::scan(library, fetchedRung(), shapeOf(rows, begins), tensorsOf(rows), options);
        failUnlessClean(result, *device);
        return result;
    }

  private slots:
    void initTestCase_data() { addScanRungs(gpu::scanRungs()); }

    void equalsLoopsInDoublePrecisionAndItsFormula() {
        int row = 0;
        for (const int64_t channels : {1, 3, 130})
            for (const int64_t length : scanLengths)
                for (const bool begins : {false, true}) {
                    if (row++ % thinned(5) != 0 || isTooLong(channels, length))
                        continue;
                    const Rows rows(channels, length);
                    const gpu::ScanRun got = run(rows, begins);
                    const QString where = QString("%1 x %2: ").arg(channels).arg(length);
                    const double error = errorOf(rows, begins, got.h);
                    QVERIFY2(error < 1e-6, qPrintable(where + QString::number(error)));
                    const gpu::ScanShape shape = shapeOf(rows, begins);
                    const QString different = otherThanFormula(got, gpu::algorithmicTraffic(fetchedRung(), shape),
                                                               gpu::compulsoryTraffic(shape));
                    QVERIFY2(different.isEmpty(), qPrintable(where + different));
                }
    }

    /// Without inputs a state turns: h_t = e^{i (t + 1) θ}.
    void aTurningStateGoesRound() {
        Rows rows(1, 3000);
        const Complex factor(std::polar(1.0, 0.37));
        std::fill(rows.a.begin(), rows.a.end(), factor);
        std::fill(rows.b.begin(), rows.b.end(), Complex());
        rows.h0 = {1};
        const double turn = std::arg(std::complex<double>(factor)); // of the factor as it is rounded
        const gpu::ScanRun got = run(rows);
        for (size_t t = 0; t < rows.a.size(); ++t)
            QVERIFY(std::abs(wide(got.h, t) - std::polar(1.0, static_cast<double>(t + 1) * turn)) < 3e-4);
    }

    void whatIsNoNumberStaysInItsChannelAndReachesAllLaterSteps() {
        for (const int64_t length : {70, 3000})
            for (const float odd : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
                Rows rows(3, length);
                const std::vector<float> before = run(rows).h;
                const size_t at = rows.at(1, length / 2), end = rows.at(2, 0);
                rows.b[at] = {0, odd};
                const std::vector<float> after = run(rows).h;
                for (size_t i = 0; i < rows.a.size(); ++i)
                    if (i < at || i >= end)
                        QVERIFY(std::memcmp(&before[2 * i], &after[2 * i], sizeof(Complex)) == 0);
                    else
                        QVERIFY(!std::isfinite(after[2 * i]) || !std::isfinite(after[2 * i + 1]));
            }
    }

    void bitsAreTheSameEveryTime() {
        const Rows rows(2, 5000);
        const std::vector<float> first = run(rows, true, 1).h;
        for (const int threads : {2, 3, 0})
            QVERIFY(run(rows, true, threads).h == first);
    }

    void noBankConflicts() {
        for (const int64_t length : {100, 1024, 2500})
            for (const gpu::LaunchRecord& launch : run(Rows(2, length)).launches) {
                const QString conflict = bankConflict(launch);
                QVERIFY2(conflict.isEmpty(), qPrintable(conflict));
            }
    }

    void looksBackOverManyChunks() {
        if (fetchedRung() != gpu::ScanRung::LookBack)
            return;
        constexpr int64_t steps = gpu::scanChunkSteps / 2;
        const Rows rows(1, steps * chunksToLookBack);
        std::vector<Complex> h(rows.a.size());
        const gpu::Buffer a = sent(*device, rows.a, "A"), b = sent(*device, rows.b, "B"), to = sent(*device, h, "H");
        struct {
            uint64_t a, b, h0, h;
            int64_t stride;
            int32_t channels, length;
        } problem{a.address(), b.address(), 0, to.address(), rows.length, 1, static_cast<int32_t>(rows.length)};
        auto state = behindTheOthers<Complex>(library, "scan_complex", problem);
        to.download(h.data());
        for (size_t t = rows.at(0, rows.length - steps); t < rows.a.size(); ++t) {
            state = rows.a[t] * state + rows.b[t];
            QVERIFY(std::abs(h[t] - state) < 1e-4f);
        }
    }

    void memoryIsWhatWasSaid() {
        for (const int64_t length : {5, 1024, 2500})
            for (const bool begins : {false, true}) {
                const Rows rows(2, length);
                MeteredDevice metered;
                gpu::KernelLibrary kernels(metered);
                gpu::scan(kernels, fetchedRung(), shapeOf(rows, begins), tensorsOf(rows));
                QCOMPARE(metered.most, gpu::deviceBytes(fetchedRung(), shapeOf(rows, begins)));
            }
    }

    void emptyProblems() {
        for (const auto& [channels, length] : {std::pair(0, 5), std::pair(2, 0)}) {
            const Rows rows(channels, length);
            const gpu::ScanRun got = run(rows);
            QVERIFY(got.launches.empty() && got.h.empty());
            QVERIFY(gpu::algorithmicTraffic(fetchedRung(), shapeOf(rows, true)).empty());
        }
    }

    void whatTheKernelsCannotDoIsRefused() {
        QVERIFY_THROWS_EXCEPTION(InputError, gpu::checkShape({1 << 20, 1 << 20, true, true}));
        gpu::checkShape({1 << 20, 1 << 20, true, false});
    }

    void whatIsCancelledStops() {
        const Rows rows(2, 100);
        std::atomic<bool> cancel{true};
        gpu::LaunchOptions options;
        options.cancel = &cancel;
        QVERIFY_THROWS_EXCEPTION(Cancelled,
                                 gpu::scan(library, fetchedRung(), shapeOf(rows, true), tensorsOf(rows), options));
    }
};

QTEST_GUILESS_MAIN(ScanComplexKernelsTest)
#include "scan_complex_kernels_test.moc"
