// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/target.h"
#include "core/error.h"

#include <QElapsedTimer>
#include <QTest>
#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <thread>

/// For tests of a ladder: a test runs for each rung on each instruction set that this machine has. To be called from
/// initTestCase_data() and init().
namespace warplight::test {

#ifdef __SANITIZE_ADDRESS__
constexpr int slowdown = 20;
#else
constexpr int slowdown = 1;
#endif

/// `onEach`: whether a rung is compiled for several instruction sets; others run once.
template <class Rungs, class OnEach>
void addRungs(const Rungs& rungs, const OnEach& onEach) {
    QTest::addColumn<int>("rung");
    QTest::addColumn<QString>("target");
    for (const std::string& target : cpu::supportedTargets())
        for (const auto& rung : rungs)
            if (onEach(rung.id) || target == cpu::supportedTargets().front())
                QTest::addRow("%s, %s", target.c_str(), std::string(rung.name).c_str())
                    << static_cast<int>(rung.id) << QString::fromStdString(target);
}

inline void useTargetOfRow() {
    QFETCH_GLOBAL(QString, target);
    cpu::useTarget(target.toStdString());
}

/// Calls work(cancel) and asks it to stop after `before`; milliseconds until it did. On a machine that is done by then
/// it is asked sooner; nothing when it always went on to its end.
template <class Work>
std::optional<qint64> untilCancelled(std::chrono::microseconds before, const Work& work) {
    for (; before > std::chrono::microseconds(50); before /= 3) {
        std::atomic<bool> cancel{false};
        QElapsedTimer sinceCancel;
        std::thread canceller([&] {
            std::this_thread::sleep_for(before);
            sinceCancel.start();
            cancel = true;
        });
        bool cancelled = false;
        try {
            work(&cancel);
        } catch (const Cancelled&) {
            cancelled = true;
        }
        const qint64 waited = cancelled ? sinceCancel.elapsed() : 0;
        canceller.join();
        if (cancelled)
            return waited;
    }
    return std::nullopt;
}

} // namespace warplight::test
