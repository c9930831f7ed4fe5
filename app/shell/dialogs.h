// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>

#include <functional>

class QMessageBox;
class QWidget;

namespace warplight::app {

/// Questions to the user. None waits for its answer: each opens over the window and calls back. While it is open a run
/// may stream in, a page may change, an engine may die, and no function of ours is half done beneath it.
///
/// Each is a child of its owner and goes with it; `then` is called only while both live.
using TakesFile = std::function<void(const QString& file)>;

void askForFile(QWidget* owner, const QString& title, const QString& filter, TakesFile then);

/// Where to write. `suggestion` is a file's name, `filters` as Qt takes them ("SVG (*.svg);;PNG (*.png)"): a name
/// without a suffix gets that of the chosen filter. Asks again before a file is replaced.
void askWhereToSave(QWidget* owner, const QString& title, const QString& suggestion, const QString& filters,
                    TakesFile then);

/// A box that is not open yet, for its maker to complete and to open().
QMessageBox* makeBox(QWidget* owner, const QString& title, const QString& text);

/// Tells what went wrong.
void tell(QWidget* owner, const QString& title, const QString& sentence);

} // namespace warplight::app
