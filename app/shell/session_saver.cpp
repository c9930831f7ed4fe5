// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/shell/session_saver.h"

#include <QElapsedTimer>
#include <algorithm>
#include <exception>
#include <utility>

namespace warplight::app {
namespace {

constexpr qint64 millisecondsATurn = 8;

} // namespace

SessionSaver::SessionSaver() {
    turn.setInterval(0);
    connect(&turn, &QTimer::timeout, this, &SessionSaver::go);
}

SessionSaver::~SessionSaver() {
    try {
        while (writer && step()) {
        }
        if (writer)
            writer->finish();
    } catch (const std::exception&) { // nobody is there any more to be told
    }
}

void SessionSaver::save(const QString& file, Runs runs) {
    writer = std::make_unique<lab::SessionWriter>(file.toStdString());
    name = file;
    left = std::move(runs);
    std::reverse(left.begin(), left.end());
    turn.start();
}

bool SessionSaver::step() {
    if (next == frames.size()) {
        if (left.empty())
            return false;
        frames = left.back()->frames(); // as it is now: tiles that come later belong to the next file
        next = 0;
        left.pop_back();
        return true;
    }
    writer->add(std::exchange(frames[next++], lab::RunEnded()));
    return true;
}

void SessionSaver::go() {
    QElapsedTimer time;
    time.start();
    try {
        while (step())
            if (time.elapsed() >= millisecondsATurn)
                return;
        writer->finish();
        end({});
    } catch (const std::exception& error) {
        end(error.what());
    }
}

void SessionSaver::end(const QString& refusal) {
    turn.stop();
    writer.reset();
    left.clear();
    frames.clear();
    next = 0;
    emit done(name, refusal);
}

} // namespace warplight::app
