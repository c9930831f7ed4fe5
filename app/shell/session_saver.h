// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/session.h"

#include <QObject>
#include <QString>
#include <QTimer>
#include <cstddef>
#include <memory>
#include <vector>

namespace warplight::app {

/// Writes runs to a session file, some milliseconds a turn of the event loop: a long one must not hold the window up.
class SessionSaver : public QObject {
    Q_OBJECT
  public:
    using Runs = std::vector<std::shared_ptr<const lab::RunRecord>>;

    SessionSaver();
    ~SessionSaver() override; ///< writes what is left: nothing is lost with the window
    /// One file at a time. Throws InputError where nothing can be written.
    void save(const QString& file, Runs runs);
    bool isSaving() const { return writer != nullptr; }
    QString file() const { return name; }

  signals:
    /// `refusal` is empty when the file is there, else it says why not.
    void done(const QString& file, const QString& refusal);

  private:
    void go();
    bool step(); ///< one frame; false: there was none left
    void end(const QString& refusal);

    QTimer turn;
    QString name;
    std::unique_ptr<lab::SessionWriter> writer; ///< of what is being saved; null: nothing is
    Runs left;                                  ///< the last one comes first
    std::vector<lab::Frame> frames;             ///< of the run that is being written
    size_t next = 0;
};

} // namespace warplight::app
