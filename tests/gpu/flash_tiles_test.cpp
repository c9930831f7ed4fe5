// SPDX-License-Identifier: GPL-3.0-or-later
// flash1 and flash2 with tiles of every size: right to double precision, counted to the byte, and what the traced
// kernels tell of their walk is what rows really hold after each tile.
#include "gpu/error.h"
#include "gpu/ops/attention_traffic.h"
#include "gpu/virtual/virtual_device.h"
#include "tests/core/cpu/problem.h"
#include "tests/thinned.h"

#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

using namespace warplight;
using namespace warplight::gpu;
using namespace warplight::test;

namespace {

AttentionShape asked(const OwnedProblem& p) {
    const auto& s = p.shape;
    return {s.batch, s.queryHeads, s.keyHeads, s.queryLen, s.keyLen, s.headDim, s.scale, s.causal};
}

OwnedProblem problem(int64_t heads, int64_t keyHeads, int64_t queries, int64_t keys, int64_t dim, bool causal) {
    cpu::AttentionProblem shape;
    shape.queryHeads = heads, shape.keyHeads = keyHeads;
    shape.queryLen = queries, shape.keyLen = keys, shape.headDim = dim, shape.causal = causal;
    return OwnedProblem(shape);
}

} // namespace

class FlashTilesTest : public QObject {
    Q_OBJECT
    std::unique_ptr<Device> device = vgpu::makeVirtualDevice();
    KernelLibrary library{*device};

  private slots:
    void everyTileIsRightAndCountsItsFormula_data() {
        QTest::addColumn<int>("rung");
        QTest::addColumn<int>("tile");
        QTest::addColumn<int>("dim");
        QTest::addColumn<bool>("causal");
        int row = 0;
        for (const AttentionRung rung : {AttentionRung::Flash1, AttentionRung::Flash2})
            for (const int dim : {20, 32, 64, 100, 128})
                for (const int64_t tile : flashTiles(dim))
                    for (const bool causal : {false, true})
                        if (row++ % thinned(3) == 0)
                            QTest::addRow("%s, tile %d, headDim %d%s", std::string(info(rung).name).c_str(),
                                          static_cast<int>(tile), dim, causal ? ", causal" : "")
                                << static_cast<int>(rung) << static_cast<int>(tile) << dim << causal;
    }

    void everyTileIsRightAndCountsItsFormula() {
        QFETCH(int, rung);
        QFETCH(int, tile);
        QFETCH(int, dim);
        QFETCH(bool, causal);
        const auto id = static_cast<AttentionRung>(rung);
        const OwnedProblem owned = problem(2, 1, 101, 117, dim, causal);
        const Truth truth(owned);
        AttentionOptions options;
        options.checks = true;
        options.tile = tile;
        const AttentionRun run =
            attentionForward(library, id, asked(owned), owned.q.data(), owned.k.data(), owned.v.data(), options);
        QVERIFY(device->held().empty());
        for (const LaunchRecord& launch : run.launches)
            for (const Finding& finding : launch.stats.findings)
                QFAIL(finding.message.c_str());
        for (size_t i = 0; i < truth.o.size(); ++i) {
            const double logits = truth.logitMagnitude[i / static_cast<size_t>(dim)];
            const double bound = 2 * truth.magnitude[i] * 0x1p-24 * (10 + 4 * logits) + 1e-30;
            QVERIFY(std::fabs(static_cast<double>(run.o[i]) - truth.o[i]) <= bound);
        }
        const TensorTraffic counted = countedTraffic(run);
        QVERIFY(counted == algorithmicTraffic(id, asked(owned), number::Format::F32, tile));
    }

    void flash1BeatsStandardFromTheCrossoverOn() { // the papers': more than (3·64 + 4) / 4 = 49 keys a tile
        const AttentionShape shape{1, 1, 1, 2304, 2304, 64, 0.125f, false};
        const double standard = theoryAt(shape, 4, 1024).standard;
        double before = INFINITY;
        for (const int64_t tile : flashTiles(64)) {
            double bytes = 0;
            for (const auto& [tensor, t] : algorithmicTraffic(AttentionRung::Flash1, shape, number::Format::F32, tile))
                bytes += t.total();
            QVERIFY(bytes < before);
            QCOMPARE(bytes<standard, tile> 49);
            before = bytes;
        }
    }

    void tilesAreToldInTheOrderOfTheirLoops_data() {
        QTest::addColumn<int>("tile");
        QTest::addColumn<bool>("causal");
        for (const int tile : {8, 16, 32})
            for (const bool causal : {false, true})
                QTest::addRow("tile %d%s", tile, causal ? ", causal" : "") << tile << causal;
    }

