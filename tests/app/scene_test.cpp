// SPDX-License-Identifier: GPL-3.0-or-later
// Scenes: where things are on the way from a step to the next, and what is painted of their values.
#include "app/views/scene_motion.h"
#include "app/views/scene_paint.h"
#include "app/views/steps_view.h"
#include "app/views/theme.h"
#include "tests/app/picture.h"

#include <QImage>
#include <QPainter>
#include <QTest>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

using namespace warplight;
using namespace warplight::app;

namespace {

lab::Steps::Cell cell(double x, const char* id, const char* origin = "") {
    lab::Steps::Cell result;
    result.x = x;
    result.id = id;
    result.origin = origin;
    return result;
}

lab::Steps::Bars bars(double to) {
    lab::Steps::Bars result;
    result.width = 4;
    result.id = "bytes";
    result.maximum = 8;
    result.bars.push_back({0, 0, to, "", "flash"});
    return result;
}

/// Two steps: a cell moves from 1 to 5, K 1 comes onto the chip at 8 from the strip at 0, a bar grows from 2 to 6.
lab::Steps twoSteps() {
    lab::Steps steps;
    steps.always.cells = {cell(0, "K 1")};
    lab::Steps::Step first, second;
    first.caption = "first";
    second.caption = "second";
    first.cells = {cell(1, "walker"), cell(7, "")};
    first.bars = {bars(2)};
    second.cells = {cell(5, "walker"), cell(8, "chip K 1", "K 1"), cell(9, "")};
    second.bars = {bars(6)};
    lab::Steps::Matrix scores;
    scores.rows = scores.cols = 1;
    scores.values = {1};
    scores.id = "S 0";
    first.matrices = {scores};
    scores.values = {2};
    scores.id = "S 1";
    second.matrices = {scores};
    steps.steps = {first, second};
    return steps;
}

/// One step: -0.5 at position 0, 0 at 2, nothing from 4 on.
lab::Steps withTrace() {
    lab::Steps steps;
    steps.width = steps.height = 1;
    steps.stretches = true;
    lab::Steps::Trace trace;
    trace.right = 8;
    trace.bottom = -1;
    trace.xs = {0, 2, 4, 8};
    trace.ys = {-0.5f, 0, NAN, NAN};
    trace.title = "signal";
    trace.colourKey = "flash";
    steps.steps.emplace_back().traces = {trace};
    return steps;
}

QImage painted(const lab::Steps& steps) {
    QImage image(400, 200, QImage::Format_RGB32);
    image.fill(Theme::current().panel);
    QPainter painter(&image);
    paintScene(painter, QRectF(0, 0, 400, 200), steps, steps.steps.front());
    return image;
}

} // namespace

class SceneTest : public QObject {
    Q_OBJECT
  private slots:
    void initTestCase() {
        loadFonts();
        Theme::setCurrent(Theme::lightTheme());
    }
    void init() { setMotionWanted(true); }

    void whatHasTheSameIdMoves() {
        const lab::Steps steps = twoSteps();
        const auto half = sceneBetween(steps, 0, 1, 0.5);
        QCOMPARE(half.caption, std::string("second"));
        QCOMPARE(half.cells[0].x, 3.0);
        QCOMPARE(half.cells[1].x, 4.0); // half way from the strip, which stands under all steps
        QCOMPARE(half.cells[2].x, 9.0); // without an id it is where it is
        QCOMPARE(*half.bars[0].bars[0].to, 4.0);
        QVERIFY(sceneBetween(steps, 0, 1, 1) == steps.steps[1]);
        QCOMPARE(sceneBetween(steps, 0, 1, 0).cells[0].x, 1.0);
    }

    void valuesAreThoseOfOneOfTheSteps() {
        const lab::Steps steps = twoSteps();
        for (const double share : {0.0, 0.2, 0.49, 0.5, 0.8, 1.0}) {
            const auto scene = sceneBetween(steps, 0, 1, share);
            QCOMPARE(scene.matrices.size(), size_t{1});
            QCOMPARE(scene.matrices[0].values[0], share < 0.5 ? 1.0f : 2.0f);
        }
    }

