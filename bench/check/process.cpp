// SPDX-License-Identifier: GPL-3.0-or-later
#include "bench/check/process.h"

#include <QProcess>
#include <algorithm>
#include <csignal>
#include <fmt/format.h>
#include <sys/types.h>
#include <utility>

namespace warplight::check {
namespace {

using Clock = std::chrono::steady_clock;

/// Less than that is not worth a start.
constexpr double leastSeconds = 5;

} // namespace

std::string inWords(const Outcome& outcome) {
    switch (outcome.end) {
    case Outcome::End::Passed:
        return "passed";
    case Outcome::End::Failed:
        return fmt::format("failed with exit code {}", outcome.exitCode);
    case Outcome::End::TimedOut:
        return fmt::format("stopped after {:.0f} s", outcome.seconds);
    case Outcome::End::NoTimeLeft:
        return "not run: no time was left";
    case Outcome::End::NotStarted:
        break;
    }
    return "could not be started";
}

Programs::Programs(double seconds, QStringList loader)
    : end(Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds))),
      before(std::move(loader)) {}

double Programs::secondsLeft() const { return std::chrono::duration<double>(end - Clock::now()).count(); }

Outcome Programs::run(const QString& program, const QStringList& arguments, double atMostSeconds, bool own,
                      const QProcessEnvironment& environment) const {
    Outcome outcome;
    const double limit = std::min(atMostSeconds, secondsLeft());
    if (limit < leastSeconds) {
        outcome.end = Outcome::End::NoTimeLeft;
        return outcome;
    }
    QStringList words = own ? before : QStringList{};
    words << program << arguments;
    QProcess process;
    process.setProcessEnvironment(environment);
    process.setProcessChannelMode(QProcess::MergedChannels);
    const auto begin = Clock::now();
    process.start(words.takeFirst(), words);
    if (!process.waitForStarted())
        return outcome;
    const bool ended = process.waitForFinished(static_cast<int>(limit * 1000));
    if (!ended) { // as Ctrl+C: a run keeps what it has seen
        ::kill(static_cast<pid_t>(process.processId()), SIGINT);
        if (!process.waitForFinished(5000))
            process.kill();
        process.waitForFinished();
    }
    outcome.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    outcome.output = QString::fromUtf8(process.readAll());
    const bool crashed = process.exitStatus() == QProcess::CrashExit;
    outcome.exitCode = crashed ? -1 : process.exitCode();
    outcome.end = !ended ? Outcome::End::TimedOut : outcome.exitCode == 0 ? Outcome::End::Passed : Outcome::End::Failed;
    return outcome;
}

} // namespace warplight::check
