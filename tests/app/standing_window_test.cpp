// SPDX-License-Identifier: GPL-3.0-or-later
// The window stands whatever happens beneath it: runs that start while a dialog is open, engines that die, hang or
// never come, files that another version wrote. And nothing that somebody has is lost.
#include "app/report/report.h"
#include "app/shell/figure_card.h"
#include "core/lab/session.h"
#include "tests/app/page_fixture.h"
#include "tests/core/lab/every_figure.h"

#include <QApplication>
#include <QClipboard>
#include <QContextMenuEvent>
#include <QDir>
#include <QFile>
#include <QFileDialog>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QMessageBox>
#include <QTemporaryDir>
#include <QTest>
#include <QTimer>
#include <QToolButton>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <csignal>

using namespace warplight;
using namespace warplight::app;

class StandingWindowTest : public PageFixture {
    Q_OBJECT
    QTemporaryDir folder;

    FigureCard* card(const char* figure) const {
        FigureView* view = window->page().view(figure);
        return view ? qobject_cast<FigureCard*>(view->parentWidget()) : nullptr;
    }
    template <class Dialog>
    Dialog* open(bool visible = true) const {
        for (QWidget* each : QApplication::topLevelWidgets())
            if (auto* dialog = qobject_cast<Dialog*>(each); dialog && each->isVisible() == visible)
                return dialog;
        return nullptr;
    }
    using PageFixture::open;
    QString remark() const { return window->page().findChild<QLabel*>("banner")->text(); }
    bool saysBelow(const QString& words) const {
        for (const QLabel* label : window->findChildren<QLabel*>("muted"))
            if (label->isVisible() && label->text().contains(words))
                return true;
        return false;
    }
    void signalEngine(int number) { ::kill(static_cast<pid_t>(window->engine().processId()), number); }
    void quietly(const char* id, const lab::Value& value) {
        const QSignalBlocker quiet(&window->form());
        window->form().setValue(id, value);
    }
    void askMenu(const char* figure) {
        QContextMenuEvent ask(QContextMenuEvent::Mouse, QPoint(20, 20), card(figure)->mapToGlobal(QPoint(20, 20)));
        QApplication::sendEvent(card(figure), &ask);
    }
    /// Begins another run, and waits until the page shows it.
    void replacePage() {
        const lab::RunId before = window->page().shownRun();
        window->runNow();
        QTRY_VERIFY_WITH_TIMEOUT(window->page().shownRun() != before, 10000);
    }

    /// A session whose run has a figure of each kind. Gives back its file.
    QString everyFigure(const QString& name) const {
        lab::RunRecord run;
        run.apply(lab::RunStarted{1, "test.ramp", "Every figure", {}, "cpu", "", {}});
        for (const lab::Figure& figure : test::everyFigure())
            run.apply(lab::FigurePut{1, figure});
        run.apply(lab::RunEnded{1, lab::RunEnded::Outcome::Finished, "", 1});
        lab::saveSession(folder.filePath(name).toStdString(), {&run});
        return folder.filePath(name);
    }

  private slots:
    void cleanup() { window.reset(); }

    void aMenuIsAnsweredForTheFigureThatItWasOpenedOn() {
        open("test.ramp");
        quietly("points", lab::Value(int64_t{4}));
        run();
        askMenu("series");
        QPointer<QMenu> menu = open<QMenu>();
        QVERIFY(menu);
        quietly("points", lab::Value(int64_t{9}));
        replacePage();
        QTRY_VERIFY(finished());
        QVERIFY(menu && menu->isVisible());
        for (QAction* action : menu->actions())
            if (action->text().contains("CSV"))
                action->trigger();
        const QString csv = QApplication::clipboard()->text();
        QVERIFY2(csv.contains("9") && !csv.contains("49") && !csv.contains("64"), qPrintable(csv)); // 0, 1, 4, 9
        menu->close();
        QTRY_VERIFY(!menu);
    }

