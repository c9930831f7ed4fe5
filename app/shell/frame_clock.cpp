// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/shell/frame_clock.h"

#include <algorithm>
#include <chrono>
#include <ratio>

namespace warplight::app {
namespace {

constexpr size_t mostWaits = 100000;
constexpr auto pause = std::chrono::milliseconds(2); // between one event and the next

} // namespace

FrameClock::FrameClock(QObject* parent) : QObject(parent) {
    second.setInterval(1000);
    connect(&second, &QTimer::timeout, this, [this] {
        emit ticked(worst);
        worst = 0;
    });
}

FrameClock::~FrameClock() { setMeasuring(false); }

void FrameClock::setMeasuring(bool on) {
    if (beat.joinable()) {
        ending = true;
        beat.join();
        second.stop();
    }
    if (!on)
        return;
    waits.clear();
    worst = 0;
    ending = pending = false;
    second.start();
    beat = std::thread([this] {
        while (!ending) {
            if (!pending.exchange(true))
                QMetaObject::invokeMethod(
                    this,
                    [this, posted = std::chrono::steady_clock::now()] {
                        handled(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - posted)
                                    .count());
                    },
                    Qt::QueuedConnection);
            std::this_thread::sleep_for(pause);
        }
    });
}

void FrameClock::handled(double wait) {
    worst = std::max(worst, wait);
    if (waits.size() < mostWaits)
        waits.push_back(wait);
    pending = false;
}

} // namespace warplight::app
