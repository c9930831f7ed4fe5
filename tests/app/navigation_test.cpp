// SPDX-License-Identifier: GPL-3.0-or-later
// Sixty pages: one lab is open, all are reached with the mouse, the keyboard and the search.
#include "app/shell/command_palette.h"
#include "app/shell/navigation.h"
#include "tests/app/page_fixture.h"

#include <QApplication>
#include <QLineEdit>
#include <QSet>
#include <QSignalSpy>
#include <QTest>
#include <memory>
#include <string>
#include <vector>

using namespace warplight;
using namespace warplight::app;

namespace {

constexpr int labCount = 10, pagesOfEach = 6;

QString idOf(int lab, int page) { return QString("lab%1.page%2").arg(lab).arg(page); }

std::vector<lab::Description> sixtyPages() {
    std::vector<lab::Description> pages;
    for (int lab = 0; lab < labCount; ++lab)
        for (int page = 0; page < pagesOfEach; ++page) {
            lab::Description description;
            description.id = idOf(lab, page).toStdString();
            description.lab = "Lab " + std::to_string(lab);
            description.title = "Page " + std::to_string(page);
            pages.push_back(description);
        }
    return pages;
}

} // namespace

class NavigationTest : public PageFixture {
    Q_OBJECT
    std::unique_ptr<Navigation> list;

    int linesShown() const {
        int lines = 0;
        for (QTreeWidgetItemIterator item(list.get()); *item; ++item)
            lines += !(*item)->parent() || (*item)->parent()->isExpanded();
        return lines;
    }
    bool isOpen(int lab) const { return list->topLevelItem(lab)->isExpanded(); }
    QTreeWidgetItem* page(int lab, int page) const { return list->topLevelItem(lab)->child(page); }
    bool isSeen(QTreeWidgetItem* item) const {
        return list->viewport()->rect().contains(list->visualItemRect(item)) && !list->visualItemRect(item).isEmpty();
    }
    void click(QTreeWidgetItem* item) const {
        list->scrollToItem(item);
        QTest::mouseClick(list->viewport(), Qt::LeftButton, {}, list->visualItemRect(item).center());
    }

  private slots:
    void init() {
        Theme::setCurrent(Theme::lightTheme());
        list = std::make_unique<Navigation>();
        list->setPages(sixtyPages());
        list->resize(180, 620);
        list->show();
        QVERIFY(QTest::qWaitForWindowExposed(list.get()));
        connect(list.get(), &Navigation::pageChosen, list.get(), &Navigation::choose); // as the window does
        list->choose(idOf(0, 0));
    }
    void cleanup() {
        list.reset();
        window.reset();
        qunsetenv("WARPLIGHT_TEST_LABS");
    }

    void theOpenLabShowsItsPagesTheOthersAreALineEach() {
        for (const int lab : {0, 7, 9, 3}) {
            list->choose(idOf(lab, 4));
            QCOMPARE(linesShown(), labCount + pagesOfEach);
            QVERIFY(isOpen(lab));
            for (int page = 0; page < pagesOfEach; ++page)
                QVERIFY(isSeen(this->page(lab, page)));
        }
    }

    void titlesAreWhole() {
        auto pages = sixtyPages();
        pages[3].title = "Block-sparse accuracy";
        list->setPages(pages);
        list->choose(idOf(0, 3));
        QTest::qWait(20);
        const QFontMetrics metrics(page(0, 3)->font(0));
        QVERIFY2(metrics.horizontalAdvance("Block-sparse accuracy") + 8 <= list->visualItemRect(page(0, 3)).width(),
                 qPrintable(QString::number(list->visualItemRect(page(0, 3)).width())));
    }

    void aLabIsLookedIntoWithoutLeavingThePage() {
        QSignalSpy chosen(list.get(), &Navigation::pageChosen);
        click(list->topLevelItem(4));
        QVERIFY(isOpen(0) && isOpen(4));
        click(list->topLevelItem(6));
        QVERIFY(isOpen(0) && !isOpen(4) && isOpen(6));
        click(list->topLevelItem(6));
        QVERIFY(!isOpen(6));
        click(list->topLevelItem(0)); // has the page that is shown
        QVERIFY(isOpen(0));
        QCOMPARE(chosen.count(), 0);
    }

