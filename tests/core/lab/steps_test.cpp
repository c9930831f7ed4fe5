// SPDX-License-Identifier: GPL-3.0-or-later
// Scenes on their way: what is refused, what old files mean, what CSV says.
#include "core/error.h"
#include "core/lab/figure_checks.h"
#include "core/lab/figure_csv.h"
#include "core/lab/json.h"
#include "every_figure.h"

#include <QTest>
#include <cmath>
#include <functional>
#include <memory>
#include <utility>
#include <variant>

using namespace warplight;
using namespace warplight::lab;

namespace {

Figure scenes() {
    for (const Figure& figure : test::everyFigure())
        if (figure.id == "steps")
            return figure;
    return {};
}

Steps::Step& first(Figure& figure) { return std::get<Steps>(figure.content).steps[0]; }

QString refusal(const std::function<void()>& read) {
    try {
        read();
    } catch (const InputError& error) {
        return error.what();
    }
    return {};
}

} // namespace

class StepsTest : public QObject {
    Q_OBJECT
  private slots:
    void whatDoesNotFitIsRefusedByName_data() {
        QTest::addColumn<std::shared_ptr<std::function<void(Steps::Step&)>>>("breakIt");
        QTest::addColumn<QString>("told");
        const auto row = [](const char* name, const char* told, std::function<void(Steps::Step&)> breakIt) {
            QTest::newRow(name) << std::make_shared<std::function<void(Steps::Step&)>>(std::move(breakIt))
                                << QString(told);
        };
        row("values", "matrix \"S\": values must hold", [](auto& s) { s.matrices[0].values.pop_back(); });
        row("absent", "matrix \"S\": absent", [](auto& s) { s.matrices[0].absent = {6}; });
        row("names", "matrix \"S\": rowNames", [](auto& s) { s.matrices[0].rowNames = {"1"}; });
        row("palette", "matrix \"S\": minimum", [](auto& s) { s.matrices[0].minimum = -INFINITY; });
        row("place", "matrix \"S\": x, y", [](auto& s) { s.matrices[0].x = NAN; });
        row("size", "region \"chip\": x, y", [](auto& s) { s.regions[0].width = -1; });
        row("row", "bars \"bytes\": row must", [](auto& s) { s.bars[0].bars[1].row = 2; });
        row("no rows", "bars \"bytes\": rows must", [](auto& s) { s.bars[0].rows = 0; });
        row("bar", "bars \"bytes\": from, to", [](auto& s) { s.bars[0].bars[0].to = NAN; });
        row("link", "cells: link", [](auto& s) { s.cells[1].link = 1; });
        row("mark", "bars \"bytes\": from, to", [](auto& s) { s.bars[0].bars[0].mark = INFINITY; });
        row("scale", "bars \"bytes\": minimum", [](auto& s) { s.bars[0].maximum = s.bars[0].minimum; });
        row("points", "trace \"signal\": xs", [](auto& s) { s.traces[0].xs.pop_back(); });
        row("edges", "trace \"signal\": left, right", [](auto& s) { s.traces[0].top = s.traces[0].bottom; });
        row("sheet", "trace \"signal\": link", [](auto& s) { s.traces[0].link = 1; });
        row("bar names", "bars \"bytes\": rowNames", [](auto& s) { s.bars[0].rowNames.pop_back(); });
    }

    void whatDoesNotFitIsRefusedByName() {
        QFETCH(std::shared_ptr<std::function<void(Steps::Step&)>>, breakIt);
        QFETCH(QString, told);
        Figure figure = scenes();
        QCOMPARE(refusal([&] { checkFigure(figure); }), QString());
        (*breakIt)(first(figure));
        const QString whole = refusal([&] { checkFigure(figure); });
        QVERIFY2(whole.contains("step 1: " + told), qPrintable(whole));
        // The same for a step that comes alone, on the stream as in this process.
        const Frame frame = StepsAppended{1, "steps", {first(figure)}};
        QVERIFY(refusal([&] { frameFromJson(toJson(frame)); }).contains(told));
        QVERIFY(refusal([&] { checkSteps("steps", {&first(figure), 1}); }).contains(told));
    }

    void scenesOfOlderFilesMeanWhatTheyMeant() {
        const auto old = nlohmann::json::parse(R"({"id": "walk", "title": "Tile walk", "place": "main", "kind": "steps",
            "content": {"width": 9, "height": 6, "steps": [{"caption": "one", "cells": [{"x": 3, "y": 1, "width": 0.92,
            "height": 0.92, "state": "current"}], "arrows": [{"fromX": 0, "fromY": 0, "toX": 1, "toY": 1}],
            "facts": [{"title": "Q", "text": "512 B read, 0 B written", "provenance": "counted"}]}]}})");
        const auto steps = std::get<Steps>(figureFromJson(old).content);
        QVERIFY(steps.always == Steps::Step{} && !steps.stretches);
        QCOMPARE(steps.steps[0].cells[0].strength, 1.0);
        QVERIFY(steps.steps[0].arrows[0].shape == Steps::Arrow::Shape::Bow);
        QVERIFY(toJson(figureFromJson(old)) == old); // and are written as they were
    }

    void csvHasTheNumbersOfAScene() {
        RunRecord record;
        for (const Frame& frame : test::everyFrame())
            record.apply(frame);
        const QStringList lines = QString::fromStdString(figureCsv(record, *record.figure("steps"))).split('\n');
        const auto has = [&](const char* line) { return lines.contains(line); };
        QVERIFY(has("cpu,1,measured,max,1.5"));
        QVERIFY(has("cpu,1,counted,\"bytes, flash2, ü (B)\",2.5"));
        QVERIFY(has("cpu,1,modelled,\"bytes, flash2, V (B)\",1.5"));
        QVERIFY(has("cpu,1,measured,\"bytes, standard (B)\",−∞"));
        QVERIFY(has("cpu,1,counted,\"S [16, 9]\",-2.5"));
        QVERIFY(has("cpu,1,counted,\"S [16, 10]\",inf"));
        QVERIFY(has("cpu,1,counted,signal (V) at -10,0.5"));
        QVERIFY(!lines.filter("S [17, 9]").isEmpty() && lines.filter("S [17, 10]").isEmpty()); // which is absent
    }
};

QTEST_GUILESS_MAIN(StepsTest)
#include "steps_test.moc"