    void motionEndsByItselfAndScrubbingHasNone() {
        StepsView view;
        view.resize(600, 400);
        view.show();
        view.setFigure({"walk", "", "", "", {}, twoSteps()});
        QVERIFY(!view.isMoving());
        QTest::keyClick(&view, Qt::Key_Right);
        QCOMPARE(view.step(), 1);
        QVERIFY(view.isMoving());
        QTRY_VERIFY_WITH_TIMEOUT(!view.isMoving(), 3000);
        view.showStep(0); // as the slider does
        QVERIFY(!view.isMoving());
        setMotionWanted(false);
        QTest::keyClick(&view, Qt::Key_Right);
        QCOMPARE(view.step(), 1);
        QVERIFY(!view.isMoving());
    }

    void aClickersKeysStep() {
        StepsView view;
        view.setFigure({"walk", "", "", "", {}, twoSteps()});
        QTest::keyClick(&view, Qt::Key_PageDown);
        QCOMPARE(view.step(), 1);
        QTest::keyClick(&view, Qt::Key_PageUp);
        QCOMPARE(view.step(), 0);
    }

    void aMatrixShowsItsValuesAndWhatIsNone() {
        lab::Steps steps;
        steps.width = 4;
        steps.height = 2;
        lab::Steps::Matrix matrix;
        matrix.width = 4;
        matrix.height = 1;
        matrix.rows = 1;
        matrix.cols = 4;
        matrix.values = {0, 1, std::numeric_limits<float>::quiet_NaN(), 0.5f};
        matrix.absent = {3};
        steps.steps.emplace_back().matrices = {matrix};
        const QImage image = painted(steps);
        QCOMPARE(image.pixelColor(5, 5), Theme::viridis(0));
        QCOMPARE(image.pixelColor(105, 5), Theme::viridis(1));
        bool nonFinite = false; // hatched: somewhere in its cell
        for (int x = 202; x < 215; ++x)
            nonFinite |= image.pixelColor(x, 5) == Theme::current().nonFinite();
        QVERIFY(nonFinite);
        QCOMPARE(image.pixelColor(305, 5), Theme::current().panel); // no value: what is under it
    }

    void aMatrixOfManyCellsIsOneImage() {
        lab::Steps steps;
        steps.width = 4;
        steps.height = 2;
        lab::Steps::Matrix matrix;
        matrix.width = 4;
        matrix.height = 1;
        matrix.rows = 50;
        matrix.cols = 200;
        for (int64_t i = 0; i < matrix.rows * matrix.cols; ++i)
            matrix.values.push_back(static_cast<float>(i % 2));
        matrix.absent = {0};
        steps.steps.emplace_back().matrices = {matrix};
        const QImage image = painted(steps); // cells of 2 × 2 pixels
        QCOMPARE(image.pixelColor(0, 0), Theme::current().panel);
        for (int x = 2; x < 400; ++x)
            QCOMPARE(image.pixelColor(x, 99), Theme::viridis(x / 2 % 2));
        StepsView view;
        view.setFigure({"steps", "Steps", "", "", lab::Figure::Place::Main, steps});
        const QByteArray file = test::svgOf(view, {400, 200});
        QVERIFY(file.contains("<image"));
        QVERIFY2(file.size() < 50000, qPrintable(QString::number(file.size())));
    }

    void barsReachAsFarAsTheirValues() {
        lab::Steps steps;
        steps.width = 4;
        steps.height = 2;
        steps.steps.emplace_back().bars = {bars(6)};
        const QImage image = painted(steps); // 400 pixels for 8
        const QColor filled = Theme::current().series("flash");
        QCOMPARE(image.pixelColor(290, 50), filled);
        QVERIFY(image.pixelColor(310, 50) != filled);
    }

    void tracesPassThroughTheirValues() {
        lab::Steps steps = withTrace();
        const QImage line = painted(steps); // 400 × 200 pixels for 8 positions and values from -1 to 1
        const QColor colour = Theme::current().series("flash");
        QCOMPARE(line.pixelColor(100, 100), colour);                                        // 0 at position 2
        QVERIFY(line.pixelColor(100, 60) != colour && line.pixelColor(300, 100) != colour); // NaN from there on
        steps.steps[0].traces[0].style = lab::Steps::Trace::Style::Stems;
        const QImage stems = painted(steps);
        QCOMPARE(stems.pixelColor(0, 140), colour); // from 0 down to -0.5
        QVERIFY(stems.pixelColor(0, 160) != colour && stems.pixelColor(0, 90) != colour);
    }

