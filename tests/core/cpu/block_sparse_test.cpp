// SPDX-License-Identifier: GPL-3.0-or-later
// Block-sparse attention: double precision for shapes, block sizes and masks that meet in every way, and what holds
// whatever the numbers are; for every instruction set.
#include "core/cpu/attention/block_sparse.h"
#include "core/error.h"
#include "each_rung.h"
#include "nonfinite.h"
#include "sparse.h"
#include "tests/thinned.h"

#include <QTest>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

using namespace warplight;
using namespace warplight::test;
using cpu::BlockSparseRung;

namespace {

struct Shape {
    const char* name;
    int64_t batch, queryHeads, keyHeads, queryLen, keyLen, headDim, blockSize;
    bool eachHead;
};
constexpr Shape shapes[] = {
    {"one row, one key", 1, 1, 1, 1, 1, 1, 1, false},
    {"blocks of 16", 1, 2, 2, 100, 130, 64, 16, true},
    {"blocks of 32, ragged", 1, 2, 1, 67, 131, 33, 32, true},
    {"blocks of 64", 1, 1, 1, 200, 260, 48, 64, false},
    {"blocks of 5", 1, 1, 1, 33, 47, 20, 5, false},
    {"blocks of 1", 1, 1, 1, 20, 30, 8, 1, false},
    {"blocks of 300", 1, 1, 1, 650, 700, 16, 300, false},
    {"grouped queries, batches", 2, 4, 2, 50, 65, 16, 16, true},
    {"one query", 1, 2, 1, 1, 900, 64, 64, true},
    {"rows without keys", 1, 1, 1, 250, 37, 24, 16, false},
    {"no keys", 1, 1, 1, 5, 0, 8, 16, false},
    {"wide head", 1, 1, 1, 20, 77, 512, 16, false},
};
constexpr Shape poisonedShapes[] = {
    {"blocks of 16", 1, 1, 1, 40, 70, 64, 16, false},
    {"blocks of 24, grouped", 1, 4, 2, 53, 65, 20, 24, true},
};

OwnedProblem problemOf(const Shape& s, bool causal) {
    return OwnedProblem({s.batch, s.queryHeads, s.keyHeads, s.queryLen, s.keyLen, s.headDim, 0, causal});
}

} // namespace

class BlockSparseTest : public QObject {
    Q_OBJECT

    static BlockSparseRung fetched() {
        QFETCH_GLOBAL(int, rung);
        return static_cast<BlockSparseRung>(rung);
    }
    static void compare(const OwnedSparse& got) {
        QVERIFY(got.attention.guardsIntact());
        const Truth truth = got.truth();
        // Terms of infinite size are left out of the logits' magnitude: a score that holds one is infinite or NaN.
        const auto logits = [&](size_t row) {
            return std::isfinite(truth.logitMagnitude[row]) ? truth.logitMagnitude[row] : 20;
        };
        constexpr double u = 0x1p-24;
        const size_t guard = OwnedProblem::guard, d = static_cast<size_t>(got.attention.shape.headDim);
        const std::string lse = differences("lse", got.attention.lse.data() + guard, truth.lse, [&](size_t row) {
            return 4 * u * logits(row) + 1e-6 * (1 + std::fabs(truth.lse[row]));
        });
        QVERIFY2(lse.empty(), lse.c_str());
        const std::string o = differences("O", got.attention.o.data() + guard, truth.o, [&](size_t i) {
            return truth.magnitude[i] * (8 * u * (1 + logits(i / d)) + 1e-6);
        });
        QVERIFY2(o.empty(), o.c_str());
    }

  private slots:
    void initTestCase_data() {
        addRungs(cpu::blockSparseRungs(), [](BlockSparseRung id) { return id != BlockSparseRung::Reference; });
    }
    void init() { useTargetOfRow(); }
    void cleanup() { cpu::useTarget(""); }

