// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/app/random_use/engine_troubles.h"

#include <csignal>
#include <cstdint>
#include <sys/types.h>
#include <variant>
#include <vector>

namespace warplight::app {
namespace {

constexpr int longestRun = 3000;  // ms: then the user presses Stop
constexpr int longestStop = 8000; // ms after the run's begin: an engine that has not stopped is ended
} // namespace

void EngineTroubles::accompany(MainWindow& newWindow) {
    window = &newWindow;
    going.reset();
    stopped = 0;
    connect(&newWindow.engine(), &EngineClient::frames, this, [this](const std::vector<lab::Frame>& batch) {
        for (const lab::Frame& frame : batch) {
            if (std::holds_alternative<lab::RunStarted>(frame)) {
                going = lab::runOf(frame);
                since.start();
            } else if (std::holds_alternative<lab::RunEnded>(frame) && going == lab::runOf(frame)) {
                going.reset();
            }
        }
    });
    connect(&newWindow.engine(), &EngineClient::lost, this, &EngineTroubles::lost);
}

void EngineTroubles::lost(const QString& sentence) {
    const qint64 engine = window ? window->engine().processId() : 0;
    const bool forMemory = watchdog.enginesEnded() != endedForMemory;
    endedForMemory = watchdog.enginesEnded();
    going.reset();
    if (engine == stopped)
        stopped = 0;
    journal.say(QString("%1: engine %2 was lost: %3").arg(journal.event.load()).arg(engine).arg(sentence));
    // A run that does not answer is ended in time, or by the user's own Stop ("did not answer"); sanitized,
    // beside other programs, one may be that slow.
    if (engine == hurt || forMemory || sentence.contains("hung") || sentence.contains("not answered") ||
        sentence.contains("did not answer"))
        return;
    wrong << QString("event %1: an engine ended by itself: %2").arg(journal.event.load()).arg(sentence);
}

void EngineTroubles::kill() {
    hurt = window->engine().processId();
    if (hurt > 0)
        ::kill(static_cast<pid_t>(hurt), SIGKILL);
}

void EngineTroubles::stopFor(int events) {
    if (stopped > 0)
        return;
    hurt = stopped = window->engine().processId();
    goesOn = journal.event + static_cast<uint64_t>(events);
    if (stopped > 0)
        ::kill(static_cast<pid_t>(stopped), SIGSTOP);
}

void EngineTroubles::look() {
    if (stopped > 0 && journal.event >= goesOn) {
        if (window && window->engine().processId() == stopped)
            ::kill(static_cast<pid_t>(stopped), SIGCONT);
        stopped = 0;
    }
    if (!going || !window || stopped > 0)
        return;
    if (since.elapsed() > longestStop) {
        journal.say(
            QString("%1: a run that was stopped goes on after %2 ms").arg(journal.event.load()).arg(since.elapsed()));
        kill();
        going.reset();
    } else if (since.elapsed() > longestRun) {
        window->engine().cancel(*going);
    }
}

} // namespace warplight::app
