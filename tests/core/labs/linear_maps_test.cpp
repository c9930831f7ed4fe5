// SPDX-License-Identifier: GPL-3.0-or-later
// The page Maps and what it shows: maps that are made where they are looked at, against sums over their cells.
#include "core/error.h"
#include "core/labs/attention/map_tiles.h"
#include "core/labs/linear/factor_map.h"
#include "core/labs/linear/map_methods.h"
#include "core/labs/linear/pattern_map.h"
#include "core/tensor/random.h"
#include "tests/core/labs/page_record.h"

#include <QTest>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

using namespace warplight;
using namespace warplight::lab;
using namespace warplight::labs::linear;
using namespace warplight::test;

namespace {

std::vector<float> gaussian(int64_t count, uint64_t stream) {
    std::vector<float> x(static_cast<size_t>(count));
    tensor::fillGaussian(x, 7, stream);
    return x;
}

/// Q, K and the log-sum-exps of one head.
std::shared_ptr<ComparedMaps> mapsOf(int64_t n, int64_t d, bool causal) {
    auto maps = std::make_shared<ComparedMaps>();
    maps->q = gaussian(n * d, 2);
    maps->k = gaussian(n * d, 3);
    maps->exact = {n, n, d, 0.35f, causal, maps->q.data(), maps->k.data()};
    maps->lse.resize(static_cast<size_t>(n));
    std::vector<float> entropy(maps->lse.size());
    cpu::mapStatistics(maps->exact, maps->lse, entropy, 1, nullptr);
    return maps;
}

} // namespace

class LinearMapsTest : public QObject {
    Q_OBJECT

  private slots:
    void blocksOfAFactorMapAreTheMeansOfTheirCells_data() {
        QTest::addColumn<bool>("causal");
        QTest::newRow("all") << false;
        QTest::newRow("causal") << true;
    }
    void blocksOfAFactorMapAreTheMeansOfTheirCells() {
        QFETCH(bool, causal);
        constexpr int64_t n = 37, r = 5;
        std::vector<float> left = gaussian(n * r, 0);
        const std::vector<float> right = gaussian(n * r, 1);
        left[20 * r + 2] = NAN; // a row without values
        const FactorMap map(left, right, r, causal);
        const auto cell = [&](int64_t i, int64_t j) {
            double sum = 0;
            for (int64_t c = 0; c < r; ++c)
                sum += static_cast<double>(left[static_cast<size_t>(i * r + c)]) *
                       static_cast<double>(right[static_cast<size_t>(j * r + c)]);
            return sum;
        };
        for (const int64_t size : {1, 4, 16, 37})
            for (int64_t row = 0; row < n; row += size)
                for (int64_t column = 0; column < n; column += size) {
                    const int64_t rowEnd = std::min(row + size, n), columnEnd = std::min(column + size, n);
                    double sum = 0;
                    bool seen = false;
                    for (int64_t i = row; i < rowEnd; ++i)
                        for (int64_t j = column; j < columnEnd; ++j)
                            if (!causal || j <= i) {
                                sum += cell(i, j);
                                seen = true;
                            }
                    const double mean = map.mean(row, rowEnd, column, columnEnd);
                    if (!seen || std::isnan(sum))
                        QVERIFY(std::isnan(mean));
                    else
                        QVERIFY(near(mean, sum / static_cast<double>((rowEnd - row) * (columnEnd - column)), 1e-9));
                }
    }

    void theDifferenceIsThatOfBothMaps() {
        constexpr int64_t n = 600, d = 8;
        const auto maps = mapsOf(n, d, true);
        maps->method = std::make_shared<FactorMap>(gaussian(n * 3, 4), gaussian(n * 3, 5), 3, true);
        QCOMPARE(labs::attention::mapLevels(n, n), 3);
        const std::atomic<bool> no = false;
        for (int level = 0; level < 3; ++level) {
            const auto a = tilesOf(maps, Shown::Exact)->tile(level, 0, 0, no).cells,
                       b = tilesOf(maps, Shown::Method)->tile(level, 0, 0, no).cells,
                       c = tilesOf(maps, Shown::Difference)->tile(level, 0, 0, no).cells;
            for (size_t i = 0; i < a.size(); ++i)
                QVERIFY((std::isnan(b[i]) && std::isnan(c[i])) || near(c[i], b[i] - a[i], 1e-6));
        }
        QVERIFY_EXCEPTION_THROWN(tilesOf(maps, Shown::Exact)->tile(3, 0, 0, no), InputError);
        QVERIFY_EXCEPTION_THROWN(tilesOf(maps, Shown::Method)->tile(0, 3, 0, no), InputError);
    }

