// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/shell/text_editor.h"

#include "app/shell/dialogs.h"
#include "app/views/theme.h"

#include <QAction>
#include <QDialogButtonBox>
#include <QFontMetricsF>
#include <QLabel>
#include <QMessageBox>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QTextBlock>
#include <QVBoxLayout>

namespace warplight::app {

TextEditor::TextEditor(const QString& title, const QString& text, const QString& original, QWidget* parent)
    : QDialog(parent), edit(new QPlainTextEdit(this)), original(original) {
    setWindowTitle(title);
    setAttribute(Qt::WA_DeleteOnClose);
    edit->setFont(monoFont());
    edit->setLineWrapMode(QPlainTextEdit::NoWrap);
    edit->setTabStopDistance(4 * QFontMetricsF(edit->font()).horizontalAdvance(' '));
    edit->setPlainText(text);
    given = edit->toPlainText(); // with the editor's line ends
    edit->setAccessibleName(title);
    auto* position = new QLabel(this);
    position->setObjectName("muted");
    connect(edit, &QPlainTextEdit::cursorPositionChanged, this, [this, position] {
        position->setText(tr("Line %1, column %2")
                              .arg(edit->textCursor().blockNumber() + 1)
                              .arg(edit->textCursor().positionInBlock() + 1));
    });
    auto* buttons = new QDialogButtonBox(this);
    QPushButton* run = buttons->addButton(tr("Apply"), QDialogButtonBox::AcceptRole);
    run->setToolTip(tr("Takes the text over (Ctrl+Return)"));
    buttons->addButton(QDialogButtonBox::Cancel);
    QPushButton* back = buttons->addButton(tr("Back to the original"), QDialogButtonBox::ResetRole);
    connect(buttons, &QDialogButtonBox::accepted, this, &QDialog::accept);
    connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
    connect(back, &QPushButton::clicked, this, [this] {
        QTextCursor all(edit->document()); // so that it can be undone
        all.select(QTextCursor::Document);
        all.insertText(this->original);
    });
    auto* apply = new QAction(this);
    apply->setShortcut(Qt::CTRL | Qt::Key_Return);
    connect(apply, &QAction::triggered, this, &QDialog::accept);
    addAction(apply);
    auto* layout = new QVBoxLayout(this);
    layout->addWidget(edit, 1);
    layout->addWidget(position);
    layout->addWidget(buttons);
    resize(900, 700);
    edit->setFocus();
}

QString TextEditor::text() const { return edit->toPlainText(); }

bool TextEditor::edited() const { return text() != given; }

void TextEditor::rebase(const QString& newText, const QString& newOriginal) {
    original = newOriginal;
    if (edited())
        return;
    edit->setPlainText(newText);
    given = text();
}

void TextEditor::reject() {
    if (!edited())
        return QDialog::reject();
    if (findChild<QMessageBox*>()) // asked already
        return;
    QMessageBox* box = makeBox(this, windowTitle(), tr("The text was edited. Apply it?"));
    box->addButton(tr("Keep editing"), QMessageBox::RejectRole); // what Esc does
    connect(box->addButton(tr("Discard"), QMessageBox::DestructiveRole), &QPushButton::clicked, this,
            [this] { QDialog::reject(); });
    QPushButton* apply = box->addButton(tr("Apply"), QMessageBox::AcceptRole);
    connect(apply, &QPushButton::clicked, this, &QDialog::accept);
    box->setDefaultButton(apply);
    box->open();
}

} // namespace warplight::app
