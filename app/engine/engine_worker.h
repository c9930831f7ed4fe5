#pragma once

#include "core/lab/frame.h"

#include <QElapsedTimer>
#include <QObject>
#include <QProcess>
#include <QTimer>

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
    void stop(); ///< ends the process and leaves none behind

  signals:
    void started(qint64 processId);
    void answered(const nlohmann::json& message);                     ///< everything that is no frame
    void framesCame(const std::vector<warplight::lab::Frame>& batch); ///< at most once per screen frame
    void lost(const QString& sentence);

  private:
    void readOutput();
    void take(const nlohmann::json& message);
    void flush();
    void watch();
    void lose(const QString& sentence);

    QStringList commandLine;
    QProcess* process = nullptr;
    QTimer* flushTimer = nullptr;
    QTimer* watchTimer = nullptr;
    QByteArray buffer;
    std::vector<lab::Frame> pending;
    QElapsedTimer lastSign; ///< since the engine last said anything
    int hangTimeout = 20'000;
};

} // namespace warplight::app
