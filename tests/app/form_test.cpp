// SPDX-License-Identifier: GPL-3.0-or-later
// The settings form by itself: what somebody typed survives when the form changes under their hands.
#include "app/shell/settings_form.h"
#include "app/shell/text_editor.h"
#include "app/views/theme.h"

#include <QLabel>
#include <QLineEdit>
#include <QMessageBox>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>
#include <cstdint>
#include <string>
#include <tuple>

using namespace warplight;
using namespace warplight::app;
using lab::Parameter;

namespace {

QLineEdit* editOf(const SettingsForm& form, const QString& title) {
    for (QLineEdit* edit : form.findChildren<QLineEdit*>())
        if (edit->accessibleName() == title)
            return edit;
    return nullptr;
}

QPushButton* button(const QWidget& parent, const QString& text) {
    for (QPushButton* each : parent.findChildren<QPushButton*>())
        if (each->text() == text)
            return each;
    return nullptr;
}

Parameter source(const std::string& text) {
    Parameter code = Parameter::text("code", "Code", text, "");
    code.multiline = true;
    return code;
}

} // namespace

class FormTest : public QObject {
    Q_OBJECT

    const Parameter grid = Parameter::integer("grid", "Blocks", 4, 1, 100, "");
    const Parameter block = Parameter::integer("block", "Threads", 32, 1, 1024, "");
    const Parameter from = Parameter::text("from", "from", "random:f32[8]", "");
    const Parameter to = Parameter::text("to", "to", "zeros:f32[8]", "");

    static void type(QLineEdit* edit, const QString& text) {
        edit->selectAll();
        QTest::keyClicks(edit, text);
    }

  private slots:
    void initTestCase() { Theme::setCurrent(Theme::lightTheme()); }

    void whatWasTypedStaysWhenFieldsComeAndGo() {
        SettingsForm form;
        form.show();
        form.setParameters({grid, block, from});
        type(editOf(form, "Blocks"), "7");
        QSignalSpy changed(&form, &SettingsForm::changed);
        form.adapt({grid, to, block}, {});
        QCOMPARE(changed.count(), 0); // it is the page's doing, not the user's
        QVERIFY(!editOf(form, "from"));
        QCOMPARE(editOf(form, "Blocks")->text(), QString("7"));
        QCOMPARE(editOf(form, "to")->text(), QString("zeros:f32[8]"));
        QCOMPARE(std::get<int64_t>(form.values().at("grid")), int64_t{7});
    }

    void aNewDefaultTakesThePlaceOfWhatBelongedToTheOldOne() {
        SettingsForm form;
        form.setParameters({grid, block});
        type(editOf(form, "Blocks"), "7");
        Parameter other = grid;
        other.defaultValue = int64_t{64}; // another kernel was chosen
        form.adapt({other, block}, {});
        QCOMPARE(editOf(form, "Blocks")->text(), QString("64"));
    }

    void keptValuesFillFieldsThatAreNew() {
        SettingsForm form;
        form.setParameters({grid});
        form.adapt({grid, from}, {{"from", lab::Value(std::string("iota:f32[8]"))}, {"grid", lab::Value(int64_t{9})}});
        QCOMPARE(editOf(form, "from")->text(), QString("iota:f32[8]"));
        QCOMPARE(editOf(form, "Blocks")->text(), QString("4")); // it was there, and says 4
        form.adapt({grid, from, to}, {{"to", lab::Value(true)}});
        QCOMPARE(editOf(form, "to")->text(), QString("zeros:f32[8]")); // a flag is no text
    }

    void theFieldThatIsTypedInKeepsTheFocus() {
        SettingsForm form;
        form.resize(400, 300);
        form.show();
        QVERIFY(QTest::qWaitForWindowExposed(&form));
        form.activateWindow();
        QTRY_VERIFY(form.isActiveWindow());
        form.setParameters({grid, block});
        editOf(form, "Threads")->setFocus();
        form.adapt({grid, block, to}, {});
        QTRY_VERIFY(editOf(form, "Threads")->hasFocus());
    }

    void nothingIsRebuiltWhenNothingChanged() {
        SettingsForm form;
        form.setParameters({grid, block});
        QLineEdit* before = editOf(form, "Blocks");
        form.adapt({grid, block}, {{"grid", lab::Value(int64_t{9})}});
        QCOMPARE(editOf(form, "Blocks"), before);
    }

