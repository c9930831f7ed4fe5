// SPDX-License-Identifier: GPL-3.0-or-later
// Mamba-2's SSD: every rung against double precision on each instruction set, the same sum as retention, and what holds
// whatever the numbers are.
#include "core/cpu/linear/linear_attention.h"
#include "core/cpu/ssm/ssd.h"
#include "core/cpu/target.h"
#include "core/error.h"
#include "tests/core/cpu/each_rung.h"
#include "tests/core/cpu/gau_case.h"
#include "tests/core/cpu/ssd_case.h"
#include "tests/sentence.h"
#include "tests/thinned.h"

#include <QTest>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

using namespace warplight;
using namespace warplight::cpu;
using test::SsdCase;
using test::ssdShape;
using test::worstError;

namespace {

constexpr float notANumber = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();

/// Of all numbers, which are none.
std::vector<bool> finiteOf(const std::vector<float>& x) {
    std::vector<bool> finite(x.size());
    std::transform(x.begin(), x.end(), finite.begin(), [](float v) { return std::isfinite(v); });
    return finite;
}

std::string messageOf(const SsdShape& shape) {
    return test::sentenceOf([&] { checkShape(shape); });
}

} // namespace

class SsdTest : public QObject {
    Q_OBJECT
    SsdRung rung = SsdRung::Reference;

    void equalsReference(SsdCase& c, double bound = 3e-6) {
        c.run(SsdRung::Reference);
        const auto y = c.y, last = c.last;
        c.run(rung);
        const double error = std::max(worstError(c.y, y), worstError(c.last, last));
        QVERIFY2(error < bound, qPrintable(QString("%1 steps in chunks of %2, %3 heads of %4 × %5: %6")
                                               .arg(c.shape.length)
                                               .arg(c.shape.chunk)
                                               .arg(c.shape.heads)
                                               .arg(c.shape.headDim)
                                               .arg(c.shape.stateDim)
                                               .arg(error)));
    }

  private slots:
    void initTestCase_data() {
        test::addRungs(ssdRungs(), [](SsdRung r) { return r != SsdRung::Reference; });
    }
    void init() {
        test::useTargetOfRow();
        QFETCH_GLOBAL(int, rung);
        this->rung = static_cast<SsdRung>(rung);
    }
    void cleanupTestCase() { useTarget(""); }

    /// Lengths and chunks that are multiples of nothing, heads that share a group and that do not.
    void equalsDoublePrecision() {
        int row = 0;
        for (const int64_t length : {1, 2, 15, 64, 97, 200, 301})
            for (const int64_t chunk : {1, 7, 64, 100, 1000})
                for (const auto& [heads, groups] : {std::pair(1, 1), std::pair(4, 1), std::pair(4, 2), std::pair(3, 3)})
                    for (const auto& [p, n] : {std::pair(1, 1), std::pair(7, 5), std::pair(16, 24), std::pair(64, 33)})
                        for (const bool begins : {false, true}) {
                            if (row++ % test::thinned(37, 11) != 0)
                                continue;
                            SsdCase c(ssdShape(2, length, heads, groups, p, n, chunk), begins);
                            equalsReference(c);
                        }
    }

    /// Several rounds of chunks, and a row block that is shorter than the others.
    void equalsDoublePrecisionOfManyChunks() {
        SsdCase c(ssdShape(1, test::shortened(2100, 700), 8, 1, 64, 128, 128), true);
        equalsReference(c);
        c.shape.chunk = 200;
        equalsReference(c);
    }

    /// A decay of 0 forgets everything, one of 1 nothing, in any place of a chunk.
    void decaysOfExactlyZeroAndOne() {
        for (const int64_t chunk : {16, 50, 130}) {
            SsdCase c(ssdShape(1, 130, 2, 1, 16, 8, chunk), true);
            std::fill(c.a.begin(), c.a.end(), 0.0f);
            equalsReference(c);
            for (size_t i = 0; i < c.a.size(); i += 6)
                c.a[i] = -inf;
            equalsReference(c);
            std::fill(c.a.begin(), c.a.end(), -inf); // y_t = (c_t · b_t) x_t
            c.run(rung);
            std::vector<double> expected(c.y.size());
            for (size_t t = 0; t < 130; ++t) {
                double product = 0;
                for (size_t i = 0; i < 8; ++i)
                    product += static_cast<double>(c.b[t * 8 + i]) * static_cast<double>(c.c[t * 8 + i]);
                for (size_t i = 0; i < 32; ++i)
                    expected[t * 32 + i] = product * static_cast<double>(c.x[t * 32 + i]);
            }
            QVERIFY(worstError(c.y, expected) < 1e-6);
        }
    }

