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
#include <vector>

using namespace warplight;
using namespace warplight::precision;

namespace {

Statistics of(const std::vector<float>& values) {
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
        const Statistics s = of({0, -0.0f, 1, 1.5f, -8, 0x1p-140f, infinity, -infinity, std::nanf(""), 3});
        QCOMPARE(s.values(), int64_t(10));
        QCOMPARE(s.zeros(), int64_t(2));
        QCOMPARE(s.nan(), int64_t(1));
        QCOMPARE(s.infinite(), int64_t(2));
        QCOMPARE(s.minimum(), -8.0);
        QCOMPARE(s.maximum(), 3.0);
        QCOMPARE(s.absoluteMaximum(), 8.0);
        QCOMPARE(s.exponents()[0 - Statistics::lowest], int64_t(2));
        QCOMPARE(s.exponents()[1 - Statistics::lowest], int64_t(1));
        QCOMPARE(s.exponents()[3 - Statistics::lowest], int64_t(1));
        QCOMPARE(s.exponents()[-140 - Statistics::lowest], int64_t(1));
        QCOMPARE(*s.exponentPercentile(0), -140);
        QCOMPARE(*s.exponentPercentile(0.5), 0); // of -140, 0, 0, 1, 3
        QCOMPARE(*s.exponentPercentile(1), 3);
    }

    void theBestScaleIsTheLastThatDoesNotOverflow() {
        const auto& f16 = number::floatFormat("f16");
        QCOMPARE(*of({1}).bestScale(f16), 15); // 65536 would be infinite
        QCOMPARE(*of({65504}).bestScale(f16), 0);
        QCOMPARE(*of({65536}).bestScale(f16), -1);
        QCOMPARE(*of({0.9f, -3}).bestScale(f16), 14); // 49152
        QCOMPARE(*of({448}).bestScale(number::floatFormat("e4m3")), 0);
        QVERIFY(!of({0, 0}).bestScale(f16));
    }

    void nothingIsSaidOfNothing() {
        const Statistics s;
        QVERIFY(std::isnan(s.minimum()) && std::isnan(s.maximum()) && std::isnan(s.mean()));
        QVERIFY(!s.exponentPercentile(0.5) && !s.bestScale(number::floatFormat("f16")));
    }
};

QTEST_GUILESS_MAIN(StatisticsTest)
#include "statistics_test.moc"
