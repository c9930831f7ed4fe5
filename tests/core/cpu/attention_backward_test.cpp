// SPDX-License-Identifier: GPL-3.0-or-later
// The backward rungs: the chain rule in double precision, finite differences, closed forms, and what holds whatever the
// numbers are; for every instruction set.
#include "core/cpu/attention/backward.h"
#include "core/error.h"
#include "each_rung.h"
#include "gradients.h"
#include "nonfinite.h"

#include <QTest>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <string>
#include <vector>

using namespace warplight;
using namespace warplight::test;
using cpu::BackwardRung;

namespace {

struct Shape {
    const char* name;
    int64_t batch, queryHeads, keyHeads, queryLen, keyLen, headDim;
};
constexpr Shape shapes[] = {
    {"one row, one key", 1, 1, 1, 1, 1, 1},
    {"square", 1, 1, 1, 64, 64, 64},
    {"ragged", 1, 2, 2, 67, 131, 33},
    {"grouped queries", 2, 4, 2, 50, 65, 16},
    {"wide head", 1, 1, 1, 20, 77, 512},
    {"decode: one query", 1, 2, 1, 1, 700, 64},
    {"tall: rows without keys", 1, 1, 1, 250, 17, 24},
    {"no keys", 1, 1, 1, 5, 0, 8},
    {"no queries", 1, 2, 1, 0, 70, 8},
    {"several tiles and chunks", 1, 1, 1, 300, 500, 48},
    {"more key heads than chunks are wanted", 9, 4, 2, 20, 130, 16},
};
constexpr Shape poisonedShapes[] = {
    {"small", 1, 1, 1, 16, 40, 64},
    {"square", 1, 1, 1, 129, 129, 20},
    {"rows without keys", 1, 1, 1, 60, 31, 33},
    {"grouped", 1, 4, 2, 23, 65, 8},
};

cpu::AttentionProblem problemOf(const Shape& s, bool causal) {
    return {s.batch, s.queryHeads, s.keyHeads, s.queryLen, s.keyLen, s.headDim, 0, causal};
}

} // namespace

class AttentionBackwardTest : public QObject {
    Q_OBJECT

    static BackwardRung fetched() {
        QFETCH_GLOBAL(int, rung);
        return static_cast<BackwardRung>(rung);
    }
    static void addShapes(const Shape* begin, const Shape* end) {
        QTest::addColumn<int>("shape");
        QTest::addColumn<bool>("causal");
        for (const Shape* s = begin; s != end; ++s)
            for (const bool causal : {false, true})
                QTest::addRow("%s%s", s->name, causal ? ", causal" : "") << static_cast<int>(s - begin) << causal;
    }
    static void compare(OwnedGradients& got) {
        QVERIFY(got.guardsIntact());
        const TrueGradients truth(got.forward, got.dOut);
        const auto bounds = [](const std::vector<double>& size) { // a plain f32 sum makes some rounding of its terms
            return [&](size_t i) { return std::isfinite(size[i]) ? size[i] * 0x1p-24 * 64 + 1e-30 : 1e-4; };
        };
        for (const std::string& different : {differences("dQ", got.gradient(got.dq), truth.dq, bounds(truth.sizeQ)),
                                             differences("dK", got.gradient(got.dk), truth.dk, bounds(truth.sizeK)),
                                             differences("dV", got.gradient(got.dv), truth.dv, bounds(truth.sizeV))})
            QVERIFY2(different.empty(), different.c_str());
    }

  private slots:
    void initTestCase_data() {
        addRungs(cpu::backwardRungs(), [](BackwardRung id) { return id != BackwardRung::Reference; });
    }
    void init() { useTargetOfRow(); }
    void cleanup() { cpu::useTarget(""); }

    void equalsTheChainRule_data() { addShapes(std::begin(shapes), std::end(shapes)); }
    void equalsTheChainRule() {
        QFETCH(int, shape);
        QFETCH(bool, causal);
        OwnedGradients p(problemOf(shapes[shape], causal));
        p.run(fetched());
        compare(p);
    }

    void nothingThatIsNoNumberIsHidden_data() {
        QTest::addColumn<int>("shape");
        QTest::addColumn<int>("situation");
        QTest::addColumn<bool>("causal");
        for (int s = 0; s < static_cast<int>(std::size(poisonedShapes)); ++s)
            for (int i = 0; i < static_cast<int>(std::size(situations)); ++i)
                for (const bool causal : {false, true})
                    QTest::addRow("%s, %s%s", poisonedShapes[s].name, situations[i].name, causal ? ", causal" : "")
                        << s << i << causal;
    }
    void nothingThatIsNoNumberIsHidden() {
        QFETCH(int, shape);
        QFETCH(int, situation);
        QFETCH(bool, causal);
        OwnedProblem poisoned(problemOf(poisonedShapes[shape], causal));
        situations[situation].poison(poisoned);
        OwnedGradients p(poisoned);
        p.run(fetched());
        compare(p);
    }

