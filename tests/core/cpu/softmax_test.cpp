// SPDX-License-Identifier: GPL-3.0-or-later
// Softmax of rows: double precision, closed forms, and what holds whatever the numbers are; for every instruction set.
#include "core/cpu/softmax/softmax.h"
#include "core/cpu/target.h"
#include "core/error.h"
#include "each_rung.h"
#include "guarded.h"

#include <QTest>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <limits>
#include <random>
#include <string>
#include <vector>

using namespace warplight;
using namespace warplight::test;
using cpu::SoftmaxRung;

namespace {

constexpr float notANumber = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();

struct Size {
    int64_t rows, columns;
};
constexpr Size sizes[] = {{1, 1},  {3, 2},   {5, 7},    {4, 16},   {2, 33},    {3, 64},
                          {7, 65}, {3, 255}, {2, 1000}, {1, 4099}, {1000, 40}, {2, 2 * cpu::softmaxPiece + 77}};

std::vector<float> gaussian(int64_t count, float size) {
    std::mt19937 random(7);
    std::normal_distribution<float> normal(0, size);
    std::vector<float> x(static_cast<size_t>(count));
    for (float& value : x)
        value = normal(random);
    return x;
}

} // namespace

class SoftmaxTest : public QObject {
    Q_OBJECT

    static SoftmaxRung fetched() {
        QFETCH_GLOBAL(int, rung);
        return static_cast<SoftmaxRung>(rung);
    }
    static Guarded run(const std::vector<float>& x, int64_t rows, int64_t columns,
                       const cpu::RunOptions& options = {}) {
        Guarded y(rows * columns);
        const cpu::SoftmaxProblem p{rows, columns, x.data(), y.data()};
        const int64_t held = cpu::softmax(fetched(), p, options).extraBytes;
        if (held > cpu::extraBytesAtMost(fetched(), p, options.threads) || !y.intact())
            QTest::qFail("extra bytes or guards", __FILE__, __LINE__);
        return y;
    }

    /// A number whose weight is exactly 1 when it is the largest: without its maximum taken off, 0 alone.
    static float anywhere(float x) { return fetched() == SoftmaxRung::NoMax ? 0 : x; }

  private slots:
    void initTestCase_data() {
        addRungs(cpu::softmaxRungs(), [](SoftmaxRung) { return true; });
    }
    void init() { useTargetOfRow(); }
    void cleanup() { cpu::useTarget(""); }

    void equalsDoublePrecision_data() {
        QTest::addColumn<int>("size");
        QTest::addColumn<float>("spread");
        for (int s = 0; s < static_cast<int>(std::size(sizes)); ++s)
            for (const float spread : {0.0f, 1.0f, 30.0f})
                QTest::addRow("%lld x %lld, spread %g", static_cast<long long>(sizes[s].rows),
                              static_cast<long long>(sizes[s].columns), static_cast<double>(spread))
                    << s << spread;
    }
    void equalsDoublePrecision() {
        QFETCH(int, size);
        QFETCH(float, spread);
        if (spread > 1 && fetched() == SoftmaxRung::NoMax)
            return; // rows that overflow
        const auto [rows, columns] = sizes[size];
        const std::vector<float> x = gaussian(rows * columns, spread);
        const Guarded y = run(x, rows, columns);
        double worst = 0;
        for (int64_t r = 0; r < rows; ++r) {
            const float* row = x.data() + r * columns;
            const double max = static_cast<double>(*std::max_element(row, row + columns));
            double sum = 0;
            for (int64_t i = 0; i < columns; ++i)
                sum += std::exp(static_cast<double>(row[i]) - max);
            for (int64_t i = 0; i < columns; ++i) {
                const double below = static_cast<double>(row[i]) - max, want = std::exp(below) / sum;
                // The exponent is rounded twice, in units of its size; what is below f32's normal numbers may be 0.
                const double bound = want * 0x1p-24 * (16 + 4 * std::fabs(below)) + 0x1p-125;
                const double error = std::fabs(static_cast<double>(y[static_cast<size_t>(r * columns + i)]) - want);
                worst = std::max(worst, std::isnan(error) ? inf : error / bound);
            }
        }
        QVERIFY2(worst <= 1, qPrintable(QString("off by %1 of the bound").arg(worst)));
    }

    void equalElementsShareEvenly() {
        for (const int64_t columns : {1, 2, 64, 128, 4096, 1 << 17}) {
            const Guarded y = run(std::vector<float>(static_cast<size_t>(columns), anywhere(-3.25f)), 1, columns);
            const float share = 1 / static_cast<float>(columns); // exact: a power of two
            size_t equal = 0;
            for (size_t i = 0; i < y.size(); ++i)
                equal += y[i] == share;
            QCOMPARE(equal, y.size());
        }
    }

