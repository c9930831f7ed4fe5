// SPDX-License-Identifier: GPL-3.0-or-later
// The Map page against a softmax written out here in double precision, on tensors that NumPy wrote.
#include "core/error.h"
#include "core/formats/tensor_file.h"
#include "core/lab/record.h"
#include "core/labs/attention/attention_lab.h"

#include <QTest>
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include <cmath>
#include <numeric>

using namespace warplight;
using namespace warplight::lab;

namespace {

const std::string oracle = std::string(WARPLIGHT_TEST_DATA) + "/oracles/attention/gqa.npz";

/// A run that stays open for tiles, probes and selections.
struct OpenRun {
    RunRecord record;
    std::shared_ptr<std::atomic<bool>> cancel = std::make_shared<std::atomic<bool>>(false);
    std::unique_ptr<Experiment> experiment = labs::attention::makeMap();
    Run run{1, "cpu", [this](const Frame& frame) { record.apply(frame); }, cancel};

    explicit OpenRun(const std::map<std::string, Value>& given) {
        const Settings settings(experiment->describe().parameters, given);
        record.apply(RunStarted{1, "attention.map", "Map", settings.values(), "cpu", "", {}});
        experiment->run(settings, run);
    }
    double metric(const char* id) const { return std::get<Metric>(record.figure(id)->content).value.value(); }
    TilePut tile(int level, int64_t row, int64_t col) { return run.tileSource("map")->tile(level, row, col, *cancel); }
};

std::map<std::string, Value> ofFile(const std::string& file, bool causal, int64_t head) {
    return {{"input", std::string("files")},
            {"qFile", file + ":q"},
            {"kFile", file + ":k"},
            {"causal", causal},
            {"head", head}};
}

/// P of one head by its definition; masked cells are 0.
std::vector<std::vector<double>> softmax(const std::string& file, bool causal, int64_t head) {
    const tensor::Tensor q = formats::loadTensor(file + ":q"), k = formats::loadTensor(file + ":k");
    const int64_t rows = q.shape[2], cols = k.shape[2], dim = q.shape[3], keyHead = head / (q.shape[1] / k.shape[1]);
    std::vector<std::vector<double>> p(static_cast<size_t>(rows), std::vector<double>(static_cast<size_t>(cols), 0));
    for (int64_t i = 0; i < rows; ++i) {
        double sum = 0;
        for (int64_t j = 0; j < cols; ++j) {
            double s = 0;
            for (int64_t c = 0; c < dim; ++c)
                s += double(q.values[size_t((head * rows + i) * dim + c)]) *
                     double(k.values[size_t((keyHead * cols + j) * dim + c)]);
            if (!causal || j <= i + cols - rows)
                sum += p[size_t(i)][size_t(j)] = std::exp(s / std::sqrt(double(dim)));
        }
        for (double& value : p[size_t(i)])
            value /= sum;
    }
    return p;
}

} // namespace

class MapTest : public QObject {
    Q_OBJECT
  private slots:
    void theFinestTileIsTheDefinition() {
        for (const bool causal : {false, true}) {
            OpenRun open(ofFile(oracle, causal, 4));
            const auto p = softmax(oracle, causal, 4);
            const TilePut finest = open.tile(0, 0, 0);
            QCOMPARE(finest.rows, int64_t{33});
            QCOMPARE(finest.cols, int64_t{57});
            for (size_t i = 0; i < 33; ++i)
                for (size_t j = 0; j < 57; ++j) {
                    const double got = double(finest.cells[i * 57 + j]);
                    if (p[i][j] > 0)
                        QVERIFY(std::fabs(got - p[i][j]) < 1e-5 * p[i][j] + 1e-9);
                    else
                        QVERIFY(std::isnan(got)); // a masked cell shows the ground
                }
        }
    }

    void coarseTilesAgreeWithTheFineOnesTheyStandFor() {
        for (const char* pooling : {"max", "mean"}) {
            OpenRun open({{"seqLen", int64_t{20000}}, {"headDim", int64_t{8}}, {"pooling", std::string(pooling)}});
            // 256 cells of level 5 under a 128 × 128 quarter of a level-6 tile; one comes from Q and K, one from the
            // streaming pass.
            const TilePut fine = open.tile(5, 1, 0), coarse = open.tile(6, 0, 0);
            for (int64_t r = 0; r < 28; ++r)
                for (int64_t c = 0; c < 128; ++c) {
                    double stand = 0;
                    int masked = 0;
                    for (int64_t k = 0; k < 4; ++k) {
                        const double cell = double(fine.cells[size_t((2 * r + k / 2) * fine.cols + 2 * c + k % 2)]);
                        masked += std::isnan(cell);
                        const double value = std::isnan(cell) ? 0 : cell;
                        stand = *pooling == 'm' && pooling[1] == 'a' ? std::max(stand, value) : stand + value / 4;
                    }
                    const double got = double(coarse.cells[size_t((128 + r) * coarse.cols + c)]);
                    if (masked == 4)
                        QVERIFY(std::isnan(got));
                    else
                        QVERIFY2(std::fabs(got - stand) <= 2e-5 * stand + 1e-12,
                                 qPrintable(QString("%1 %2: %3 for %4").arg(r).arg(c).arg(got).arg(stand)));
                }
        }
    }