    void whatIsDrawnWithTheMouseBecomesASetting() {
        lab::Steps steps = withTrace();
        steps.stretches = true;
        lab::Steps::Step& scene = steps.steps[0];
        scene.links = {{"draw", "ssm.memory", {{"signal", "drawn"}}}};
        scene.traces[0].link = 0;
        scene.traces[0].draws = "values";
        StepsView view;
        view.resize(600, 400);
        view.setFigure({"steps", "Steps", "", "", lab::Figure::Place::Main, steps});
        view.show();
        QVERIFY(QTest::qWaitForWindowExposed(&view));
        std::vector<lab::Link> followed;
        connect(&view, &FigureView::linkActivated, &view, [&](const lab::Link& link) { followed.push_back(link); });
        QWidget* canvas = view.childAt(view.width() / 2, view.height() / 2);
        const auto at = [&](double x, double y) {
            return QPoint(static_cast<int>(x * canvas->width()), static_cast<int>(y * canvas->height()));
        };
        QTest::mousePress(canvas, Qt::LeftButton, {}, at(0.5, 0.25));
        QTest::mouseRelease(canvas, Qt::LeftButton, {}, at(0.5, 0.25));
        QVERIFY(followed.empty()); // a click draws nothing
        QTest::mousePress(canvas, Qt::LeftButton, {}, at(0.5, 0.25));
        QTest::mouseMove(canvas, at(0.75, 0.25));
        QTest::mouseMove(canvas, at(1.5, -1)); // beyond the edge: up to it
        QTest::mouseRelease(canvas, Qt::LeftButton, {}, at(1.5, -1));
        QCOMPARE(followed.size(), size_t{1});
        QCOMPARE(followed[0].settings.at("signal"), std::string("drawn"));
        const QStringList values = QString::fromStdString(followed[0].settings.at("values")).split(',');
        QCOMPARE(values.size(), 240);
        QCOMPARE(values[0].toDouble(), -0.5);                                    // as it was
        QVERIFY(std::fabs(values[150].toDouble() - 0.5) < 0.02);                 // where the pen went level
        QVERIFY(values[239].toDouble() > 0.99 && values[239].toDouble() <= 1.0); // and where it left the sheet
    }

    void aValueIsToldUnderTheMouse() {
        lab::Steps steps = twoSteps();
        steps.width = 10;
        steps.height = 5;
        lab::Steps::Step& scene = steps.steps[0];
        scene.matrices[0].title = "S";
        scene.bars[0].title = "bytes";
        scene.bars[0].y = 2;
        scene.bars[0].unit = "B";
        const QRectF area(0, 0, 1000, 500);
        QCOMPARE(sceneTip(area, steps, scene, {50, 50}), QString("S · 0, 0: 1 (measured)"));
        QCOMPARE(sceneTip(area, steps, scene, {50, 250}), QString("bytes: 2 B (measured)"));
        QCOMPARE(sceneTip(area, steps, scene, {950, 450}), QString());
        scene.matrices[0].absent = {0};
        QCOMPARE(sceneTip(area, steps, scene, {50, 50}), QString());
        const lab::Steps traced = withTrace();
        QCOMPARE(sceneTip(area, traced, traced.steps[0], {260, 100}), QString("signal at 2: 0 (measured)"));
    }

    void anySizeAndOddNumbersArePainted() {
        const lab::Steps steps = twoSteps();
        QImage image(64, 64, QImage::Format_RGB32);
        QPainter painter(&image);
        for (const QRectF& area : {QRectF(0, 0, 1, 1), QRectF(0, 0, 0, 0), QRectF(0, 0, 30, 5000)})
            paintScene(painter, area, steps, steps.steps[1], 0.1);
        lab::Steps odd = steps;
        odd.width = 0;
        paintScene(painter, QRectF(0, 0, 60, 60), odd, odd.steps[0]);
        QVERIFY(true); // and nothing has stopped
    }
};

QTEST_MAIN(SceneTest)
#include "scene_test.moc"
