// SPDX-License-Identifier: GPL-3.0-or-later
// The streamed map against the whole matrix, which only a test may hold.
#include "core/cpu/attention/attention_map.h"
#include "core/error.h"
#include "nonfinite.h"
#include "problem.h"

#include <QElapsedTimer>
#include <QTest>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

using namespace warplight;
using namespace warplight::test;

namespace {

struct Whole {
    std::vector<double> p, lse; ///< [queryLen, keyLen]; masked cells 0
    std::vector<bool> seen;
};

Whole wholeMap(const cpu::MapProblem& m) {
    Whole whole;
    for (int64_t i = 0; i < m.queryLen; ++i) {
        std::vector<double> s;
        double sum = 0;
        for (int64_t j = 0; j < m.keyLen; ++j) {
            double dot = 0;
            for (int64_t c = 0; c < m.headDim; ++c)
                dot += static_cast<double>(m.q[i * m.headDim + c]) * static_cast<double>(m.k[j * m.headDim + c]);
            const bool sees = !m.causal || j <= i + m.keyLen - m.queryLen;
            whole.seen.push_back(sees);
            s.push_back(sees ? std::exp(dot * static_cast<double>(m.scale)) : 0);
            sum += s.back();
        }
        for (const double x : s)
            whole.p.push_back(sum > 0 ? x / sum : 0);
        whole.lse.push_back(std::log(sum));
    }
    return whole;
}

} // namespace

class AttentionMapTest : public QObject {
    Q_OBJECT

    static cpu::MapProblem problemOf(const OwnedProblem& p) {
        return {p.shape.queryLen, p.shape.keyLen, p.shape.headDim, p.shape.scale,
                p.shape.causal,   p.q.data(),     p.k.data()};
    }

  private slots:
    void cleanup() { cpu::useTarget(""); }

    void streamedEqualsWhole_data() {
        QTest::addColumn<int>("queries");
        QTest::addColumn<int>("keys");
        QTest::addColumn<bool>("causal");
        QTest::addColumn<QString>("target");
        for (const auto& target : cpu::supportedTargets())
            for (const auto& [queries, keys] : {std::pair{1, 1}, {7, 65}, {130, 130}, {200, 67}, {65, 193}, {5, 0}})
                for (const bool causal : {false, true})
                    QTest::addRow("%d x %d%s, %s", queries, keys, causal ? " causal" : "", target.c_str())
                        << queries << keys << causal << QString::fromStdString(target);
    }
    void streamedEqualsWhole() {
        QFETCH(int, queries);
        QFETCH(int, keys);
        QFETCH(bool, causal);
        QFETCH(QString, target);
        cpu::useTarget(target.toStdString());
        const OwnedProblem owned({1, 1, 1, queries, keys, 20, 0, causal});
        const cpu::MapProblem m = problemOf(owned);
        const Whole whole = wholeMap(m);
        const auto p = [&](int64_t i, int64_t j) { return whole.p[static_cast<size_t>(i * keys + j)]; };
        std::vector<float> lse(static_cast<size_t>(queries)), entropy(lse.size());
        cpu::mapStatistics(m, lse, entropy, 2, nullptr);
        cpu::MapSummary summary;
        cpu::mapSummary(m, lse, 64, 3, summary, 2, nullptr);
        std::vector<double> mass(static_cast<size_t>(keys));
        for (int64_t i = 0; i < queries; ++i) {
            double bits = 0, sink = 0, sum = 0;
            int64_t low = -1, high = -1;
            for (int64_t j = 0; j < keys; ++j) {
                bits -= p(i, j) > 0 ? p(i, j) * std::log2(p(i, j)) : 0;
                sink += j < 3 ? p(i, j) : 0;
                mass[static_cast<size_t>(j)] += p(i, j);
                sum += p(i, j);
                low = low < 0 && sum >= 0.025 ? j : low;
                high = high < 0 && sum >= 0.975 ? j : high;
            }
            const auto r = static_cast<size_t>(i);
            if (std::isinf(whole.lse[r])) {
                QVERIFY(std::isinf(lse[r]) && lse[r] < 0 && entropy[r] == 0 && summary.span95[r] == 0);
                continue;
            }
            QVERIFY(std::fabs(static_cast<double>(lse[r]) - whole.lse[r]) < 1e-5);
            QVERIFY(std::fabs(static_cast<double>(entropy[r]) - bits) < 1e-4);
            QVERIFY(std::fabs(static_cast<double>(summary.sinkShare[r]) - sink) < 1e-5);
            QVERIFY2(std::abs(summary.span95[r] - (high - low + 1)) <= 1,
                     qPrintable(QString("row %1: %2, expected %3").arg(i).arg(summary.span95[r]).arg(high - low + 1)));
        }
        for (size_t j = 0; j < mass.size(); ++j)
            QVERIFY(std::fabs(static_cast<double>(summary.massPerKey[j]) - mass[j]) < 1e-4);
        for (const cpu::Pooling pooling : {cpu::Pooling::Max, cpu::Pooling::Mean})
            for (const int64_t cell : {int64_t{1}, int64_t{4}, int64_t{64}}) {
                const int64_t rows = (queries + cell - 1) / cell, cols = std::max<int64_t>(1, (keys + cell - 1) / cell);
                std::vector<float> tile(static_cast<size_t>(rows * cols), -1.0f);
                cpu::mapTile(m, lse, 0, 0, rows, cols, cell, pooling, tile, 2, nullptr);
                for (int64_t r = 0; r < rows; ++r)
                    for (int64_t c = 0; c < cols; ++c) {
                        double most = 0, sum = 0;
                        int count = 0;
                        bool seen = false;
                        for (int64_t i = r * cell; i < std::min<int64_t>((r + 1) * cell, queries); ++i)
                            for (int64_t j = c * cell; j < std::min<int64_t>((c + 1) * cell, keys); ++j) {
                                most = std::max(most, p(i, j));
                                sum += p(i, j);
                                seen = seen || whole.seen[static_cast<size_t>(i * keys + j)];
                                ++count;
                            }
                        const double got = static_cast<double>(tile[static_cast<size_t>(r * cols + c)]);
                        QCOMPARE(std::isnan(got), !seen);
                        const double expected = pooling == cpu::Pooling::Max ? most : sum / count;
                        QVERIFY(!seen || std::fabs(got - expected) < 1e-5);
                        if (cell == 64 && seen) {
                            const auto& pooled = pooling == cpu::Pooling::Max ? summary.maxPooled : summary.meanPooled;
                            QVERIFY(std::fabs(static_cast<double>(pooled[static_cast<size_t>(r * cols + c)]) -
                                              expected) < 1e-5);
                        }
                    }
            }
    }