    /// However far: what a tile's place is multiplied by must not bring it back into the map.
    void tilesOutsideTheMapAreRefused() {
        OpenRun open({{"seqLen", int64_t{256}}});
        const int64_t last = std::numeric_limits<int64_t>::max();
        for (const int64_t far : {int64_t{1}, int64_t{1} << 55, int64_t{1} << 62, last - 255, last, int64_t{-1}}) {
            QVERIFY_THROWS_EXCEPTION(InputError, open.tile(0, far, 0));
            QVERIFY_THROWS_EXCEPTION(InputError, open.tile(0, 0, far));
        }
        QVERIFY_THROWS_EXCEPTION(InputError, open.tile(1, 0, 0));
        QCOMPARE(open.tile(0, 0, 0).rows, int64_t{256});
    }

    void headlinesAreThoseOfTheDefinition() {
        auto settings = ofFile(oracle, true, 5);
        settings["sinkKeys"] = int64_t{3};
        const OpenRun open(settings);
        double entropy = 0, sinks = 0;
        for (const auto& row : softmax(oracle, true, 5)) {
            for (const double p : row)
                entropy -= p > 0 ? p * std::log2(p) / 33 : 0;
            sinks += std::accumulate(row.begin(), row.begin() + 3, 0.0) / 33;
        }
        QVERIFY(std::fabs(open.metric("meanEntropy") - entropy) < 1e-4);
        QVERIFY(std::fabs(open.metric("meanSink") - 100 * sinks) < 1e-3);
    }

    void aSelectedRowShowsItsDistributionAndItsStrongestKeys() {
        OpenRun open(ofFile(oracle, false, 0));
        open.run.selectionHandler("map")(open.run, 7, 0);
        const auto p = softmax(oracle, false, 0)[7];
        const auto& row = std::get<Series>(open.record.figure("row")->content).curves[0];
        QCOMPARE(row.x.size(), size_t{57});
        for (size_t j = 0; j < 57; ++j)
            QVERIFY(std::fabs(row.y[j] - p[j]) < 1e-6);
        const auto& table = std::get<Table>(open.record.figure("topKeys")->content);
        const auto best = std::max_element(p.begin(), p.end()) - p.begin();
        QCOMPARE(std::get<std::string>(table.rows[0][0]), std::to_string(best));
        QCOMPARE(table.rows.size(), size_t{10});
        QVERIFY_EXCEPTION_THROWN(open.run.selectionHandler("map")(open.run, 33, 0), InputError);
    }

    void aProbeTellsTheValueUnderIt() {
        OpenRun open(ofFile(oracle, true, 2));
        const auto p = softmax(oracle, true, 2);
        const auto lines = open.run.tileSource("map")->probe(3, 20);
        QCOMPARE(lines.size(), size_t{2});
        const double told = QString::fromStdString(lines[1]).section(' ', 2, 2).toDouble();
        QVERIFY2(std::fabs(told - p[3][20]) < 1e-3 * p[3][20], lines[1].c_str());
        QCOMPARE(open.run.tileSource("map")->probe(3, 28), std::vector<std::string>{"masked"});
        QVERIFY(open.run.tileSource("map")->probe(-1, 0).empty());
        QVERIFY_EXCEPTION_THROWN(open.tile(0, 5, 5), InputError);
        QVERIFY_EXCEPTION_THROWN(open.tile(9, 0, 0), InputError);
    }

