// SPDX-License-Identifier: GPL-3.0-or-later
// The GPU kernels of the gradients of the linear scan on the virtual GPU with all checks: against loops in f64 and
// differences of a loss, and formulas of the bytes that are what is counted.
#include "gpu/error.h"
#include "gpu/ops/scan_backward.h"
#include "gpu/virtual/virtual_device.h"
#include "tests/gpu/counted.h"
#include "tests/gpu/metered_device.h"
#include "tests/gpu/scan_rows.h"
#include "tests/thinned.h"

#include <QTest>
#include <algorithm>
#include <atomic>
#include <cmath>
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

/// b is what comes in; the states are any numbers, for gradients do not ask where they come from.
struct Rows : ScanRows<float> {
    std::vector<float> h, dh;

    Rows(int64_t channelCount, int64_t steps) : ScanRows(channelCount, steps) {
        h.assign(b.rbegin(), b.rend());
        for (size_t i = 0; i < b.size(); ++i)
            dh.push_back(h[(i + b.size() / 3) % b.size()]);
    }
    gpu::ScanBackwardShape shape() const { return {channels, length}; }
    gpu::ScanBackwardTensors tensors() const { return {a.data(), h0.data(), h.data(), dh.data()}; }
};

/// The largest error, relative to what the gradients of the sizes are.
double errorOf(const Rows& rows, const gpu::ScanBackwardRun& got) {
    double worst = 0;
    const auto compare = [&](float found, double expected, double size) {
        const double error = std::fabs(static_cast<double>(found) - expected);
        worst = error == 0 ? worst : std::isfinite(error) ? std::max(worst, error / size) : 1e30;
    };
    for (int64_t row = 0; row < rows.channels; ++row) {
        const auto channel = static_cast<size_t>(row);
        double g = 0, size = 0, decay = 0;
        for (int64_t t = rows.length - 1; t >= 0; --t) {
            const size_t at = rows.at(row, t);
            const auto in = static_cast<double>(rows.dh[at]),
                       before = static_cast<double>(t == 0 ? rows.h0[channel] : rows.h[at - 1]);
            g = in + decay * g;
            size = std::fabs(in) + std::fabs(decay) * size;
            decay = static_cast<double>(rows.a[at]);
            compare(got.db[at], g, size);
            compare(got.da[at], g * before, size * std::fabs(before));
        }
        compare(got.dh0[channel], decay * g, std::fabs(decay) * size);
    }
    return worst;
}

/// Σ dh · h of one row, and its states.
double lossOf(const std::vector<double>& a, const std::vector<double>& b, double h0, const std::vector<float>& dh,
              std::vector<float>* states = nullptr) {
    double loss = 0, state = h0;
    for (size_t t = 0; t < a.size(); ++t) {
        state = a[t] * state + b[t];
        loss += static_cast<double>(dh[t]) * state;
        if (states)
            (*states)[t] = static_cast<float>(state);
    }
    return loss;
}

} // namespace

class ScanBackwardKernelsTest : public QObject {
    Q_OBJECT
    std::unique_ptr<gpu::Device> device = vgpu::makeVirtualDevice();
    gpu::KernelLibrary library{*device};

    gpu::ScanBackwardRun run(const Rows& rows, int threads = 0) {
        gpu::LaunchOptions options;
        options.checks = true;
        options.threads = threads;
        gpu::ScanBackwardRun result = gpu::scanBackward(library, fetchedRung(), rows.shape(), rows.tensors(), options);
        failUnlessClean(result, *device);
        return result;
    }

  private slots:
    void initTestCase_data() { addScanRungs(gpu::scanBackwardRungs()); }

    void equalsLoopsInDoublePrecisionAndItsFormula() {
        int row = 0;
        for (const int64_t channels : {1, 3, 130})
            for (const int64_t length : scanLengths) {
                if (row++ % thinned(3) != 0 || isTooLong(channels, length))
                    continue;
                const Rows rows(channels, length);
                const gpu::ScanBackwardRun got = run(rows);
                const QString where = QString("%1 x %2: ").arg(channels).arg(length);
                const double error = errorOf(rows, got);
                QVERIFY2(error < 1e-6, qPrintable(where + QString::number(error)));
                const QString different = otherThanFormula(got, gpu::algorithmicTraffic(fetchedRung(), rows.shape()),
                                                           gpu::compulsoryTraffic(rows.shape()));
                QVERIFY2(different.isEmpty(), qPrintable(where + different));
            }
    }

    /// A loss is linear in each number of a row by itself: differences are exact but for rounding in f64.
    void gradientsAreDifferencesOfALoss() {
        Rows rows(1, 2500);
        const std::vector<double> a(rows.a.begin(), rows.a.end()), b(rows.b.begin(), rows.b.end());
        const auto h0 = static_cast<double>(rows.h0[0]);
        lossOf(a, b, h0, rows.dh, &rows.h);
        const gpu::ScanBackwardRun got = run(rows);
        const auto check = [](float found, double more, double less) {
            const double expected = (more - less) / 2;
            QVERIFY2(std::fabs(static_cast<double>(found) - expected) < 1e-5 * (1 + std::fabs(expected)),
                     qPrintable(QString("%1, by differences %2").arg(static_cast<double>(found)).arg(expected)));
        };
        const auto moved = [](std::vector<double> x, size_t at, double by) {
            x[at] += by;
            return x;
        };
        for (size_t t = 0; t < a.size(); t += 37) {
            check(got.da[t], lossOf(moved(a, t, 1), b, h0, rows.dh), lossOf(moved(a, t, -1), b, h0, rows.dh));
            check(got.db[t], lossOf(a, moved(b, t, 1), h0, rows.dh), lossOf(a, moved(b, t, -1), h0, rows.dh));
        }
        check(got.dh0[0], lossOf(a, b, h0 + 1, rows.dh), lossOf(a, b, h0 - 1, rows.dh));
    }

