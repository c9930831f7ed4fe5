// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/error.h"
#include "core/tensor/philox.h"
#include "core/tensor/random.h"
#include "core/tensor/tensor.h"

#include <QTest>
#include <algorithm>
#include <array>
#include <cstdint>

#include <cmath>
#include <vector>

using namespace warplight;
using namespace warplight::tensor;

class RandomTest : public QObject {
    Q_OBJECT
  private slots:
    void philoxGivesThePublishedAnswers() { // Random123's known-answer vectors
        QVERIFY(
            (philox({0, 0, 0, 0}, {0, 0}) == std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
        constexpr uint32_t all = 0xffffffff;
        QVERIFY((philox({all, all, all, all}, {all, all}) ==
                 std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
    }

    void gaussianHasItsMoments() {
        std::vector<float> x(1 << 20);
        fillGaussian(x, 7, 3, 2.0f);
        double sum = 0, squares = 0, fourth = 0;
        for (const float value : x) {
            const double v = static_cast<double>(value) / 2;
            sum += v;
            squares += v * v;
            fourth += v * v * v * v;
        }
        const double n = static_cast<double>(x.size()); // bounds: five standard errors
        QVERIFY(std::fabs(sum / n) < 5 / std::sqrt(n));
        QVERIFY(std::fabs(squares / n - 1) < 5 * std::sqrt(2 / n));
        QVERIFY(std::fabs(fourth / n - 3) < 5 * std::sqrt(96 / n));
    }

    void sameSeedSameNumbersOtherStreamOthers() {
        std::vector<float> a(1001), b(1001), c(1001), shorter(10);
        fillUniform(a, 42, 0, -1, 1);
        fillUniform(b, 42, 0, -1, 1);
        fillUniform(c, 42, 1, -1, 1);
        fillUniform(shorter, 42, 0, -1, 1);
        QVERIFY(a == b);
        QVERIFY(a != c);
        QVERIFY(std::equal(shorter.begin(), shorter.end(), a.begin()));
        for (const float value : a)
            QVERIFY(value >= -1 && value < 1);
    }

    void countsOfShapesDoNotOverflow() {
        QCOMPARE(elementCount(std::vector<int64_t>{2, 3, 4}), int64_t{24});
        QCOMPARE(elementCount(std::vector<int64_t>{}), int64_t{1});
        QVERIFY_EXCEPTION_THROWN(elementCount(std::vector<int64_t>{int64_t{1} << 40, int64_t{1} << 40}), InputError);
        QVERIFY_EXCEPTION_THROWN(elementCount(std::vector<int64_t>{-1}), InputError);
    }
};

QTEST_GUILESS_MAIN(RandomTest)
#include "random_test.moc"
