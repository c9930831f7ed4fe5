// SPDX-License-Identifier: GPL-3.0-or-later
// Number formats against tables and roundings of ml_dtypes, the compiler's own types, and the definition of each
// rounding over all codes.
#include "core/formats/tensor_file.h"
#include "core/precision/stored.h"
#include "gpu/number/float_format.h"

#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

using namespace warplight;
using namespace warplight::number;

namespace {

std::vector<float> oracle(const char* file, const std::string& key) {
    return formats::loadTensor(std::string(WARPLIGHT_TEST_DATA "/oracles/precision/") + file + ".npz:" + key).values;
}

bool same(double a, double b) {
    return (std::isnan(a) && std::isnan(b)) || (a == b && std::signbit(a) == std::signbit(b));
}

/// All finite numbers of a format, ascending, -0 left out.
std::vector<double> numbersOf(const FloatFormat& f) {
    std::vector<double> all;
    for (uint64_t code = 0; code < uint64_t(1) << f.bits(); ++code)
        if (const double x = decode(code, f); std::isfinite(x) && !(x == 0 && std::signbit(x)))
            all.push_back(x);
    std::sort(all.begin(), all.end());
    return all;
}

void smallFormats() {
    QTest::addColumn<QString>("format");
    for (const FloatFormat& f : floatFormats())
        if (f.bits() <= 16)
            QTest::newRow(std::string(f.id).c_str()) << QString::fromStdString(std::string(f.id));
}

} // namespace

class FloatFormatTest : public QObject {
    Q_OBJECT
  private slots:
    void everyCodeHasItsValue_data() {
        QTest::addColumn<QString>("format");
        QTest::addColumn<QString>("file");
        QTest::addColumn<QString>("key");
        QTest::newRow("f16") << "f16"
                             << "code_tables"
                             << "f16";
        QTest::newRow("bf16") << "bf16"
                              << "code_tables"
                              << "bf16";
        for (const char* id : {"e5m2", "e4m3", "e3m2", "e2m3", "e2m1"})
            QTest::newRow(id) << id << "small_formats" << QString(id) + "_values";
    }
    void everyCodeHasItsValue() {
        QFETCH(QString, format);
        QFETCH(QString, file);
        QFETCH(QString, key);
        const FloatFormat& f = floatFormat(format.toStdString());
        const std::vector<float> values = oracle(file.toUtf8().constData(), key.toStdString());
        QCOMPARE(values.size(), size_t(1) << f.bits());
        for (size_t code = 0; code < values.size(); ++code) {
            const double value = decode(code, f);
            QVERIFY2(same(value, static_cast<double>(values[code])), qPrintable(QString("code %1").arg(code)));
            if (!std::isnan(value))
                QCOMPARE(encode(value, f), static_cast<uint64_t>(code));
        }
    }

    void nearestIsThatOfMlDtypes_data() {
        QTest::addColumn<QString>("format");
        QTest::addColumn<QString>("file");
        QTest::addColumn<QString>("key");
        QTest::newRow("f16") << "f16"
                             << "rounding"
                             << "f16";
        QTest::newRow("bf16") << "bf16"
                              << "rounding"
                              << "bf16";
        for (const char* id : {"e5m2", "e4m3", "e3m2", "e2m3", "e2m1"})
            QTest::newRow(id) << id << "small_formats" << QString(id) + "_rounded";
    }
    void nearestIsThatOfMlDtypes() {
        QFETCH(QString, format);
        QFETCH(QString, file);
        QFETCH(QString, key);
        const FloatFormat& f = floatFormat(format.toStdString());
        const std::string name = file.toStdString();
        const std::vector<float> x = oracle(name.c_str(), "x"), expected = oracle(name.c_str(), key.toStdString());
        for (size_t i = 0; i < x.size(); ++i) {
            if (std::isnan(x[i]) && f.specials == FloatFormat::Specials::None)
                continue; // ml_dtypes makes it 0, PTX the largest number
            QVERIFY2(same(rounded(static_cast<double>(x[i]), f), static_cast<double>(expected[i])),
                     qPrintable(QString("%1 becomes %2, expected %3")
                                    .arg(static_cast<double>(x[i]))
                                    .arg(rounded(static_cast<double>(x[i]), f))
                                    .arg(static_cast<double>(expected[i]))));
        }
    }

