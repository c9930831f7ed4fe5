// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDialog>
#include <vector>

#include <functional>

class QLineEdit;
class QListWidget;

namespace warplight::app {

/// Type a part of a command's name, press Enter. Opened with open(); deletes itself.
class CommandPalette : public QDialog {
    Q_OBJECT
  public:
    explicit CommandPalette(QWidget* parent);
    void add(const QString& text, const QString& shortcut, std::function<void()> action);

  protected:
    bool eventFilter(QObject* object, QEvent* event) override;

  private:
    void filter(const QString& typed);
    void runChosen();

    QLineEdit* search;
    QListWidget* list;
    std::vector<std::function<void()>> commands;
};

} // namespace warplight::app
