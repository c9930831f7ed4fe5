// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "tests/app/random_use/watchdog.h"

#include "app/shell/main_window.h"

#include <QElapsedTimer>
#include <QObject>
#include <QPointer>
#include <QStringList>
#include <cstdint>

#include <optional>

namespace warplight::app {

/// Kills and stops engines, keeps runs short enough that the user gets on, and tells an engine that was lost by its own
/// fault from one that was lost by this.
class EngineTroubles : public QObject {
    Q_OBJECT
  public:
    EngineTroubles(Journal& journal, const Watchdog& watchdog) : journal(journal), watchdog(watchdog) {}

    void accompany(MainWindow& window);
    void kill();
    void stopFor(int events); ///< so many events later it goes on
    /// To be called before every event.
    void look();
    /// What engines did wrong, in sentences.
    const QStringList& faults() const { return wrong; }

  private:
    void lost(const QString& sentence);

    Journal& journal;
    const Watchdog& watchdog;
    QPointer<MainWindow> window;
    std::optional<lab::RunId> going;
    QElapsedTimer since;          ///< the run that is going on began
    qint64 hurt = 0, stopped = 0; ///< process ids
    uint64_t goesOn = 0;          ///< the event at which the stopped engine does
    int endedForMemory = 0;
    QStringList wrong;
};

} // namespace warplight::app