    void whatIsNoNumberStaysInItsChannelAndReachesAllEarlierSteps() {
        for (const int64_t length : {70, 3000})
            for (const float odd : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
                Rows rows(3, length);
                const gpu::ScanBackwardRun before = run(rows);
                const size_t begin = rows.at(1, 0), at = rows.at(1, length / 2);
                rows.dh[at] = odd;
                const gpu::ScanBackwardRun after = run(rows);
                for (size_t i = 0; i < rows.a.size(); ++i)
                    if (i < begin || i > at)
                        QVERIFY(std::memcmp(&before.db[i], &after.db[i], sizeof(float)) == 0 &&
                                std::memcmp(&before.da[i], &after.da[i], sizeof(float)) == 0);
                    else
                        QVERIFY(!std::isfinite(after.db[i]) && !std::isfinite(after.da[i]));
                QVERIFY(!std::isfinite(after.dh0[1]));
                QVERIFY(after.dh0[0] == before.dh0[0] && after.dh0[2] == before.dh0[2]);
            }
    }

    void bitsAreTheSameEveryTime() {
        const Rows rows(2, 5000);
        const gpu::ScanBackwardRun first = run(rows, 1);
        for (const int threads : {2, 3, 0}) {
            const gpu::ScanBackwardRun again = run(rows, threads);
            QVERIFY(again.da == first.da && again.db == first.db && again.dh0 == first.dh0);
        }
    }

    void noBankConflicts() {
        for (const int64_t length : {100, 1024, 2500})
            for (const gpu::LaunchRecord& launch : run(Rows(2, length)).launches) {
                const QString conflict = bankConflict(launch);
                QVERIFY2(conflict.isEmpty(), qPrintable(conflict));
            }
    }

    /// Chunks are numbered from the end: the last one has the first steps.
    void looksBackOverManyChunks() {
        if (fetchedRung() != gpu::ScanRung::LookBack)
            return;
        const Rows rows(1, gpu::scanChunkSteps * chunksToLookBack);
        std::vector<float> db(rows.a.size());
        const auto on = [&](const std::vector<float>& x, const char* name) { return sent(*device, x, name); };
        const gpu::Buffer a = on(rows.a, "A"), dh = on(rows.dh, "dH"), h = on(rows.h, "H"), h0 = on(rows.h0, "h0"),
                          forA = on(db, "dA"), forB = on(db, "dB"), forStart = on(rows.h0, "dh0");
        struct {
            uint64_t a, dh, h, h0, da, db, dh0;
            int64_t stride;
            int32_t channels, length;
        } problem{a.address(),
                  dh.address(),
                  h.address(),
                  h0.address(),
                  forA.address(),
                  forB.address(),
                  forStart.address(),
                  rows.length,
                  1,
                  static_cast<int32_t>(rows.length)};
        auto behind = behindTheOthers<float>(library, "scan_backward", problem);
        forB.download(db.data());
        for (size_t t = gpu::scanChunkSteps; t-- > 0;) {
            const float g = rows.dh[t] + behind;
            behind = rows.a[t] * g;
            QVERIFY(std::fabs(db[t] - g) < 1e-4f);
        }
    }

    void memoryIsWhatWasSaid() {
        for (const int64_t length : {5, 1024, 2500}) {
            const Rows rows(2, length);
            MeteredDevice metered;
            gpu::KernelLibrary kernels(metered);
            gpu::scanBackward(kernels, fetchedRung(), rows.shape(), rows.tensors());
            QCOMPARE(metered.most, gpu::deviceBytes(fetchedRung(), rows.shape()));
        }
    }

    void emptyProblems() {
        for (const auto& [channels, length] : {std::pair(0, 5), std::pair(2, 0)}) {
            const Rows rows(channels, length);
            const gpu::ScanBackwardRun got = run(rows);
            QVERIFY(got.launches.empty() && got.da.empty() && got.db.empty());
            QVERIFY(got.dh0 == std::vector<float>(static_cast<size_t>(channels)));
            QVERIFY(gpu::algorithmicTraffic(fetchedRung(), rows.shape()).empty());
        }
    }

    void whatTheKernelsCannotDoIsRefused() {
        QVERIFY_THROWS_EXCEPTION(InputError, gpu::checkShape(gpu::ScanBackwardShape{-1, 5}));
        QVERIFY_THROWS_EXCEPTION(InputError, gpu::scanBackward(library, gpu::ScanRung::Blelloch, {1, 5}, {}));
    }

    void whatIsCancelledStops() {
        const Rows rows(2, 100);
        std::atomic<bool> cancel{true};
        gpu::LaunchOptions options;
        options.cancel = &cancel;
        QVERIFY_THROWS_EXCEPTION(Cancelled,
                                 gpu::scanBackward(library, fetchedRung(), rows.shape(), rows.tensors(), options));
    }
};

QTEST_GUILESS_MAIN(ScanBackwardKernelsTest)
#include "scan_backward_kernels_test.moc"
