// SPDX-License-Identifier: GPL-3.0-or-later
// Promises that hold whatever the numbers are, and closed forms that share no code with any rung.
#include "core/cpu/attention/kernels.h"
#include "core/cpu/machine.h"
#include "core/error.h"
#include "each_rung.h"
#include "problem.h"

#include <QTest>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include <chrono>
#include <map>
#include <set>

using namespace warplight;
using namespace warplight::test;
using cpu::Implementation;

namespace {

bool close(double a, double b, double tolerance) { return std::fabs(a - b) <= tolerance; }

} // namespace

/// How much longer plain code may take in this build.
class AttentionInvariantsTest : public QObject {
    Q_OBJECT

    static Implementation fetched() {
        QFETCH_GLOBAL(int, rung);
        return static_cast<Implementation>(rung);
    }

  private slots:
    void initTestCase_data() {
        addRungs(cpu::implementations(), [](Implementation) { return true; });
    }
    void init() { useTargetOfRow(); }
    void cleanup() { cpu::useTarget(""); }

    void uniformScoresGiveTheMeanOfV() {
        OwnedProblem p({1, 1, 1, 10, 100, 32, 0, false});
        std::fill(p.q.begin(), p.q.end(), 0.0f);
        p.run(fetched());
        for (size_t c = 0; c < 32; ++c) {
            double mean = 0;
            for (size_t j = 0; j < 100; ++j)
                mean += static_cast<double>(p.v[j * 32 + c]) / 100;
            QVERIFY(
                close(static_cast<double>(p.output()[c]), mean, fetched() == Implementation::FlashBf16 ? 4e-3 : 1e-6));
        }
        QVERIFY(close(static_cast<double>(p.logSumExp()[0]), std::log(100.0), 1e-6));
    }

    void oneDominantKeyGivesItsRowOfV() {
        OwnedProblem p({1, 1, 1, 7, 150, 16, 1.0f, false});
        std::fill(p.q.begin(), p.q.end(), 1.0f);
        std::fill(p.k.begin(), p.k.end(), 0.0f);
        std::fill_n(p.k.begin() + 123 * 16, 16, 640.0f); // score 10,240, exact in bf16
        std::fill(p.v.begin(), p.v.end(), 7.0f);
        for (size_t c = 0; c < 16; ++c)
            p.v[123 * 16 + c] = static_cast<float>(c);
        p.run(fetched());
        for (size_t i = 0; i < p.outputs(); ++i)
            QCOMPARE(p.output()[i], static_cast<float>(i % 16));
        QVERIFY(close(static_cast<double>(p.logSumExp()[0]), 10240, 2e-3));
    }

    void scoresThatRiseInEveryTileStayExact() { // the worst case for rescaling lazily
        OwnedProblem p({1, 1, 1, 13, 640, 8, 1.0f, false});
        std::fill(p.q.begin(), p.q.end(), 1.0f);
        for (size_t j = 0; j < 640; ++j)
            std::fill_n(p.k.begin() + static_cast<std::ptrdiff_t>(j * 8), 8,
                        static_cast<float>(j) / 8); // score j, exact in bf16 up to 255
        if (fetched() == Implementation::FlashBf16)
            for (float& x : p.k)
                x = std::min(x, 31.0f);
        const Truth truth(p);
        p.run(fetched());
        for (size_t i = 0; i < p.outputs(); ++i)
            QVERIFY(close(static_cast<double>(p.output()[i]), truth.o[i],
                          (fetched() == Implementation::FlashBf16 ? 4e-3 : 2e-4) * (truth.magnitude[i] + 1e-3)));
    }

    void handComputedExample() {
        OwnedProblem p({1, 1, 1, 4, 4, 4, 0.5f, false});
        p.q = {1, 0, 2, 0, 0, 1, 1, 0, 1, 1, 0, 1, 0, 2, 1, 1};
        p.k = {2, 1, 0, 0, 0, 1, 1, 0, 1, 0, 1, 1, 0, 0, 2, 1};
        p.v = {1, 0, 0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 2, 1, 0, 0}; // two features, padded to four
        const double full[] = {1.269873, .842940, 1, .811230, 1, .573067, 1, .811230};
        const double fullLse[] = {2.851129, 2.167224, 2.351129, 2.667224};
        const double causal[] = {1, 0, .377541, .622459, .813676, .493520, 1, .811230};
        const double causalLse[] = {1, 1.474077, 2.180270, 2.667224};
        const double tolerance = fetched() == Implementation::FlashBf16 ? 1e-2 : 1e-5;
        for (const bool isCausal : {false, true}) {
            p.shape.causal = isCausal;
            p.run(fetched());
            for (size_t i = 0; i < 4; ++i) {
                QVERIFY(close(static_cast<double>(p.output()[4 * i]), (isCausal ? causal : full)[2 * i], tolerance));
                QVERIFY(close(static_cast<double>(p.output()[4 * i + 1]), (isCausal ? causal : full)[2 * i + 1],
                              tolerance));
                QVERIFY(close(static_cast<double>(p.logSumExp()[i]), (isCausal ? causalLse : fullLse)[i], 1e-5));
            }
        }
    }

