// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QPointer>
#include <QWidget>

namespace warplight::app {

/// Shows which widget has the keyboard: a ring on whatever Tab reaches, in every window of the program, until the mouse
/// is used.
class FocusRing : public QObject {
    Q_OBJECT
  public:
    static void install(); ///< once for the application

  protected:
    bool eventFilter(QObject* object, QEvent* event) override;

  private:
    using QObject::QObject;
    void show(QWidget* on);
    void hide();

    QPointer<QWidget> ring; ///< a child of the widget that has the focus
    bool byKeyboard = false;
};

} // namespace warplight::app
