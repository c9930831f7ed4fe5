// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/session.h"

#include <QObject>
#include <QString>
#include <QThreadPool>
#include <atomic>
#include <memory>

namespace warplight::app {

/// Reads session files on a thread of its own, one after the other: a long one must not hold the window up.
class SessionReader : public QObject {
    Q_OBJECT
  public:
    SessionReader();
    ~SessionReader() override; ///< lets go of what is being read
    void read(const QString& file);
    bool isReading() const { return waiting > 0; }

  signals:
    /// In the order of the calls. `session` is null where there is nothing to show; `refusal` says why.
    void done(const QString& file, const std::shared_ptr<lab::Session>& session, const QString& refusal);

  private:
    QThreadPool thread;
    std::atomic<bool> cancelled = false;
    int waiting = 0;
};

} // namespace warplight::app