    void dialogsOutliveTheRunsAndTheEngineBeneathThem_data() {
        QTest::addColumn<QString>("button");
        QTest::addRow("save") << "Save as SVG, PNG or CSV";
        QTest::addRow("explain") << "Explain";
    }
    void dialogsOutliveTheRunsAndTheEngineBeneathThem() {
        QFETCH(const QString, button);
        open("test.ramp");
        for (QToolButton* each : card("series")->findChildren<QToolButton*>())
            if (each->toolTip() == button)
                QTest::mouseClick(each, Qt::LeftButton);
        QPointer<QDialog> dialog = qobject_cast<QDialog*>(QApplication::activeModalWidget());
        QVERIFY(dialog);
        replacePage();
        signalEngine(SIGKILL);
        QTRY_VERIFY(!window->bannerText().isEmpty());
        QTRY_COMPARE_WITH_TIMEOUT(window->engine().state(), EngineClient::State::Ready, 10000);
        QVERIFY(dialog && dialog->isVisible());
        if (auto* files = qobject_cast<QFileDialog*>(dialog.data())) {
            const QString file = folder.filePath("kept.svg");
            auto* name = files->findChild<QLineEdit*>();
            name->selectAll();
            QTest::keyClicks(name, file);
            QTest::keyClick(name, Qt::Key_Return);
            QTRY_VERIFY(QFile::exists(file)); // the figure that the question was about
        } else {
            dialog->reject();
        }
        QTRY_VERIFY(!dialog);
    }