    void manyRandomFeaturesComeCloseToTheSoftmax() {
        const auto apart = [](const char* method, int64_t features) {
            return metric(record("linear.maps", {{"method", std::string(method)},
                                                 {"features", features},
                                                 {"input", std::string("gaussian")},
                                                 {"seqLen", int64_t{128}},
                                                 {"headDim", int64_t{16}}}),
                          "apart");
        };
        QVERIFY(apart("favor", 2048) < apart("favor", 16) / 2);
        QVERIFY(apart("favor", 2048) < apart("elu1", 16));
    }

    void aMapOfFeaturesHasTheirRank() {
        const RunRecord run = record(
            "linear.maps",
            {{"method", std::string("elu1")}, {"seqLen", int64_t{128}}, {"headDim", int64_t{8}}, {"causal", false}});
        const Curve &method = curve(run, "spectrum", "method"), &softmax = curve(run, "spectrum", "softmax");
        QVERIFY(method.y[7] > 1e-6);
        QVERIFY(method.y[8] < 1e-6); // f32 features
        QVERIFY(softmax.y[20] > method.y[20] * 10);
    }

    void aRowOfZerosHasNoValues() { // of 40 first queries some have no feature in common with the one key they see
        int zeros = 0;
        for (int64_t seed = 0; seed < 40; ++seed) {
            const RunRecord run = record("linear.maps", {{"method", std::string("relu")},
                                                         {"input", std::string("gaussian")},
                                                         {"seqLen", int64_t{8}},
                                                         {"headDim", int64_t{8}},
                                                         {"seed", seed}});
            QCOMPARE(run.figure("near") == nullptr, run.figure("undefined") == nullptr);
            zeros += run.figure("near") ? 1 : 0;
        }
        QVERIFY(zeros > 0 && zeros < 40);
    }

