// SPDX-License-Identifier: GPL-3.0-or-later
// The pages Formats and Tensors, run as the engine runs them.
#include "core/error.h"
#include "core/formats/npy.h"
#include "core/formats/tensor_file.h"
#include "core/lab/record.h"
#include "core/labs/precision/precision_lab.h"
#include "tests/core/lab/run_page.h"

#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

using namespace warplight;
using namespace warplight::lab;
using test::content;

namespace {

RunRecord record(const char* id, const std::map<std::string, Value>& given) {
    Registry registry;
    labs::precision::registerLab(registry);
    return test::runPage(registry.find(id), given);
}

/// The cell of a row that begins with `name`.
Table::Cell cell(const Table& table, const std::string& name, const std::string& column) {
    for (size_t c = 0; c < table.columns.size(); ++c)
        if (table.columns[c].id == column)
            for (const auto& row : table.rows)
                if (std::get<std::string>(row[0]) == name)
                    return row[c];
    return std::string("there is no such cell");
}

std::string text(const Table::Cell& cell) { return std::get<std::string>(cell); }
double amount(const Table::Cell& cell) { return std::get<double>(cell); }

} // namespace

class PrecisionLabTest : public QObject {
    Q_OBJECT
    QTemporaryDir folder;

    std::string file(const char* name) const { return folder.filePath(name).toStdString(); }

  private slots:
    void overflowIsSeenInEveryFigure() {
        const RunRecord run = record("precision.formats", {{"value", std::string("1")}, {"shift", int64_t{16}}});
        const auto& table = content<Table>(run, "formats");
        QCOMPARE(table.rows.size(), size_t(10));
        QVERIFY(text(cell(table, "FP16", "stored")) == "∞");
        QVERIFY(text(cell(table, "FP16", "state")) == "overflowed");
        QVERIFY(text(cell(table, "FP16", "code")) == "0x7c00");
        QCOMPARE(amount(cell(table, "FP16", "below")), 65504.0);
        QCOMPARE(amount(cell(table, "BF16", "stored")), 65536.0);
        QVERIFY(text(cell(table, "FP8 E4M3", "stored")) == "NaN");
        QCOMPARE(amount(cell(table, "FP4 E2M1", "stored")), 6.0);
        QVERIFY(!content<Metric>(run, "f16").value); // no number is left
        QCOMPARE(*content<Metric>(run, "bf16").value, 65536.0);
    }

    void bitsAreDrawnAsTheyAreStored() {
        const RunRecord run = record("precision.formats", {{"value", std::string("0.1")}});
        const auto& scene = content<Steps>(run, "bits");
        QCOMPARE(scene.steps.size(), size_t(1));
        // 0.1 is 0 01011 1001100110 in f16: of its row, the fourth, from the left.
        std::map<double, std::vector<const Steps::Cell*>> rows;
        for (const Steps::Cell& c : scene.steps[0].cells)
            rows[c.y].push_back(&c);
        auto row = std::next(rows.begin(), 3)->second;
        std::sort(row.begin(), row.end(), [](auto* a, auto* b) { return a->x < b->x; });
        std::string bits;
        for (const Steps::Cell* c : row)
            bits += c->text;
        QCOMPARE(QString::fromStdString(bits), QString("0010111001100110"));
    }

    void curvesReachAsFarAsTheFormats() {
        const RunRecord run = record("precision.formats", {});
        for (const Curve& c : content<Series>(run, "precision").curves)
            if (c.id == "f16") {
                QCOMPARE(c.x.front(), -24.0);
                QCOMPARE(c.y.front(), 1.0);
                QCOMPARE(c.x.back(), 15.0);
                QCOMPARE(c.y.back(), 11.0);
            }
    }

    void tensorsOfAFileAreCountedWorstFirst() {
        formats::saveTensors(
            {{file("m.safetensors") + ":fits", {"fits", {{4}, {1, -2, 0, 3}}, number::Format::F32}},
             {file("m.safetensors") + ":small", {"small", {{4}, {1e-9f, 1e-9f, 1, 70000}}, number::Format::F32}}});
        const std::map<std::string, Value> given{{"input", std::string("file")}, {"file", file("m.safetensors")}};
        const RunRecord run = record("precision.tensors", given);
        const auto& table = content<Table>(run, "tensors");
        QCOMPARE(table.rows.size(), size_t(2));
        QVERIFY(text(table.rows[0][0]) == "small");
        QCOMPARE(amount(cell(table, "small", "f16_flushed")), 50.0);
        QCOMPARE(amount(cell(table, "small", "f16_overflowed")), 25.0);
        QCOMPARE(amount(cell(table, "small", "bf16_flushed")), 0.0);
        QCOMPARE(amount(cell(table, "fits", "zeros")), 25.0);
        QCOMPARE(*content<Metric>(run, "f16").value, 37.5); // 3 of 8
        QVERIFY(run.figure("exponents")->subtitle == "small");
        // A click on the other row draws that one.
        std::map<std::string, Value> other = given;
        other["tensor"] = table.rowLinks.at(1).settings.at("tensor");
        QVERIFY(record("precision.tensors", other).figure("exponents")->subtitle == "fits");
    }