    void equalsDoublePrecision_data() {
        QTest::addColumn<int>("shape");
        QTest::addColumn<int>("pattern");
        QTest::addColumn<bool>("causal");
        int row = 0;
        for (int s = 0; s < static_cast<int>(std::size(shapes)); ++s)
            for (int p = 0; p < static_cast<int>(std::size(patterns)); ++p)
                for (const bool causal : {false, true})
                    if (row++ % thinned(5) == 0)
                        QTest::addRow("%s, %s%s", shapes[s].name, patterns[p].name, causal ? ", causal" : "")
                            << s << p << causal;
    }
    void equalsDoublePrecision() {
        QFETCH(int, shape);
        QFETCH(int, pattern);
        QFETCH(bool, causal);
        const Shape& s = shapes[shape];
        OwnedSparse p(problemOf(s, causal), s.blockSize, s.eachHead, patterns[pattern]);
        for (const int threads : {1, 2}) {
            const int64_t held = p.run(fetched(), {threads}).extraBytes,
                          most = cpu::extraBytesAtMost(fetched(), p.problem(), threads);
            QVERIFY2(held <= most, qPrintable(QString("%1 bytes above %2").arg(held).arg(most)));
        }
        p.run(fetched());
        compare(p);
    }

    void pairsWithinBlocksAreHidden_data() {
        QTest::addColumn<int>("shape");
        QTest::addColumn<int>("pairs");
        QTest::addColumn<bool>("causal");
        int row = 0;
        for (int s = 0; s < static_cast<int>(std::size(shapes)); ++s)
            for (int p = 0; p < static_cast<int>(std::size(pairPatterns)); ++p)
                for (const bool causal : {false, true})
                    if (row++ % thinned(5) == 0)
                        QTest::addRow("%s, %s%s", shapes[s].name, pairPatterns[p].name, causal ? ", causal" : "")
                            << s << p << causal;
    }
    void pairsWithinBlocksAreHidden() {
        QFETCH(int, shape);
        QFETCH(int, pairs);
        QFETCH(bool, causal);
        const Shape& s = shapes[shape];
        for (const int pattern : {0, 2, 5}) { // all, band, by chance
            OwnedSparse p(problemOf(s, causal), s.blockSize, s.eachHead, patterns[pattern]);
            p.hidePairs(pairPatterns[pairs].seen);
            for (const int threads : {1, 2}) {
                const int64_t held = p.run(fetched(), {threads}).extraBytes,
                              most = cpu::extraBytesAtMost(fetched(), p.problem(), threads);
                QVERIFY2(held <= most, qPrintable(QString("%1 bytes above %2").arg(held).arg(most)));
            }
            p.run(fetched());
            compare(p);
        }
    }

    void batchEntriesMayHaveMasksOfTheirOwn() {
        OwnedSparse p(OwnedProblem({2, 4, 2, 50, 65, 16, 0, false}), 16, true, patterns[5]);
        p.maskHeads = 8;
        p.mask.clear();
        for (int64_t head = 0; head < 8; ++head)
            for (int64_t row = 0; row < p.rows(); ++row)
                for (int64_t column = 0; column < p.columns(); ++column)
                    p.mask.push_back(static_cast<uint8_t>(patterns[5].visible(head, row, column)));
        p.hidePairs(pairPatterns[0].seen);
        p.run(fetched());
        compare(p);
    }

    void nothingThatIsNoNumberIsHidden_data() {
        QTest::addColumn<int>("shape");
        QTest::addColumn<int>("situation");
        QTest::addColumn<int>("pattern");
        QTest::addColumn<bool>("causal");
        for (int s = 0; s < static_cast<int>(std::size(poisonedShapes)); ++s)
            for (int i = 0; i < static_cast<int>(std::size(situations)); ++i)
                for (const int p : {2, 5}) // band, by chance
                    for (const bool causal : {false, true})
                        QTest::addRow("%s, %s, %s%s", poisonedShapes[s].name, situations[i].name, patterns[p].name,
                                      causal ? ", causal" : "")
                            << s << i << p << causal;
    }
    void nothingThatIsNoNumberIsHidden() {
        QFETCH(int, shape);
        QFETCH(int, situation);
        QFETCH(int, pattern);
        QFETCH(bool, causal);
        const Shape& s = poisonedShapes[shape];
        OwnedProblem poisoned = problemOf(s, causal);
        situations[situation].poison(poisoned);
        OwnedSparse p(poisoned, s.blockSize, s.eachHead, patterns[pattern]);
        p.run(fetched());
        compare(p);
        for (const PairPattern& pairs : pairPatterns) {
            OwnedSparse partly(poisoned, s.blockSize, s.eachHead, patterns[pattern]);
            partly.hidePairs(pairs.seen);
            partly.run(fetched());
            compare(partly);
        }
    }

