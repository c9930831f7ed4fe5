// SPDX-License-Identifier: GPL-3.0-or-later
// The kernel inspector as its user has it: the window, a real engine, kernels chosen, edited and compared.
#include "app/shell/text_editor.h"
#include "tests/app/page_fixture.h"

#include <QFile>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QTemporaryDir>
#include <QTest>
#include <string>
#include <tuple>
#include <variant>

using namespace warplight;
using namespace warplight::app;

class InspectorPageTest : public PageFixture {
    Q_OBJECT
    QTemporaryDir folder;

    const lab::Figure* figure(const char* id) const {
        const lab::RunRecord* run = window->currentRun();
        return run ? run->figure(id) : nullptr;
    }
    QString findings() const {
        QString all;
        if (const lab::Figure* table = figure("findings"))
            for (const auto& row : std::get<lab::Table>(table->content).rows)
                for (const auto& cell : row)
                    if (const auto* text = std::get_if<std::string>(&cell))
                        all += QString::fromStdString(*text) + "\n";
        return all;
    }
    QLineEdit* field(const QString& title) const {
        for (QLineEdit* edit : window->form().findChildren<QLineEdit*>())
            if (edit->isVisible() && edit->accessibleName().startsWith(title))
                return edit;
        return nullptr;
    }

  private slots:
    void init() { open("inspect.kernel"); }
    void cleanup() { window.reset(); }

    void anExampleBringsItsArgumentsAndItsFinding() {
        QVERIFY(!field("matrix"));
        set("from", lab::Value(std::string("example")));
        set("example", lab::Value(std::string("uncoalesced")));
        QTRY_VERIFY(field("matrix") && field("columns"));
        run();
        QVERIFY2(findings().contains("lanes stride by"), qPrintable(findings()));
        set("example", lab::Value(std::string("race")));
        QTRY_VERIFY(!field("matrix"));
        run();
        QVERIFY2(findings().contains("race", Qt::CaseInsensitive), qPrintable(findings()));
    }

    void aKernelOfTheUserIsEditedRunAgainAndCompared() {
        const QString file = folder.filePath("mine.ptx");
        QVERIFY(QFile::copy(QString(EXAMPLES) + "/coalesced.ptx", file));
        set("from", lab::Value(std::string("file")));
        set("file", lab::Value(file.toStdString()));
        QTRY_VERIFY(field("Blocks"));
        run(); // with what the form makes up, more rows than the matrix has
        QVERIFY2(findings().contains("out of bounds"), qPrintable(findings()));
        field("Blocks")->selectAll();
        QTest::keyClicks(field("Blocks"), "8");
        run();
        QVERIFY(figure("instructions"));
        QVERIFY2(finished(), window->currentRun()->ended()->message.c_str());
        const auto instructions = [this] { return *std::get<lab::Metric>(figure("instructions")->content).value; };
        const double before = instructions();
        window->togglePin();

        QPushButton* edit = nullptr;
        for (QPushButton* each : window->form().findChildren<QPushButton*>())
            if (each->text() == "Edit…" && each->isVisible())
                edit = each;
        QVERIFY(edit);
        edit->click();
        auto* editor = window->findChild<TextEditor*>();
        QVERIFY(editor);
        auto* text = editor->findChild<QPlainTextEdit*>();
        QString code = text->toPlainText();
        QVERIFY(code.contains("ret;"));
        const qsizetype last = code.lastIndexOf("ret;");
        code.insert(last, "bar.warp.sync 0xffffffff;\n"); // one instruction more for every warp that gets there
        text->setPlainText(code);
        editor->accept();
        run();
        QVERIFY2(finished(), window->currentRun()->ended()->message.c_str());
        QVERIFY2(instructions() > before, qPrintable(QString("%1, %2").arg(instructions()).arg(before)));
        QVERIFY(QFile::exists(file));
        QFile kept(file);
        QVERIFY(kept.open(QIODevice::ReadOnly) && !kept.readAll().contains("bar.warp.sync")); // the file is not touched
    }

    void aMistakeInTheTextIsSaidWithItsLine() {
        const QString file = folder.filePath("broken.ptx");
        QVERIFY(QFile::copy(QString(EXAMPLES) + "/coalesced.ptx", file));
        set("from", lab::Value(std::string("file")));
        set("file", lab::Value(file.toStdString()));
        QTRY_VERIFY(field("Blocks"));
        set("code",
            ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k()\n{\n    nonsense.u32 %r1;\n}\n");
        window->runNow();
        const auto said = [this] {
            const lab::RunRecord* run = window->currentRun();
            return window->bannerText() +
                   (run && run->ended() ? QString::fromStdString(run->ended()->message) : QString());
        };
        QTRY_VERIFY_WITH_TIMEOUT(said().contains("nonsense"), 10000);
        QVERIFY2(said().contains("broken.ptx:6"), qPrintable(said()));
    }
};

QTEST_MAIN(InspectorPageTest)
#include "inspector_page_test.moc"
