// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "tests/app/random_use/events.h"

#include <QObject>
#include <QTimer>
#include <cstdint>

#include <chrono>
#include <deque>

namespace warplight::app {

/// Sits at the window and does a random event after the other. Each step comes from the event loop that runs at that
/// moment, so that a menu or dialog with a loop of its own is used like everything else.
class RandomUser : public QObject {
    Q_OBJECT
  public:
    RandomUser(Journal& journal, const Sandbox& sandbox);

    /// Uses this window until it closes or all events are done. Leaves the application's loop at the end.
    void sitDownAt(MainWindow& window);
    bool done() const { return journal.event >= journal.events && steps.empty(); }
    /// What went wrong without ending the window, in sentences.
    QStringList faults() const { return found + troubles.faults(); }

  private:
    void tick();
    void nextStep();
    void begin();
    void lookAtMemory();

    Journal& journal;
    Watchdog watchdog;
    Hands hands;
    EngineTroubles troubles;
    Room room;
    QTimer ticks;
    bool stepIsDue = false;
    std::deque<Step> steps;
    std::chrono::steady_clock::time_point waitsUntil;
    int64_t warm = 0; ///< bytes that the process held when it had been used for a while
    QStringList found;
};

} // namespace warplight::app