    void f32AndF16AreTheCompilersOwn() {
        std::mt19937_64 random(5);
        for (int i = 0; i < 200000; ++i) {
            const double wide = decode(random(), floatFormat("f64"));
            const auto narrow = static_cast<float>(decode(random() & 0xffffffff, floatFormat("f32")));
            if (!std::isnan(wide))
                QVERIFY(same(rounded(wide, floatFormat("f32")), static_cast<double>(static_cast<float>(wide))));
            if (!std::isnan(narrow))
                QVERIFY(same(rounded(static_cast<double>(narrow), floatFormat("f16")),
                             static_cast<double>(static_cast<float>(static_cast<_Float16>(narrow)))));
            QVERIFY(same(rounded(wide, floatFormat("f64")), wide));
        }
    }

    void everyRoundingIsWhatItsNameSays_data() { smallFormats(); }
    void everyRoundingIsWhatItsNameSays() {
        QFETCH(QString, format);
        const FloatFormat& f = floatFormat(format.toStdString());
        const std::vector<double> all = numbersOf(f);
        std::mt19937 random(9);
        for (int i = 0; i < 3000; ++i) {
            // Between two neighbours, at a number, or half way.
            const size_t at = random() % (all.size() - 1);
            const double low = all[at], high = all[at + 1],
                         share = i % 5 == 0   ? 0.5
                                 : i % 5 == 1 ? 0
                                              : random() / 0x1p32,
                         x = low + share * (high - low);
            if (x == 0)
                continue;
            const double below = x == high ? high : low, above = x == low ? low : high;
            QCOMPARE(rounded(x, f, Rounding::Down), below);
            QCOMPARE(rounded(x, f, Rounding::Up), above);
            QCOMPARE(rounded(x, f, Rounding::TowardZero), x > 0 ? below : above);
            const double nearest = rounded(x, f);
            if (x - low != high - x)
                QCOMPARE(nearest, x - low < high - x ? low : high);
            else
                QVERIFY(encode(nearest, f) % 2 == 0 && (nearest == low || nearest == high));
        }
    }

    void beyondTheRange_data() { smallFormats(); }
    void beyondTheRange() {
        QFETCH(QString, format);
        const FloatFormat& f = floatFormat(format.toStdString());
        const double most = f.largest(), half = spacing(most, f) / 2,
                     infinity = std::numeric_limits<double>::infinity();
        const double lost = f.specials == FloatFormat::Specials::None     ? most
                            : f.specials == FloatFormat::Specials::OneNan ? std::numeric_limits<double>::quiet_NaN()
                                                                          : infinity;
        for (const double sign : {1.0, -1.0}) {
            QCOMPARE(rounded(sign * (most + half * 0.99), f), sign * most);
            for (const double x : {most + half * 1.01, most * 3, most * 1e9, infinity}) {
                QVERIFY(same(rounded(sign * x, f), sign * lost) ||
                        (std::isnan(lost) && std::isnan(rounded(sign * x, f))));
                QCOMPARE(rounded(sign * x, f, Rounding::NearestEven, Beyond::Saturate), sign * most);
                if (std::isfinite(x)) {
                    QCOMPARE(rounded(sign * x, f, Rounding::TowardZero), sign * most);
                    QCOMPARE(rounded(sign * x, f, sign > 0 ? Rounding::Down : Rounding::Up), sign * most);
                }
            }
        }
    }

    void chanceRoundsUpAsOftenAsTheDistanceSays() {
        std::mt19937_64 random(3);
        std::uniform_real_distribution<double> dice(0, 1);
        for (const char* id : {"f16", "e4m3", "e2m1"}) {
            const FloatFormat& f = floatFormat(id);
            for (const double x : {1.0 + f.epsilon() * 0.3, -1.0 - f.epsilon() * 0.8, f.leastSubnormal() * 0.25}) {
                const int draws = 20000;
                double sum = 0;
                for (int i = 0; i < draws; ++i)
                    sum += rounded(x, f, Rounding::Stochastic, Beyond::Infinity, dice(random));
                const double unit = spacing(x, f), share = std::fabs(std::fmod(x, unit)) / unit,
                             standardError = unit * std::sqrt(share * (1 - share) / draws);
                QVERIFY2(std::fabs(sum / draws - x) <= 4 * standardError, id);
            }
        }
        QCOMPARE(rounded(2.0, floatFormat("f16"), Rounding::Stochastic, Beyond::Infinity, 0.0), 2.0); // exact ones stay
    }

