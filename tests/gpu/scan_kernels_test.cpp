// SPDX-License-Identifier: GPL-3.0-or-later
// The GPU kernels of the linear scan on the virtual GPU with all checks: every rung against loops in f64, and formulas
// of the bytes that are what is counted.
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
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

using namespace warplight;
using namespace warplight::test;

namespace {

struct Rows {
    gpu::ScanShape shape;
    std::vector<float> a, b, h0;

    Rows(int64_t channels, int64_t length, bool begins) : shape{channels, length, begins} {
        std::mt19937 random(7);
        std::uniform_real_distribution<float> decay(0, 1);
        std::normal_distribution<float> normal;
        for (int64_t i = 0; i < channels * length; ++i) {
            a.push_back(i % 17 == 3 ? 0 : i % 17 < 8 ? 1 : decay(random));
            b.push_back(normal(random));
        }
        for (int64_t i = 0; i < channels; ++i)
            h0.push_back(normal(random));
    }
    gpu::ScanTensors tensors() const { return {a.data(), b.data(), h0.data()}; }
    /// The largest error, relative to what the scan of the sizes of a and b is.
    double errorOf(const std::vector<float>& h) const {
        double worst = 0;
        for (int64_t row = 0; row < shape.channels; ++row) {
            double state = shape.begins ? static_cast<double>(h0[static_cast<size_t>(row)]) : 0,
                   size = std::fabs(state);
            for (int64_t t = 0; t < shape.length; ++t) {
                const auto at = static_cast<size_t>(row * shape.length + t);
                const double decay = static_cast<double>(a[at]), in = static_cast<double>(b[at]);
                state = decay * state + in;
                size = std::fabs(decay) * size + std::fabs(in);
                const double error = std::fabs(static_cast<double>(h[at]) - state);
                worst = error == 0 ? worst : std::isfinite(error) ? std::max(worst, error / size) : 1e30;
            }
        }
        return worst;
    }
};

} // namespace

class ScanKernelsTest : public QObject {
    Q_OBJECT
    std::unique_ptr<gpu::Device> device = vgpu::makeVirtualDevice();
    gpu::KernelLibrary library{*device};

    gpu::ScanRun run(const Rows& rows, int threads = 0) {
        gpu::LaunchOptions options;
        options.checks = true;
        options.threads = threads;
        gpu::ScanRun result = gpu::scan(library, fetchedRung(), rows.shape, rows.tensors(), options);
        failUnlessClean(result, *device);
        return result;
    }

  private slots:
    void initTestCase_data() { addScanRungs(gpu::scanRungs()); }

    void equalsLoopsInDoublePrecisionAndItsFormula() {
        int row = 0;
        for (const int64_t channels : {1, 3, 130})
            for (const int64_t length : {1,   2,   3,    4,    31,   32,   33,   63,   65,   100,  511,
                                         512, 513, 1000, 1023, 1024, 1025, 2047, 2048, 2500, 4097, 40000})
                for (const bool begins : {false, true}) {
                    if (row++ % thinned(5) != 0 || (channels > 3 && length > 1025) || (channels > 1 && length > 4097))
                        continue;
                    const Rows rows(channels, length, begins);
                    const gpu::ScanRun got = run(rows);
                    const QString where = QString("%1 x %2: ").arg(channels).arg(length);
                    const double error = rows.errorOf(got.h);
                    QVERIFY2(error < 1e-6, qPrintable(where + QString::number(error)));
                    const QString different = otherThanFormula(got, gpu::algorithmicTraffic(fetchedRung(), rows.shape),
                                                               gpu::compulsoryTraffic(rows.shape));
                    QVERIFY2(different.isEmpty(), qPrintable(where + different));
                }
    }

    void decaysOfZeroAndOneAreExact() {
        for (const int64_t length : {5, 600, 3000}) {
            Rows rows(2, length, false);
            for (size_t i = 0; i < rows.a.size(); ++i) {
                rows.a[i] = i % 11 == 5 ? 0 : 1;
                rows.b[i] = static_cast<float>(i % 5) - 2;
            }
            QCOMPARE(rows.errorOf(run(rows).h), 0.0);
        }
    }

    void whatIsNoNumberStaysInItsChannelAndReachesAllLaterSteps() {
        for (const int64_t length : {70, 3000})
            for (const float odd : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
                Rows rows(3, length, true);
                const std::vector<float> before = run(rows).h;
                const auto at = static_cast<size_t>(length + length / 2), row = static_cast<size_t>(length);
                rows.b[at] = odd;
                const std::vector<float> after = run(rows).h;
                for (size_t i = 0; i < after.size(); ++i)
                    if (i < at || i >= 2 * row)
                        QVERIFY(std::memcmp(&before[i], &after[i], sizeof(float)) == 0);
                    else
                        QVERIFY(!std::isfinite(after[i]));
            }
    }

    void bitsAreTheSameEveryTime() {
        const Rows rows(2, 5000, true);
        const std::vector<float> first = run(rows, 1).h;
        for (const int threads : {2, 3, 0})
            QVERIFY(run(rows, threads).h == first);
    }

    void noBankConflicts() {
        int lines = 0;
        for (const int64_t length : {100, 1024, 2500})
            for (const gpu::LaunchRecord& launch : run(Rows(2, length, true)).launches) {
                const QString conflict = bankConflict(launch);
                QVERIFY2(conflict.isEmpty(), qPrintable(conflict));
                for (const gpu::LineCount& line : launch.stats.lines)
                    lines += line.wavefronts > 0;
            }
        QVERIFY(lines > 0 || fetchedRung() == gpu::ScanRung::Serial);
    }