    void orderOfKeysDoesNotMatter() {
        OwnedProblem p({1, 1, 1, 11, 97, 40, 0, false});
        p.run(fetched());
        const std::vector<float> before = p.o;
        OwnedProblem turned = p;
        for (size_t j = 0; j < 97; ++j) {
            std::copy_n(&p.k[j * 40], 40, &turned.k[(96 - j) * 40]);
            std::copy_n(&p.v[j * 40], 40, &turned.v[(96 - j) * 40]);
        }
        turned.run(fetched());
        for (size_t i = 0; i < before.size(); ++i)
            QVERIFY(close(static_cast<double>(turned.o[i]), static_cast<double>(before[i]),
                          fetched() == Implementation::FlashBf16 ? 1e-2 : 2e-6));
    }

    void bitsDoNotDependOnThreadsOrRepeats() {
        OwnedProblem p({1, 3, 3, 150, 1300, 64, 0, true});
        std::vector<float> first;
        for (const int threads : {1, 2, 3, 2, 8}) {
            cpu::Execution execution;
            execution.threads = threads;
            p.run(fetched(), execution);
            if (first.empty())
                first = p.o;
            QVERIFY(std::memcmp(first.data(), p.o.data(), first.size() * sizeof(float)) == 0);
        }
    }

    void nanInOneQueryStaysInItsRow() {
        OwnedProblem p({1, 1, 1, 20, 70, 16, 0, false});
        p.q[5 * 16 + 3] = std::numeric_limits<float>::quiet_NaN();
        p.run(fetched());
        for (size_t row = 0; row < 20; ++row) {
            QCOMPARE(std::isnan(p.output()[row * 16]), row == 5);
            QCOMPARE(std::isnan(p.logSumExp()[row]), row == 5);
        }
    }

    void cancelEndsWithin100Milliseconds() {
        OwnedProblem p({1, 4, 4, 4096, 4096, 128, 0, false});
        const auto waited = untilCancelled(std::chrono::milliseconds(30), [&](const std::atomic<bool>* cancel) {
            cpu::Execution execution;
            execution.cancel = cancel;
            p.run(fetched(), execution);
        });
        QVERIFY(waited);
        QVERIFY2(*waited < 100 * slowdown, qPrintable(QString("%1 ms").arg(*waited)));
    }

    void badShapesAreRefusedWithASentence() {
        OwnedProblem p({1, 3, 3, 4, 4, 8, 0, false});
        p.shape.keyHeads = 2;
        QVERIFY_EXCEPTION_THROWN(p.run(fetched()), InputError);
        p.shape.keyHeads = 3;
        p.shape.headDim = 513;
        QVERIFY_EXCEPTION_THROWN(p.run(fetched()), InputError);
    }

    void extraMemoryGrowsAsPromised() {
        std::map<int64_t, int64_t> bytes;
        for (const int64_t n : {2048, 4096, 8192}) {
            OwnedProblem p({1, 1, 1, 64, n, 64, 0, false});
            p.shape.queryLen = 64;
            bytes[n] = p.run(fetched()).extraBytes;
        }
        if (fetched() == Implementation::Flash) { // nor with queries and keys together
            std::set<int64_t> held;
            for (const int64_t n : {512, 1024, 4096})
                held.insert(OwnedProblem({1, 2, 2, n, n, 16, 0, true}).run(fetched()).extraBytes);
            QCOMPARE(held.size(), size_t{1});
        }
        const int64_t growth1 = bytes[4096] - bytes[2048], growth2 = bytes[8192] - bytes[4096];
        if (fetched() == Implementation::Flash)
            QVERIFY2(growth2 <= 0 || bytes[8192] < 4 << 20, "flash must not grow with the sequence");
        if (fetched() == Implementation::FlashPacked)
            QVERIFY2(growth2 <= 2 * growth1 + (64 << 10), "flash-packed must grow linearly");
        if (fetched() == Implementation::Standard)
            QVERIFY(bytes[8192] >= 2 * 64 * 8192 * 4); // S and P
    }