    void neighboursAreThoseOfTheTable_data() { smallFormats(); }
    void neighboursAreThoseOfTheTable() {
        QFETCH(QString, format);
        const FloatFormat& f = floatFormat(format.toStdString());
        const std::vector<double> all = numbersOf(f);
        for (size_t i = 0; i + 1 < all.size(); ++i) {
            QCOMPARE(next(all[i], f, true), all[i + 1]);
            QCOMPARE(next(all[i + 1], f, false), all[i]);
            if (all[i] >= 0)
                QCOMPARE(spacing(all[i], f), all[i + 1] - all[i]);
        }
        QVERIFY(!std::isfinite(next(f.largest(), f, true)));
        QVERIFY(!std::isfinite(next(-f.largest(), f, false)));
    }

    /// Figures of precision.md, and of the formats' specifications.
    void limitsAreThoseThatArePublished() {
        QCOMPARE(floatFormat("f16").largest(), 65504.0);
        QCOMPARE(floatFormat("bf16").largest(), 3.3895313892515355e38);
        QCOMPARE(floatFormat("f32").largest(), 3.4028234663852886e38);
        QCOMPARE(floatFormat("f64").largest(), std::numeric_limits<double>::max());
        QCOMPARE(floatFormat("e4m3").largest(), 448.0);
        QCOMPARE(floatFormat("e5m2").largest(), 57344.0);
        QCOMPARE(floatFormat("e3m2").largest(), 28.0);
        QCOMPARE(floatFormat("e2m3").largest(), 7.5);
        QCOMPARE(floatFormat("e2m1").largest(), 6.0);
        QCOMPARE(floatFormat("f16").leastSubnormal(), 0x1p-24);
        QCOMPARE(floatFormat("bf16").leastSubnormal(), 9.183549615799121e-41);
        QCOMPARE(floatFormat("e4m3").leastNormal(), 0.015625);
        QCOMPARE(floatFormat("tf32").epsilon(), 0x1p-10);
    }

    void whatBecameOfAValueIsNamed_data() {
        QTest::addColumn<double>("value");
        QTest::addColumn<QString>("format");
        QTest::addColumn<bool>("saturate");
        QTest::addColumn<QString>("state");
        const auto row = [](const char* name, double value, const char* format, const char* state,
                            bool saturate = false) { QTest::newRow(name) << value << format << saturate << state; };
        row("exact", 0.5, "f16", "exact");
        row("rounded", 0.1, "f16", "rounded");
        row("subnormal", 0x1p-20, "f16", "subnormal");
        row("flushed", 0x1p-25, "f16", "flushed to 0");
        row("zero", 0, "e4m3", "exact");
        row("overflow", 65520, "f16", "overflowed");
        row("just not", 65519, "f16", "rounded");
        row("to NaN", 465, "e4m3", "overflowed");
        row("saturated", 1e6, "e4m3", "saturated", true);
        row("has no infinity", 100, "e2m1", "saturated");
        row("NaN", std::numeric_limits<double>::quiet_NaN(), "f16", "NaN");
        row("infinity stays", std::numeric_limits<double>::infinity(), "f16", "exact");
    }
    void whatBecameOfAValueIsNamed() {
        QFETCH(double, value);
        QFETCH(QString, format);
        QFETCH(bool, saturate);
        const auto s = precision::stored(value, floatFormat(format.toStdString()), Rounding::NearestEven,
                                         saturate ? Beyond::Saturate : Beyond::Infinity);
        QTEST(QString::fromStdString(precision::nameOf(s.state)), "state");
    }
};

QTEST_GUILESS_MAIN(FloatFormatTest)
#include "float_format_test.moc"
