// SPDX-License-Identifier: GPL-3.0-or-later
// The depthwise causal convolution: an impulse gives the weights, nothing leaks, on each instruction set.
#include "core/cpu/ssm/causal_conv.h"

#include "core/cpu/target.h"
#include "core/error.h"
#include "each_rung.h"

#include <QTest>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

using namespace warplight;
using namespace warplight::cpu;

namespace {

constexpr int64_t dim = 3, batch = 2;

struct Case {
    ConvProblem p;
    std::vector<float> x, w, bias, y;

    Case(int64_t length, int64_t width) {
        std::mt19937 random(4);
        std::normal_distribution<float> normal;
        for (int64_t i = 0; i < batch * dim * length; ++i)
            x.push_back(normal(random));
        for (int64_t i = 0; i < dim * width; ++i)
            w.push_back(normal(random));
        bias = {0.5f, -1, 2};
        p.batch = batch, p.dim = dim, p.length = length, p.width = width;
    }
    std::vector<float> run(ConvRung rung, int threads = 1) {
        y.assign(x.size(), 7.0f);
        p.x = x.data(), p.w = w.data(), p.bias = bias.data(), p.y = y.data();
        causalConv(rung, p, {threads, nullptr});
        return y;
    }
};

} // namespace

class CausalConvTest : public QObject {
    Q_OBJECT
    ConvRung rung = ConvRung::Reference;

  private slots:
    void initTestCase_data() {
        test::addRungs(convRungs(), [](ConvRung r) { return r == ConvRung::Vectors; });
    }
    void init() {
        test::useTargetOfRow();
        QFETCH_GLOBAL(int, rung);
        this->rung = static_cast<ConvRung>(rung);
    }
    void cleanupTestCase() { useTarget(""); }

    void anImpulseGivesTheWeightsFromTheLast() {
        for (const int64_t width : {1, 4, 16})
            for (const int64_t at : {0, 1, 30}) {
                Case c(50, width);
                c.x.assign(c.x.size(), 0.0f);
                c.x[static_cast<size_t>(4 * 50 + at)] = 1; // channel 1 of the second sequence
                const std::vector<float> y = c.run(rung);
                for (int64_t channel = 0; channel < batch * dim; ++channel)
                    for (int64_t t = 0; t < 50; ++t) {
                        const int64_t k = width - 1 - (t - at);
                        const float weight =
                            channel == 4 && t >= at && k >= 0 ? c.w[static_cast<size_t>(width + k)] : 0.0f;
                        QCOMPARE(y[static_cast<size_t>(channel * 50 + t)],
                                 weight + c.bias[static_cast<size_t>(channel % dim)]);
                    }
            }
    }

    void siluIsAppliedToTheSum() {
        for (const int64_t length : {0, 1, 3, 100}) {
            Case c(length, 4);
            const std::vector<float> sums = c.run(rung);
            c.p.silu = true;
            const std::vector<float> made = c.run(rung);
            for (size_t i = 0; i < sums.size(); ++i) {
                const double x = sums[i], expected = x / (1 + std::exp(-x));
                QVERIFY(std::fabs(static_cast<double>(made[i]) - expected) < 1e-6 * (1 + std::fabs(x)));
            }
        }
    }

    void whatIsNoNumberReachesTheStepsThatSeeIt() {
        Case c(60, 4);
        const std::vector<float> before = c.run(rung);
        c.x[60 + 20] = std::numeric_limits<float>::quiet_NaN();
        const std::vector<float> after = c.run(rung);
        for (size_t i = 0; i < after.size(); ++i)
            if (i >= 80 && i < 84)
                QVERIFY(std::isnan(after[i]));
            else
                QVERIFY(after[i] == before[i]);
    }

    void bitsDoNotDependOnThreads() {
        Case c(300, 4);
        c.p.silu = true;
        const std::vector<float> one = c.run(rung);
        QVERIFY(c.run(rung, 2) == one && c.run(rung, 3) == one);
    }

    void shapesThatThereAreNoneOfAreRefused() {
        Case c(3, 4);
        c.p.width = 17;
        QVERIFY_THROWS_EXCEPTION(InputError, checkShape(c.p));
        c.p.width = 0;
        QVERIFY_THROWS_EXCEPTION(InputError, checkShape(c.p));
    }
};

QTEST_GUILESS_MAIN(CausalConvTest)
#include "causal_conv_test.moc"