    /// What sums of logarithms would cancel to: a small decay after many strong ones.
    void nothingCancelsAfterManyStrongDecays() {
        SsdCase c(ssdShape(1, 400, 1, 1, 16, 8, 400));
        for (size_t i = 0; i < 399; ++i)
            c.a[i] = i < 300 ? -80.0f : -1e-6f;
        equalsReference(c);
    }

    /// RetNet's retention is SSD with a decay that is the same at every step.
    void aConstantDecayIsRetention() {
        const int64_t length = 150, heads = 3, p = 20, n = 12;
        SsdCase c(ssdShape(1, length, heads, heads, p, n, 64));
        std::vector<float> q(c.c.size()), k(c.b.size()), v(c.x.size()), o(c.y.size()), state(c.last.size());
        const auto headsFirst = [&](const std::vector<float>& from, int64_t width, std::vector<float>& to) {
            for (int64_t t = 0; t < length; ++t)
                for (int64_t h = 0; h < heads; ++h)
                    std::copy_n(from.begin() + (t * heads + h) * width, width, to.begin() + (h * length + t) * width);
        };
        headsFirst(c.c, n, q), headsFirst(c.b, n, k), headsFirst(c.x, p, v);
        for (int64_t t = 0; t < length; ++t)
            for (int64_t h = 0; h < heads; ++h)
                c.a[static_cast<size_t>(t * heads + h)] = static_cast<float>(std::log(retentionDecay(h)));
        LinearShape s;
        s.heads = heads, s.queryLen = s.keyLen = length, s.headDim = n, s.valueDim = p;
        s.map = FeatureMap::Identity, s.rule = LinearRule::Retention, s.causal = true, s.normalise = false;
        LinearTensors<float> t;
        t.q = q.data(), t.k = k.data(), t.v = v.data(), t.o = o.data(), t.state = state.data();
        linearAttention(LinearForm::Reference, s, t);
        std::vector<float> expected(o.size()), last(state.size());
        for (int64_t step = 0; step < length; ++step)
            for (int64_t h = 0; h < heads; ++h)
                std::copy_n(o.begin() + (h * length + step) * p, p, expected.begin() + (step * heads + h) * p);
        for (int64_t h = 0; h < heads; ++h)
            for (int64_t i = 0; i < p; ++i)
                for (int64_t j = 0; j < n; ++j)
                    last[static_cast<size_t>((h * p + i) * n + j)] = state[static_cast<size_t>((h * n + j) * p + i)];
        c.run(rung);
        QVERIFY(worstError(c.y, expected) < 2e-6); // the decay's logarithm is rounded as well
        QVERIFY(worstError(c.last, last) < 2e-6);
    }

    /// A sequence in two parts, the second of which begins with what the first has left.
    void aSequenceCanBeContinued() {
        SsdCase whole(ssdShape(1, 170, 4, 2, 16, 24, 64));
        SsdCase first(ssdShape(1, 70, 4, 2, 16, 24, 64)), second(ssdShape(1, 100, 4, 2, 16, 24, 64), true);
        const auto cut = [](const std::vector<float>& from, std::vector<float>& a, std::vector<float>& b) {
            std::copy_n(from.begin(), a.size(), a.begin());
            std::copy(from.begin() + static_cast<std::ptrdiff_t>(a.size()), from.end(), b.begin());
        };
        cut(whole.x, first.x, second.x), cut(whole.a, first.a, second.a);
        cut(whole.b, first.b, second.b), cut(whole.c, first.c, second.c);
        whole.run(rung);
        first.run(rung);
        second.initial = first.last;
        second.run(rung);
        std::vector<float> joined = first.y;
        joined.insert(joined.end(), second.y.begin(), second.y.end());
        QVERIFY(worstError(joined, whole.y) < 2e-6);
        QVERIFY(worstError(second.last, whole.last) < 2e-6);
    }