    /// As on a GPU whose blocks run at once: the last chunk finds pairs alone in the 40 chunks before it, and a state
    /// behind these. It goes forward again chunk by chunk, so that the bits are those of a chain.
    void looksBackOverManyChunks() {
        if (fetchedRung() != gpu::ScanRung::LookBack)
            return;
        constexpr int32_t before = 45, stateAt = 4, chunks = before + 1;
        const Rows rows(1, gpu::scanChunkSteps * chunks, false);
        std::vector<float> pairs, states(chunks, 7.0f), h(rows.a.size());
        std::vector<int32_t> status(chunks), ticket{before};
        for (int32_t chunk = 0; chunk < chunks; ++chunk) {
            pairs.push_back(0.5f + static_cast<float>(chunk) / 128); // a, then b
            pairs.push_back(static_cast<float>(chunk % 7) - 3.3f);
            status[static_cast<size_t>(chunk)] = chunk == before ? 0 : chunk <= stateAt ? 2 : 1;
        }
        float state = states[stateAt] = -1.25f;
        for (size_t chunk = stateAt + 1; chunk < before; ++chunk)
            state = std::fma(pairs[2 * chunk], state, pairs[2 * chunk + 1]);
        const auto sent = [&](const auto& values, const char* name) {
            gpu::Buffer buffer(*device, static_cast<int64_t>(values.size() * 4), name);
            buffer.upload(values.data());
            return buffer;
        };
        const gpu::Buffer a = sent(rows.a, "A"), b = sent(rows.b, "B"), to = sent(h, "H"),
                          tickets = sent(ticket, "tickets"), statuses = sent(status, "status"),
                          told = sent(pairs, "pairs"), known = sent(states, "states");
        struct {
            uint64_t a, b, h0, h;
            int64_t stride;
            int32_t channels, length;
        } problem{
            a.address(), b.address(), 0, to.address(), rows.shape.length, 1, static_cast<int32_t>(rows.shape.length)};
        struct {
            uint64_t tickets, status, pairs, states;
        } lookBack{tickets.address(), statuses.address(), told.address(), known.address()};
        const gpu::LaunchOptions options;
        gpu::Launcher launcher(library, options);
        launcher.start("scan", "scan_look_back", {1}, {256}, 0, {problem, lookBack, chunks});
        to.download(h.data());
        for (size_t i = rows.a.size() - gpu::scanChunkSteps; i < rows.a.size(); ++i) {
            const double expected =
                static_cast<double>(rows.a[i]) * static_cast<double>(state) + static_cast<double>(rows.b[i]);
            state = static_cast<float>(expected);
            QVERIFY2(std::fabs(static_cast<double>(h[i]) - expected) < 1e-4,
                     qPrintable(QString("%1: %2, not %3").arg(i).arg(static_cast<double>(h[i])).arg(expected)));
        }
    }

    /// One tile: those that share it before and after, and those of the steps, which grow with its logarithm.
    void barriersGrowWithTheSteps() {
        if (gpu::scanTile(fetchedRung(), 1) == 0)
            return;
        for (const int64_t length : {64, 256, 512}) {
            const gpu::ScanRun got = run(Rows(1, length, false));
            const int64_t tile = gpu::scanTile(fetchedRung(), length),
                          log = std::bit_width(static_cast<uint64_t>(tile)) - 1,
                          warps =
                              std::max<int64_t>(1, (fetchedRung() == gpu::ScanRung::Blelloch ? tile / 2 : tile) / 32),
                          steps = fetchedRung() == gpu::ScanRung::Blelloch ? 2 * log + 2 : log + 2;
            QCOMPARE(static_cast<int64_t>(got.launches.front().stats.barriers), steps * warps);
        }
    }

    void memoryIsWhatWasSaid() {
        for (const int64_t length : {5, 1024, 2500})
            for (const bool begins : {false, true}) {
                const Rows rows(2, length, begins);
                MeteredDevice metered;
                gpu::KernelLibrary kernels(metered);
                gpu::scan(kernels, fetchedRung(), rows.shape, rows.tensors());
                QCOMPARE(metered.most, gpu::deviceBytes(fetchedRung(), rows.shape));
            }
    }

    void emptyProblems() {
        for (const auto& [channels, length] : {std::pair(0, 5), std::pair(2, 0)}) {
            const Rows rows(channels, length, true);
            const gpu::ScanRun got = run(rows);
            QVERIFY(got.launches.empty() && got.h.empty());
            QVERIFY(gpu::algorithmicTraffic(fetchedRung(), rows.shape).empty());
        }
    }

    void whatTheKernelsCannotDoIsRefusedWithASentence() {
        QVERIFY_THROWS_EXCEPTION(InputError, gpu::checkShape({-1, 5, false}));
        QVERIFY_THROWS_EXCEPTION(InputError, gpu::checkShape({1, int64_t{1} << 31, false}));
        QVERIFY_THROWS_EXCEPTION(InputError, gpu::checkShape({1 << 20, 1 << 24, false}));
        gpu::checkShape({1, 1 << 24, true});
    }

    void whatIsCancelledStops() {
        const Rows rows(2, 100, false);
        std::atomic<bool> cancel{true};
        gpu::LaunchOptions options;
        options.cancel = &cancel;
        QVERIFY_THROWS_EXCEPTION(Cancelled, gpu::scan(library, fetchedRung(), rows.shape, rows.tensors(), options));
    }
};

QTEST_GUILESS_MAIN(ScanKernelsTest)
#include "scan_kernels_test.moc"
