// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDialog>

class QPlainTextEdit;

namespace warplight::app {

/// A window to edit a text of several lines, a kernel's source, say. Accepted with Ctrl+Return or its button. Closing
/// it otherwise asks first when something was edited. Opened with open(); deletes itself.
class TextEditor : public QDialog {
    Q_OBJECT
  public:
    /// `original` is what "Back to the original" brings back.
    TextEditor(const QString& title, const QString& text, const QString& original, QWidget* parent);
    QString text() const;
    bool edited() const; ///< the text is another than that given
    /// What the window shows has changed elsewhere. Edits stay; a text that was not edited is replaced.
    void rebase(const QString& text, const QString& original);

  public slots:
    void reject() override;

  private:
    QPlainTextEdit* edit;
    QString given; ///< as the editor has it before edits
    QString original;
};

} // namespace warplight::app