    void structuresAreWhereTheirNamesSay() {
        const auto mass = [](const char* kind, const std::function<bool(int64_t, int64_t)>& inside) {
            OpenRun open({{"input", std::string(kind)}, {"seqLen", int64_t{512}}});
            double sum = 0;
            for (int64_t tileRow = 0; tileRow < 2; ++tileRow)
                for (int64_t tileCol = 0; tileCol <= tileRow; ++tileCol) {
                    const TilePut tile = open.tile(0, tileRow, tileCol);
                    for (int64_t r = 0; r < tile.rows; ++r)
                        for (int64_t c = 0; c < tile.cols; ++c) {
                            const double cell = double(tile.cells[size_t(r * tile.cols + c)]);
                            if (!std::isnan(cell) && inside(tileRow * 256 + r, tileCol * 256 + c))
                                sum += cell / 512;
                        }
                }
            return sum;
        };
        const auto near = [](int64_t q, int64_t k) { return q - k < 16; };
        const auto first = [](int64_t, int64_t k) { return k == 0; };
        const auto stripes = [](int64_t q, int64_t k) { return (q - k + 2) % 64 <= 4; };
        QVERIFY(mass("local", near) > 3 * mass("gaussian", near));
        QVERIFY(mass("sink", first) > 0.5);
        QVERIFY(mass("strided", stripes) > 3 * mass("gaussian", stripes));
    }

    /// Every head of a model that transformers wrote, against the attention that they computed
    /// (tests/oracles/gpt/make_folder.py), and its tokens on the axes.
    void headsOfAModelAreThoseOfTransformers() {
        const std::string folder = std::string(WARPLIGHT_TEST_DATA) + "/oracles/gpt/folder";
        const tensor::Tensor expected = formats::loadTensor(folder + "/expected.npz:attention");
        QCOMPARE(expected.shape, (std::vector<int64_t>{2, 3, 26, 26}));
        size_t at = 0;
        for (int64_t layer = 0; layer < 2; ++layer)
            for (int64_t head = 0; head < 3; ++head) {
                OpenRun open({{"input", std::string("model")},
                              {"model", folder + "/config.json"},
                              {"text", std::string("The river's mill, größer als 漢字 in 1984, isn't it?\n  ok")},
                              {"layer", layer},
                              {"head", head}});
                for (const float cell : open.tile(0, 0, 0).cells) {
                    const float right = expected.values[at++];
                    QVERIFY(std::isnan(cell) ? right == 0 : std::fabs(cell - right) < 1e-5f);
                }
                const auto& map = std::get<Heatmap>(open.record.figure("map")->content);
                QCOMPARE(map.x.labels, map.y.labels);
                QCOMPARE(map.x.labels.size(), size_t{26});
                QCOMPARE(map.x.labels[1], std::string("␣riv"));
            }
        QCOMPARE(at, expected.values.size());
    }

    void theModelThatComesWithTheProgramReadsBytes() {
        OpenRun open({{"input", std::string("model")}, {"text", std::string("a\n\xC3\xA9 ")}});
        QCOMPARE(std::get<Heatmap>(open.record.figure("map")->content).x.labels,
                 (std::vector<std::string>{"a", "⏎", "\\xC3", "\\xA9", "␣"}));
        OpenRun longer({{"input", std::string("model")}, {"text", std::string(200, 'x')}});
        QCOMPARE(std::get<Heatmap>(longer.record.figure("map")->content).rows, int64_t{128});
        QCOMPARE(longer.record.logs().at(0).text,
                 std::string("The model sees 128 tokens: the last 72 of the text are left out."));
    }

    void wrongFilesAreToldInOneSentence() {
        const auto sentence = [](std::map<std::string, Value> settings) {
            try {
                OpenRun open(settings);
            } catch (const InputError& error) {
                return std::string(error.what());
            }
            return std::string();
        };
        QVERIFY(sentence({{"input", std::string("files")}}).find("qFile") != std::string::npos);
        QVERIFY(sentence(ofFile("/nowhere.npz", false, 0)).find("/nowhere.npz") != std::string::npos);
        QVERIFY(sentence(ofFile(oracle, false, 6)).find("head is 6, expected 0 to 5") != std::string::npos);
        auto settings = ofFile(oracle, false, 0);
        const auto ofModel = [&](const char* id, const Value& value) {
            return sentence({{"input", std::string("model")}, {id, value}});
        };
        QCOMPARE(ofModel("layer", int64_t{2}), std::string("layer is 2, expected 0 to 1: the model has 2"));
        QCOMPARE(ofModel("head", int64_t{4}), std::string("head is 4, expected 0 to 3: the model has 4"));
        QCOMPARE(ofModel("text", std::string()), std::string("text is empty, expected at least one character"));
        QVERIFY(ofModel("model", std::string("/nowhere/config.json")).find("/nowhere: is no folder") == 0);
        settings["labels"] = std::string("/nowhere.txt");
        QVERIFY(sentence(settings).find("/nowhere.txt") != std::string::npos);
    }
};

QTEST_MAIN(MapTest)
#include "map_test.moc"
