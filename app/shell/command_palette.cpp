// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/shell/command_palette.h"

#include <QKeyEvent>
#include <QLineEdit>
#include <QListWidget>
#include <QTimer>
#include <QVBoxLayout>
#include <utility>

namespace warplight::app {
namespace {

/// True when the letters typed occur in this order: "atl" finds "Attention › Tiles".
bool matches(const QString& text, const QString& typed) {
    qsizetype at = 0;
    for (const QChar c : typed.toLower())
        if (!c.isSpace() && (at = text.toLower().indexOf(c, at) + 1) == 0)
            return false;
    return true;
}

} // namespace

CommandPalette::CommandPalette(QWidget* parent)
    : QDialog(parent), search(new QLineEdit(this)), list(new QListWidget(this)) {
    setWindowTitle(tr("Commands"));
    setAttribute(Qt::WA_DeleteOnClose);
    resize(480, 360);
    search->setPlaceholderText(tr("Search commands and pages"));
    search->installEventFilter(this);
    auto* layout = new QVBoxLayout(this);
    layout->addWidget(search);
    layout->addWidget(list);
    connect(search, &QLineEdit::textChanged, this, &CommandPalette::filter);
    connect(search, &QLineEdit::returnPressed, this, &CommandPalette::runChosen);
    connect(list, &QListWidget::itemActivated, this, &CommandPalette::runChosen);
}

void CommandPalette::add(const QString& text, const QString& shortcut, std::function<void()> action) {
    auto* item = new QListWidgetItem(shortcut.isEmpty() ? text : QString("%1    %2").arg(text, shortcut), list);
    item->setData(Qt::UserRole, static_cast<int>(commands.size()));
    commands.push_back(std::move(action));
    if (list->currentRow() < 0)
        list->setCurrentRow(0);
}

void CommandPalette::filter(const QString& typed) {
    int first = -1;
    bool whole = false; // what was typed stands in one piece: better than letters that are somewhere
    for (int row = 0; row < list->count(); ++row) {
        const QString text = list->item(row)->text();
        list->item(row)->setHidden(!matches(text, typed));
        if (list->item(row)->isHidden())
            continue;
        const bool better = !whole && text.contains(typed.trimmed(), Qt::CaseInsensitive);
        if (first < 0 || better)
            first = row;
        whole |= better;
    }
    list->setCurrentRow(first);
}

void CommandPalette::runChosen() {
    const QListWidgetItem* item = list->currentItem();
    if (item && !item->isHidden()) // when this dialog has closed: the command may open another
        QTimer::singleShot(0, parent(), commands[static_cast<size_t>(item->data(Qt::UserRole).toInt())]);
    accept();
}

bool CommandPalette::eventFilter(QObject* object, QEvent* event) {
    if (event->type() == QEvent::KeyPress) {
        const int key = static_cast<QKeyEvent*>(event)->key();
        if (key == Qt::Key_Down || key == Qt::Key_Up) {
            const int step = key == Qt::Key_Down ? 1 : -1;
            for (int row = list->currentRow() + step; row >= 0 && row < list->count(); row += step)
                if (!list->item(row)->isHidden()) {
                    list->setCurrentRow(row);
                    break;
                }
            return true;
        }
    }
    return QDialog::eventFilter(object, event);
}

} // namespace warplight::app