    void aNameThatIsNoFileIsToldInABoxOfOurs() {
        open("test.ramp");
        QTest::keyClick(window.get(), Qt::Key_O, Qt::ControlModifier);
        QPointer<QDialog> files = qobject_cast<QDialog*>(QApplication::activeModalWidget());
        QVERIFY(files);
        auto* name = files->findChild<QLineEdit*>("fileNameEdit");
        QApplication::clipboard()->setText(QString(200'000, '('));
        name->selectAll();
        QTest::keyClick(name, Qt::Key_V, Qt::ControlModifier);
        QCOMPARE(name->text().size(), 4096);
        QTest::keyClick(name, Qt::Key_Return); // with a loop of its own this would not come back
        QPointer<QMessageBox> box = qobject_cast<QMessageBox*>(QApplication::activeModalWidget());
        QVERIFY(box);
        QVERIFY2(box->text().contains("is not there") && box->text().size() < 400, qPrintable(box->text()));
        box->close();
        QVERIFY(files && files->isVisible());
        files->reject();
        QTRY_VERIFY(!files && !box);
    }

    void aRunThatNeverBeganLeavesTheExampleWithItsWords() {
        open("attention.race");
        QVERIFY(remark().contains("another machine"));
        signalEngine(SIGSTOP);
        QTest::keyClick(window.get(), Qt::Key_R, Qt::ControlModifier);
        QVERIFY2(remark().contains("another machine"), qPrintable(remark()));
        signalEngine(SIGKILL);
        QTRY_VERIFY(!window->bannerText().isEmpty());
        QVERIFY2(remark().contains("another machine"), qPrintable(remark()));
        QApplication::clipboard()->clear();
        askMenu("time");
        for (QAction* action : open<QMenu>()->actions())
            if (action->text().contains("CSV"))
                action->trigger();
        QVERIFY(!QApplication::clipboard()->text().isEmpty());
        open<QMenu>()->close();
    }

    void aMistakeInTheCodeLeavesTheFiguresOfTheCodeBefore() {
        open("inspect.kernel");
        set("from", lab::Value(std::string("example")));
        std::string code;
        const auto found = [&] {
            for (const auto& [id, value] : window->form().values())
                if (id.ends_with("code"))
                    code = id;
            return !code.empty();
        };
        QTRY_VERIFY(found());
        const auto ofThisCode = [&] { return window->currentRun()->start().settings.contains(code); };
        QTRY_VERIFY_WITH_TIMEOUT(finished() && ofThisCode() && window->page().view("source"), 10000);
        quietly(code.c_str(), lab::Value(std::string("nonsense")));
        window->runNow();
        QTRY_VERIFY_WITH_TIMEOUT(window->bannerText().contains("there is no kernel in it"), 10000);
        QVERIFY2(remark().contains("as of the code before"), qPrintable(remark()));
        QVERIFY(window->page().view("source")); // yesterday's
        QVERIFY(!remark().contains("What had come is shown"));
    }

    void aSilentEngineIsToldAndStopEndsIt() {
        open("test.ramp");
        quietly("points", lab::Value(int64_t{100000}));
        window->runNow();
        QTRY_VERIFY(window->currentRun() && window->currentRun()->running());
        const qint64 hung = window->engine().processId();
        signalEngine(SIGSTOP);
        QTRY_VERIFY_WITH_TIMEOUT(saysBelow("not answering"), 6000);
        QTest::keyClick(window.get(), Qt::Key_Escape);
        QTRY_VERIFY(ended(lab::RunEnded::Outcome::Cancelled));
        QTRY_COMPARE_WITH_TIMEOUT(window->engine().state(), EngineClient::State::Ready, 10000);
        QVERIFY(window->engine().processId() != hung);
        QVERIFY(!saysBelow("not answering"));
        quietly("points", lab::Value(int64_t{3}));
        run();
        QVERIFY(finished());
    }

    void afterDeathsAtOnceThereIsOneSentenceAndOnePressOfRunIsEnough() {
        const QString script = folder.filePath("dies-three-times");
        QFile file(script);
        QVERIFY(file.open(QIODevice::WriteOnly));
        file.write(QString("#!/bin/sh\necho x >> %1.count\n[ $(wc -l < %1.count) -gt %2 ] && exec %3 serve\n"
                           "[ $(wc -l < %1.count) -gt 1 ] && exit 1\nexec %3 serve\n")
                       .arg(script)
                       .arg(4)
                       .arg(WARPLIGHT_TEST_ENGINE)
                       .toUtf8());
        file.close();
        QVERIFY(file.setPermissions(QFile::ReadOwner | QFile::ExeOwner));
        window = std::make_unique<MainWindow>(QStringList{script});
        window->show();
        QSignalSpy ready(&window->engine(), &EngineClient::ready);
        QVERIFY(ready.wait(5000));
        window->showExperiment("test.ramp");
        QTRY_VERIFY_WITH_TIMEOUT(finished(), 5000);
        const lab::RunId before = window->currentRun()->start().run;
        signalEngine(SIGKILL); // the first death; the next two engines end by themselves
        QTRY_VERIFY_WITH_TIMEOUT(window->bannerText().contains("Run tries again"), 10000);
        QVERIFY2(!remark().contains("engine"), qPrintable(remark()));
        QFile counter(script + ".count");
        QVERIFY(counter.open(QIODevice::Append));
        counter.write("x\nx\n"); // whatever it was is over
        counter.close();
        QTest::keyClick(window.get(), Qt::Key_R, Qt::ControlModifier);
        QTRY_VERIFY_WITH_TIMEOUT(finished() && window->currentRun()->start().run != before, 10000);
        QVERIFY(window->bannerText().isEmpty());
    }

    void theNewestRunStaysHoweverManyWereOpened() {
        open("test.ramp");
        quietly("points", lab::Value(int64_t{3}));
        for (int i = 0; i < 11; ++i)
            run();
        const QString file = folder.filePath("many.warplight");
        saveSession(file);
        window.reset();
        open("test.ramp");
        openSession(file);
        quietly("points", lab::Value(int64_t{5}));
        run();
        QVERIFY(finished());
        QVERIFY(saysBelow("still in its file")); // what had to go
        quietly("points", lab::Value(int64_t{4}));
        run();
        const QString again = folder.filePath("again.warplight");
        saveSession(again);
        std::vector<int64_t> points;
        for (const lab::RunRecord& each : lab::openSession(again.toStdString()).runs)
            points.push_back(std::get<int64_t>(each.start().settings.at("points")));
        QCOMPARE(points.size(), size_t{11});
        QCOMPARE(points.back(), int64_t{4});
        QCOMPARE(points[points.size() - 2], int64_t{5});
    }

    void aSessionBringsItsSettingsIntoTheForm() {
        open("test.ramp");
        quietly("points", lab::Value(int64_t{6}));
        run();
        const QString file = folder.filePath("six.warplight");
        saveSession(file);
        quietly("points", lab::Value(int64_t{8}));
        QSignalSpy ends(window.get(), &MainWindow::runEnded);
        openSession(file);
        QCOMPARE(std::get<int64_t>(window->form().values().at("points")), int64_t{6});
        QTest::qWait(600);
        QCOMPARE(ends.count(), 0); // it is looked at, not run
    }

    void aSessionWithAPageThatIsNotHereSaysSoAndKeepsIt() {
        open("test.ramp");
        lab::RunRecord foreign;
        foreign.apply(lab::RunStarted{1, "tomorrow.page", "Tomorrow", {}, "cpu", "", {}});
        foreign.apply(lab::RunEnded{1, lab::RunEnded::Outcome::Finished, "", 1});
        const QString file = folder.filePath("tomorrow.warplight"), again = folder.filePath("again2.warplight");
        lab::saveSession(file.toStdString(), {&foreign});
        openSession(file);
        QVERIFY2(window->bannerText().contains("no page tomorrow.page"), qPrintable(window->bannerText()));
        QCOMPARE(window->currentExperiment(), QString("test.ramp"));
        saveSession(again);
        QCOMPARE(lab::openSession(again.toStdString()).runs.back().start().experiment, std::string("tomorrow.page"));
    }

    void theWindowGoesOnWhileASessionIsRead() {
        open("test.ramp");
        const QString file = everyFigure("large.warplight");
        QSignalSpy opened(window.get(), &MainWindow::sessionOpened);
        for (int i = 0; i < 3; ++i)
            window->openSession(file);
        QVERIFY(window->isOpening() && saysBelow("Opening a session"));
        QTRY_COMPARE_WITH_TIMEOUT(opened.count(), 3, 10000);
        QVERIFY(!window->isOpening() && !saysBelow("Opening a session"));
        window->openSession(file);
        window.reset(); // closed meanwhile: nothing is left over
        QCOMPARE(opened.count(), 3);
    }

    void theWindowGoesOnWhileASessionIsSaved() {
        open("test.ramp");
        openSession(everyFigure("many.warplight"));
        const QString file = folder.filePath("beside.warplight");
        QSignalSpy saved(window.get(), &MainWindow::sessionSaved);
        QVERIFY(window->saveSession(file));
        QVERIFY(window->isSaving() && saysBelow("Saving"));
        QVERIFY(!QFileInfo::exists(file)); // whole or not at all
        QVERIFY(!window->saveSession(folder.filePath("second.warplight")));
        QVERIFY2(window->bannerText().contains("is still being written"), qPrintable(window->bannerText()));
        QTRY_COMPARE_WITH_TIMEOUT(saved.count(), 1, 10000);
        QVERIFY(!window->isSaving() && !saysBelow("Saving"));
        const auto runs = [](const QString& name) { return lab::openSession(name.toStdString()).runs.size(); };
        QCOMPARE(runs(file), runs(folder.filePath("many.warplight")) + 1);
        const QString last = folder.filePath("last.warplight");
        QVERIFY(window->saveSession(last));
        QVERIFY(!window->close()); // first it is written
        QVERIFY(window->isVisible() && saysBelow("closes when"));
        QTRY_VERIFY_WITH_TIMEOUT(!window->isVisible(), 10000);
        QCOMPARE(runs(last), runs(file));
        window->show();
        const QString gone = folder.filePath("gone.warplight");
        QVERIFY(window->saveSession(gone));
        window.reset(); // also when the program ends
        QCOMPARE(runs(gone), runs(file));
    }

    void theWindowGoesOnWhileAReportIsWritten() {
        open("test.ramp");
        openSession(everyFigure("every.warplight"));
        lab::Session session = lab::openSession(folder.filePath("every.warplight").toStdString());
        const size_t figures = session.runs.front().figures().size();
        writeReport(std::move(session.runs), folder.filePath("expected"));
        size_t turns = 0;
        bool toldHowFar = false;
        QTimer other;
        connect(&other, &QTimer::timeout, this, [&] {
            turns += window->isExporting();
            toldHowFar |= saysBelow(" of ") && saysBelow("Writing");
        });
        other.start(0);
        const QString target = folder.filePath("exported");
        QVERIFY(window->exportReport(target));
        QVERIFY(!window->exportReport(folder.filePath("second.html")));
        QVERIFY2(window->bannerText().contains("exported is still being written"), qPrintable(window->bannerText()));
        for (int i = 0; i < 11; ++i) // so many that the one being written is let go when the next run ends
            openSession(folder.filePath("every.warplight"));
        run();
        QTRY_VERIFY_WITH_TIMEOUT(!window->isExporting(), 60000);
        QVERIFY(toldHowFar && turns > figures);
        QVERIFY(!QFile::exists(folder.filePath("second.html")));
        const QDir expected(folder.filePath("expected/1-test.ramp")), got(target + "/1-test.ramp");
        QCOMPARE(got.entryList(), expected.entryList());
        for (const QString& name : expected.entryList(QDir::Files)) {
            QFile one(expected.filePath(name)), same(got.filePath(name));
            QVERIFY(one.open(QIODevice::ReadOnly) && same.open(QIODevice::ReadOnly));
            QVERIFY2(one.readAll() == same.readAll(), qPrintable(name));
        }
        QVERIFY(window->exportReport(folder.filePath("third.html")));
        QTRY_VERIFY(saysBelow("Wrote"));
        QVERIFY(QFile::exists(folder.filePath("third.html")));
    }

    void aWindowClosedWhileAReportIsWrittenLeavesNothingOfIt_data() {
        QTest::addColumn<QString>("target");
        for (const char* target : {"closed.html", "closed.pdf", "closed"})
            QTest::addRow("%s", target) << target;
    }
    void aWindowClosedWhileAReportIsWrittenLeavesNothingOfIt() {
        QFETCH(const QString, target);
        open("test.ramp");
        openSession(everyFigure("every.warplight"));
        QVERIFY(window->exportReport(folder.filePath(target)));
        for (int turn = 0; turn < 4; ++turn)
            QApplication::processEvents();
        QVERIFY(window->isExporting() && saysBelow("Writing"));
        window->close();
        window.reset();
        QVERIFY(!QFile::exists(folder.filePath(target)));
        QVERIFY(QDir(folder.path()).entryList({".warplight-*"}, QDir::AllEntries | QDir::Hidden).isEmpty());
    }

    void theOtherSessionsThatCannotBeShownAreToldInTheWindow() {
        open("test.ramp");
        QFile newer(folder.filePath("newer.warplight"));
        QVERIFY(newer.open(QIODevice::WriteOnly));
        newer.write("WARPLIGHT 2\nwhatever");
        newer.close();
        openSession(newer.fileName());
        QVERIFY(window->bannerText().contains("newer.warplight: was written by a newer Warplight"));
        const QString empty = folder.filePath("empty.warplight");
        lab::saveSession(empty.toStdString(), {});
        openSession(empty);
        QVERIFY(window->bannerText().contains("holds no runs"));
        QVERIFY(window->page().view("series"));
    }
};

QTEST_MAIN(StandingWindowTest)
#include "standing_window_test.moc"
