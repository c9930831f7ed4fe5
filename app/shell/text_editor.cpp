#include "app/shell/text_editor.h"

#include "app/views/theme.h"

#include <QAction>
#include <QDialogButtonBox>
#include <QFontMetricsF>
#include <QLabel>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QTextBlock>
#include <QVBoxLayout>

namespace warplight::app {

TextEditor::TextEditor(const QString& title, const QString& text, const QString& original, QWidget* parent)
    : QDialog(parent), edit(new QPlainTextEdit(this)) {
    setWindowTitle(title);
    setAttribute(Qt::WA_DeleteOnClose);
    edit->setFont(monoFont());
    edit->setLineWrapMode(QPlainTextEdit::NoWrap);
    edit->setTabStopDistance(4 * QFontMetricsF(edit->font()).horizontalAdvance(' '));
    edit->setPlainText(text);
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
    connect(back, &QPushButton::clicked, this, [this, original] {
        QTextCursor all(edit->document()); // so that it can be undone
        all.select(QTextCursor::Document);
        all.insertText(original);
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

} // namespace warplight::app
