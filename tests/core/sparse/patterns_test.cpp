// SPDX-License-Identifier: GPL-3.0-or-later
// Patterns against closed forms, masks of NumPy's, and pair by pair.
#include "core/error.h"
#include "core/formats/tensor_file.h"
#include "core/sparse/blocked_mask.h"
#include "core/sparse/statistics.h"
#include "core/tensor/random.h"

#include <QTest>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace warplight;
using namespace warplight::sparse;

namespace {

Parameters parametersOf(Kind kind, int64_t k, bool causal = false) {
    Parameters p;
    p.kind = kind;
    p.stride = p.window = k;
    p.global = 1;
    p.causal = causal;
    return p;
}

int64_t pairsOf(const Parameters& p, int64_t n) { return statisticsOf(makePattern(p, n, n)).pairs; }

struct RandomInputs {
    std::vector<float> q, k;
    Inputs view;
    RandomInputs(int64_t heads, int64_t grouped, int64_t queries, int64_t keys, int64_t d)
        : q(static_cast<size_t>(heads * queries * d)), k(static_cast<size_t>(heads / grouped * keys * d)) {
        tensor::fillGaussian(q, 5, 0);
        tensor::fillGaussian(k, 5, 1);
        view = {q.data(), k.data(), heads, grouped, queries, keys, d};
    }
};

double scoreOf(const Inputs& x, int64_t head, int64_t i, int64_t j) {
    double sum = 0;
    for (int64_t c = 0; c < x.headDim; ++c)
        sum += static_cast<double>(x.q[(head * x.queries + i) * x.headDim + c]) *
               static_cast<double>(x.k[(head / x.queriesPerKeyHead * x.keys + j) * x.headDim + c]);
    return sum;
}

/// A pattern of no rule, seen by a hash of its places.
Pattern byChance(int64_t heads, int64_t queries, int64_t keys, bool causal, uint32_t oneIn) {
    Pattern p;
    p.queries = queries, p.keys = keys, p.heads = heads, p.causal = causal;
    p.see = [p, oneIn](int64_t head, int64_t i, BitRow row) {
        for (int64_t j = 0; j < p.seenAtMost(i); ++j)
            if (static_cast<uint32_t>((head * 131 + i * 7919 + j * 104729) * 2654435761) / 65536 % oneIn == 0)
                row.set(j);
    };
    return p;
}

std::string sentence(const std::function<void()>& run) {
    try {
        run();
    } catch (const InputError& error) {
        return error.what();
    }
    return "";
}

} // namespace

class PatternsTest : public QObject {
    Q_OBJECT
  private slots:
    void pairsAreThoseOfTheTable() {
        struct Row {
            Kind kind;
            bool causal;
            int64_t small, large; ///< n = 16 with k = 4, n = 1024 with k = 32
        };
        for (const Row& row : {Row{Kind::Full, false, 256, 1048576}, Row{Kind::Causal, false, 136, 524800},
                               Row{Kind::Full, true, 136, 524800}, Row{Kind::Atrous, false, 64, 32768},
                               Row{Kind::Local, false, 124, 65504}, Row{Kind::AtrousLocal, false, 148, 95264},
                               Row{Kind::Atrous, true, 40, 16896}, Row{Kind::Local, true, 70, 33264},
                               Row{Kind::Strided, false, 82, 48144}, Row{Kind::Fixed, false, 64, 32768}}) {
            QCOMPARE(pairsOf(parametersOf(row.kind, 4, row.causal), 16), row.small);
            QCOMPARE(pairsOf(parametersOf(row.kind, 32, row.causal), 1024), row.large);
        }
        Parameters oneLess = parametersOf(Kind::Local, 4, true); // the code's convention: l keys, itself among them
        oneLess.window = 3;
        QCOMPARE(pairsOf(oneLess, 16), 58);
        oneLess.window = 31;
        QCOMPARE(pairsOf(oneLess, 1024), 32272);
    }

