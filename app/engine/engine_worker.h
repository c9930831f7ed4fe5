// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/frame.h"

#include <QElapsedTimer>
#include <QObject>
#include <QProcess>
#include <QTimer>
#include <utility>

#include <nlohmann/json.hpp>
#include <vector>

namespace warplight::app {

/// Owns the engine process on a thread of its own: frames and decodes messages there, so that the GUI thread never
/// parses. Every death and every hang is told once through lost().
class EngineWorker : public QObject {
    Q_OBJECT
  public:
    explicit EngineWorker(QStringList commandLine) : commandLine(std::move(commandLine)) {}

  public slots:
    void start();
    void send(const nlohmann::json& message);
    void setHangTimeout(int milliseconds) { hangTimeout = milliseconds; }
    void end(const QString& why); ///< if it is silent: the user has had enough of it, lost() follows
    void stop();                  ///< ends the process and leaves none behind

  signals:
    void started(qint64 processId);
    void answered(const nlohmann::json& message);                     ///< everything that is no frame
    void framesCame(const std::vector<warplight::lab::Frame>& batch); ///< at most once per screen frame
    /// For how many ms engine or run have given no sign of life, as long as that is remarkable; 0 when they do again.
    void silent(qint64 milliseconds);
    void lost(const QString& sentence, bool wanted);

  private:
    void readOutput();
    void take(const nlohmann::json& message);
    void flush();
    void watch();
    void tellSilence(qint64 milliseconds);
    void lose(const QString& sentence, bool wanted = false);

    QStringList commandLine;
    QProcess* process = nullptr;
    QTimer* flushTimer = nullptr;
    QTimer* watchTimer = nullptr;
    QByteArray buffer;
    std::vector<lab::Frame> pending;
    QElapsedTimer lastSign; ///< since the engine last said anything
    qint64 toldSilence = 0;
    bool greeted = false; ///< it has said hello: from then on it answers at once
    int hangTimeout = 20'000;
};

} // namespace warplight::app
