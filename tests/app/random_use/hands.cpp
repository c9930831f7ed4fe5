// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/app/random_use/hands.h"

#include <QAbstractButton>
#include <QApplication>
#include <QClipboard>
#include <QDropEvent>
#include <QInputMethodEvent>
#include <QLabel>
#include <QMimeData>
#include <QTest>
#include <QUrl>
#include <QWheelEvent>
#include <QWindow>

namespace warplight::app {

QString nameOf(const QWidget& widget) {
    QString name = widget.metaObject()->className();
    name.remove("warplight::app::");
    QString text = widget.accessibleName();
    if (const auto* button = qobject_cast<const QAbstractButton*>(&widget); button && text.isEmpty())
        text = button->text();
    if (const auto* label = qobject_cast<const QLabel*>(&widget))
        text = label->text();
    if (widget.isWindow() && text.isEmpty())
        text = widget.windowTitle();
    if (text.isEmpty())
        text = widget.objectName();
    return text.isEmpty() ? name : QString("%1 '%2'").arg(name, text.left(40));
}

void Hands::mouse(const char* what, QWidget* on, QPoint at, QEvent::Type type, Qt::MouseButton button,
                  Qt::KeyboardModifiers keys) {
    sandbox.guardDialogs();
    QWindow* window = on->window()->windowHandle();
    if (!window)
        return;
    const QPoint local = on->mapTo(on->window(), at);
    say(QString("%1 %2 at %3, %4 of %5")
            .arg(what)
            .arg(static_cast<int>(button))
            .arg(at.x())
            .arg(at.y())
            .arg(nameOf(*on)));
    qt_handleMouseEvent(window, local, window->mapToGlobal(local), down, button, type, keys, timestamp);
}

void Hands::press(QWidget* on, QPoint at, Qt::MouseButton button, Qt::KeyboardModifiers keys) {
    timestamp += betweenPresses;
    down |= button;
    mouse("press", on, at, QEvent::MouseButtonPress, button, keys);
}

void Hands::release(QWidget* on, QPoint at, Qt::MouseButton button, Qt::KeyboardModifiers keys) {
    down &= ~Qt::MouseButtons(button);
    mouse("release", on, at, QEvent::MouseButtonRelease, button, keys);
}

void Hands::move(QWidget* on, QPoint at) { mouse("move", on, at, QEvent::MouseMove, Qt::NoButton, {}); }

void Hands::wheel(QWidget* on, QPoint at, QPoint angle, Qt::KeyboardModifiers keys) {
    sandbox.guardDialogs();
    QWindow* window = on->window()->windowHandle();
    if (!window)
        return;
    const QPoint local = on->mapTo(on->window(), at);
    say(QString("wheel %1, %2 over %3").arg(angle.x()).arg(angle.y()).arg(nameOf(*on)));
    QWheelEvent event(local, window->mapToGlobal(local), {}, angle, down, keys, Qt::NoScrollPhase, false);
    QCoreApplication::sendEvent(window, &event);
}

void Hands::key(Qt::Key key, Qt::KeyboardModifiers keys, const QString& text) {
    sandbox.guardDialogs();
    QWindow* window = QGuiApplication::focusWindow();
    if (!window)
        return;
    const QWidget* focus = QApplication::focusWidget();
    say(QString("key %1 in %2")
            .arg(QKeySequence(QKeyCombination(keys, key)).toString(), focus ? nameOf(*focus) : QString("a window")));
    const QPointer<QWindow> still = window;
    qt_handleKeyEvent(window, QEvent::KeyPress, key, keys, text);
    if (still)
        qt_handleKeyEvent(window, QEvent::KeyRelease, key, keys, text);
}

void Hands::write(const QString& text) {
    sandbox.guardDialogs();
    QWidget* focus = QApplication::focusWidget();
    if (!focus)
        return;
    say(QString("write %1 characters in %2: %3").arg(text.size()).arg(nameOf(*focus), text.left(60)));
    QInputMethodEvent event;
    event.setCommitString(text);
    QCoreApplication::sendEvent(focus, &event);
}

void Hands::setClipboard(const QString& text) {
    say(QString("clipboard of %1 characters: %2").arg(text.size()).arg(text.left(60)));
    QApplication::clipboard()->setText(text);
}

void Hands::drop(QWidget* on, QPoint at, const QStringList& files, bool let) {
    sandbox.guardDialogs();
    QWindow* window = on->window()->windowHandle();
    if (!window)
        return;
    QMimeData mime;
    QList<QUrl> urls;
    for (const QString& file : files)
        urls << QUrl::fromLocalFile(file);
    mime.setUrls(urls);
    const QPoint local = on->mapTo(on->window(), at);
    say(QString("%1 %2 over %3").arg(let ? "drop" : "drag", files.join(", "), nameOf(*on)));
    const QPointer<QWindow> still = window;
    QDragEnterEvent enter(local, Qt::CopyAction, &mime, Qt::LeftButton, {});
    QCoreApplication::sendEvent(window, &enter);
    if (still && let && enter.isAccepted()) {
        QDropEvent event(local, Qt::CopyAction, &mime, Qt::LeftButton, {});
        QCoreApplication::sendEvent(window, &event);
    } else if (still) {
        QDragLeaveEvent leave;
        QCoreApplication::sendEvent(window, &leave);
    }
}

} // namespace warplight::app
