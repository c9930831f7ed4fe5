// SPDX-License-Identifier: GPL-3.0-or-later
// One table: every rung × shape × mask × instruction set against double precision.
#include "core/error.h"
#include "nonfinite.h"
#include "problem.h"
#include "tests/thinned.h"

#include <QTest>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <string>
#include <vector>

using namespace warplight;
using namespace warplight::test;

namespace {

struct Shape {
    const char* name;
    int64_t batch, queryHeads, keyHeads, queryLen, keyLen, headDim;
};
constexpr Shape shapes[] = {
    {"one row, one key", 1, 1, 1, 1, 1, 1},
    {"ragged", 1, 2, 2, 67, 131, 33},
    {"one feature", 1, 1, 1, 9, 70, 1},
    {"square 128", 1, 2, 2, 128, 128, 64},
    {"wide head", 1, 1, 1, 20, 77, 512},
    {"grouped queries", 2, 4, 2, 50, 65, 16},
    {"decode: one query", 1, 2, 1, 1, 3000, 64},
    {"tall: rows without keys", 1, 1, 1, 90, 17, 24},
    {"no keys", 1, 1, 1, 5, 0, 8},
    {"odd dimension", 1, 1, 1, 200, 193, 80},
    {"many tiles", 1, 1, 1, 700, 1500, 48},
};

/// Relative rounding error that a plain implementation in the rung's number format makes per operation.
double unitRoundoff(cpu::Implementation implementation) {
    return implementation == cpu::Implementation::FlashBf16 ? std::ldexp(1.0, -8) : std::ldexp(1.0, -24);
}

/// Shapes whose strips, blocks, chunks and masks meet in every way; ragged ends, padded head dimensions.
constexpr Shape poisonedShapes[] = {
    {"small", 1, 1, 1, 16, 40, 64},
    {"blocks", 1, 1, 1, 70, 200, 33},
    {"square", 1, 1, 1, 129, 129, 128},
    {"keys split: decode", 1, 1, 1, 1, 2100, 64},
    {"rows without keys", 1, 1, 1, 60, 31, 20},
    {"grouped", 1, 4, 2, 23, 65, 8},
};

} // namespace

class AttentionTest : public QObject {
    Q_OBJECT
  private slots:
    void cleanup() { cpu::useTarget(""); }

    void equalsDoublePrecision_data() {
        QTest::addColumn<int>("implementation");
        QTest::addColumn<int>("shape");
        QTest::addColumn<bool>("causal");
        QTest::addColumn<QString>("target");
        int row = 0;
        for (const auto& target : cpu::supportedTargets())
            for (const auto& rung : cpu::implementations())
                for (int s = 0; s < static_cast<int>(std::size(shapes)); ++s)
                    for (const bool causal : {false, true})
                        if (row++ % thinned(3) == 0)
                            QTest::addRow("%s, %s, %s%s", target.c_str(), std::string(rung.name).c_str(),
                                          shapes[s].name, causal ? ", causal" : "")
                                << static_cast<int>(rung.id) << s << causal << QString::fromStdString(target);
    }

    void equalsDoublePrecision() {
        QFETCH(int, implementation);
        QFETCH(int, shape);
        QFETCH(bool, causal);
        QFETCH(QString, target);
        const auto rung = static_cast<cpu::Implementation>(implementation);
        cpu::useTarget(target.toStdString());
        const Shape& s = shapes[shape];
        OwnedProblem problem({s.batch, s.queryHeads, s.keyHeads, s.queryLen, s.keyLen, s.headDim, 0, causal});
        problem.run(rung);
        QVERIFY(problem.guardsIntact());
        const Truth truth(problem);
        const double u = unitRoundoff(rung);
        for (size_t row = 0; row < problem.rows(); ++row) {
            const double lse = static_cast<double>(problem.logSumExp()[row]);
            if (std::isinf(truth.lse[row])) {
                QCOMPARE(lse, truth.lse[row]);
            } else {
                // Rounded inputs move a score by at most 2u Σ|q·k|; sums in f32 by a few f32 ulps of their size.
                const double bound = 4 * u * truth.logitMagnitude[row] + 1e-6 * (1 + std::fabs(truth.lse[row]));
                QVERIFY2(std::fabs(lse - truth.lse[row]) <= bound,
                         qPrintable(QString("lse row %1: %2 instead of %3").arg(row).arg(lse).arg(truth.lse[row])));
            }
            for (size_t c = 0; c < static_cast<size_t>(s.headDim); ++c) {
                const size_t i = row * static_cast<size_t>(s.headDim) + c;
                const double error = std::fabs(static_cast<double>(problem.output()[i]) - truth.o[i]);
                // A score off by ε changes P by the factor e^ε: twice that on numerator and denominator together.
                const double bound = truth.magnitude[i] * (8 * u * (1 + truth.logitMagnitude[row]) + 1e-6);
                QVERIFY2(
                    error <= bound,
                    qPrintable(QString("row %1, feature %2: error %3 above %4").arg(row).arg(c).arg(error).arg(bound)));
            }
        }
    }

