// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QList>
#include <QWidget>

namespace warplight::app {

/// What a user can point at now, in an order that depends on the widgets alone, not on addresses.

/// The window that has the user's attention: an open menu, else a dialog, else the main window.
QWidget* windowInFront(QWidget& mainWindow);
/// Visible parts of a window that do something: buttons, fields, lists, sliders, figures.
QList<QWidget*> controlsOf(const QWidget& window);
/// Fields that take a text. Those in a scrolled area too: see bringIntoView.
QList<QWidget*> textFieldsOf(const QWidget& window);
/// Buttons that open a dialog or a menu.
QList<QWidget*> openersOf(const QWidget& window);
/// Scrolls the areas around it.
void bringIntoView(QWidget& widget);
/// A point in the part that can be seen; `across` and `down` from 0 to 1.
QPoint pointIn(const QWidget& widget, double across, double down);

} // namespace warplight::app
