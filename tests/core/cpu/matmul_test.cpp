// SPDX-License-Identifier: GPL-3.0-or-later
// The matrix product: double precision, closed forms, and what holds whatever the numbers are; for every instruction
// set.
#include "core/cpu/matmul/matmul.h"
#include "core/cpu/target.h"
#include "core/error.h"
#include "each_rung.h"
#include "guarded.h"

#include <QTest>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

using namespace warplight;
using namespace warplight::test;
using cpu::MatmulRung;

namespace {

struct Size {
    int64_t m, n, k;
};
constexpr Size sizes[] = {{1, 1, 1},    {1, 70, 3},   {7, 1, 5},       {6, 16, 8},    {13, 33, 65},
                          {64, 64, 64}, {97, 65, 30}, {100, 129, 257}, {2, 300, 520}, {203, 2100, 9}};

std::vector<float> gaussian(int64_t count, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    std::vector<float> x(static_cast<size_t>(count));
    for (float& value : x)
        value = normal(random);
    return x;
}

} // namespace

class MatmulTest : public QObject {
    Q_OBJECT

    static MatmulRung fetched() {
        QFETCH_GLOBAL(int, rung);
        return static_cast<MatmulRung>(rung);
    }
    static Guarded run(const Size& s, bool transposed, const std::vector<float>& a, const std::vector<float>& b,
                       const cpu::RunOptions& options = {}) {
        Guarded c(s.m * s.n);
        const cpu::MatmulProblem p{s.m, s.n, s.k, transposed, a.data(), b.data(), c.data()};
        const int64_t held = cpu::matmul(fetched(), p, options).extraBytes;
        if (held > cpu::extraBytesAtMost(fetched(), p, options.threads) || !c.intact())
            QTest::qFail("extra bytes or guards", __FILE__, __LINE__);
        return c;
    }
    /// An element of B, whichever way it lies.
    static float& at(std::vector<float>& b, const Size& s, bool transposed, int64_t k, int64_t j) {
        return b[static_cast<size_t>(transposed ? j * s.k + k : k * s.n + j)];
    }

  private slots:
    void initTestCase_data() {
        addRungs(cpu::matmulRungs(), [](MatmulRung id) { return id >= MatmulRung::Blocked; });
    }
    void init() { useTargetOfRow(); }
    void cleanup() { cpu::useTarget(""); }

    void equalsDoublePrecision_data() {
        QTest::addColumn<int>("size");
        QTest::addColumn<bool>("transposed");
        for (int s = 0; s < static_cast<int>(std::size(sizes)); ++s)
            for (const bool transposed : {false, true})
                QTest::addRow("%lld x %lld x %lld%s", static_cast<long long>(sizes[s].m),
                              static_cast<long long>(sizes[s].n), static_cast<long long>(sizes[s].k),
                              transposed ? ", B transposed" : "")
                    << s << transposed;
    }
    void equalsDoublePrecision() {
        QFETCH(int, size);
        QFETCH(bool, transposed);
        const Size& s = sizes[size];
        const std::vector<float> a = gaussian(s.m * s.k, 1);
        std::vector<float> b = gaussian(s.k * s.n, 2);
        const Guarded c = run(s, transposed, a, b);
        double worst = 0; // what is above its bound
        for (int64_t i = 0; i < s.m; ++i)
            for (int64_t j = 0; j < s.n; ++j) {
                double sum = 0, size2 = 0;
                for (int64_t k = 0; k < s.k; ++k) {
                    const double term = static_cast<double>(a[static_cast<size_t>(i * s.k + k)]) *
                                        static_cast<double>(at(b, s, transposed, k, j));
                    sum += term;
                    size2 += std::fabs(term);
                }
                const double bound = fetched() == MatmulRung::Reference ? 0x1p-24 * std::fabs(sum)
                                                                        : 0x1p-24 * static_cast<double>(s.k) * size2;
                worst =
                    std::max(worst, std::fabs(static_cast<double>(c[static_cast<size_t>(i * s.n + j)]) - sum) - bound);
            }
        QCOMPARE(worst, 0.0);
    }

