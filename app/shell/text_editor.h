#pragma once

#include <QDialog>

class QPlainTextEdit;

namespace warplight::app {

/// A window to edit a text of several lines, a kernel's source, say. Accepted with Ctrl+Return or its button.
class TextEditor : public QDialog {
    Q_OBJECT
  public:
    /// `original` is what "Back to the original" brings back.
    TextEditor(const QString& title, const QString& text, const QString& original, QWidget* parent);
    QString text() const;

  private:
    QPlainTextEdit* edit;
};

} // namespace warplight::app
