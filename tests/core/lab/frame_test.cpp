// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/error.h"
#include "core/lab/record.h"
#include "every_figure.h"

#include <QTest>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include <cmath>
#include <random>

using namespace warplight;
using namespace warplight::lab;

class FrameTest : public QObject {
    Q_OBJECT
  private slots:
    void everyFrameComesBackFromCbor() {
        for (const Frame& frame : test::everyFrame())
            QVERIFY2(decode(encode(frame)) == frame, qPrintable(QString("frame kind %1").arg(frame.index())));
    }

    void bitsOfNumbersSurvive() {
        TilePut tile{1, "map", 0, 0, 0, 1, 3, {std::nanf(""), -0.0f, 1e-45f}, false};
        const auto back = std::get<TilePut>(decode(encode(tile)));
        QVERIFY(std::isnan(back.cells[0]) && std::signbit(back.cells[1]) && back.cells[2] == 1e-45f);
    }

    void mutilatedCborIsAnInputError() {
        std::mt19937 random(1);
        int refused = 0;
        for (const Frame& frame : test::everyFrame()) {
            const auto whole = encode(frame);
            for (size_t length = 0; length < whole.size(); ++length)
                QVERIFY_EXCEPTION_THROWN(decode(std::span(whole).first(length)), InputError);
            for (int flip = 0; flip < 300; ++flip) {
                auto damaged = whole;
                damaged[random() % damaged.size()] ^= static_cast<std::byte>(1u << random() % 8);
                try {
                    decode(damaged);
                } catch (const InputError&) {
                    ++refused;
                }
            }
        }
        QVERIFY(refused > 0);
    }

    void recordIsWhatTheFramesSay() {
        RunRecord record;
        for (const Frame& frame : test::everyFrame())
            record.apply(frame);
        QCOMPARE(record.figures().size(), size_t{9}); // the note was removed
        QCOMPARE(std::get<Series>(record.figure("series")->content).curves[1].y, std::vector<double>{5});
        QCOMPARE(std::get<Table>(record.figure("table")->content).rows.size(), size_t{3});
        QCOMPARE(std::get<Steps>(record.figure("steps")->content).steps.size(), size_t{2});
        QCOMPARE(std::get<Timeline>(record.figure("timeline")->content).spans.size(), size_t{4});
        QCOMPARE(std::get<Timeline>(record.figure("timeline")->content).spans[3].text, std::string("block 1"));
        QCOMPARE(record.tiles().size(), size_t{1});
        QVERIFY(record.ended() && !record.running());
    }

    void theRevisionOfAFigureChangesWithItAlone() {
        RunRecord record, other;
        for (RunRecord* each : {&record, &other})
            each->apply(test::everyFrame()[0]);
        record.apply(FigurePut{5, {"a", "", "", "", {}, Table{{{"n", "", "", true, {}, ""}}, {}, {}}}});
        record.apply(FigurePut{5, {"b", "", "", "", {}, Note{"x"}}});
        other.apply(FigurePut{5, {"a", "", "", "", {}, Note{"x"}}});
        const uint64_t a = record.revision("a"), b = record.revision("b");
        QVERIFY(a != b && a != other.revision("a") && record.revision("absent") == 0);
        record.apply(RowsAppended{5, "a", {{int64_t{1}}}});
        QVERIFY(record.revision("a") != a);
        QCOMPARE(record.revision("b"), b);
        record.apply(Progress{5, 0.5, "", -1});
        QCOMPARE(record.revision("b"), b);
    }

    void dataForTheWrongKindIsRefused() {
        RunRecord record;
        record.apply(test::everyFrame()[0]);
        record.apply(FigurePut{5, {"note", "", "", "", {}, Note{"x"}}});
        QVERIFY_EXCEPTION_THROWN(record.apply(RowsAppended{5, "note", {{}}}), InputError);
        QVERIFY_EXCEPTION_THROWN(record.apply(SeriesAppended{5, "absent", {}}), InputError);
    }
};

QTEST_GUILESS_MAIN(FrameTest)
#include "frame_test.moc"
