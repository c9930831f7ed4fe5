// SPDX-License-Identifier: GPL-3.0-or-later
// The page Sums, run as the engine runs it.
#include "core/error.h"
#include "core/formats/tensor_file.h"
#include "core/lab/record.h"
#include "core/labs/precision/precision_lab.h"
#include "tests/core/lab/run_page.h"

#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <variant>
#include <vector>

using namespace warplight;
using namespace warplight::lab;
using test::content;

namespace {

using Given = std::map<std::string, Value>;

RunRecord record(const Given& given) {
    Registry registry;
    labs::precision::registerLab(registry);
    return test::runPage(registry.find("precision.sums"), given);
}

/// A cell of the table's row of an order and an accumulator.
Table::Cell cell(const RunRecord& run, const std::string& order, const std::string& accumulator,
                 const std::string& column) {
    const auto& table = content<Table>(run, "orders");
    for (const auto& row : table.rows)
        for (size_t c = 0; c < table.columns.size(); ++c)
            if (std::get<std::string>(row[0]) == order && std::get<std::string>(row[1]) == accumulator &&
                table.columns[c].id == column)
                return row[c];
    return std::string("there is no such cell");
}
double amount(const Table::Cell& cell) { return std::get<double>(cell); }
int64_t count(const Table::Cell& cell) { return std::get<int64_t>(cell); }

const Curve* curve(const RunRecord& run, const char* figure, const std::string& id) {
    for (const Curve& c : content<Series>(run, figure).curves)
        if (c.id == id)
            return &c;
    return nullptr;
}

double valueAt(const Curve& c, double x) {
    const auto found = std::find(c.x.begin(), c.x.end(), x);
    return found == c.x.end() ? std::nan("") : c.y[static_cast<size_t>(found - c.x.begin())];
}

std::string sentence(const Given& given) {
    try {
        record(given);
    } catch (const InputError& error) {
        return error.what();
    }
    return "";
}

bool says(const RunRecord& run, const char* words) {
    return std::any_of(run.logs().begin(), run.logs().end(),
                       [&](const Log& l) { return l.text.find(words) != std::string::npos; });
}

} // namespace

class SumsPageTest : public QObject {
    Q_OBJECT
    QTemporaryDir folder;

    std::string file(const char* name, const std::vector<float>& values) const {
        const std::string path = folder.filePath(name).toStdString();
        formats::saveTensors({{path, {"x", {{static_cast<int64_t>(values.size())}, values}, number::Format::F32}}});
        return path;
    }

  private slots:
    void theFirstPictureTellsTheStory() {
        const RunRecord run = record({});
        QCOMPARE(*content<Metric>(run, "stops").value, 2048.0);
        QVERIFY(*content<Metric>(run, "error.pairwise").value < 1e-3);
        QVERIFY(amount(cell(run, "serial", "FP16", "error")) > 0.8);
        QVERIFY(amount(cell(run, "serial", "FP32", "error")) < 1e-5);
        const Curve& serial = *curve(run, "running", "serial");
        const Curve& exact = *curve(run, "running", "exact");
        QCOMPARE(serial.y.back(), 2048.0);
        QVERIFY(std::fabs(exact.y.back() - 16384) < 300); // 2^15 of mean 1/2
    }

    void onesStopAt2048() {
        const RunRecord run = record({{"input", std::string("ones")}});
        QCOMPARE(*content<Metric>(run, "stops").value, 2048.0);
        QCOMPARE(count(cell(run, "serial", "FP16", "stops")), int64_t(2048));
        QCOMPARE(amount(cell(run, "serial", "FP16", "error")), 0.9375); // 2048 of 32768
        QCOMPARE(amount(cell(run, "serial", "FP16", "ulp")), 30720.0 / 32);
        QCOMPARE(amount(cell(run, "pairwise", "FP16", "error")), 0.0);
        QVERIFY(std::holds_alternative<std::monostate>(cell(run, "pairwise", "FP16", "stops")));
        QCOMPARE(count(cell(run, "Kahan", "FP16", "operations")), int64_t(4 << 15));
        const RunRecord bf16 = record({{"input", std::string("ones")}, {"accumulators", std::string("bf16")}});
        QCOMPARE(*content<Metric>(bf16, "stops").value, 256.0);
    }