    void identityGivesTheOther() {
        const Size s{70, 70, 70};
        std::vector<float> identity(70 * 70);
        for (size_t i = 0; i < 70; ++i)
            identity[i * 71] = 1;
        const std::vector<float> x = gaussian(70 * 70, 3);
        const Guarded left = run(s, false, identity, x), right = run(s, true, x, identity);
        for (size_t i = 0; i < x.size(); ++i) {
            QCOMPARE(left[i], x[i]);
            QCOMPARE(right[i], x[i]);
        }
    }

    void transposedLeftGivesTheSameBits() {
        for (const Size& s : sizes) {
            const std::vector<float> a = gaussian(s.m * s.k, 1), b = gaussian(s.k * s.n, 2);
            std::vector<float> columns(a.size());
            for (int64_t i = 0; i < s.m; ++i)
                for (int64_t k = 0; k < s.k; ++k)
                    columns[static_cast<size_t>(k * s.m + i)] = a[static_cast<size_t>(i * s.k + k)];
            Guarded c(s.m * s.n);
            cpu::MatmulProblem p{s.m, s.n, s.k, false, columns.data(), b.data(), c.data()};
            p.transposedA = true;
            QVERIFY(cpu::matmul(fetched(), p).extraBytes <= cpu::extraBytesAtMost(fetched(), p));
            QVERIFY(c.intact());
            QVERIFY(c == run(s, false, a, b));
        }
    }

    void nanStaysInItsRowAndColumn() {
        const Size s{20, 75, 40};
        for (const bool transposed : {false, true}) {
            std::vector<float> a = gaussian(s.m * s.k, 1), b = gaussian(s.k * s.n, 2);
            a[5 * 40 + 7] = std::numeric_limits<float>::quiet_NaN();
            at(b, s, transposed, 39, 74) = std::numeric_limits<float>::infinity();
            a[19 * 40 + 39] = 0; // 0 · inf
            const Guarded c = run(s, transposed, a, b);
            for (int64_t i = 0; i < s.m; ++i)
                for (int64_t j = 0; j < s.n; ++j) {
                    const float x = c[static_cast<size_t>(i * s.n + j)];
                    QCOMPARE(std::isnan(x), i == 5 || (i == 19 && j == 74));
                    QCOMPARE(std::isfinite(x), i != 5 && j != 74);
                }
        }
    }

    void bitsDoNotDependOnThreads() {
        const Size s{205, 515, 300};
        const std::vector<float> a = gaussian(s.m * s.k, 1), b = gaussian(s.k * s.n, 2);
        const Guarded first = run(s, false, a, b, {1});
        for (const int threads : {2, 3, 4, 5})
            QVERIFY(first == run(s, false, a, b, {threads}));
    }

    void cancelEndsWithin100Milliseconds() {
        const Size s{2000, 2000, 2000};
        const std::vector<float> a = gaussian(s.m * s.k, 1);
        const auto waited = untilCancelled(std::chrono::milliseconds(10), [&](const std::atomic<bool>* cancel) {
            for (int i = 0; i < 100; ++i)
                run(s, false, a, a, {0, cancel});
        });
        QVERIFY(waited);
        QVERIFY2(*waited < 100 * slowdown, qPrintable(QString("%1 ms").arg(*waited)));
    }

    void sidesOfNothing() {
        run({0, 5, 3}, false, {}, std::vector<float>(15));
        run({5, 0, 3}, false, std::vector<float>(15), {});
        const Guarded c = run({3, 4, 0}, false, {}, {});
        for (size_t i = 0; i < 12; ++i)
            QCOMPARE(c[i], 0.0f);
        QVERIFY_EXCEPTION_THROWN(cpu::matmul(fetched(), {2, -1, 2}), InputError);
    }
};

QTEST_GUILESS_MAIN(MatmulTest)
#include "matmul_test.moc"