    void observerSeesTheRealRun() {
        if (fetched() != Implementation::Flash)
            QSKIP("only flash is observed");
        OwnedProblem p({1, 1, 1, 16, 16, 8, 0, true});
        cpu::Execution execution;
        execution.queryTile = 4;
        execution.keyTile = 4;
        p.run(Implementation::Flash, execution);
        const std::vector<float> unobserved = p.o;

        struct Last {
            float max = -INFINITY, sum = 0;
            std::vector<float> output;
        };
        std::map<int64_t, Last> rows;
        int visits = 0, skipped = 0;
        int64_t read = 0, written = 0;
        execution.observer = [&](const cpu::TileVisit& visit) {
            ++visits;
            skipped += visit.skipped;
            read += visit.bytesRead;
            written += visit.bytesWritten;
            const int64_t keys = visit.keyEnd - visit.keyBegin;
            QCOMPARE(static_cast<int64_t>(visit.scores.size()), static_cast<int64_t>(visit.rows.size()) * keys);
            const float* score = visit.scores.data();
            for (const auto& row : visit.rows) {
                QCOMPARE(*std::max_element(score, score + keys), row.tileMax); // to the bit
                for (int64_t key = visit.keyBegin; key < visit.keyEnd; ++key, ++score) {
                    double dot = 0;
                    for (int64_t c = 0; c < 8; ++c)
                        dot += static_cast<double>(p.q[static_cast<size_t>(row.row * 8 + c)]) *
                               static_cast<double>(p.k[static_cast<size_t>(key * 8 + c)]);
                    if (key > row.row)
                        QCOMPARE(*score, -INFINITY);
                    else
                        QVERIFY(close(static_cast<double>(*score), dot * static_cast<double>(p.shape.scale), 1e-5));
                }
                Last& last = rows[row.row];
                QVERIFY(row.runningMax >= last.max);
                QVERIFY(row.runningMax == std::max(last.max, row.tileMax));
                const double expected =
                    std::isinf(last.max)
                        ? 0
                        : std::exp(static_cast<double>(last.max) - static_cast<double>(row.runningMax));
                QVERIFY(close(static_cast<double>(row.rescale), expected, 1e-6));
                last = {row.runningMax, row.runningSum, {row.output.begin(), row.output.end()}};
            }
        };
        p.run(Implementation::Flash, execution);
        QVERIFY(std::memcmp(unobserved.data(), p.o.data(), unobserved.size() * sizeof(float)) == 0);
        QCOMPARE(visits, 16);
        QCOMPARE(skipped, 6);
        // Q once; K and V tiles of 4 keys for each of the 10 visits; O and the log-sum-exp once.
        QCOMPARE(read, int64_t{16 * 8 * 4 + 10 * 2 * 4 * 8 * 4});
        QCOMPARE(written, int64_t{16 * 8 * 4 + 16 * 4});
        for (size_t row = 0; row < 16; ++row) {
            const Last& last = rows[static_cast<int64_t>(row)];
            QVERIFY(close(static_cast<double>(last.max) + std::log(static_cast<double>(last.sum)),
                          static_cast<double>(p.logSumExp()[row]), 1e-6));
            for (size_t c = 0; c < 8; ++c)
                QVERIFY(close(static_cast<double>(last.output[c] / last.sum),
                              static_cast<double>(p.output()[row * 8 + c]), 1e-6));
        }
    }

    void exp2IsWithinTwoUlps() {
        if (fetched() != Implementation::Flash)
            QSKIP("the same for every rung");
        QFETCH_GLOBAL(QString, target);
        double worst = 0;
        std::vector<float> x, y;
        for (float value = -125.99f; value <= 16.0f; value += 1.0f / 4099)
            x.push_back(value);
        y.resize(x.size());
        cpu::kernels().exp2(x.data(), y.data(), static_cast<int64_t>(x.size()));
        for (size_t i = 0; i < x.size(); ++i) {
            const double exact = std::exp2(static_cast<double>(x[i]));
            const double ulp = std::ldexp(1.0, std::ilogb(exact) - 23);
            worst = std::max(worst, std::fabs(static_cast<double>(y[i]) - exact) / ulp);
        }
        qInfo("%.2f ulp", worst);
        // Without fused multiply-adds each step of the polynomial rounds twice.
        QVERIFY(worst <= (target.startsWith("AVX") ? 2.0 : 2.5));
        const float far[] = {-INFINITY, -151.0f, -1e30f};
        float y3[3];
        cpu::kernels().exp2(far, y3, 3);
        for (const float zero : y3)
            QCOMPARE(zero, 0.0f);
        for (uint32_t bits = 0x7f800001; bits < 0x7fffffff; bits += 0xfff1) // every kind of NaN
            for (const uint32_t sign : {0u, 0x80000000u}) {
                const uint32_t both = bits | sign;
                float one = 0;
                std::memcpy(&one, &both, sizeof one);
                cpu::kernels().exp2(&one, y3, 1);
                QVERIFY(std::isnan(y3[0]));
            }
    }

    void measuredPeaksArePlausible() {
        if (fetched() != Implementation::Flash)
            QSKIP("the same for every rung");
        const cpu::MachinePeaks peaks = cpu::measurePeaks(1, 0.2);
        QVERIFY(peaks.fmaFlops > 1e9 / slowdown && peaks.fmaFlops < 1e13);
        QVERIFY(peaks.bandwidth > 1e8 && peaks.bandwidth < 1e13);
    }
};

QTEST_GUILESS_MAIN(AttentionInvariantsTest)
#include "attention_invariants_test.moc"