    void tilesAreToldInTheOrderOfTheirLoops() {
        QFETCH(int, tile);
        QFETCH(bool, causal);
        const OwnedProblem owned = problem(2, 2, 45, 45, 12, causal);
        for (const AttentionRung rung : {AttentionRung::Flash1, AttentionRung::Flash2}) {
            std::vector<TileVisit> visits;
            AttentionOptions options;
            options.tile = tile;
            options.onTile = [&](const TileVisit& v) { visits.push_back(v); };
            const AttentionRun run =
                attentionForward(library, rung, asked(owned), owned.q.data(), owned.k.data(), owned.v.data(), options);
            std::vector<std::tuple<int64_t, int64_t, int64_t>> order;
            for (int64_t head = 0; head < 2; ++head)
                for (int64_t outer = 0; outer < 45; outer += tile)
                    for (int64_t inner = 0; inner < 45; inner += tile) {
                        const int64_t q = rung == AttentionRung::Flash1 ? inner : outer,
                                      k = rung == AttentionRung::Flash1 ? outer : inner;
                        if (!causal || k < std::min<int64_t>(q + tile, 45))
                            order.emplace_back(head, q, k);
                    }
            QCOMPARE(visits.size(), order.size());
            std::map<std::string, std::pair<int64_t, int64_t>> moved;
            std::map<std::pair<int64_t, int64_t>, float> largest; // score of a row of a head in the tiles so far
            for (size_t i = 0; i < visits.size(); ++i) {
                const TileVisit& v = visits[i];
                QCOMPARE(std::tuple(v.head, v.queryBegin, v.keyBegin), order[i]);
                QCOMPARE(static_cast<int64_t>(v.rows.size()), v.queryEnd - v.queryBegin);
                const auto keys = static_cast<size_t>(v.keyEnd - v.keyBegin);
                QCOMPARE(v.scores.size(), v.rows.size() * keys);
                for (const TileVisit::Row& row : v.rows) {
                    checkRow(owned, v, row);
                    // The scores that are told are those that the kernel had: the running maximum is one of them.
                    const float* scores = v.scores.data() + static_cast<size_t>(&row - v.rows.data()) * keys;
                    float& most = largest.try_emplace({v.head, row.row}, -INFINITY).first->second;
                    most = std::max(most, *std::max_element(scores, scores + keys));
                    QCOMPARE(static_cast<double>(most), row.runningMax);
                    checkScores(owned, v, row, scores);
                }
                for (const auto& [tensor, bytes] : v.moved) {
                    moved[tensor].first += bytes.first;
                    moved[tensor].second += bytes.second;
                }
            }
            // Nothing is told twice or forgotten: the visits' bytes are the launch's, but for what the tracing itself
            // wrote.
            for (const BufferTraffic& b : run.launches[0].stats.buffers)
                if (b.name != "trace" && b.name != "scores")
                    QCOMPARE(moved[b.name],
                             (std::pair(static_cast<int64_t>(b.readBytes), static_cast<int64_t>(b.writtenBytes))));
        }
    }

    void whatIsNotCompiledIsRefused() {
        const OwnedProblem owned = problem(1, 1, 10, 10, 64, false);
        const auto sentence = [&](AttentionRung rung, int64_t tile, bool told) {
            AttentionOptions options;
            options.tile = tile;
            if (told)
                options.onTile = [](const TileVisit&) {};
            try {
                attentionForward(library, rung, asked(owned), owned.q.data(), owned.k.data(), owned.v.data(), options);
            } catch (const InputError& e) {
                return QString(e.what());
            }
            return QString();
        };
        QVERIFY(sentence(AttentionRung::Naive, 16, false).contains("naive has tiles of its own"));
        QVERIFY(sentence(AttentionRung::Flash2, 24, false).contains("expected one of 8, 16, 32, 48, 64, 96"));
        QVERIFY(sentence(AttentionRung::Flash2, 8, true).contains("headDim 32, not 64"));
    }

  private:
    static double scoreOf(const OwnedProblem& p, int64_t head, int64_t row, int64_t key) {
        const auto& s = p.shape;
        double dot = 0;
        for (int64_t c = 0; c < s.headDim; ++c)
            dot += static_cast<double>(p.q[static_cast<size_t>((head * s.queryLen + row) * s.headDim + c)]) *
                   static_cast<double>(p.k[static_cast<size_t>((head * s.keyLen + key) * s.headDim + c)]);
        return dot * static_cast<double>(s.scale);
    }

    static void checkScores(const OwnedProblem& p, const TileVisit& v, const TileVisit::Row& row, const float* scores) {
        for (int64_t key = v.keyBegin; key < v.keyEnd; ++key, ++scores)
            if (p.shape.causal && key > row.row)
                QCOMPARE(*scores, -INFINITY);
            else
                QVERIFY(std::fabs(static_cast<double>(*scores) - scoreOf(p, v.head, row.row, key)) <= 1e-5);
    }

    /// The running maximum and sum of a row after the keys up to a tile's end, by brute force.
    static void checkRow(const OwnedProblem& p, const TileVisit& v, const TileVisit::Row& row) {
        const auto& s = p.shape;
        const auto upTo = [&](int64_t end, double& most, double& sum) {
            most = -INFINITY, sum = 0;
            std::vector<double> scores;
            for (int64_t j = 0; j < std::min(end, s.causal ? row.row + 1 : s.keyLen); ++j) {
                scores.push_back(scoreOf(p, v.head, row.row, j));
                most = std::max(most, scores.back());
            }
            for (const double x : scores)
                sum += std::exp(x - most);
        };
        double most, sum, before, ignored;
        upTo(v.keyEnd, most, sum);
        upTo(v.keyBegin, before, ignored);
        QVERIFY(std::fabs(row.runningMax - most) <= 1e-5);
        QVERIFY(std::fabs(row.runningSum - sum) <= 1e-4 * sum);
        QVERIFY(std::fabs(row.rescale - (std::isinf(before) ? 0 : std::exp(before - most))) <= 1e-5);
    }
};

QTEST_GUILESS_MAIN(FlashTilesTest)
#include "flash_tiles_test.moc"
