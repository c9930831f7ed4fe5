// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/app/random_use/targets.h"

#include "app/shell/figure_card.h"
#include "app/views/figure_view.h"

#include <QAbstractButton>
#include <QAbstractItemView>
#include <QAbstractSlider>
#include <QApplication>
#include <QComboBox>
#include <QDialog>
#include <QHeaderView>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QScrollArea>
#include <QTextEdit>

namespace warplight::app {
namespace {

template <class Wanted>
QList<QWidget*> those(const QWidget& window, Wanted&& wanted) {
    QList<QWidget*> result;
    for (QWidget* widget : window.findChildren<QWidget*>())
        if (widget->isVisible() && widget->window() == &window && widget->width() > 0 && widget->height() > 0 &&
            wanted(widget))
            result << widget;
    return result;
}

bool isTextField(QWidget* widget) { return qobject_cast<QLineEdit*>(widget) || qobject_cast<QPlainTextEdit*>(widget); }

} // namespace

QWidget* windowInFront(QWidget& mainWindow) {
    if (QWidget* popup = QApplication::activePopupWidget())
        return popup;
    if (QWidget* modal = QApplication::activeModalWidget())
        return modal;
    for (QDialog* dialog : mainWindow.findChildren<QDialog*>()) // those that do not block
        if (dialog->isVisible())
            return dialog;
    return &mainWindow;
}

QList<QWidget*> controlsOf(const QWidget& window) {
    return those(window, [](QWidget* widget) {
        const bool control = qobject_cast<QAbstractButton*>(widget) || isTextField(widget) ||
                             qobject_cast<QComboBox*>(widget) || qobject_cast<QAbstractSlider*>(widget) ||
                             qobject_cast<QAbstractItemView*>(widget) || qobject_cast<QTextEdit*>(widget) ||
                             qobject_cast<FigureView*>(widget) || qobject_cast<FigureCard*>(widget);
        return control && !widget->visibleRegion().isEmpty();
    });
}

QList<QWidget*> textFieldsOf(const QWidget& window) { return those(window, isTextField); }

QList<QWidget*> openersOf(const QWidget& window) {
    return those(window, [](QWidget* widget) {
        const auto* button = qobject_cast<QAbstractButton*>(widget);
        return button && button->isEnabled() && (button->text().contains("…") || button->objectName() == "quiet");
    });
}

void bringIntoView(QWidget& widget) {
    for (QWidget* parent = widget.parentWidget(); parent && !widget.isWindow(); parent = parent->parentWidget())
        if (auto* area = qobject_cast<QScrollArea*>(parent))
            area->ensureWidgetVisible(&widget);
}

QPoint pointIn(const QWidget& widget, double across, double down) {
    const QRect seen = widget.visibleRegion().boundingRect();
    const QRect rect = seen.isEmpty() ? widget.rect() : seen;
    return {rect.left() + static_cast<int>(across * rect.width()), rect.top() + static_cast<int>(down * rect.height())};
}

} // namespace warplight::app
