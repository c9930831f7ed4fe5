// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QProcessEnvironment>
#include <QStringList>
#include <chrono>
#include <string>

namespace warplight::check {

/// How a program went.
struct Outcome {
    enum class End { Passed, Failed, TimedOut, NoTimeLeft, NotStarted } end = End::NotStarted;
    int exitCode = 0;
    double seconds = 0;
    QString output; ///< of standard output and error together
    bool passed() const { return end == End::Passed; }
};

/// "passed", "failed with exit code 1", "timed out after 60 s" …
std::string inWords(const Outcome& outcome);

/// Runs programs one after the other while there is time for all of them together.
class Programs {
  public:
    /// `loader`: the words before each program ("ld.so --library-path …"); empty: none.
    Programs(double seconds, QStringList loader);
    /// `own`: a program of ours, which may need the loader.
    Outcome run(const QString& program, const QStringList& arguments, double atMostSeconds, bool own,
                const QProcessEnvironment& environment = QProcessEnvironment::systemEnvironment()) const;
    double secondsLeft() const;
    const QStringList& loader() const { return before; }

  private:
    std::chrono::steady_clock::time_point end;
    QStringList before;
};

} // namespace warplight::check
