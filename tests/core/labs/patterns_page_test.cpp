// SPDX-License-Identifier: GPL-3.0-or-later
// The page Patterns, run as the engine runs it.
#include "core/error.h"
#include "core/formats/tensor_file.h"
#include "core/lab/record.h"
#include "core/labs/linear/sparse_lab.h"
#include "core/sparse/pattern.h"
#include "tests/core/lab/run_page.h"

#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

using namespace warplight;
using namespace warplight::lab;
using test::content;

namespace {

using Given = std::map<std::string, Value>;

RunRecord record(const Given& given) { return test::runPage(*labs::linear::makePatterns(), given); }

double cell(const RunRecord& run, const std::string& pattern, const std::string& column) {
    const auto& table = content<Table>(run, "patterns");
    for (const auto& row : table.rows)
        for (size_t c = 0; c < table.columns.size(); ++c)
            if (std::get<std::string>(row[0]) == pattern && table.columns[c].id == column)
                return std::holds_alternative<double>(row[c])    ? std::get<double>(row[c])
                       : std::holds_alternative<int64_t>(row[c]) ? static_cast<double>(std::get<int64_t>(row[c]))
                                                                 : std::nan("");
    return std::nan("");
}

double headline(const RunRecord& run, const char* id) { return content<Metric>(run, id).value.value(); }

std::string sentence(const std::function<void()>& work) {
    try {
        work();
    } catch (const InputError& error) {
        return error.what();
    }
    return "";
}

} // namespace

class PatternsPageTest : public QObject {
    Q_OBJECT
    QTemporaryDir folder;

  private slots:
    void everyPatternIsCounted() {
        const RunRecord run =
            record({{"n", int64_t{1024}}, {"stride", int64_t{32}}, {"window", int64_t{32}}, {"causal", false}});
        QCOMPARE(content<Table>(run, "patterns").rows.size(), sparse::kinds().size());
        QCOMPARE(content<Steps>(run, "gallery").steps[0].matrices.size(), sparse::kinds().size());
        QCOMPARE(cell(run, "Full", "pairs"), 1048576.0); // the science page's table
        QCOMPARE(cell(run, "Causal", "pairs"), 524800.0);
        QCOMPARE(cell(run, "Atrous", "pairs"), 32768.0);
        QCOMPARE(cell(run, "Local", "pairs"), 65504.0);
        QCOMPARE(cell(run, "Atrous and local", "pairs"), 95264.0);
        QCOMPARE(cell(run, "Strided", "pairs"), 48144.0);
        QCOMPARE(cell(run, "Fixed", "pairs"), 32768.0);
        QCOMPARE(cell(run, "Atrous", "density"), 3.125);
        QCOMPARE(cell(run, "Atrous", "blocks_64"), 100.0);
        QCOMPARE(cell(run, "Atrous", "use"), 3.125);
        QCOMPARE(cell(run, "Strided", "reach_2"), 100.0);
        QCOMPARE(cell(run, "Causal", "reach_1"), 100.0); // of what causality allows
        QCOMPARE(cell(run, "Local", "reach_4"), 100.0 * (1024.0 * 257 - 128 * 129) / 1048576);
    }

    void theChosenOneIsLarge() {
        const RunRecord run = record({{"pattern", std::string("local")}, {"n", int64_t{64}}, {"window", int64_t{3}}});
        QCOMPARE(headline(run, "pairs"), 64.0 * 7 - 12);
        const auto& map = content<Heatmap>(run, "map");
        QCOMPARE(map.rows, 64);
        QCOMPARE(map.cells[5 * 64 + 8], 1.0f);
        QCOMPARE(map.cells[5 * 64 + 9], 0.0f);
    }

    void longSequencesArePooled() { // 4 pairs a cell on the diagonal, of which a window of 0 keeps two
        const RunRecord run = record({{"pattern", std::string("local")}, {"n", int64_t{1024}}, {"window", int64_t{0}}});
        const auto& map = content<Heatmap>(run, "map");
        QCOMPARE(map.rows, 512);
        QCOMPARE(map.cells[0], 0.5f);
        QCOMPARE(map.cells[1], 0.0f);
    }

    void aClickDraws() {
        const auto page = labs::linear::makePatterns();
        const Settings settings(page->describe().parameters,
                                {{"pattern", std::string("causal")}, {"n", int64_t{64}}, {"brush", int64_t{16}}});
        RunRecord seen;
        seen.apply(RunStarted{1, "linear.patterns", "", settings.values(), "cpu", "", {}, {}});
        Run run(
            1, "cpu", [&](const Frame& frame) { seen.apply(frame); }, std::make_shared<std::atomic<bool>>(false));
        page->run(settings, run);
        const double before = headline(seen, "pairs");
        run.selectionHandler("map")(run, 40, 3); // seen: rows 32 to 47, keys 0 to 15 are hidden
        QCOMPARE(headline(seen, "pairs"), before - 256);
        QCOMPARE(content<Heatmap>(seen, "map").cells[47 * 64 + 15], 0.0f);
        QCOMPARE(content<Heatmap>(seen, "map").cells[48 * 64 + 15], 1.0f);
        run.selectionHandler("map")(run, 40, 3);
        QCOMPARE(headline(seen, "pairs"), before);
        run.selectionHandler("map")(run, 3, 40); // behind the causal mask: nobody can see it
        QCOMPARE(headline(seen, "pairs"), before);
        run.selectionHandler("map")(run, 99, 3); // nothing is there
        QCOMPARE(headline(seen, "pairs"), before);
    }

    void aDrawingIsSpreadOverTheSequence() {
        const RunRecord run =
            record({{"pattern", std::string("bitmap")}, {"n", int64_t{100}}, {"drawing", std::string("#.\n##\n")}});
        QCOMPARE(headline(run, "pairs"), 7500.0);
        QCOMPARE(cell(run, "Bitmap", "pairs"), 7500.0);
    }

    void aFileOfAMaskDecidesTheLength() {
        const std::string file = folder.filePath("m.npy").toStdString();
        tensor::Tensor mask{{30, 30}, std::vector<float>(900)};
        mask.values[31] = 1;
        formats::saveTensors({{file, {"m", mask, number::Format::F32}}});
        const RunRecord run = record({{"pattern", std::string("bitmap")}, {"mask", file}});
        QCOMPARE(headline(run, "pairs"), 1.0);
        QCOMPARE(cell(run, "Full", "pairs"), 900.0);
    }

    void whatIsWrongIsASentence() {
        QCOMPARE(sentence([] {
                     record({{"drawing", std::string("##\n#")}});
                 }),
                 "drawing: a row of 1 letters, expected 2, as many as rows");
        QCOMPARE(sentence([] {
                     record({{"drawing", std::string("#x\n##")}});
                 }),
                 "drawing: expected nothing but # (seen) and . (hidden)");
        QCOMPARE(sentence([] {
                     record({{"drawing", std::string("\n")}});
                 }),
                 "drawing is empty, expected rows of # and .");
        QCOMPARE(sentence([] { record({{"buckets", int64_t{9}}}); }), "buckets 9: expected 1 or an even number");
    }

    void shortSequencesAndCancelling() {
        for (const int64_t n : {1, 2, 17})
            QCOMPARE(cell(record({{"n", n}}), "Full", "pairs"), static_cast<double>(n * n));
        QVERIFY_THROWS_EXCEPTION(Cancelled, test::runPage(*labs::linear::makePatterns(), {}, "cpu", true));
    }
};

QTEST_GUILESS_MAIN(PatternsPageTest)
#include "patterns_page_test.moc"
