// SPDX-License-Identifier: GPL-3.0-or-later
// Statistics of tensors against each number rounded by itself, and on tensors of which the answer is known.
#include "core/precision/statistics.h"

#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <span>
#include <utility>
#include <vector>

using namespace warplight;
using namespace warplight::precision;

namespace {

template <class Number>
Statistics of(const std::vector<Number>& values) {
    Statistics s;
    for (size_t i = 0; i < values.size(); i += 7) // in pieces
        s.add(std::span(values).subspan(i, std::min<size_t>(7, values.size() - i)));
    return s;
}

} // namespace

class StatisticsTest : public QObject {
    Q_OBJECT
  private slots:
    void lossesAreThoseOfRoundingEachNumber() {
        std::mt19937 random(2);
        std::vector<float> x;
        for (int i = 0; i < 4000; ++i)
            x.push_back(
                std::ldexp(static_cast<float>(random()) * 0x1p-32f + 0.5f, static_cast<int>(random() % 280) - 150) *
                (i % 2 ? 1.0f : -1.0f));
        // At the limits, and one step beside them.
        for (const float limit :
             {65520.0f, 65504.0f, 0x1p-25f, 464.0f, 448.0f, 0x1p-10f, 61440.0f, 0x1p-17f, 3.3961775e38f, 0x1p-134f})
            for (const float y : {limit, std::nextafter(limit, 0.0f), std::nextafter(limit, INFINITY)})
                x.push_back(y);
        const Statistics s = of(x);
        for (size_t f = 0; f < judgedFormats().size(); ++f) {
            Loss expected;
            for (const float v : x) {
                const double kept = number::rounded(static_cast<double>(v), *judgedFormats()[f]);
                expected.flushed += v != 0 && kept == 0;
                expected.overflowed += std::isfinite(v) && !std::isfinite(kept);
            }
            QVERIFY(expected.flushed > 0 && expected.overflowed > 0);
            QCOMPARE(s.losses()[f].flushed, expected.flushed);
            QCOMPARE(s.losses()[f].overflowed, expected.overflowed);
        }
    }

    void everyNumberIsCountedOnce() {
        const float infinity = std::numeric_limits<float>::infinity();
        const Statistics s = of<float>({0, -0.0f, 1, 1.5f, -8, 0x1p-140f, infinity, -infinity, std::nanf(""), 3});
        QCOMPARE(s.values(), int64_t(10));
        QCOMPARE(s.zeros(), int64_t(2));
        QCOMPARE(s.nan(), int64_t(1));
        QCOMPARE(s.infinite(), int64_t(2));
        QCOMPARE(s.minimum(), -8.0);
        QCOMPARE(s.maximum(), 3.0);
        QCOMPARE(s.absoluteMaximum(), 8.0);
        QCOMPARE(s.exponents()[0 - s.lowest()], int64_t(2));
        QCOMPARE(s.exponents()[1 - s.lowest()], int64_t(1));
        QCOMPARE(s.exponents()[3 - s.lowest()], int64_t(1));
        QCOMPARE(s.exponents()[-140 - s.lowest()], int64_t(1));
        QCOMPARE(*s.exponentPercentile(0), -140);
        QCOMPARE(*s.exponentPercentile(0.5), 0); // of -140, 0, 0, 1, 3
        QCOMPARE(*s.exponentPercentile(1), 3);
    }

    /// f32 would make infinities of the first two and zeros of the next three.
    void doublesAreCountedAsTheyAre() {
        const double infinity = std::numeric_limits<double>::infinity(), most = std::numeric_limits<double>::max();
        const Statistics s = of<double>({-most, 1e300, 1e-60, -1e-200, 0x1p-1074, 1, 0, -0.0, infinity, std::nan("")});
        QCOMPARE(s.values(), int64_t(10));
        QCOMPARE(s.zeros(), int64_t(2));
        QCOMPARE(s.infinite(), int64_t(1));
        QCOMPARE(s.nan(), int64_t(1));
        QCOMPARE(s.minimum(), -most);
        QCOMPARE(s.maximum(), 1e300);
        for (const Loss& loss : s.losses()) {
            QCOMPARE(loss.overflowed, int64_t(2));
            QCOMPARE(loss.flushed, int64_t(3));
        }
        QCOMPARE(*s.exponentPercentile(0), -1074);
        QCOMPARE(*s.exponentPercentile(1), 1023);
        QCOMPARE(s.exponents()[static_cast<size_t>(996 - s.lowest())], int64_t(1));  // 1e300 is 1.49 · 2^996
        QCOMPARE(s.exponents()[static_cast<size_t>(-200 - s.lowest())], int64_t(1)); // 1e-60 is 1.61 · 2^-200
        // 65536 would be infinite; the largest double is a little less than 2^1024.
        QCOMPARE(*s.bestScale(number::floatFormat("f16")), 14 - 1023);
    }

