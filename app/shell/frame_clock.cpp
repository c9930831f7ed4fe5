#include "app/shell/frame_clock.h"

#include <QAbstractEventDispatcher>

namespace warplight::app {
namespace {

constexpr size_t mostStretches = 100000;

} // namespace

FrameClock::FrameClock(QObject* parent) : QObject(parent) {
    auto* loop = QAbstractEventDispatcher::instance();
    connect(loop, &QAbstractEventDispatcher::awake, this, [this] {
        if (!busy.isValid())
            busy.start();
    });
    connect(loop, &QAbstractEventDispatcher::aboutToBlock, this, &FrameClock::done);
    connect(&second, &QTimer::timeout, this, [this] {
        emit ticked(worst);
        worst = 0;
    });
    second.start(1000);
}

void FrameClock::done() {
    if (!busy.isValid())
        return;
    const double stretch = static_cast<double>(busy.nsecsElapsed()) / 1e6;
    busy.invalidate();
    worst = std::max(worst, stretch);
    if (stretches.size() < mostStretches)
        stretches.push_back(stretch);
}

} // namespace warplight::app