    void equalsFiniteDifferences_data() {
        QTest::addColumn<bool>("causal");
        QTest::newRow("all") << false;
        QTest::newRow("causal") << true;
    }
    void equalsFiniteDifferences() {
        QFETCH(bool, causal);
        OwnedGradients p({1, 4, 2, 6, 9, 5, 0, causal});
        p.run(fetched());
        const auto loss = [&] {
            const Truth truth(p.forward);
            double sum = 0;
            for (size_t i = 0; i < truth.o.size(); ++i)
                sum += static_cast<double>(p.dOut[i]) * truth.o[i];
            return sum;
        };
        const auto check = [&](const char* name, std::vector<float>& x, const float* gradient) {
            for (size_t i = 0; i < x.size(); ++i) {
                const float kept = x[i];
                const float above = kept + 0x1p-8f, below = kept - 0x1p-8f;
                x[i] = above;
                const double high = loss();
                x[i] = below;
                const double low = loss();
                x[i] = kept;
                const double slope = (high - low) / (static_cast<double>(above) - static_cast<double>(below));
                // What is left of the third derivative: 2^-16 / 6 of something of size 1.
                QVERIFY2(std::fabs(static_cast<double>(gradient[i]) - slope) < 2e-5 * (1 + std::fabs(slope)),
                         qPrintable(QString("%1[%2]: %3, slope %4")
                                        .arg(name)
                                        .arg(i)
                                        .arg(static_cast<double>(gradient[i]))
                                        .arg(slope)));
            }
        };
        check("dQ", p.forward.q, p.gradient(p.dq));
        check("dK", p.forward.k, p.gradient(p.dk));
        check("dV", p.forward.v, p.gradient(p.dv));
    }

    void uniformWeightsShareTheGradientOfV() {
        OwnedProblem uniform({1, 1, 1, 10, 100, 32, 0, false});
        std::fill(uniform.q.begin(), uniform.q.end(), 0.0f);
        OwnedGradients p(uniform);
        p.run(fetched());
        for (size_t c = 0; c < 32; ++c) {
            double sum = 0;
            for (size_t row = 0; row < 10; ++row)
                sum += static_cast<double>(p.dOut[row * 32 + c]);
            for (size_t key = 0; key < 100; ++key) // dV = Pᵀ dO with all weights 1/100; dK is 0 as Q is
                QVERIFY(std::fabs(static_cast<double>(p.gradient(p.dv)[key * 32 + c]) - sum / 100) < 1e-6);
        }
        for (size_t i = 0; i < 100 * 32; ++i)
            QCOMPARE(p.gradient(p.dk)[i], 0.0f);
    }

    void bitsDoNotDependOnThreads() {
        OwnedGradients p({1, 3, 3, 150, 700, 40, 0, true});
        std::vector<std::vector<float>> first;
        for (const int threads : {1, 2, 3, 4, 5}) {
            cpu::RunOptions options;
            options.threads = threads;
            p.run(fetched(), options);
            const std::vector<std::vector<float>> now{p.dq, p.dk, p.dv};
            if (first.empty())
                first = now;
            for (size_t i = 0; i < 3; ++i)
                QVERIFY(std::memcmp(first[i].data(), now[i].data(), now[i].size() * sizeof(float)) == 0);
        }
    }

    void cancelEndsWithin100Milliseconds() {
        OwnedGradients p({1, 4, 4, 2048, 2048, 128, 0, false});
        p.forward.o.assign(p.forward.outputs() + 2 * OwnedProblem::guard, 0);
        p.forward.lse.assign(p.forward.rows() + 2 * OwnedProblem::guard, 10);
        for (std::vector<float>* x : {&p.dq, &p.dk, &p.dv})
            x->resize(p.forward.outputs() + 2 * OwnedProblem::guard);
        cpu::BackwardProblem b;
        b.forward = p.forward.shape;
        b.forward.q = p.forward.q.data();
        b.forward.k = p.forward.k.data();
        b.forward.v = p.forward.v.data();
        b.forward.o = p.forward.output();
        b.forward.lse = p.forward.logSumExp();
        b.dOut = p.dOut.data();
        b.dq = p.gradient(p.dq);
        b.dk = p.gradient(p.dk);
        b.dv = p.gradient(p.dv);
        const auto waited = untilCancelled(std::chrono::milliseconds(10), [&](const std::atomic<bool>* cancel) {
            for (int i = 0; i < 100; ++i)
                cpu::attentionBackward(fetched(), b, {0, cancel});
        });
        QVERIFY(waited);
        QVERIFY2(*waited < 100 * slowdown, qPrintable(QString("%1 ms").arg(*waited)));
    }

    void extraMemoryIsWhatWasSaid() {
        for (const Shape& s : shapes)
            for (const int threads : {1, 2}) {
                OwnedGradients p(problemOf(s, true));
                cpu::RunOptions options;
                options.threads = threads;
                const int64_t held = p.run(fetched(), options).extraBytes,
                              most = cpu::extraBytesAtMost(fetched(), p.forward.shape, threads);
                QVERIFY2(held <= most, qPrintable(QString("%1: %2 > %3").arg(s.name).arg(held).arg(most)));
            }
        OwnedGradients p({1, 1, 1, 512, 512, 64, 0, true});
        const int64_t held = p.run(fetched()).extraBytes, square = 512 * 512 * 4;
        if (fetched() == BackwardRung::Standard)
            QVERIFY(held >= 2 * square);         // P and dS
        if (fetched() == BackwardRung::Flash2) { // linear in the length
            cpu::AttentionProblem longer = p.forward.shape;
            longer.queryLen = longer.keyLen = 1 << 20;
            QVERIFY(cpu::extraBytesAtMost(fetched(), longer) < int64_t{17} << 28); // 16 chunks of dQ, 256 MiB each
        }
    }

    void badShapesAreRefusedWithASentence() {
        OwnedGradients p({1, 3, 3, 4, 4, 8, 0, false});
        cpu::BackwardProblem b = p.problem();
        b.forward.keyHeads = 2;
        QVERIFY_EXCEPTION_THROWN(cpu::attentionBackward(fetched(), b), InputError);
    }
};

QTEST_GUILESS_MAIN(AttentionBackwardTest)
#include "attention_backward_test.moc"