    void masksAreThoseOfNumPy_data() {
        QTest::addColumn<QString>("name");
        QTest::addColumn<int>("kind");
        QTest::addColumn<bool>("causal");
        QTest::newRow("causal") << "causal" << int(Kind::Causal) << false;
        QTest::newRow("atrous") << "atrous" << int(Kind::Atrous) << false;
        QTest::newRow("local") << "local" << int(Kind::Local) << false;
        QTest::newRow("union") << "union" << int(Kind::AtrousLocal) << false;
        QTest::newRow("causal_atrous") << "causal_atrous" << int(Kind::Atrous) << true;
        QTest::newRow("strided") << "strided" << int(Kind::Strided) << false;
        QTest::newRow("fixed") << "fixed" << int(Kind::Fixed) << false;
        QTest::newRow("longformer") << "longformer" << int(Kind::Longformer) << false;
    }
    void masksAreThoseOfNumPy() {
        QFETCH(QString, name);
        QFETCH(int, kind);
        QFETCH(bool, causal);
        for (const int n : {16, 64}) {
            Parameters p = parametersOf(static_cast<Kind>(kind), n == 16 ? 4 : 8, causal);
            if (p.kind == Kind::Longformer)
                p.global = 2;
            const tensor::Tensor oracle = formats::loadTensor(
                QString(WARPLIGHT_TEST_DATA "/oracles/sparse/patterns.npz:%1_%2").arg(name).arg(n).toStdString());
            const std::vector<uint8_t> mask = maskOf(makePattern(p, n, n));
            QCOMPARE(mask.size(), oracle.values.size());
            for (size_t i = 0; i < mask.size(); ++i)
                QVERIFY2(mask[i] == (oracle.values[i] != 0),
                         qPrintable(QString("[%1, %2]").arg(i / size_t(n)).arg(i % size_t(n))));
        }
    }

    void rectanglesAreAlignedAtTheirEnds() { // the last query is at the last key
        for (const Kind kind : {Kind::Local, Kind::AtrousLocal, Kind::Strided, Kind::Fixed, Kind::Longformer})
            for (const bool causal : {false, true}) {
                const Parameters p = parametersOf(kind, 5, causal);
                const std::vector<uint8_t> square = maskOf(makePattern(p, 40, 40)),
                                           part = maskOf(makePattern(p, 9, 40));
                QVERIFY(std::equal(part.begin(), part.end(), square.end() - 9 * 40));
                maskOf(makePattern(p, 40, 9)); // rows before all keys
            }
    }

    void dilationSpreadsTheWindow() {
        Parameters p = parametersOf(Kind::Longformer, 3);
        p.global = 0;
        p.dilation = 4;
        const std::vector<uint8_t> mask = maskOf(makePattern(p, 50, 50));
        for (int64_t i = 0; i < 50; ++i)
            for (int64_t j = 0; j < 50; ++j)
                QCOMPARE(mask[size_t(i * 50 + j)] != 0, (i - j) % 4 == 0 && std::abs(i - j) <= 12);
    }

    void bigBirdDrawsEachBlockOnce() {
        Parameters p = parametersOf(Kind::BigBird, 1);
        p.window = p.global = 0;
        p.block = 8;
        std::set<std::vector<uint8_t>> seen;
        for (const int64_t random : {0, 1, 3, 12, 100}) {
            p.random = random;
            const std::vector<uint8_t> mask = maskOf(makePattern(p, 96, 96));
            for (int64_t i = 0; i < 96; ++i) {
                int64_t blocks = 0;
                for (int64_t b = 0; b < 12; ++b) {
                    const auto begin = mask.begin() + i * 96 + b * 8;
                    const bool own = i / 8 == b; // its own token lies in the window of 0
                    const auto ones = std::count(begin, begin + 8, 1);
                    QVERIFY(ones == 0 || ones == 8 || (own && ones == 1));
                    blocks += ones == 8;
                }
                QCOMPARE(blocks, std::min<int64_t>(random, 12));
            }
            seen.insert(mask);
        }
        p.random = 3;
        p.seed = 43;
        seen.insert(maskOf(makePattern(p, 96, 96)));
        QCOMPARE(seen.size(), size_t(5)); // 12 and 100 are all
        p.causal = true;
        p.random = 2;
        QCOMPARE(statisticsOf(makePattern(p, 96, 96)).pairs, // two blocks but in the first row of them, cut in the own
                 [&] {
                     int64_t pairs = 0;
                     const std::vector<uint8_t> mask = maskOf(makePattern(p, 96, 96));
                     for (int64_t i = 0; i < 96; ++i)
                         for (int64_t j = 0; j <= i; ++j)
                             pairs += mask[size_t(i * 96 + j)];
                     return pairs;
                 }());
    }