    void uniformRowsHaveTheEntropyOfTheirLength() {
        OwnedProblem owned({1, 1, 1, 300, 300, 16, 0, true});
        std::fill(owned.q.begin(), owned.q.end(), 0.0f);
        std::vector<float> lse(300), entropy(300);
        cpu::mapStatistics(problemOf(owned), lse, entropy, 1, nullptr);
        for (size_t i = 0; i < 300; ++i)
            QVERIFY(std::fabs(static_cast<double>(entropy[i]) - std::log2(static_cast<double>(i + 1))) < 1e-5);
    }

    void nothingThatIsNoNumberIsHidden_data() {
        QTest::addColumn<int>("situation");
        QTest::addColumn<bool>("causal");
        QTest::addColumn<QString>("target");
        for (const auto& target : cpu::supportedTargets())
            for (int i = 0; i < static_cast<int>(std::size(situations)); ++i)
                for (const bool causal : {false, true})
                    QTest::addRow("%s, %s%s", target.c_str(), situations[i].name, causal ? ", causal" : "")
                        << i << causal << QString::fromStdString(target);
    }
    void nothingThatIsNoNumberIsHidden() { // rows of NaN stay rows of NaN, and nothing behind the mask changes
        QFETCH(int, situation);
        QFETCH(bool, causal);
        QFETCH(QString, target);
        cpu::useTarget(target.toStdString());
        constexpr int64_t queries = 70, keys = 130;
        OwnedProblem owned({1, 1, 1, queries, keys, 20, 0, causal});
        situations[situation].poison(owned);
        const Truth truth(owned);
        const cpu::MapProblem m = problemOf(owned);
        std::vector<float> lse(queries), entropy(queries), tile(queries * keys), pooled(2 * 3);
        cpu::mapStatistics(m, lse, entropy, 2, nullptr);
        const std::string different = differences("lse", lse.data(), truth.lse, [](size_t) { return 1e-4; });
        QVERIFY2(different.empty(), different.c_str());
        cpu::MapSummary summary;
        cpu::mapSummary(m, lse, 64, 3, summary, 2, nullptr);
        cpu::mapTile(m, lse, 0, 0, queries, keys, 1, cpu::Pooling::Max, tile, 1, nullptr);
        std::vector<bool> keyIsNan(keys), cellIsNan(2 * 3);
        for (int64_t i = 0; i < queries; ++i) {
            const auto r = static_cast<size_t>(i);
            const bool isNan = std::isnan(truth.lse[r]);
            const int64_t seen = causal ? i + 1 + keys - queries : keys;
            QCOMPARE(std::isnan(entropy[r]), isNan);
            QCOMPARE(std::isnan(summary.sinkShare[r]), isNan);
            QVERIFY(!isNan || summary.span95[r] == 0);
            std::vector<float> row(keys);
            cpu::mapRow(m, lse[r], i, row);
            for (int64_t j = 0; j < keys; ++j) {
                const auto c = static_cast<size_t>(j);
                QCOMPARE(std::isnan(row[c]), isNan && j < seen);
                QCOMPARE(std::isnan(tile[r * keys + c]), isNan || j >= seen); // masked cells are drawn as such
                keyIsNan[c] = keyIsNan[c] || (isNan && j < seen);
                cellIsNan[r / 64 * 3 + c / 64] = cellIsNan[r / 64 * 3 + c / 64] || (isNan && j < seen);
            }
        }
        for (size_t c = 0; c < keyIsNan.size(); ++c)
            QCOMPARE(std::isnan(summary.massPerKey[c]), static_cast<bool>(keyIsNan[c]));
        for (const cpu::Pooling pooling : {cpu::Pooling::Max, cpu::Pooling::Mean}) {
            cpu::mapTile(m, lse, 0, 0, 2, 3, 64, pooling, pooled, 1, nullptr);
            for (size_t c = 0; c < cellIsNan.size(); ++c) {
                QCOMPARE(std::isnan((pooling == cpu::Pooling::Max ? summary.maxPooled : summary.meanPooled)[c]),
                         static_cast<bool>(cellIsNan[c]));
                QVERIFY(!cellIsNan[c] || std::isnan(pooled[c]));
            }
        }
    }

