// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "tests/app/random_use/journal.h"
#include "tests/app/random_use/sandbox.h"

#include <QEvent>
#include <QPoint>
#include <QPointer>
#include <QWidget>

namespace warplight::app {

/// Mouse, keyboard and clipboard. Input goes to windows, as the window system gives it, so that popups and dialogs that
/// block others do what they do for a user. Each input is one call, written into the journal before it is done.
class Hands {
  public:
    Hands(Journal& journal, const Sandbox& sandbox) : journal(journal), sandbox(sandbox) {}

    void press(QWidget* on, QPoint at, Qt::MouseButton button, Qt::KeyboardModifiers keys = {});
    void release(QWidget* on, QPoint at, Qt::MouseButton button, Qt::KeyboardModifiers keys = {});
    void move(QWidget* on, QPoint at);
    /// The next press counts as the second of a double click.
    void hurry() { timestamp -= betweenPresses - 1; }
    void wheel(QWidget* on, QPoint at, QPoint angle, Qt::KeyboardModifiers keys);
    void key(Qt::Key key, Qt::KeyboardModifiers keys = {}, const QString& text = {});
    void write(const QString& text); ///< as an input method does
    void setClipboard(const QString& text);
    void drop(QWidget* on, QPoint at, const QStringList& files, bool let); ///< !let: dragged over it and away
    /// Something else than an input is done now.
    void say(const QString& what) { journal.say(QString("%1: %2").arg(journal.event.load()).arg(what)); }

  private:
    void mouse(const char* what, QWidget* on, QPoint at, QEvent::Type type, Qt::MouseButton button,
               Qt::KeyboardModifiers keys);

    static constexpr int betweenPresses = 1000; // ms, longer than a double click

    Journal& journal;
    const Sandbox& sandbox;
    Qt::MouseButtons down;
    int timestamp = betweenPresses;
};

/// "QPushButton 'Run'": what a person would call it.
QString nameOf(const QWidget& widget);

} // namespace warplight::app