    void errorsOfZeroLieBelowAllOthers() {
        const RunRecord run = record({{"input", std::string("ones")}});
        const Curve& zero = *curve(run, "error", "exact");
        for (const Curve& c : content<Series>(run, "error").curves)
            for (const double y : c.y)
                QVERIFY(y == zero.y[0] || y > 5 * zero.y[0]);
        QCOMPARE(valueAt(*curve(run, "error", "pairwise"), 32768), zero.y[0]);
        QCOMPARE(valueAt(*curve(run, "error", "serial"), 32768), 0.9375);
        // Where every sum is off there is no such line.
        const RunRecord never = record({{"input", std::string("tenth")},
                                        {"format", std::string("f32")},
                                        {"accumulators", std::string("bf16")},
                                        {"orders", std::vector<std::string>{"serial"}}});
        QVERIFY(!curve(never, "error", "exact"));
    }

    void aLengthIsTheSameInEveryRun() {
        const Given given{{"input", std::string("uniform")}};
        Given shorter = given;
        shorter["length"] = int64_t{4096};
        const RunRecord all = record(given), some = record(shorter);
        for (const char* id : {"serial", "pairwise", "warp-tree", "tensor-core", "kahan.f32"})
            QCOMPARE(valueAt(*curve(all, "error", id), 4096), valueAt(*curve(some, "error", id), 4096));
    }

    void overflowIsTold() {
        const RunRecord run = record({{"input", std::string("ones")}, {"length", int64_t{1} << 17}});
        QVERIFY(std::get<std::string>(cell(run, "pairwise", "FP16", "sum")) == "∞");
        QCOMPARE(count(cell(run, "chunked", "FP16", "overflows")), int64_t(65520)); // half way to 65536
        QVERIFY(!content<Metric>(run, "error.pairwise").value);
        QVERIFY(curve(run, "error", "pairwise")->x.back() < 65536);
        QCOMPARE(amount(cell(run, "pairwise", "FP32", "sum")), 131072.0);
    }

    void onlyInstructionsThatThereAreAreRun() {
        const RunRecord run = record({{"format", std::string("bf16")}, {"accumulators", std::string("f16,bf16,f32")}});
        QVERIFY(says(run, "No tensor core adds up numbers of BF16 in FP16"));
        QVERIFY(std::get<std::string>(cell(run, "tensor core", "BF16", "sum")) == "there is no such cell");
        QVERIFY(amount(cell(run, "tensor core", "FP32", "sum")) > 0);
        QVERIFY(!curve(run, "error", "tensor-core")->label.empty()); // or nobody could hide it
        QVERIFY(sentence({{"accumulators", std::string("bf16")}, {"orders", std::vector<std::string>{"tensor-core"}}})
                    .starts_with("orders: no tensor core"));
    }

    void aFileIsAddedUpAsItIsStored() {
        const std::string path = file("x.npy", {3, 4, -5, 0.1f});
        const Given given{{"input", std::string("file")}, {"file", path}, {"format", std::string("f32")}};
        QCOMPARE(static_cast<float>(amount(cell(record(given), "Kahan", "FP32", "sum"))), 2.1f);
        Given squares = given;
        squares["what"] = std::string("dot");
        QCOMPARE(static_cast<float>(amount(cell(record(squares), "serial", "FP32", "sum"))), 50.01f);
        Given some = given;
        some["length"] = int64_t{3};
        QCOMPARE(amount(cell(record(some), "serial", "FP16", "sum")), 2.0);
    }

    void termsThatAnAccumulatorDoesNotHoldOverflow() {
        const RunRecord run = record({{"input", std::string("file")},
                                      {"file", file("wide.npy", {1, 1e6f, -1e6f})},
                                      {"format", std::string("f32")}});
        for (const char* order : {"serial", "chunked", "pairwise", "warp tree", "Kahan"}) {
            QCOMPARE(count(cell(run, order, "FP16", "overflows")), int64_t(2));
            QCOMPARE(amount(cell(run, order, "FP32", "sum")), 1.0);
        }
        for (const auto& step : content<Steps>(run, "picture").steps)
            for (const auto& fact : step.facts)
                QVERIFY(fact.title != "exact sum");
    }