    void withoutTheMaximumRowsOverflow() { // and lose everything far below
        if (fetched() != SoftmaxRung::NoMax)
            return;
        const float most = std::log(std::numeric_limits<float>::max()); // 88.72
        for (const size_t columns : {size_t{3}, size_t{100}}) {
            const auto n = static_cast<int64_t>(columns);
            std::vector<float> x(columns, -10);
            x[1] = most - 0.01f;
            const Guarded fits = run(x, 1, n);
            QVERIFY(std::fabs(fits[1] - 1) < 1e-5f && fits[0] < 1e-37f);
            x[1] = most + 0.01f;
            const Guarded over = run(x, 1, n);
            for (size_t i = 0; i < columns; ++i)
                QVERIFY(i == 1 ? std::isnan(over[i]) : over[i] == 0);
            const Guarded under = run(std::vector<float>(columns, -105), 1, n);
            QVERIFY(std::isnan(under[0])); // 0/0; and yet each share is 1/n
        }
    }

    void anyOffsetGivesTheSame() {
        if (fetched() == SoftmaxRung::NoMax)
            return;
        const std::vector<float> small{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
        std::vector<float> large = small;
        for (float& x : large)
            x += 65536;
        QVERIFY(run(small, 1, 17) == run(large, 1, 17));
    }

    void aRisingRowIsRescaledRightly() { // the worst case of the online recurrence
        if (fetched() == SoftmaxRung::NoMax)
            return;
        std::vector<float> x;
        for (int i = 0; i < 3000; ++i)
            x.push_back(static_cast<float>(i) / 8);
        const Guarded y = run(x, 1, 3000);
        for (size_t i = 0; i < y.size(); ++i) {
            const double want = std::exp((static_cast<double>(i) - 2999) / 8) * -std::expm1(-1.0 / 8);
            QVERIFY(std::fabs(static_cast<double>(y[i]) - want) <= 5e-5 * want + 0x1p-125);
        }
    }

    void nothingThatIsNoNumberIsHidden_data() {
        QTest::addColumn<int>("columns");
        for (const int64_t columns : {1, 5, 40, 600, 2 * static_cast<int>(cpu::softmaxPiece) + 9})
            QTest::addRow("%lld", static_cast<long long>(columns)) << static_cast<int>(columns);
    }
    void nothingThatIsNoNumberIsHidden() {
        QFETCH(int, columns);
        const auto n = static_cast<size_t>(columns);
        const auto each = [&](const std::vector<float>& x, const auto& check) {
            const Guarded y = run(x, 1, columns);
            size_t i = 0;
            while (i < n && check(y[i], i))
                ++i;
            QVERIFY2(i == n, qPrintable(QString("[%1] is %2").arg(i).arg(static_cast<double>(y[i]))));
        };
        const auto isNan = [](float y, size_t) { return std::isnan(y); };
        for (const size_t at : {size_t{0}, n / 2, n - 1}) {
            for (const float poison : {notANumber, -notANumber, inf}) {
                std::vector<float> x(n, 0.5f);
                x[at] = poison;
                if (poison == inf && fetched() == SoftmaxRung::NoMax) { // inf/inf, and something/inf
                    each(x, [at](float y, size_t i) { return i == at ? std::isnan(y) : y == 0; });
                    continue;
                }
                each(x, isNan);
                std::fill(x.begin(), x.end(), -inf);
                x[at] = poison;
                each(x, isNan);
            }
            std::vector<float> x(n, -inf);
            x[at] = anywhere(-7); // the only one that counts
            each(x, [at](float y, size_t i) { return y == (i == at ? 1.0f : 0.0f); });
        }
        each(std::vector<float>(n, -inf), isNan); // 0/0
        each(std::vector<float>(n, notANumber), isNan);
    }

    void bitsDoNotDependOnThreads() {
        for (const auto& [rows, columns] : {Size{300, 333}, Size{2, 3 * cpu::softmaxPiece + 5}}) {
            const std::vector<float> x = gaussian(rows * columns, 3);
            const Guarded first = run(x, rows, columns, {1});
            for (const int threads : {2, 3, 4, 5})
                QVERIFY(first == run(x, rows, columns, {threads}));
        }
    }

    void cancelIsHeard() {
        const std::atomic<bool> cancel{true};
        const std::vector<float> x(1000);
        QVERIFY_EXCEPTION_THROWN(run(x, 10, 100, {1, &cancel}), Cancelled);
    }

    void nothingIsAskedFor() {
        run({}, 0, 5);
        run({}, 5, 0);
        QVERIFY_EXCEPTION_THROWN(cpu::softmax(fetched(), {-1, 2}), InputError);
    }
};

QTEST_GUILESS_MAIN(SoftmaxTest)
#include "softmax_test.moc"
