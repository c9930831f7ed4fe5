// The Allreduce lab as its user has it: a ring played back step by step, a rank that hangs, ranks that are processes.
#include "app/shell/main_window.h"
#include "app/shell/page_view.h"
#include "app/shell/settings_form.h"
#include "app/views/steps_view.h"
#include "app/views/theme.h"

#include <QLabel>
#include <QSignalSpy>
#include <QTest>

using namespace warplight;
using namespace warplight::app;

class AllreducePageTest : public QObject {
    Q_OBJECT
    std::unique_ptr<MainWindow> window;

    bool ended(lab::RunEnded::Outcome outcome) const {
        const lab::RunRecord* run = window->currentRun();
        return run && run->ended() && run->ended()->outcome == outcome;
    }
    bool finished() const { return ended(lab::RunEnded::Outcome::Finished); }
    void set(const char* id, const lab::Value& value) {
        window->form().setValue(id, value);
        emit window->form().changed();
    }
    void run() {
        QSignalSpy ends(window.get(), &MainWindow::runEnded);
        window->runNow();
        QTRY_VERIFY_WITH_TIMEOUT(ends.count() > 0, 30000);
    }

  private slots:
    void initTestCase() { Theme::setCurrent(Theme::lightTheme()); }
    void init() {
        window = std::make_unique<MainWindow>(QStringList{WARPLIGHT_TEST_ENGINE, "serve"});
        window->resize(1280, 800);
        window->show();
        QSignalSpy ready(&window->engine(), &EngineClient::ready);
        QVERIFY(ready.wait(5000));
        window->showExperiment("allreduce.steps");
        QTRY_VERIFY_WITH_TIMEOUT(finished(), 20000);
    }
    void cleanup() { window.reset(); }

    void aRingIsPlayedStepByStep() {
        auto* steps = qobject_cast<StepsView*>(window->page().view("steps"));
        QVERIFY(steps);
        QVERIFY2(steps->caption().startsWith("Step 1 of 6, reduce-scatter"), qPrintable(steps->caption()));
        QTest::keyClick(steps, Qt::Key_Left);
        QVERIFY2(steps->caption().startsWith("Start"), qPrintable(steps->caption()));
        QTest::keyClick(steps, Qt::Key_End);
        QVERIFY2(steps->caption().startsWith("Step 6 of 6, all-gather"), qPrintable(steps->caption()));
        QTest::keyClick(steps, Qt::Key_Left);
        QVERIFY2(steps->caption().startsWith("Step 5 of 6"), qPrintable(steps->caption()));
        const QImage before = steps->grab().toImage();
        QTest::keyClick(steps, Qt::Key_Home);
        QVERIFY(steps->grab().toImage() != before);
        QTest::keyClick(steps, Qt::Key_Space);
        QTRY_VERIFY_WITH_TIMEOUT(steps->step() > 0, 3000);
    }

    void aRankThatHangsIsNamedAndTheNextRunWorks() {
        set("timeout", lab::Value(0.5));
        set("faultRank", lab::Value(int64_t{2}));
        set("fault", lab::Value(std::string("hangs")));
        run();
        QVERIFY(ended(lab::RunEnded::Outcome::Failed));
        auto* banner = window->page().findChild<QLabel*>("banner");
        QVERIFY2(banner && banner->isVisible() && banner->text().contains("ank 2"), qPrintable(banner->text()));
        set("fault", lab::Value(std::string("none")));
        run();
        QVERIFY(finished());
        QVERIFY(window->page().view("steps"));
    }

    void processesAreRanksOrASentenceSaysWhyNot() {
        set("transport", lab::Value(std::string("mpi")));
        run();
        if (finished())
            QVERIFY(window->page().view("timeline"));
        else
            QVERIFY2(QString::fromStdString(window->currentRun()->ended()->message).contains("openmpi-bin"),
                     window->currentRun()->ended()->message.c_str());
    }
};

QTEST_MAIN(AllreducePageTest)
#include "allreduce_page_test.moc"
