// SPDX-License-Identifier: GPL-3.0-or-later
// When a run is asked for, and when not: whatever comes between a change of a setting, Run and Stop.
#include "app/shell/run_controller.h"

#include <QSignalSpy>
#include <QTest>
#include <map>
#include <memory>
#include <utility>

using namespace warplight;
using namespace warplight::app;

class RunControllerTest : public QObject {
    Q_OBJECT

    std::unique_ptr<RunController> runs;
    quint64 lastTicket = 0;
    int checks = 0, sent = 0, started = 0, replaced = 0, cancelled = 0, restored = 0;
    bool wrong = false, lost = false, silent = false, going = false, adapts = false, follows = false;
    std::map<QString, QString> errors;

    static EngineClient::Checked right(double seconds) { return {{}, seconds, {}}; }
    static EngineClient::Checked otherForm() { return {{}, 60, {lab::Parameter::integer("n", "N", 1, 1, 9, "")}}; }

    void changeAndWait() {
        const int before = checks;
        runs->settingsChanged();
        QTRY_COMPARE(checks, before + 1);
    }

  private slots:
    void init() {
        lastTicket = 0;
        checks = sent = started = replaced = cancelled = restored = 0;
        wrong = lost = silent = going = adapts = follows = false;
        errors.clear();
        RunController::Desk desk;
        desk.hasPage = [] { return true; };
        desk.formIsWrong = [this] { return wrong; };
        desk.adaptForm = [this](const auto&) { return std::exchange(adapts, false); };
        desk.restoreForm = [this] { ++restored; };
        desk.showErrors = [this](const auto& shown) { errors = shown; };
        desk.check = [this] {
            ++checks;
            return ++lastTicket;
        };
        desk.run = [this] { ++sent; };
        desk.adjust = [this] { return follows; };
        desk.engineIsLost = [this] { return lost; };
        desk.engineIsSilent = [this] { return silent; };
        desk.runIsGoing = [this] { return going; };
        desk.startEngine = [this] { ++started; };
        desk.replaceEngine = [this] { ++replaced; };
        desk.cancel = [this] { ++cancelled; };
        runs = std::make_unique<RunController>(desk);
    }

    void changesInQuickSuccessionAreCheckedOnce() {
        for (int i = 0; i < 5; ++i)
            runs->settingsChanged();
        QCOMPARE(checks, 0);
        QTRY_COMPARE(checks, 1);
        QTest::qWait(300);
        QCOMPARE(checks, 1);
    }

    void whatTakesLittleTimeRunsByItselfTheRestWaits() {
        QSignalSpy waits(runs.get(), &RunController::waitsForRun);
        changeAndWait();
        runs->answered(lastTicket, right(0.2));
        QCOMPARE(sent, 1);
        changeAndWait();
        runs->answered(lastTicket, right(5));
        QCOMPARE(sent, 1);
        QCOMPARE(waits.count(), 1);
        QCOMPARE(waits[0][0].toDouble(), 5.0);
    }

    /// Nothing is asked and nothing begins anew; but what has been changed before is not forgotten.
    void aRunThatFollowsIsNotRunAgain() {
        follows = true;
        runs->settingsChanged();
        QTest::qWait(300);
        QCOMPARE(checks, 0);
        follows = false;
        runs->settingsChanged();
        follows = true;
        runs->settingsChanged();
        QTRY_COMPARE(checks, 1);
    }

    void wrongSettingsDoNotRun() {
        changeAndWait();
        runs->answered(lastTicket, {{{"seqLen", "is too long"}}, 0.1, {}});
        QCOMPARE(sent, 0);
        QCOMPARE(errors.at("seqLen"), QString("is too long"));
        QVERIFY(!runs->refused()); // stands in red under its field
        changeAndWait();
        runs->answered(lastTicket, {{{"", "does not fit into memory"}}, 0.1, {}});
        QVERIFY(runs->refused());
        wrong = true;
        QSignalSpy told(runs.get(), &RunController::formWrong);
        runs->run();
        QCOMPARE(told.count(), 1);
        QCOMPARE(sent, 0);
    }