    void aFileThatCannotBeUsedIsOneSentence() {
        const float nan = std::numeric_limits<float>::quiet_NaN();
        const auto of = [](const std::string& path, const char* format = "f16") {
            return sentence({{"input", std::string("file")}, {"file", path}, {"format", std::string(format)}});
        };
        const std::string large = file("large.npy", {1, 70000});
        QVERIFY(of(large).ends_with("number 2 is 70000, expected finite numbers that FP16 holds"));
        QVERIFY(of(large, "bf16").empty());
        QVERIFY(of(file("nan.npy", {1, 2, nan}), "f32")
                    .ends_with("number 3 is nan, expected finite numbers that FP32 holds"));
        QVERIFY(of(file("empty.npy", {})).ends_with("holds no numbers, expected at least one"));
        QVERIFY(of("").starts_with("file is empty"));
        QVERIFY(!of(folder.filePath("none.npy").toStdString()).empty());
        QVERIFY(sentence({{"orders", std::vector<std::string>()}}).starts_with("orders"));
    }

    void everyInputCanBeAddedUpInEveryWay_data() {
        QTest::addColumn<QString>("input");
        for (const char* input :
             {"ones", "tenth", "thousandth", "uniform", "gaussian", "cancelling", "ascending", "descending"})
            QTest::newRow(input) << input;
    }
    void everyInputCanBeAddedUpInEveryWay() {
        QFETCH(QString, input);
        for (const char* what : {"sum", "dot"})
            for (const char* format : {"f16", "bf16", "f32"})
                for (const int64_t length : {1, 2, 7, 1000}) {
                    const RunRecord run = record({{"input", input.toStdString()},
                                                  {"what", std::string(what)},
                                                  {"format", std::string(format)},
                                                  {"accumulators", std::string("f16,bf16,f32")},
                                                  {"length", length}});
                    QVERIFY(std::fabs(amount(cell(run, "Kahan", "FP32", "ofSizes"))) < 2e-7);
                    QCOMPARE(curve(run, "running", "exact")->x.back(), static_cast<double>(length));
                }
    }

    void thePictureEndsWithTheSum_data() {
        QTest::addColumn<QString>("order");
        QTest::addColumn<QString>("title");
        QTest::newRow("serial") << "serial"
                                << "serial";
        QTest::newRow("chunked") << "chunked"
                                 << "chunked";
        QTest::newRow("pairwise") << "pairwise"
                                  << "pairwise";
        QTest::newRow("warp") << "warp-tree"
                              << "warp tree";
        QTest::newRow("Kahan") << "kahan"
                               << "Kahan";
        QTest::newRow("tensor core") << "tensor-core"
                                     << "tensor core";
    }
    void thePictureEndsWithTheSum() {
        QFETCH(QString, order);
        QFETCH(QString, title);
        const int64_t terms = order == "kahan" ? 8 : 16;
        for (const char* what : {"sum", "dot"}) {
            const RunRecord run = record({{"length", terms},
                                          {"what", std::string(what)},
                                          {"picture", order.toStdString()},
                                          {"chunk", int64_t{4}}});
            const auto& scene = content<Steps>(run, "picture");
            const auto& facts = scene.steps.back().facts;
            const auto sum = std::find_if(facts.begin(), facts.end(), [](const auto& f) { return f.title == "sum"; });
            QVERIFY(sum != facts.end());
            const double told = std::stod(sum->text), right = amount(cell(run, title.toStdString(), "FP16", "sum"));
            QVERIFY(std::fabs(told - right) <= 1e-3 * right);
            QCOMPARE(scene.opensAt, static_cast<int64_t>(scene.steps.size()) - 1);
            QCOMPARE(scene.always.cells.size(), static_cast<size_t>(terms));
            for (const auto& step : scene.steps)
                for (const Steps::Cell& c : step.cells)
                    QVERIFY(c.x >= 0 && c.x + c.width <= scene.width && c.y >= 0 && c.y + c.height <= scene.height);
        }
    }
};

QTEST_GUILESS_MAIN(SumsPageTest)
#include "sums_page_test.moc"
