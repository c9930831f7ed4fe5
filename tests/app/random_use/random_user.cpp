// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/app/random_use/random_user.h"

#include "app/shell/main_window.h"

#include <QApplication>
#include <cstdint>
#include <iterator>
#include <utility>

#include <algorithm>
#include <cstdio>
#include <malloc.h>

#ifdef __SANITIZE_ADDRESS__
extern "C" size_t __sanitizer_get_current_allocated_bytes(); // compilers come without its header here and there
#endif

namespace warplight::app {
namespace {

constexpr auto pace = std::chrono::milliseconds(2);   // between two steps
constexpr uint64_t betweenLooks = 250;                // events
constexpr uint64_t warmAfter = 1500;                  // events: until then, caches and kept runs fill
constexpr int64_t growthAllowed = int64_t{300} << 20; // bytes after that, however long it takes
constexpr qsizetype widgetsAllowed = 4000;            // a page with its dialogs has some hundreds

/// Bytes that the process has asked for and not given back. What it holds of the system's memory says less: that stays
/// at its highest while what was freed lies scattered.
int64_t bytesInUse() {
#ifdef __SANITIZE_ADDRESS__
    return static_cast<int64_t>(__sanitizer_get_current_allocated_bytes());
#else
    const auto info = ::mallinfo2();
    return static_cast<int64_t>(info.uordblks + info.hblkhd);
#endif
}

/// What pictures of the plots and windows that there are take: a window may be as large as eight screens.
int64_t pictureBytes() {
    constexpr int64_t pixel = 4, ofPlot = 3, ofWindow = 2; // bytes; layers that are painted by themselves; buffers
    int64_t bytes = 0;
    for (const QWidget* widget : QApplication::allWidgets()) {
        const int64_t layers = widget->inherits("QCustomPlot") ? ofPlot : widget->isWindow() ? ofWindow : 0;
        bytes += layers * pixel * widget->width() * widget->height();
    }
    return bytes;
}

} // namespace

RandomUser::RandomUser(Journal& journal, const Sandbox& sandbox)
    : journal(journal),
      watchdog(journal),
      hands(journal, sandbox),
      troubles(journal, watchdog),
      room{nullptr, hands, troubles, sandbox} {
    ticks.setInterval(pace);
    connect(&ticks, &QTimer::timeout, this, &RandomUser::tick);
}

void RandomUser::sitDownAt(MainWindow& window) {
    room.window = &window;
    troubles.accompany(window);
    watchdog.alive();
    ticks.start();
}

/// A timer does not fire again inside its own slot, so steps are posted: what they open may have a loop of its own.
void RandomUser::tick() {
    if (std::exchange(stepIsDue, true))
        return;
    QMetaObject::invokeMethod(this, &RandomUser::nextStep, Qt::QueuedConnection);
}

void RandomUser::nextStep() {
    stepIsDue = false;
    watchdog.alive();
    if (!room.window || !room.window->isVisible()) { // closed: the program's loop ends, and another window opens
        steps.clear();
        ticks.stop();
        return;
    }
    if (std::chrono::steady_clock::now() < waitsUntil)
        return;
    if (steps.empty())
        return begin();
    const Step step = std::move(steps.front());
    steps.pop_front();
    const auto wait = step();
    waitsUntil = std::max(waitsUntil, std::chrono::steady_clock::now() + wait);
}

void RandomUser::begin() {
    if (done()) {
        ticks.stop();
        return QApplication::quit();
    }
    const uint64_t number = ++journal.event;
    troubles.look();
    Event event = randomEvent(Dice(journal.seed, number), room);
    journal.say(QString("%1: %2").arg(number).arg(event.text));
    std::move(event.steps.begin(), event.steps.end(), std::back_inserter(steps));
    if (number % betweenLooks == 0)
        lookAtMemory();
}

void RandomUser::lookAtMemory() {
    const int64_t pictures = pictureBytes(), bytes = bytesInUse() - pictures;
    const qsizetype widgets = QApplication::allWidgets().size();
    std::printf("event %llu: %lld MiB in use and %lld of pictures, %lld widgets\n",
                static_cast<unsigned long long>(journal.event.load()), static_cast<long long>(bytes >> 20),
                static_cast<long long>(pictures >> 20), static_cast<long long>(widgets));
    std::fflush(stdout);
    // While a session is saved, what the pages let go stays until it is written.
    const bool saving = room.window && room.window->isSaving();
    if (journal.event <= warmAfter)
        warm = bytes;
    else if (!saving && bytes > warm + growthAllowed)
        found << QString("event %1: memory grew from %2 to %3 MiB")
                     .arg(journal.event.load())
                     .arg(warm >> 20)
                     .arg(bytes >> 20);
    if (widgets > widgetsAllowed)
        found << QString("event %1: there are %2 widgets").arg(journal.event.load()).arg(widgets);
}

} // namespace warplight::app
