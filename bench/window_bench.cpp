// SPDX-License-Identifier: GPL-3.0-or-later
// How fluid the real window is: while a race streams in, and while a map of 131,072 × 131,072 is panned and zoomed.
// Prints how long events waited for the window, how long tiles took, and what both processes held. Needs no display.
#include "app/shell/main_window.h"
#include "app/shell/page_view.h"
#include "app/shell/settings_form.h"
#include "app/views/heatmap_view.h"
#include "app/views/theme.h"

#include <QApplication>
#include <QElapsedTimer>
#include <QFile>
#include <QKeyEvent>
#include <QTimer>
#include <cstdint>
#include <variant>
#include <vector>

#include <algorithm>
#include <cstdio>

using namespace warplight;
using namespace warplight::app;

namespace {

/// Lets the window live until `done` or the time is up.
template <class Done>
bool liveUntil(int milliseconds, Done done) {
    QEventLoop loop;
    QTimer poll, end;
    QObject::connect(&poll, &QTimer::timeout, &loop, [&] {
        if (done())
            loop.exit(1);
    });
    QObject::connect(&end, &QTimer::timeout, &loop, [&] { loop.exit(0); });
    poll.start(1);
    end.start(milliseconds);
    return loop.exec() == 1;
}

void live(int milliseconds) {
    liveUntil(milliseconds, [] { return false; });
}

double peakMebibytes(qint64 process) {
    QFile status(QString("/proc/%1/status").arg(process));
    if (!status.open(QIODevice::ReadOnly))
        return 0;
    for (const QByteArray& line : status.readAll().split('\n'))
        if (line.startsWith("VmHWM:"))
            return line.simplified().split(' ').value(1).toDouble() / 1024;
    return 0;
}

void printWaits(const char* what, FrameClock& clock) {
    std::vector<double> waits = clock.measured();
    clock.setMeasuring(false);
    std::sort(waits.begin(), waits.end());
    if (!waits.empty())
        std::printf("%s: %zu events waited; median %.2f ms, 99 %% below %.2f ms, longest %.2f ms\n", what, waits.size(),
                    waits[waits.size() / 2], waits[waits.size() * 99 / 100], waits.back());
}

bool ended(const MainWindow& window) { return window.currentRun() && window.currentRun()->ended(); }

void race(MainWindow& window) {
    window.showExperiment("attention.race");
    window.runNow();
    window.frames().setMeasuring(true);
    liveUntil(60000, [&] { return ended(window); });
    printWaits("race streaming in, both cores measuring", window.frames());
}

void map(MainWindow& window, int64_t length) {
    QElapsedTimer timer;
    timer.start();
    window.openWith("attention.map", {{"seqLen", lab::Value(length)}});
    liveUntil(1000, [&] { return window.currentRun() && !ended(window); });
    liveUntil(120000, [&] { return ended(window); });
    std::printf("map %lld x %lld: ready after %.1f s\n", static_cast<long long>(length), static_cast<long long>(length),
                static_cast<double>(timer.elapsed()) / 1000);
    auto* view = qobject_cast<HeatmapView*>(window.page().view("map"));
    if (!view)
        return;
    live(500);
    window.frames().setMeasuring(true);
    std::vector<double> tileTimes;
    QElapsedTimer sinceAsked;
    QObject::connect(view, &HeatmapView::tileWanted, &window, [&] {
        if (!sinceAsked.isValid())
            sinceAsked.start();
    });
    QObject::connect(&window.engine(), &EngineClient::frames, view, [&](const std::vector<lab::Frame>& batch) {
        for (const lab::Frame& frame : batch)
            if (std::holds_alternative<lab::TilePut>(frame) && sinceAsked.isValid()) {
                tileTimes.push_back(static_cast<double>(sinceAsked.nsecsElapsed()) / 1e6);
                sinceAsked.invalidate();
            }
    });
    for (int round = 0; round < 10; ++round) { // down to single cells and up again, panning on the way
        view->zoomAt(view->rect().center() - QPoint(40 * (round % 3), 30), round < 5 ? 4 : 0.25);
        for (int step = 0; step < 20; ++step) {
            QKeyEvent key(QEvent::KeyPress, step % 2 ? Qt::Key_Down : Qt::Key_Right, {});
            QCoreApplication::sendEvent(view, &key);
            live(25);
        }
        live(400);
    }
    printWaits("panning and zooming", window.frames());
    std::sort(tileTimes.begin(), tileTimes.end());
    if (!tileTimes.empty())
        std::printf("first tile after asking: median %.0f ms, longest %.0f ms\n", tileTimes[tileTimes.size() / 2],
                    tileTimes.back());
    std::printf("held at most: engine %.0f MiB, window %.0f MiB\n", peakMebibytes(window.engine().processId()),
                peakMebibytes(QCoreApplication::applicationPid()));
}

} // namespace

int main(int argc, char** argv) {
    if (qEnvironmentVariableIsEmpty("DISPLAY") && qEnvironmentVariableIsEmpty("QT_QPA_PLATFORM"))
        qputenv("QT_QPA_PLATFORM", "offscreen");
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    QApplication application(argc, argv);
    loadFonts();
    Theme::setCurrent(Theme::lightTheme());
    MainWindow window({QApplication::applicationDirPath() + "/warplight-cli", "serve"});
    window.resize(1280, 800);
    window.show();
    liveUntil(5000, [&] { return window.engine().state() == EngineClient::State::Ready; });
    race(window);
    map(window, 131072);
}
