// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QFrame>

#include <vector>

class QAction;
class QBoxLayout;
class QMenu;
class QPushButton;

namespace warplight::app {

/// The line on top of the window. What has to stay stays whole; commands that have no room go into a menu at its end,
/// the last added first.
class CommandBar : public QFrame {
    Q_OBJECT
  public:
    explicit CommandBar(QWidget* parent = nullptr);

    void addLasting(QWidget* widget);                       ///< always there
    void addYielding(QPushButton* button, QAction* action); ///< in the menu where there is no room
    void addSpace();
    /// Behind all that was added before; what is added then stands right of it.
    void addMenu();

    QSize minimumSizeHint() const override;

  protected:
    void resizeEvent(QResizeEvent* event) override;
    bool event(QEvent* event) override;

  private:
    struct Command {
        QPushButton* button;
        QAction* action;
    };
    int neededWidth(size_t commands) const; ///< with so many of them outside the menu
    void fit();

    QBoxLayout* row;
    std::vector<QWidget*> lasting;
    std::vector<Command> yielding;
    QPushButton* more;
    QMenu* menu;
};

} // namespace warplight::app
