// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QImage>
#include <QObject>
#include <QString>
#include <QTimer>

namespace warplight::app {

class MainWindow;

/// Throws InputError with one sentence where no picture can be written to `file`: its name ends in no kind of picture
/// that is known, or formats::checkWritable refuses it.
void checkPictureFile(const QString& file);

/// Waits for the first run of a page, or for what keeps it from coming, and saves a picture of the window.
class Screenshot : public QObject {
    Q_OBJECT
  public:
    /// `page`: whose run; empty: of the page that the window shows. It goes with the window.
    Screenshot(MainWindow& window, QString file, QString page);

  signals:
    /// Once. With exit code 0 the picture is in its place; else `sentence` says why not: 2 for files that cannot be
    /// opened and settings that cannot be run, 1 for an engine that is none, a full disk and the like.
    void done(int exitCode, const QString& sentence);

  private:
    void runEnded();
    void look();
    void save(const QImage& picture);
    void end(int exitCode, const QString& sentence);

    MainWindow& window;
    const QString file, page;
    QTimer greeting; ///< ends when there has been no engine for too long
    QTimer looks;    ///< at a window that may still be painting
    QImage before;   ///< at the last look
    int looked = 0;
    bool over = false;
};

} // namespace warplight::app