    void choosingAPageClosesTheLabBeforeWhenTheButtonIsUp() {
        QSignalSpy chosen(list.get(), &Navigation::pageChosen);
        click(list->topLevelItem(4));
        const QPoint at = list->visualItemRect(page(4, 2)).center();
        QTest::mousePress(list->viewport(), Qt::LeftButton, {}, at);
        QCOMPARE(chosen.count(), 1);
        QCOMPARE(chosen[0][0].toString(), idOf(4, 2));
        QCOMPARE(list->visualItemRect(page(4, 2)).center(), at); // nothing moves under the pointer
        QTest::mouseMove(list->viewport(), at + QPoint(2, 1));
        QTest::mouseRelease(list->viewport(), Qt::LeftButton, {}, at);
        QCOMPARE(chosen.count(), 1);
        QVERIFY(!isOpen(0) && isOpen(4));
        QVERIFY(isSeen(page(4, 2)));
    }

    void theArrowKeysReachAllPagesAndTheChosenOneIsAlwaysSeen() {
        list->resize(180, 260); // fewer lines than there are
        QSet<QString> reached{idOf(0, 0)};
        connect(list.get(), &Navigation::pageChosen, this, [&](const QString& id) { reached.insert(id); });
        for (int step = 0; step < labCount * (pagesOfEach + 1) - 2; ++step) {
            QTest::keyClick(list.get(), Qt::Key_Down);
            if (list->currentItem()->childCount() > 0)
                QTest::keyClick(list.get(), list->currentItem()->isExpanded() ? Qt::Key_Down : Qt::Key_Right);
            QVERIFY(isSeen(list->currentItem()));
        }
        QCOMPARE(reached.size(), qsizetype{labCount * pagesOfEach});
        QCOMPARE(list->currentItem(), page(9, 5));
    }

    void returnAndSpaceOpenALab() {
        list->setCurrentItem(list->topLevelItem(5));
        QTest::keyClick(list.get(), Qt::Key_Return);
        QVERIFY(isOpen(5));
        QTest::keyClick(list.get(), Qt::Key_Space);
        QVERIFY(!isOpen(5));
    }

    void theNextPageIsOneKeyAwayAcrossLabs() {
        list->choose(idOf(2, 5));
        QCOMPARE(list->neighbour(1), idOf(3, 0));
        QCOMPARE(list->neighbour(-5), idOf(2, 0));
        list->choose(idOf(9, 5));
        QCOMPARE(list->neighbour(1), idOf(9, 5));
    }

    void whatStandsInOnePieceIsFoundBeforeLettersThatAreSomewhere() {
        QWidget room;
        auto* palette = new CommandPalette(&room);
        QString done;
        for (const char* name : {"Save recent scale", "Allreduce › Scale", "Attention › Race", "Allreduce › Race"})
            palette->add(QString::fromUtf8(name), {}, [&done, name] { done = QString::fromUtf8(name); });
        palette->open();
        QTest::keyClicks(palette->findChild<QLineEdit*>(), "race");
        QTest::keyClick(palette->findChild<QLineEdit*>(), Qt::Key_Return);
        QTRY_COMPARE(done, QString::fromUtf8("Attention › Race"));
    }

    void theWindowsSearchAndKeysReachPagesOfClosedLabs() {
        qputenv("WARPLIGHT_TEST_LABS", QByteArray::number(labCount));
        open("attention.tiles");
        const auto* pages = window->findChild<Navigation*>();
        const auto shown = [&] {
            const QTreeWidgetItem* item = pages->currentItem();
            return item && item->data(0, Qt::UserRole).toString() == window->currentExperiment() &&
                   pages->viewport()->rect().contains(pages->visualItemRect(item));
        };
        QTest::keyClick(window.get(), Qt::Key_K, Qt::ControlModifier);
        auto* palette = window->findChild<CommandPalette*>();
        QVERIFY(palette);
        QTest::keyClicks(palette->findChild<QLineEdit*>(), "page 3 of lab 7");
        QTest::keyClick(palette->findChild<QLineEdit*>(), Qt::Key_Return);
        QTRY_COMPARE(window->currentExperiment(), idOf(7, 3));
        QVERIFY(shown());
        window->activateWindow();
        QVERIFY(QTest::qWaitForWindowActive(window.get()));
        for (int i = 0; i < 4; ++i)
            QTest::keyClick(window.get(), Qt::Key_PageDown, Qt::ControlModifier);
        QCOMPARE(window->currentExperiment(), idOf(8, 1));
        QVERIFY(shown());
        QTest::keyClick(window.get(), Qt::Key_PageUp, Qt::ControlModifier);
        QCOMPARE(window->currentExperiment(), idOf(8, 0));
    }
};

QTEST_MAIN(NavigationTest)
#include "navigation_test.moc"
