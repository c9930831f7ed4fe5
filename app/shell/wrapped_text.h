// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QTextBrowser>

namespace warplight::app {

/// Markdown in full height: it takes the width it is given, breaks words that are longer (command lines), and never
/// scrolls. Can be selected and copied.
class WrappedText : public QTextBrowser {
    Q_OBJECT
  public:
    explicit WrappedText(QWidget* parent = nullptr);

  protected:
    void resizeEvent(QResizeEvent* event) override;
    void changeEvent(QEvent* event) override;

  private:
    void fit();
};

} // namespace warplight::app