    void bitsDoNotDependOnThreads() {
        const OwnedProblem owned({1, 1, 1, 500, 700, 32, 0, true});
        const cpu::MapProblem m = problemOf(owned);
        std::vector<float> lse(500), entropy(500), lseTwo(500), entropyTwo(500);
        cpu::MapSummary one, two;
        cpu::mapStatistics(m, lse, entropy, 1, nullptr);
        cpu::mapStatistics(m, lseTwo, entropyTwo, 2, nullptr);
        cpu::mapSummary(m, lse, 64, 4, one, 1, nullptr);
        cpu::mapSummary(m, lse, 64, 4, two, 2, nullptr);
        QVERIFY(lse == lseTwo && entropy == entropyTwo && one.massPerKey == two.massPerKey &&
                one.meanPooled == two.meanPooled && one.span95 == two.span95);
    }

    void rowsAreWhatTheTilesSay() {
        const OwnedProblem owned({1, 1, 1, 90, 120, 12, 0, true});
        const cpu::MapProblem m = problemOf(owned);
        std::vector<float> lse(90), entropy(90), row(120), tile(120);
        cpu::mapStatistics(m, lse, entropy, 1, nullptr);
        cpu::mapRow(m, lse[40], 40, row);
        cpu::mapTile(m, lse, 40, 0, 1, 120, 1, cpu::Pooling::Max, tile, 1, nullptr);
        for (size_t j = 0; j < 120; ++j)
            QVERIFY(j > 70 ? std::isnan(tile[j]) && row[j] == 0 : std::fabs(row[j] - tile[j]) < 1e-6f);
    }

    void cancelIsPrompt() {
        const OwnedProblem owned({1, 1, 1, 16384, 16384, 64, 0, false});
        std::vector<float> lse(16384), entropy(16384);
        std::atomic<bool> cancel{true};
        QVERIFY_EXCEPTION_THROWN(cpu::mapStatistics(problemOf(owned), lse, entropy, 2, &cancel), Cancelled);
    }
};

QTEST_GUILESS_MAIN(AttentionMapTest)
#include "attention_map_test.moc"