    void nothingThatIsNoNumberIsHidden_data() {
        QTest::addColumn<int>("implementation");
        QTest::addColumn<int>("shape");
        QTest::addColumn<int>("situation");
        QTest::addColumn<bool>("causal");
        QTest::addColumn<QString>("target");
        int row = 0;
        for (const auto& target : cpu::supportedTargets())
            for (const auto& rung : cpu::implementations())
                for (int s = 0; s < static_cast<int>(std::size(poisonedShapes)); ++s)
                    for (int i = 0; i < static_cast<int>(std::size(situations)); ++i)
                        for (const bool causal : {false, true})
                            if (row++ % thinned(7) == 0)
                                QTest::addRow("%s, %s, %s, %s%s", target.c_str(), std::string(rung.name).c_str(),
                                              poisonedShapes[s].name, situations[i].name, causal ? ", causal" : "")
                                    << static_cast<int>(rung.id) << s << i << causal << QString::fromStdString(target);
    }

    void nothingThatIsNoNumberIsHidden() {
        QFETCH(int, implementation);
        QFETCH(int, shape);
        QFETCH(int, situation);
        QFETCH(bool, causal);
        QFETCH(QString, target);
        const auto rung = static_cast<cpu::Implementation>(implementation);
        cpu::useTarget(target.toStdString());
        const Shape& s = poisonedShapes[shape];
        OwnedProblem problem({s.batch, s.queryHeads, s.keyHeads, s.queryLen, s.keyLen, s.headDim, 0, causal});
        situations[situation].poison(problem);
        problem.run(rung);
        QVERIFY(problem.guardsIntact());
        const Truth truth(problem);
        const double u = unitRoundoff(rung);
        // Terms of infinite size are left out of the logits' magnitude: a score that holds one is infinite or NaN.
        const auto logits = [&](size_t row) {
            return std::isfinite(truth.logitMagnitude[row]) ? truth.logitMagnitude[row] : 20;
        };
        const std::string lse = differences("lse", problem.logSumExp(), truth.lse, [&](size_t row) {
            return 4 * u * logits(row) + 1e-6 * (1 + std::fabs(truth.lse[row]));
        });
        QVERIFY2(lse.empty(), lse.c_str());
        const std::string o = differences("O", problem.output(), truth.o, [&](size_t i) {
            return truth.magnitude[i] * (8 * u * (1 + logits(i / static_cast<size_t>(s.headDim))) + 1e-6);
        });
        QVERIFY2(o.empty(), o.c_str());
    }

    void scoresAboveTheRangeOfF32AreTold_data() { everyRungAndTarget(); }
    void scoresAboveTheRangeOfF32AreTold() {
        QFETCH(int, implementation);
        QFETCH(QString, target);
        cpu::useTarget(target.toStdString());
        OwnedProblem problem({1, 1, 1, 4, 40, 64});
        for (std::vector<float>* x : {&problem.q, &problem.k})
            for (float& value : *x)
                value = std::copysign(5e20f, value);
        problem.run(static_cast<cpu::Implementation>(implementation));
        for (size_t i = 0; i < problem.outputs(); ++i)
            QVERIFY(std::isnan(problem.output()[i]));
        for (size_t row = 0; row < problem.rows(); ++row)
            QVERIFY(std::isnan(problem.logSumExp()[row]));
    }

    void nothingIsAskedFor_data() { everyRungAndTarget(); }
    void nothingIsAskedFor() {
        QFETCH(int, implementation);
        QFETCH(QString, target);
        cpu::useTarget(target.toStdString());
        for (const cpu::AttentionProblem& shape :
             {cpu::AttentionProblem{0, 2, 1, 5, 7, 8, 1.0f}, cpu::AttentionProblem{2, 2, 1, 0, 7, 8, 1.0f},
              cpu::AttentionProblem{0, 2, 1, 0, 0, 8, 1.0f, true}}) {
            OwnedProblem problem(shape);
            problem.run(static_cast<cpu::Implementation>(implementation));
            QVERIFY(problem.guardsIntact());
        }
        OwnedProblem problem({1, 3, 2, 1, 1, 1, 1.0f});
        QVERIFY_EXCEPTION_THROWN(problem.run(static_cast<cpu::Implementation>(implementation)), InputError);
    }

  private:
    static void everyRungAndTarget() {
        QTest::addColumn<int>("implementation");
        QTest::addColumn<QString>("target");
        for (const auto& target : cpu::supportedTargets())
            for (const auto& rung : cpu::implementations())
                if (rung.id != cpu::Implementation::Reference) // which has room for them
                    QTest::addRow("%s, %s", target.c_str(), std::string(rung.name).c_str())
                        << static_cast<int>(rung.id) << QString::fromStdString(target);
    }
};

QTEST_GUILESS_MAIN(AttentionTest)
#include "attention_test.moc"