    /// Each is as near to a limit as a double can be: rounded to f32 first, it would be the limit itself.
    void roundingTwiceIsNotCounted_data() {
        QTest::addColumn<double>("limit");
        QTest::addColumn<int>("format"); // of judgedFormats()
        QTest::addColumn<bool>("lostAt");
        QTest::newRow("f16 overflows from 65520") << 65520.0 << 0 << true;
        QTest::newRow("f16 flushes up to 2^-25") << 0x1p-25 << 0 << true;
        QTest::newRow("bf16 overflows from 2^128 - 2^119") << 0x1.ffp127 << 1 << true;
        QTest::newRow("bf16 flushes up to 2^-134") << 0x1p-134 << 1 << true;
        QTest::newRow("e4m3 overflows beyond 464") << 464.0 << 2 << false; // the tie goes to 448
        QTest::newRow("e4m3 flushes up to 2^-10") << 0x1p-10 << 2 << true;
        QTest::newRow("e5m2 overflows from 61440") << 61440.0 << 3 << true;
        QTest::newRow("e5m2 flushes up to 2^-17") << 0x1p-17 << 3 << true;
    }
    void roundingTwiceIsNotCounted() {
        QFETCH(double, limit);
        QFETCH(int, format);
        QFETCH(bool, lostAt);
        const auto lost = [&](double x) {
            const Loss loss = of<double>({x, -x}).losses()[static_cast<size_t>(format)];
            return limit > 1 ? loss.overflowed : loss.flushed;
        };
        const double below = std::nextafter(limit, 0.0), above = std::nextafter(limit, 1e300);
        QCOMPARE(lost(limit), int64_t(lostAt ? 2 : 0));
        QCOMPARE(lost(limit > 1 ? above : below), int64_t(2));
        QCOMPARE(lost(limit > 1 ? below : above), int64_t(0));
    }

    void floatsAndDoublesAddUp() {
        Statistics s;
        s.add(std::span<const float>(std::vector<float>{2, 0x1p-149f}));
        s.add(std::span<const double>(std::vector<double>{2, 0x1p-1000}));
        s.add(std::span<const float>(std::vector<float>{2}));
        QCOMPARE(s.values(), int64_t(5));
        for (const auto& [exponent, count] : {std::pair(1, 3), {-149, 1}, {-1000, 1}})
            QCOMPARE(s.exponents()[static_cast<size_t>(exponent - s.lowest())], int64_t(count));
    }

    void theBestScaleIsTheLastThatDoesNotOverflow() {
        const auto& f16 = number::floatFormat("f16");
        QCOMPARE(*of<float>({1}).bestScale(f16), 15); // 65536 would be infinite
        QCOMPARE(*of<float>({65504}).bestScale(f16), 0);
        QCOMPARE(*of<float>({65536}).bestScale(f16), -1);
        QCOMPARE(*of<float>({0.9f, -3}).bestScale(f16), 14); // 49152
        QCOMPARE(*of<float>({448}).bestScale(number::floatFormat("e4m3")), 0);
        QVERIFY(!of<float>({0, 0}).bestScale(f16));
    }

    void nothingIsSaidOfNothing() {
        const Statistics s;
        QVERIFY(std::isnan(s.minimum()) && std::isnan(s.maximum()));
        QVERIFY(!s.exponentPercentile(0.5) && !s.bestScale(number::floatFormat("f16")));
    }
};

QTEST_GUILESS_MAIN(StatisticsTest)
#include "statistics_test.moc"