    void doublesAreNotRoundedBeforeTheyAreCounted() {
        const std::vector<double> numbers{-1.7976931348623157e308, 1e-60, 1e-200, 1};
        const auto bytes = std::as_bytes(std::span(numbers));
        formats::writeRawNpy(file("d.npy"), {number::Format::F64, {4}, {bytes.begin(), bytes.end()}});
        const RunRecord run = record("precision.tensors", {{"input", std::string("file")}, {"file", file("d.npy")}});
        const auto& table = content<Table>(run, "tensors");
        QCOMPARE(amount(cell(table, "d.npy", "absmax")), 1.7976931348623157e308);
        QCOMPARE(amount(cell(table, "d.npy", "zeros")), 0.0);
        QCOMPARE(std::get<int64_t>(cell(table, "d.npy", "notFinite")), int64_t(0));
        for (const char* format : {"f16", "bf16", "e4m3", "e5m2"}) {
            QCOMPARE(amount(cell(table, "d.npy", std::string(format) + "_flushed")), 50.0);
            QCOMPARE(amount(cell(table, "d.npy", std::string(format) + "_overflowed")), 25.0);
            QCOMPARE(*content<Metric>(run, format).value, 75.0);
        }
        const Curve& bars = content<Series>(run, "exponents").curves.front();
        QCOMPARE(bars.x.front(), -665.0); // 1e-200 is 1.53 · 2^-665
        QCOMPARE(bars.x.back(), 1023.0);
    }

    void whatIsNotReadIsToldBesideTheTensors() {
        const RunRecord run =
            record("precision.tensors", {{"input", std::string("file")},
                                         {"file", std::string(WARPLIGHT_TEST_DATA "/data/formats/with_str.npz")}});
        QCOMPARE(content<Table>(run, "tensors").rows.size(), size_t(3));
        QVERIFY(std::any_of(run.logs().begin(), run.logs().end(),
                            [](const Log& l) { return l.text == "Not read: name (text)."; }));
    }

    void aScaleMovesExponentsAndLosses() {
        formats::saveTensors({{file("g.npy"), {"g", {{4}, {0x1p-26f, 0x1p-26f, 0x1p-26f, 1}}, number::Format::F32}}});
        std::map<std::string, Value> given{{"input", std::string("file")}, {"file", file("g.npy")}};
        QCOMPARE(*content<Metric>(record("precision.tensors", given), "f16").value, 75.0);
        given["scale"] = int64_t{4};
        const RunRecord scaled = record("precision.tensors", given);
        QCOMPARE(*content<Metric>(scaled, "f16").value, 0.0);
        const Curve& bars = content<Series>(scaled, "exponents").curves.front();
        QCOMPARE(bars.x.front(), -22.0);
        QCOMPARE(bars.y.front(), 75.0);
        QCOMPARE(bars.x.back(), 4.0);
        given["scale"] = int64_t{16};
        QCOMPARE(*content<Metric>(record("precision.tensors", given), "f16").value, 25.0); // 65536 overflows
    }

    void theExampleShowsLosses() {
        const RunRecord run = record("precision.tensors", {});
        QVERIFY(*content<Metric>(run, "f16").value > 1);
        QVERIFY(std::any_of(run.logs().begin(), run.logs().end(),
                            [](const Log& l) { return l.text.find("made up") != std::string::npos; }));
    }

    void wrongSettingsAreOneSentence() {
        const auto sentence = [](const char* page, const std::map<std::string, Value>& given) -> std::string {
            try {
                record(page, given);
            } catch (const InputError& error) {
                return error.what();
            }
            return "";
        };
        QVERIFY(sentence("precision.formats", {{"value", std::string("ten")}})
                    .starts_with("value 'ten': expected a number"));
        QVERIFY(sentence("precision.tensors", {{"input", std::string("file")}}).starts_with("file is empty"));
        QVERIFY(!sentence("precision.tensors", {{"input", std::string("file")}, {"file", file("no.npy")}}).empty());
        QVERIFY(sentence("precision.tensors",
                         {{"input", std::string("file")},
                          {"file", std::string(WARPLIGHT_TEST_DATA "/data/formats/bad_fp8.safetensors")}})
                    .ends_with("holds no tensor of numbers that can be read: x (F8_E8M0)"));
        QVERIFY(sentence("precision.tensors", {{"tensor", std::string("w")}}).starts_with("tensor 'w': there is none"));
    }
};

QTEST_GUILESS_MAIN(PrecisionLabTest)
#include "precision_lab_test.moc"