    void blocksOfAPatternAreTheMeansOfTheirCells_data() {
        QTest::addColumn<bool>("causal");
        QTest::newRow("all") << false;
        QTest::newRow("causal") << true;
    }
    /// The softmax over the keys that are kept, by its definition.
    void blocksOfAPatternAreTheMeansOfTheirCells() {
        QFETCH(bool, causal);
        constexpr int64_t n = 150, d = 8, empty = 70;
        const auto maps = mapsOf(n, d, causal);
        const auto kept = [&](int64_t i, int64_t j) {
            return i != empty && (!causal || j <= i) && (j % 7 == 0 || std::abs(i - j) < 3);
        };
        sparse::Pattern pattern;
        pattern.queries = pattern.keys = n;
        pattern.see = [&](int64_t, int64_t i, sparse::BitRow row) {
            for (int64_t j = 0; j < n; ++j)
                if (i != empty && (j % 7 == 0 || std::abs(i - j) < 3)) // behind the mask as well
                    row.set(j);
        };
        const PatternMap map(maps->exact, maps->lse, pattern, nullptr);
        std::vector<double> want(n * n);
        int64_t pairs = 0;
        for (int64_t i = 0; i < n; ++i) {
            double sum = 0, all = 0;
            for (int64_t j = 0; j < (causal ? i + 1 : n); ++j) {
                double score = 0;
                for (int64_t c = 0; c < d; ++c)
                    score += static_cast<double>(maps->q[static_cast<size_t>(i * d + c)]) *
                             static_cast<double>(maps->k[static_cast<size_t>(j * d + c)]);
                const double weight = std::exp(score * static_cast<double>(0.35f));
                all += weight;
                if (kept(i, j)) {
                    ++pairs;
                    sum += want[static_cast<size_t>(i * n + j)] = weight;
                }
            }
            QVERIFY(near(map.kept()[static_cast<size_t>(i)], sum / all, 1e-5));
            for (int64_t j = 0; j < n; ++j) {
                want[static_cast<size_t>(i * n + j)] /= sum;
                const double is = map.at(i, j);
                if (i == empty || (causal && j > i))
                    QVERIFY(std::isnan(is));
                else
                    QVERIFY(near(is, want[static_cast<size_t>(i * n + j)], 1e-5));
            }
        }
        QCOMPARE(map.pairs(), pairs);
        for (const int64_t cell : {1, 4, 64}) {
            const int64_t rows = (n + cell - 1) / cell;
            std::vector<float> means(static_cast<size_t>(rows * rows));
            map.means(0, 0, rows, rows, cell, means, nullptr);
            for (int64_t r = 0; r < rows; ++r)
                for (int64_t c = 0; c < rows; ++c) {
                    const int64_t bottom = std::min((r + 1) * cell, n), right = std::min((c + 1) * cell, n);
                    double sum = 0;
                    for (int64_t i = r * cell; i < bottom; ++i)
                        for (int64_t j = c * cell; j < right; ++j)
                            sum += want[static_cast<size_t>(i * n + j)];
                    const auto is = static_cast<double>(means[static_cast<size_t>(r * rows + c)]);
                    if ((r * cell <= empty && empty < bottom) || (causal && c * cell >= bottom))
                        QVERIFY(std::isnan(is));
                    else
                        QVERIFY(near(is, sum / static_cast<double>((bottom - r * cell) * (right - c * cell)), 1e-5));
                }
        }
    }

    /// What leaves nothing out has the softmax's map.
    void methodsThatLeaveNothingOutAreTheSoftmax_data() {
        QTest::addColumn<QString>("method");
        QTest::addColumn<QString>("knob");
        QTest::addColumn<int>("value");
        QTest::addColumn<double>("apart");
        QTest::newRow("full") << "full"
                              << "" << 0 << 0.01;
        QTest::newRow("a window as long as the sequence") << "local"
                                                          << "window" << 64 << 0.01;
        QTest::newRow("as many keys as there are") << "topk"
                                                   << "top" << 64 << 0.01;
        QTest::newRow("one bucket") << "lsh"
                                    << "buckets" << 1 << 0.01;
        QTest::newRow("a segment a row") << "pooling"
                                         << "rank" << 64 << 0.01;
        QTest::newRow("a landmark a row") << "nystrom"
                                          << "rank" << 64 << 0.5;
    }
    void methodsThatLeaveNothingOutAreTheSoftmax() {
        QFETCH(QString, method);
        QFETCH(QString, knob);
        QFETCH(int, value);
        QFETCH(double, apart);
        Given given{{"method", method.toStdString()},
                    {"input", std::string("gaussian")},
                    {"seqLen", int64_t{64}},
                    {"headDim", int64_t{16}}};
        if (!knob.isEmpty())
            given[knob.toStdString()] = int64_t{value};
        const double is = metric(record("linear.maps", given), "apart"); // in %
        QVERIFY2(is < apart, qPrintable(QString::number(is)));
    }

    void everyMethodHasItsMap() {
        const auto methods = mapMethodParameters();
        for (const auto& option : methods.front().options) {
            const RunRecord run = record("linear.maps", {{"method", option.id},
                                                         {"input", std::string("mixed")},
                                                         {"seqLen", int64_t{96}},
                                                         {"headDim", int64_t{16}},
                                                         {"rank", int64_t{8}},
                                                         {"features", int64_t{16}}});
            for (const char* figure : {"exact", "method", "difference", "denominators", "spectrum", "apart"})
                QVERIFY2(run.figure(figure), (option.id + ": " + figure).c_str());
            QCOMPARE(curve(run, "denominators", "method").y.size(), size_t{96});
        }
    }
};

QTEST_GUILESS_MAIN(LinearMapsTest)
#include "linear_maps_test.moc"