    void whatSeesAllIsFull() {
        Parameters p = parametersOf(Kind::BigBird, 70);
        QCOMPARE(pairsOf(p, 70), 4900);
        const RandomInputs x(2, 1, 33, 70, 8);
        for (const bool causal : {false, true}) {
            p.causal = causal;
            p.top = 70;
            p.buckets = 1;
            for (int64_t head = 0; head < 2; ++head)
                for (const Pattern& pattern : {makeTopK(p, x.view), makeLsh(p, x.view)}) {
                    const Statistics s = statisticsOf(pattern, head);
                    QCOMPARE(s.pairs, s.possible);
                }
        }
    }

    void topKeepsTheLargest() {
        RandomInputs x(4, 2, 20, 30, 6);
        x.k[3 * 6] = std::numeric_limits<float>::quiet_NaN(); // key 3 of the first key head
        for (int64_t c = 0; c < 6; ++c)
            x.k[static_cast<size_t>(9 * 6 + c)] = x.k[static_cast<size_t>(8 * 6 + c)]; // keys 8 and 9 are equal
        for (const bool causal : {false, true})
            for (const int64_t top : {1, 7}) {
                Parameters p = parametersOf(Kind::TopK, 1, causal);
                p.top = top;
                const Pattern pattern = makeTopK(p, x.view);
                for (int64_t head = 0; head < 4; ++head) {
                    const std::vector<uint8_t> mask = maskOf(pattern, head);
                    for (int64_t i = 0; i < 20; ++i) {
                        std::vector<int64_t> order(static_cast<size_t>(pattern.seenAtMost(i)));
                        std::iota(order.begin(), order.end(), 0);
                        std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
                            const double x1 = scoreOf(x.view, head, i, a), x2 = scoreOf(x.view, head, i, b);
                            return std::isnan(x2) ? false : std::isnan(x1) || x1 > x2;
                        });
                        order.resize(std::min(order.size(), static_cast<size_t>(top)));
                        for (int64_t j = 0; j < 30; ++j)
                            QCOMPARE(mask[size_t(i * 30 + j)] != 0,
                                     std::find(order.begin(), order.end(), j) != order.end());
                    }
                }
            }
    }

    void hashedPairsShareABucket() {
        const RandomInputs x(4, 2, 50, 60, 7);
        Parameters p = parametersOf(Kind::Lsh, 1);
        p.hashes = 3;
        p.buckets = 8;
        const Pattern pattern = makeLsh(p, x.view);
        for (int64_t head = 0; head < 4; ++head) {
            const std::vector<uint8_t> mask = maskOf(pattern, head);
            for (int64_t i = 0; i < 50; ++i)
                for (int64_t j = 0; j < 60; ++j) {
                    bool meets = false;
                    for (int64_t round = 0; round < 3; ++round)
                        meets = meets || bucketOf({x.view.q + (head * 50 + i) * 7, 7}, p, round) ==
                                             bucketOf({x.view.k + (head / 2 * 60 + j) * 7, 7}, p, round);
                    QCOMPARE(mask[size_t(i * 60 + j)] != 0, meets);
                }
        }
        std::vector<float> opposite(x.k.begin(), x.k.begin() + 7);
        for (float& value : opposite)
            value = -value;
        const int64_t bucket = bucketOf({x.view.k, 7}, p, 0); // the half turn: [xR; -xR]
        QCOMPARE(bucketOf(opposite, p, 0), (bucket + 4) % 8);
    }

    void blocksHoldTheSamePairs_data() {
        QTest::addColumn<int>("size");
        for (const int size : {1, 5, 16, 64, 100, 300})
            QTest::addRow("blocks of %d", size) << size;
    }
    void blocksHoldTheSamePairs() {
        QFETCH(int, size);
        std::vector<Pattern> patterns{byChance(3, 130, 150, false, 2), byChance(1, 130, 150, true, 7),
                                      byChance(2, 40, 200, true, 1), byChance(1, 200, 40, true, 400)};
        for (const Kind kind : {Kind::Full, Kind::Causal, Kind::Atrous, Kind::Strided, Kind::Longformer})
            patterns.push_back(makePattern(parametersOf(kind, 20), 170, 170));
        for (const Pattern& pattern : patterns)
            for (const int threads : {1, 2}) {
                const BlockedMask blocks = blocked(pattern, size, {threads, nullptr});
                QVERIFY(blocks.bytes() <= bytesAtMost(pattern.heads, pattern.queries, pattern.keys, size));
                int64_t pairs = 0;
                for (int64_t head = 0; head < pattern.heads; ++head) {
                    const std::vector<uint8_t> mask = maskOf(pattern, head);
                    for (int64_t i = 0; i < pattern.queries; ++i)
                        for (int64_t j = 0; j < pattern.keys; ++j) {
                            const bool expected = mask[size_t(i * pattern.keys + j)] != 0;
                            pairs += expected;
                            const auto at =
                                size_t((head * blocks.queryBlocks + i / size) * blocks.keyBlocks + j / size);
                            bool seen = blocks.visible[at] != 0;
                            if (seen && blocks.part[at] >= 0)
                                seen = blocks.bits[size_t((blocks.part[at] * size + i % size) * ((size + 63) / 64) +
                                                          j % size / 64)] >>
                                           (j % size % 64) &
                                       1;
                            else if (seen) // whole: the kernel's own causal mask hides the rest
                                seen = j < pattern.seenAtMost(i);
                            QVERIFY2(seen == expected, qPrintable(QString("%1, %2").arg(i).arg(j)));
                        }
                }
                QCOMPARE(blocks.pairs, pairs);
                const BlockCounts counts = countBlocks(pattern, size, {threads, nullptr});
                QVERIFY(counts ==
                        (BlockCounts{int64_t(blocks.visible.size()), blocks.visibleBlocks, blocks.parts, pairs}));
                QVERIFY(blocks.bytes() <= bytesAtMost(counts, size));
            }
        QCOMPARE(blocked(patterns[4], size).parts, 0); // full and causal have whole blocks alone
        QCOMPARE(blocked(patterns[5], size).parts, 0);
    }

    void statisticsAreThoseOfTheMask() {
        for (const Pattern& pattern :
             {byChance(1, 130, 150, false, 60), byChance(1, 150, 150, true, 40), byChance(1, 150, 150, false, 90),
              makePattern(parametersOf(Kind::Local, 20), 200, 200)}) {
            const std::vector<uint8_t> mask = maskOf(pattern);
            const Statistics s = statisticsOf(pattern);
            const int64_t n = pattern.queries, m = pattern.keys;
            QCOMPARE(s.pairs, std::count(mask.begin(), mask.end(), 1));
            for (const Occupancy& o : s.occupancy) {
                int64_t visible = 0, whole = 0, all = 0;
                for (int64_t row = 0; row < n; row += o.block)
                    for (int64_t column = 0; column < m; column += o.block) {
                        bool any = false, every = true;
                        for (int64_t i = row; i < std::min(n, row + o.block); ++i)
                            for (int64_t j = column; j < std::min(m, column + o.block); ++j) {
                                any = any || mask[size_t(i * m + j)];
                                every = every && (mask[size_t(i * m + j)] || j >= pattern.seenAtMost(i));
                            }
                        visible += any, whole += any && every, ++all;
                    }
                QCOMPARE(o.visible, visible);
                QCOMPARE(o.whole, whole);
                QCOMPARE(o.all, all);
            }
            if (n != m) {
                QVERIFY(s.reach.empty());
                continue;
            }
            QCOMPARE(s.reach.size(), size_t(4));
            std::vector<uint8_t> own = mask;
            for (int64_t i = 0; i < n; ++i)
                own[size_t(i * n + i)] = 1;
            std::vector<uint8_t> reached = own;
            for (const Reach& reach : s.reach) {
                QCOMPARE(reach.pairs, std::count(reached.begin(), reached.end(), 1));
                std::vector<uint8_t> next(reached.size());
                for (int64_t i = 0; i < n; ++i)
                    for (int64_t k = 0; k < n; ++k)
                        for (int64_t j = 0; own[size_t(i * n + k)] && j < n; ++j)
                            next[size_t(i * n + j)] |= reached[size_t(k * n + j)];
                reached = next;
            }
        }
    }

    void twoLayersOfStridedReachEverything() {
        for (const int64_t n : {64, 1000}) {
            const Statistics strided = statisticsOf(makePattern(parametersOf(Kind::Strided, 32), n, n));
            QVERIFY(strided.reach[0].pairs < strided.possible);
            QCOMPARE(strided.reach[1].pairs, strided.possible);
            const Statistics local = statisticsOf(makePattern(parametersOf(Kind::Local, 3), n, n));
            for (const Reach& reach : local.reach) { // a band, as wide as the layers together
                const int64_t w = 3 * reach.layers;
                QCOMPARE(reach.pairs, n * (2 * w + 1) - w * (w + 1));
            }
        }
    }

    void aMaskOfOnesAndZerosIsItself() {
        tensor::Tensor mask{{3, 70}, std::vector<float>(210)};
        for (size_t i = 0; i < mask.values.size(); ++i)
            mask.values[i] = i % 3 == 1 ? 0.5f : 0;
        const Pattern pattern = makeBitmap(mask, false, "M");
        const std::vector<uint8_t> seen = maskOf(pattern);
        for (size_t i = 0; i < seen.size(); ++i)
            QCOMPARE(seen[i] != 0, i % 3 == 1);
        mask.values[5] = std::numeric_limits<float>::quiet_NaN();
        QCOMPARE(sentence([&] { makeBitmap(mask, false, "M"); }), "M: NaN at [0, 5], expected 0 or 1");
        mask.shape = {210};
        QCOMPARE(sentence([&] { makeBitmap(mask, false, "M"); }), "M: shape [210], expected [queries, keys]");
    }

    void wrongParametersAreSentences() {
        const auto says = [](Parameters p) { return sentence([&] { makePattern(p, 8, 8); }); };
        Parameters p;
        p.stride = 0;
        QCOMPARE(says(p), "stride 0: expected 1 to 16777216");
        p = {};
        p.window = -1;
        QCOMPARE(says(p), "window -1: expected 0 to 16777216");
        p = {};
        p.buckets = 7;
        QCOMPARE(says(p), "buckets 7: expected 1 or an even number");
        p = {};
        p.kind = Kind::Fixed;
        p.stride = 4;
        p.global = 5;
        QVERIFY(says(p).find("at most the 4 keys") != std::string::npos);
        p = {};
        p.kind = Kind::TopK;
        QCOMPARE(says(p), "pattern topk: needs Q and K");
        QVERIFY(sentence([] { kindByName("hexagonal"); }).find("full, causal, atrous, local") != std::string::npos);
    }

    void nothingIsNoError() {
        for (const auto& [n, m] : {std::pair<int64_t, int64_t>{0, 0}, {0, 5}, {5, 0}})
            for (const Kind kind : {Kind::Full, Kind::Local, Kind::BigBird, Kind::Fixed}) {
                const Pattern pattern = makePattern(parametersOf(kind, 4), n, m);
                QCOMPARE(statisticsOf(pattern).pairs, 0);
                QCOMPARE(blocked(pattern, 64).pairs, 0);
            }
    }

    void whatIsCancelledStops() {
        const std::atomic<bool> cancel{true};
        const Pattern pattern = makePattern(parametersOf(Kind::Local, 4), 100, 100);
        QVERIFY_THROWS_EXCEPTION(Cancelled, statisticsOf(pattern, 0, &cancel));
        QVERIFY_THROWS_EXCEPTION(Cancelled, blocked(pattern, 64, {1, &cancel}));
        QVERIFY_THROWS_EXCEPTION(Cancelled, maskOf(pattern, 0, &cancel));
    }
};

QTEST_GUILESS_MAIN(PatternsTest)
#include "patterns_test.moc"
