// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>

class QWidget;

namespace warplight::app {

class PageView;

/// While a room looks on, keys go to the page, wherever the focus is: the arrow keys, space, a clicker's page keys. Not
/// those that belong to a dialog, a menu or a field that somebody types into.
class Presentation : public QObject {
    Q_OBJECT
  public:
    Presentation(QWidget* window, PageView* page);
    bool isOn() const { return on; }
    /// Begins with the window on the full screen, and ends as it was before.
    void set(bool on);
    /// How much larger type is than usual on a window of that height, so that the last row can read it.
    static double scaleFor(int height);

  signals:
    void endWanted(); ///< Escape

  protected:
    bool eventFilter(QObject* object, QEvent* event) override;

  private:
    bool takes(QObject* object) const;

    QWidget* window;
    PageView* page;
    bool on = false, wasFullScreen = false;
};

} // namespace warplight::app
