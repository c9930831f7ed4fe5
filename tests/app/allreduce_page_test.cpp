// SPDX-License-Identifier: GPL-3.0-or-later
// The Allreduce lab as its user has it: a ring played back step by step, a rank that hangs, ranks that are processes.
#include "app/views/steps_view.h"
#include "tests/app/page_fixture.h"

#include <QLabel>
#include <QTest>
#include <cstdint>
#include <string>

using namespace warplight;
using namespace warplight::app;

class AllreducePageTest : public PageFixture {
    Q_OBJECT

  private slots:
    void init() { open("allreduce.steps"); }
    void cleanup() { window.reset(); }

    void aRingIsPlayedStepByStep() {
        auto* steps = qobject_cast<StepsView*>(window->page().view("steps"));
        QVERIFY(steps);
        QVERIFY2(steps->caption().startsWith("Reduce-scatter: "), qPrintable(steps->caption()));
        QTest::keyClick(steps, Qt::Key_Left);
        QVERIFY2(steps->caption().startsWith("Start"), qPrintable(steps->caption()));
        QTest::keyClick(steps, Qt::Key_End);
        QVERIFY2(steps->caption().startsWith("All-gather: "), qPrintable(steps->caption()));
        QTest::keyClick(steps, Qt::Key_Left);
        QVERIFY2(steps->caption().startsWith("All-gather: "), qPrintable(steps->caption()));
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