    void runWaitsForTheCheckOfWhatChangedLast() {
        runs->settingsChanged();
        runs->run(); // the debounce does not hold it up
        QCOMPARE(checks, 1);
        QCOMPARE(sent, 0);
        runs->run();
        QCOMPARE(checks, 1);
        runs->answered(lastTicket, right(60)); // long, but asked for
        QCOMPARE(sent, 1);
        runs->answered(lastTicket, right(60));
        QCOMPARE(sent, 1);
    }

    void aFormThatBecomesAnotherIsCheckedAgainBeforeItRuns() {
        runs->settingsChanged();
        runs->run();
        adapts = true;
        runs->answered(lastTicket, otherForm());
        QCOMPARE(sent, 0);
        QCOMPARE(checks, 2);
        runs->answered(lastTicket, right(60));
        QCOMPARE(sent, 1);
    }

    void anAnswerToAnOlderQuestionDecidesNothing() {
        changeAndWait();
        const quint64 old = lastTicket;
        changeAndWait();
        runs->answered(old, right(0.1));
        QCOMPARE(sent, 0);
        runs->answered(lastTicket, right(0.1));
        QCOMPARE(sent, 1);
    }

    void anotherPageForgetsWhatWasToCome() {
        runs->settingsChanged();
        runs->run();
        const quint64 old = lastTicket;
        runs->pageOpened();
        adapts = true;
        runs->answered(old, otherForm());
        QVERIFY(adapts); // this page's form is not touched
        QCOMPARE(sent, 0);
        runs->settingsChanged();
        runs->pageOpened();
        QTest::qWait(300);
        QCOMPARE(checks, 1);
    }

    void withoutAnEngineRunStartsOneAndRunsOnceItIsThere() {
        lost = true;
        runs->settingsChanged();
        runs->run();
        QCOMPARE(started, 1);
        QCOMPARE(sent, 0);
        lost = false;
        runs->engineReady();
        QCOMPARE(sent, 1);
        runs->engineReady(); // it died once more: nobody has pressed Run
        QCOMPARE(sent, 1);
    }

    void aCheckThatDiedWithItsEngineIsAskedAgain() {
        changeAndWait();
        runs->engineReady();
        QCOMPARE(checks, 2);
        runs->answered(lastTicket, right(0.1));
        QCOMPARE(sent, 1);
    }

    void whatIsKeptFillsNewFieldsUnlessSomebodyWasFaster() {
        runs->formRestored(++lastTicket);
        runs->answered(lastTicket, otherForm());
        QCOMPARE(restored, 1);
        QCOMPARE(sent, 0); // that was no question about a run
        runs->formRestored(++lastTicket);
        const quint64 asked = lastTicket;
        runs->settingsChanged();
        runs->answered(asked, otherForm());
        QCOMPARE(restored, 1);
    }

    void stopEndsTheEngineWhenTheRunDoesNotFollow() {
        going = true;
        runs->stop();
        QCOMPARE(cancelled, 1);
        QVERIFY(runs->isStopping());
        runs->watch();
        QCOMPARE(replaced, 0);
        silent = true;
        runs->watch();
        QCOMPARE(replaced, 1);
        QVERIFY(!runs->isStopping());
        runs->watch();
        QCOMPARE(replaced, 1);
    }

    void silenceAloneEndsNoEngine() {
        going = silent = true;
        runs->watch();
        QCOMPARE(replaced, 0);
        runs->stop(); // once is enough then
        QCOMPARE(replaced, 1);
        silent = false;
        runs->stop();
        going = false; // it has ended
        runs->watch();
        silent = true;
        runs->watch();
        QCOMPARE(replaced, 1);
    }
};

QTEST_MAIN(RunControllerTest)
#include "run_controller_test.moc"
