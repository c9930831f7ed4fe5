// SPDX-License-Identifier: GPL-3.0-or-later
// Loss scalers step by step, against PyTorch's own and by hand.
#include "core/error.h"
#include "core/formats/tensor_file.h"
#include "core/precision/loss_scaler.h"
#include "gpu/number/float_format.h"

#include <QTest>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

using namespace warplight;
using namespace warplight::precision;

namespace {

constexpr double infinite = std::numeric_limits<double>::infinity();

std::vector<float> oracle(const char* array) {
    return formats::loadTensor(std::string(WARPLIGHT_TEST_DATA "/oracles/precision/scaler.npz:") + array).values;
}

/// The scale in each of as many steps, with overflows where there is a 1.
std::vector<double> scalesOf(const ScalerRules& rules, const std::vector<int>& overflows) {
    LossScaler scaler(rules);
    std::vector<double> scales;
    for (const int overflow : overflows) {
        scales.push_back(scaler.scale());
        scaler.update(overflow != 0);
    }
    return scales;
}

std::string sentence(const ScalerRules& rules) {
    try {
        LossScaler scaler(rules);
    } catch (const InputError& error) {
        return error.what();
    }
    return "";
}

} // namespace

class LossScalerTest : public QObject {
    Q_OBJECT
  private slots:
    /// A gradient that is always 3: 3 · 32768 overflows, 3 · 16384 does not.
    void aConstantGradientMakesASawtooth() {
        LossScaler scaler({65536, 2, 0.5, 4});
        const std::vector<double> scales = {65536, 32768, 16384, 16384, 16384, 16384, 32768,
                                            16384, 16384, 16384, 16384, 32768, 16384};
        for (const double scale : scales) {
            QCOMPARE(scaler.scale(), scale);
            const bool overflowed = overflowsF16(3, scaler.scale());
            QCOMPARE(overflowed, scale > 16384);
            scaler.update(overflowed);
        }
    }

    void aGradScalerOfPyTorchSkipsTheSameSteps() {
        const auto trace = oracle("trace"), skipped = oracle("skipped");
        LossScaler scaler({65536, 2, 0.5, 4});
        for (size_t step = 0; step < trace.size(); ++step) {
            QVERIFY(static_cast<float>(scaler.scale()) == trace[step]);
            const bool overflowed = overflowsF16(3, scaler.scale());
            QCOMPARE(overflowed, skipped[step] == 1.0f);
            scaler.update(overflowed);
        }
    }

    void scalesAreThoseOfPyTorchBitForBit() {
        const auto rules = oracle("rules"), found = oracle("found"), scales = oracle("scales");
        const size_t cases = rules.size() / 4, steps = scales.size() / cases;
        QCOMPARE(cases, size_t(6));
        const std::vector<std::vector<double>> factors = {{2, 0.5},   {2, 0.5}, {1.7, 0.3},
                                                          {1.1, 0.9}, {2, 0.5}, {2, 0.5}};
        for (size_t c = 0; c < cases; ++c) {
            // The factors are f64 there, which f32 does not hold: as they are written in the script.
            QCOMPARE(static_cast<float>(factors[c][0]), rules[4 * c + 1]);
            QCOMPARE(static_cast<float>(factors[c][1]), rules[4 * c + 2]);
            LossScaler scaler({static_cast<double>(rules[4 * c]), factors[c][0], factors[c][1],
                               static_cast<int64_t>(rules[4 * c + 3])});
            for (size_t step = 0; step < steps; ++step) {
                QVERIFY(static_cast<float>(scaler.scale()) == scales[c * steps + step]);
                scaler.update(found[c * steps + step] != 0);
            }
        }
    }

    void overflowIsWhereF16RoundsToInfinity() {
        const auto& f16 = number::floatFormat("f16");
        for (const double product : {65504.0, 65519.0, 65519.999, 65520.0, 65536.0, 1e30})
            QCOMPARE(overflowsF16(product, 1), !std::isfinite(number::rounded(product, f16)));
        QVERIFY(overflowsF16(infinite, 1));
        QVERIFY(overflowsF16(infinite, 0));
        QVERIFY(overflowsF16(std::nan(""), 1));
        QVERIFY(!overflowsF16(0, 1e30));
    }

    void hysteresisForgivesUntilTheScaleGrows() {
        // The first overflow is forgiven, the next are not; growth after two clean steps forgives once more.
        QCOMPARE(scalesOf({16, 2, 0.5, 2, 2}, {1, 1, 1, 0, 0, 1, 1, 0, 0}),
                 (std::vector<double>{16, 16, 8, 4, 4, 8, 8, 4, 4}));
        QCOMPARE(scalesOf({16, 2, 0.5, 2, 1}, {1, 1, 0, 0, 1}), (std::vector<double>{16, 8, 4, 4, 8}));
    }

    void theScaleStaysBetweenItsLimits() {
        QCOMPARE(scalesOf({4, 2, 0.5, 1, 1, 1, 8}, {1, 1, 1, 1, 0, 0, 0, 0, 0}),
                 (std::vector<double>{4, 2, 1, 1, 1, 2, 4, 8, 8}));
        // One that begins above the largest does not fall when it would grow.
        QCOMPARE(scalesOf({16, 2, 0.5, 1, 1, 1, 8}, {0, 0}), (std::vector<double>{16, 16}));
    }

    void factorsOfOneAreAStaticScale() {
        QCOMPARE(scalesOf({1024, 1, 1, 1}, {0, 1, 0, 1, 1}), std::vector<double>(5, 1024));
    }

    void frameworksBeginAsTheyDo() {
        for (const NamedRules& known : knownRules())
            QVERIFY(sentence(known.rules).empty());
        QCOMPARE(knownRules()[0].id, std::string_view("pytorch"));
        QCOMPARE(knownRules()[0].rules.initial, 65536.0);
        QCOMPARE(knownRules()[0].rules.interval, int64_t(2000));
    }

    void rulesThatCannotBeAreOneSentence() {
        QCOMPARE(sentence({0}), std::string("initial scale 0: expected a positive number of f32"));
        QVERIFY(sentence({infinite}).starts_with("initial scale inf"));
        QVERIFY(sentence({std::nan("")}).starts_with("initial scale nan"));
        QVERIFY(sentence({1, 0.5}).starts_with("growth factor 0.5"));
        QVERIFY(sentence({1, 2, 0}).starts_with("backoff factor 0"));
        QVERIFY(sentence({1, 2, 2}).starts_with("backoff factor 2"));
        QVERIFY(sentence({1, 2, 0.5, 0}).starts_with("growth interval 0"));
        QVERIFY(sentence({1, 2, 0.5, 1, 0}).starts_with("hysteresis 0"));
        QVERIFY(sentence({1, 2, 0.5, 1, 1, -1}).starts_with("minimum scale -1"));
        QVERIFY(sentence({1, 2, 0.5, 1, 1, 4, 2}).starts_with("maximum scale 2"));
    }
};

QTEST_GUILESS_MAIN(LossScalerTest)
#include "loss_scaler_test.moc"
