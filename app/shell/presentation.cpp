// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/shell/presentation.h"

#include "app/shell/page_view.h"

#include <QAbstractSpinBox>
#include <QApplication>
#include <QComboBox>
#include <QKeyEvent>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QScreen>
#include <QTextEdit>
#include <algorithm>

namespace warplight::app {
namespace {

// A letter of the usual size is 1/48 of the height: what a slide of 540 points has with type of 11, less than which
// nobody reads from the last row.
constexpr double lettersOnAScreen = 48, usualLetter = 13, leastScale = 1.4, mostScale = 4;

} // namespace

Presentation::Presentation(QWidget* window, PageView* page) : QObject(window), window(window), page(page) {}

double Presentation::scaleFor(int height) {
    return std::clamp(height / lettersOnAScreen / usualLetter, leastScale, mostScale);
}

void Presentation::set(bool begins) {
    if (begins == on)
        return;
    on = begins;
    if (on) {
        wasFullScreen = window->isFullScreen();
        qApp->installEventFilter(this);
        if (QWidget* focus = window->focusWidget()) // nobody in the room needs to see where it is
            focus->clearFocus();
        const QSize screen = window->screen() ? window->screen()->size() : QSize();
        if (screen.width() >= window->width() && screen.height() >= window->height()) // a smaller one gains nothing
            window->showFullScreen();
    } else {
        qApp->removeEventFilter(this);
        if (!wasFullScreen && window->isFullScreen())
            window->showNormal();
    }
    page->setPresenting(on);
}

bool Presentation::takes(QObject* object) const {
    if (QApplication::activePopupWidget() || QApplication::activeModalWidget())
        return false;
    const auto* widget = qobject_cast<QWidget*>(object);
    return widget && widget->window() == window && !qobject_cast<const QLineEdit*>(widget) &&
           !qobject_cast<const QPlainTextEdit*>(widget) && !qobject_cast<const QTextEdit*>(widget) &&
           !qobject_cast<const QComboBox*>(widget) && !qobject_cast<const QAbstractSpinBox*>(widget);
}

bool Presentation::eventFilter(QObject* object, QEvent* event) {
    if (event->type() != QEvent::KeyPress || !takes(object))
        return false;
    const auto* key = static_cast<QKeyEvent*>(event);
    if (key->modifiers() & ~Qt::KeypadModifier)
        return false;
    if (key->key() == Qt::Key_Escape) { // where nothing runs that it would stop
        emit endWanted();
        return true;
    }
    return page->takePresentationKey(key->key(), key->isAutoRepeat());
}

} // namespace warplight::app
