// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/shell/command_bar.h"

#include <QAction>
#include <QEvent>
#include <QHBoxLayout>
#include <QMenu>
#include <QPushButton>
#include <algorithm>
#include <cstddef>

namespace warplight::app {
namespace {

constexpr int sideMargin = 16, gap = 6;

} // namespace

CommandBar::CommandBar(QWidget* parent)
    : QFrame(parent), row(new QHBoxLayout(this)), more(new QPushButton(tr("More"), this)), menu(new QMenu(more)) {
    setObjectName("bar");
    row->setContentsMargins(sideMargin, 8, sideMargin, 8);
    row->setSpacing(gap);
    more->setObjectName("more");
    more->setToolTip(tr("Commands that have no room here"));
    more->hide();
    connect(more, &QPushButton::clicked, this, [this] { menu->popup(more->mapToGlobal(QPoint(0, more->height()))); });
}

void CommandBar::addLasting(QWidget* widget) {
    row->addWidget(widget);
    lasting.push_back(widget);
}

void CommandBar::addYielding(QPushButton* button, QAction* action) {
    row->addWidget(button);
    yielding.push_back({button, action});
}

void CommandBar::addSpace() { row->addStretch(); }
void CommandBar::addMenu() { row->addWidget(more); }

int CommandBar::neededWidth(size_t commands) const {
    int width = 2 * sideMargin;
    for (const QWidget* widget : lasting)
        width += std::max(widget->minimumWidth(), widget->sizeHint().width()) + gap;
    for (size_t i = 0; i < commands; ++i)
        width += yielding[i].button->sizeHint().width() + gap;
    return commands < yielding.size() ? width + more->sizeHint().width() + gap : width;
}

void CommandBar::fit() {
    size_t shown = yielding.size();
    while (shown > 0 && neededWidth(shown) > width())
        --shown;
    menu->clear();
    for (size_t i = 0; i < yielding.size(); ++i) {
        yielding[i].button->setVisible(i < shown);
        if (i >= shown)
            menu->addAction(yielding[i].action);
    }
    more->setVisible(shown < yielding.size());
}

QSize CommandBar::minimumSizeHint() const { return {neededWidth(0), QFrame::minimumSizeHint().height()}; }

void CommandBar::resizeEvent(QResizeEvent* event) {
    QFrame::resizeEvent(event);
    fit();
}

/// Another device's name, larger type: what stands here asks for another width.
bool CommandBar::event(QEvent* event) {
    const bool result = QFrame::event(event);
    if (event->type() == QEvent::LayoutRequest || event->type() == QEvent::StyleChange)
        fit();
    return result;
}

} // namespace warplight::app