    void aTextIsEditedInAWindowAndCanGoBack() {
        SettingsForm form;
        form.show();
        form.setParameters({source("ret;")});
        QSignalSpy changed(&form, &SettingsForm::changed);
        button(form, "Edit…")->click();
        auto* editor = form.findChild<TextEditor*>();
        QVERIFY(editor && editor->isVisible());
        QVERIFY(QTest::qWaitForWindowExposed(editor));
        editor->activateWindow();
        QTRY_VERIFY(editor->isActiveWindow());
        auto* text = editor->findChild<QPlainTextEdit*>();
        text->selectAll();
        QTest::keyClicks(text, "trap;");
        QTest::keyClick(text, Qt::Key_Return, Qt::ControlModifier);
        QCOMPARE(changed.count(), 1);
        QCOMPARE(std::get<std::string>(form.values().at("code")), std::string("trap;"));
        const auto says = [&](const char* what) {
            for (const QLabel* label : form.findChildren<QLabel*>())
                if (label->isVisible() && label->text() == what)
                    return true;
            return false;
        };
        QTRY_VERIFY(says("edited"));

        QTRY_VERIFY(!form.findChild<TextEditor*>());
        button(form, "Edit…")->click();
        editor = form.findChild<TextEditor*>();
        QCOMPARE(editor->text(), QString("trap;"));
        button(*editor, "Back to the original")->click();
        QCOMPARE(editor->text(), QString("ret;"));
        QTest::keyClick(editor, Qt::Key_Escape);
        QTRY_VERIFY(editor->findChild<QMessageBox*>()); // asked, not dropped
        QVERIFY(editor->isVisible());
        button(*editor->findChild<QMessageBox*>(), "Keep editing")->click();
        QTRY_VERIFY(!editor->findChild<QMessageBox*>());
        QCOMPARE(editor->text(), QString("ret;"));
        QTest::keyClick(editor, Qt::Key_Escape);
        QTRY_VERIFY(editor->findChild<QMessageBox*>());
        button(*editor->findChild<QMessageBox*>(), "Discard")->click();
        QVERIFY(!editor->isVisible());
        QCOMPARE(std::get<std::string>(form.values().at("code")), std::string("trap;"));
        QCOMPARE(changed.count(), 1);
    }

    void aTextIsAppliedToAFormThatWasRebuiltMeanwhile() {
        SettingsForm form;
        form.show();
        form.setParameters({grid, block, source("ret;")}, "page");
        button(form, "Edit…")->click();
        auto* editor = form.findChild<TextEditor*>();
        auto* text = editor->findChild<QPlainTextEdit*>();
        text->selectAll();
        QTest::keyClicks(text, "trap;");
        form.adapt({source("exit;"), from}, {}); // fewer fields, another kernel
        QCOMPARE(editor->text(), QString("trap;"));
        editor->accept();
        QCOMPARE(std::get<std::string>(form.values().at("code")), std::string("trap;"));
    }

    void aTextWhoseFieldHasGoneIsHandedToItsPage() {
        SettingsForm form;
        form.show();
        form.setParameters({source("ret;")}, "page");
        button(form, "Edit…")->click();
        auto* editor = form.findChild<TextEditor*>();
        QTest::keyClicks(editor->findChild<QPlainTextEdit*>(), "trap;");
        QSignalSpy left(&form, &SettingsForm::textLeft);
        form.setParameters({grid, source("of another page")}, "other");
        editor->accept();
        QCOMPARE(left.count(), 1);
        QCOMPARE(left[0][0].toString(), QString("page"));
        QCOMPARE(left[0][2].toString(), QString("trap;ret;"));
        QCOMPARE(std::get<std::string>(form.values().at("code")), std::string("of another page"));
    }

    void anEditorShowsTheNextExamplesTextWhenItsFormComes() {
        SettingsForm form;
        form.show();
        form.setParameters({source("ret;")}, "page");
        button(form, "Edit…")->click();
        auto* editor = form.findChild<TextEditor*>();
        Parameter next = source("exit;");
        next.id = "next.code";
        form.adapt({next}, {});
        QCOMPARE(editor->text(), QString("exit;"));
        QTest::keyClicks(editor->findChild<QPlainTextEdit*>(), "trap;");
        editor->accept();
        QCOMPARE(std::get<std::string>(form.values().at("next.code")), std::string("trap;exit;"));
    }

    void anEditorShowsTheTextThatTheFormHasNow() {
        SettingsForm form;
        form.show();
        form.setParameters({source("ret;")});
        button(form, "Edit…")->click();
        auto* editor = form.findChild<TextEditor*>();
        form.adapt({source("exit;")}, {}); // the next example's code comes while the window opens
        QCOMPARE(editor->text(), QString("exit;"));
        button(*editor, "Back to the original")->click();
        QCOMPARE(editor->text(), QString("exit;"));
    }
};

QTEST_MAIN(FormTest)
#include "form_test.moc"
