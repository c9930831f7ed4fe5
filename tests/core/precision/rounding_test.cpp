// SPDX-License-Identifier: GPL-3.0-or-later
// Tensors rounded to formats: blocks against NumPy and ml_dtypes (tests/oracles/precision/make_blocks.py), counts on
// numbers of which the answer is known.
#include "core/error.h"
#include "core/formats/tensor_file.h"
#include "core/precision/rounding.h"

#include <QTest>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

using namespace warplight;
using namespace warplight::precision;

namespace {

std::vector<float> blocks(const std::string& key) {
    return formats::loadTensor(std::string(WARPLIGHT_TEST_DATA "/oracles/precision/blocks.npz:") + key).values;
}

} // namespace

class RoundingTest : public QObject {
    Q_OBJECT
  private slots:
    void blocksAreThoseOfNumPy_data() {
        QTest::addColumn<QString>("format");
        for (const BlockFormat& f : blockFormats())
            QTest::newRow(std::string(f.id).c_str()) << QString::fromStdString(std::string(f.id));
    }
    void blocksAreThoseOfNumPy() {
        QFETCH(QString, format);
        std::vector<float> made = blocks("x");
        const std::vector<float> expected = blocks(format.toStdString());
        roundTo(made, targetByName(format.toStdString()));
        for (size_t i = 0; i < made.size(); ++i)
            QVERIFY2(made[i] == expected[i],
                     qPrintable(QString("%1: %2, expected %3").arg(i).arg(double(made[i])).arg(double(expected[i]))));
    }

    void everyNumberIsCountedForWhatItBecame() {
        const float infinity = std::numeric_limits<float>::infinity();
        std::vector<float> x{1, 0.1f, 0x1p-20f, 0x1p-26f, 65519, 65520, -1e9f, 0, -0.0f, infinity, std::nanf("")};
        const RoundingCounts c = roundTo(x, targetByName("f16"));
        QCOMPARE(c.values, int64_t(11));
        QCOMPARE(c.exact, int64_t(4)); // 1, 2^-20 and both zeros
        QCOMPARE(c.subnormal, int64_t(1));
        QCOMPARE(c.flushed, int64_t(1));
        QCOMPARE(c.overflowed, int64_t(2));
        QCOMPARE(c.saturated, int64_t(0));
        QCOMPARE(c.infinite, int64_t(1));
        QCOMPARE(c.nan, int64_t(1));
        QVERIFY(std::fabs(c.largestRelativeError - 2.44155523e-4) < 1e-12); // 0.1f became 0.0999755859375
        QCOMPARE(x[5], infinity);
        QCOMPARE(x[6], -infinity);
        QCOMPARE(x[3], 0.0f);
        QVERIFY(std::signbit(x[8]));
        std::vector<float> y{65520, -1e9f};
        QCOMPARE(
            roundTo(y, targetByName("f16"), {number::Rounding::NearestEven, number::Beyond::Saturate, 1, 0}).saturated,
            int64_t(2));
        QVERIFY(y == (std::vector<float>{65504, -65504}));
    }

    /// Loss scaling: × 8 recovers 2^-27 to 2^-24 in f16 and not 2^-28; × 1024 recovers it (precision.md).
    void aScaleMovesNumbersIntoTheRange() {
        for (const auto& [scale, kept] : {std::pair(1.0, 0), std::pair(8.0, 3), std::pair(1024.0, 4)}) {
            std::vector<float> x{0x1p-25f, 0x1p-26f, 0x1p-27f, 0x1p-28f};
            const std::vector<float> given = x;
            HowToRound how;
            how.scale = scale;
            const RoundingCounts c = roundTo(x, targetByName("f16"), how);
            QCOMPARE(c.flushed, int64_t(4 - kept));
            QVERIFY(std::equal(x.begin(), x.begin() + kept, given.begin()));
        }
    }

    void chanceDependsOnSeedAndPlaceAlone() {
        HowToRound how;
        how.rounding = number::Rounding::Stochastic;
        how.seed = 7;
        const std::vector<float> given(200000, 1.0f + 0.3f * 0x1p-10f);
        std::vector<float> whole = given, again = given, other = given;
        roundTo(whole, targetByName("f16"), how);
        roundTo(again, targetByName("f16"), how);
        QVERIFY(whole == again);
        how.seed = 8;
        roundTo(other, targetByName("f16"), how);
        QVERIFY(whole != other);
        const double up = static_cast<double>(std::count(whole.begin(), whole.end(), 1.0f + 0x1p-10f)) / 200000;
        QVERIFY(std::fabs(up - 0.3) < 4 * std::sqrt(0.3 * 0.7 / 200000));
    }

    void formatsAreNamed() {
        for (const std::string& name : targetNames())
            QCOMPARE(targetByName(name).id(), name);
        QVERIFY_THROWS_EXCEPTION(InputError, targetByName("fp16"));
    }

    void cancelling() {
        const std::atomic<bool> cancel{true};
        std::vector<float> x(10, 1);
        for (const char* format : {"f16", "mxfp4"})
            QVERIFY_THROWS_EXCEPTION(Cancelled, roundTo(x, targetByName(format), {}, &cancel));
    }
};

QTEST_GUILESS_MAIN(RoundingTest)
#include "rounding_test.moc"