    /// What is no number stays in its head, or in the heads of its group, and never reaches a step before it.
    void numbersThatAreNoneStayWhereTheyBelong() {
        const size_t heads = 4, p = 16, n = 8, length = 100;
        for (const float value : {notANumber, inf, -inf})
            for (const size_t step : {0, 1, 40, 63, 64, 99})
                for (const int which : {0, 1, 2, 3, 4}) { // x, a, b, c, what it begins with
                    SsdCase c(ssdShape(1, length, heads, 2, p, n, 64), which == 4);
                    c.run(rung);
                    const auto before = c.y;
                    const size_t head = 1, group = 0;
                    if (which == 0)
                        c.x[(step * heads + head) * p + 3] = value;
                    else if (which == 1)
                        c.a[step * heads + head] = value;
                    else if (which == 2)
                        c.b[(step * 2 + group) * n + 3] = value;
                    else if (which == 3)
                        c.c[(step * 2 + group) * n + 3] = value;
                    else
                        c.initial[(head * p + 3) * n + 2] = value;
                    c.run(SsdRung::Reference);
                    const auto expected = finiteOf(c.y);
                    c.run(rung);
                    QCOMPARE(finiteOf(c.y), expected);
                    for (size_t t = 0; t < length; ++t)
                        for (size_t h = 0; h < heads; ++h)
                            for (size_t i = 0; i < p; ++i) {
                                const size_t at = (t * heads + h) * p + i;
                                const bool mayChange =
                                    which == 4 ? h == head : t >= step && (which < 2 ? h == head : h < 2);
                                QVERIFY(mayChange || c.y[at] == before[at]);
                            }
                }
    }

    void bitsDoNotDependOnThreads() {
        for (const auto& [heads, groups] : {std::pair(1, 1), std::pair(6, 2)}) {
            SsdCase c(ssdShape(2, 333, heads, groups, 20, 24, 64), true);
            c.run(rung, {1, nullptr});
            const auto y = c.y, last = c.last;
            for (const int threads : {2, 3, 7}) {
                c.run(rung, {threads, nullptr});
                QVERIFY(c.y == y && c.last == last);
            }
        }
    }

    void memoryIsAtMostWhatIsSaid() {
        for (const int64_t length : {0L, 1L, 63L, 500L})
            for (const int64_t chunk : {1, 100, 1000})
                for (const int threads : {1, 2}) {
                    SsdCase c(ssdShape(2, length, 4, 2, 20, 24, chunk));
                    const int64_t held = c.run(rung, {threads, nullptr}).extraBytes,
                                  said = extraBytesAtMost(rung, c.shape, threads);
                    QVERIFY2(held <= said && said <= 2 * held + 1024,
                             qPrintable(QString("%1 of %2").arg(held).arg(said)));
                }
    }

    void emptyProblems() {
        SsdCase none(ssdShape(1, 0, 2, 1, 5, 3, 64), true);
        none.run(rung);
        QVERIFY(none.last == none.initial);
        SsdCase fresh(ssdShape(1, 0, 2, 1, 5, 3, 64));
        fresh.run(rung);
        QVERIFY(std::all_of(fresh.last.begin(), fresh.last.end(), [](float v) { return v == 0; }));
        SsdCase nobody(ssdShape(0, 10, 2, 1, 5, 3, 64));
        nobody.run(rung);
    }

    void stopsWhenCancelled() {
        SsdCase c(ssdShape(1, test::shortened(rung == SsdRung::Reference ? 4000 : 16000, 4000), 4, 1, 64, 128, 128));
        const auto waited = test::untilCancelled(std::chrono::milliseconds(5), [&](const std::atomic<bool>* cancel) {
            c.run(rung, {2, cancel});
        });
        if (waited)
            QVERIFY2(*waited < 50 * test::slowdown, qPrintable(QString::number(*waited)));
    }

    void shapesThatThereAreNoneOf() {
        QVERIFY(messageOf(ssdShape(1, 4, 4, 3, 8, 8, 4)).find("3 groups of B and C for 4 heads") != std::string::npos);
        QVERIFY(messageOf(ssdShape(1, 4, 0, 1, 8, 8, 4)).find("0 heads") != std::string::npos);
        QVERIFY(messageOf(ssdShape(1, 4, 4, 1, 0, 8, 4)).find("headDim is 0") != std::string::npos);
        QVERIFY(messageOf(ssdShape(1, 4, 4, 1, 8, 513, 4)).find("stateDim is 513") != std::string::npos);
        QVERIFY(messageOf(ssdShape(1, 4, 4, 1, 8, 8, 0)).find("a chunk of 0 steps") != std::string::npos);
        QVERIFY(messageOf(ssdShape(1, 4, 4, 2, 8, 8, 4)).empty());
    }

    /// Mamba-2's sizes: T = 4096, Q = 256, N = 128, P = 64.
    void operationsAreTheFormulas() {
        const SsdFlops flops = chunkedFlops(ssdShape(1, 4096, 1, 1, 64, 128, 256));
        QCOMPARE(flops.scores, 268435456.0);
        QCOMPARE(flops.pairs, 134217728.0);
        QCOMPARE(flops.states, 67108864.0);
        QCOMPARE(flops.passing, 262144.0);
        QCOMPARE(flops.outputs, 67108864.0);
    }
};

QTEST_GUILESS_MAIN(SsdTest)
#include "ssd_test.moc"