    void hiddenKeysAreOfNoAccount() { // columns of the mask that no block of queries sees
        OwnedSparse p(OwnedProblem({1, 2, 2, 100, 200, 40, 0, false}), 16, false,
                      {"odd", [](int64_t, int64_t, int64_t column) { return column % 2 == 1; }});
        p.run(fetched());
        const std::vector<float> before = p.attention.o;
        for (std::vector<float>* x : {&p.attention.k, &p.attention.v})
            for (size_t i = 0; i < x->size(); ++i)
                if (i / 40 % 200 / 16 % 2 == 0)
                    (*x)[i] = std::numeric_limits<float>::quiet_NaN();
        p.run(fetched());
        QVERIFY(std::memcmp(before.data(), p.attention.o.data(), before.size() * sizeof(float)) == 0);
    }

    void visiblePairsAreCounted() {
        if (fetched() != BlockSparseRung::Reference)
            QSKIP("the same for every rung");
        for (const Shape& s : shapes)
            for (const Pattern& pattern : patterns)
                for (const bool causal : {false, true}) {
                    OwnedSparse p(problemOf(s, causal), s.blockSize, s.eachHead, pattern);
                    if (s.queryLen % 2 == 0)
                        p.hidePairs(pairPatterns[0].seen);
                    int64_t pairs = 0;
                    for (int64_t head = 0; head < s.batch * s.queryHeads; ++head)
                        for (int64_t i = 0; i < s.queryLen; ++i)
                            for (int64_t j = 0; j < s.keyLen; ++j)
                                pairs += (!causal || j <= i + s.keyLen - s.queryLen) && p.visible(head, i, j);
                    QCOMPARE(cpu::visiblePairs(p.problem()), static_cast<double>(pairs));
                    QCOMPARE(cpu::usefulFlops(p.problem()), 4.0 * static_cast<double>(pairs * s.headDim));
                }
    }

    void bitsDoNotDependOnThreads() {
        OwnedSparse p(OwnedProblem({1, 3, 3, 150, 700, 40, 0, true}), 32, true, patterns[5]);
        p.hidePairs(pairPatterns[1].seen);
        std::vector<float> first;
        for (const int threads : {1, 2, 3, 4, 5}) {
            p.run(fetched(), {threads});
            if (first.empty())
                first = p.attention.o;
            QVERIFY(std::memcmp(first.data(), p.attention.o.data(), first.size() * sizeof(float)) == 0);
        }
    }

    void cancelEndsWithin100Milliseconds() {
        OwnedSparse p(OwnedProblem({1, 4, 4, 2048, 2048, 64, 0, false}), 64, false, patterns[3]);
        const auto waited = untilCancelled(std::chrono::milliseconds(10), [&](const std::atomic<bool>* cancel) {
            for (int i = 0; i < 100; ++i)
                p.run(fetched(), {0, cancel});
        });
        QVERIFY(waited);
        QVERIFY2(*waited < 100 * slowdown, qPrintable(QString("%1 ms").arg(*waited)));
    }

    void badProblemsAreRefusedWithASentence() {
        OwnedSparse p(OwnedProblem({1, 3, 3, 4, 4, 8, 0, false}), 16, true, patterns[0]);
        cpu::BlockSparseProblem b = p.problem();
        b.mask.blockSize = 0;
        QVERIFY_EXCEPTION_THROWN(cpu::blockSparseForward(fetched(), b), InputError);
        b = p.problem();
        b.mask.heads = 2;
        QVERIFY_EXCEPTION_THROWN(cpu::blockSparseForward(fetched(), b), InputError);
        b = p.problem();
        b.attention.keyHeads = 2;
        QVERIFY_EXCEPTION_THROWN(cpu::blockSparseForward(fetched(), b), InputError);
    }
};

QTEST_GUILESS_MAIN(BlockSparseTest)
#include "block_sparse_test.moc"
