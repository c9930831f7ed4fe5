// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/session.h"

#include <QString>
#include <cstddef>
#include <functional>
#include <future>
#include <vector>

namespace warplight::app {

struct ReportOptions {
    QString title;                   ///< empty: made from the runs
    bool includeHostAndUser = false; ///< host and user name are left out unless asked for
    bool darkFigures = false;
};

/// Of the work of a report: a figure or less.
struct ReportPiece {
    bool draws; ///< needs the thread of the widgets; what does not has one of its own: a disk may take its time
    std::function<bool()> work; ///< some of it, a turn's worth; true: that was all
};
/// Done in order; the last one puts the report in its place. What the others have written goes with them when that does
/// not come.
using ReportPieces = std::vector<ReportPiece>;

/// Prints runs the way the program shows them: findings and contents in front, then every figure with its explanation,
/// provenance and formulas, the machine and the settings. The format follows from `target`: *.html (one self-contained
/// file), *.pdf, else a folder with SVG, PNG, CSV and JSON per figure.
///
/// It goes on a piece a step, so that a window lives meanwhile. One that is given up, or fails, leaves no file that was
/// not there before.
class ReportWriter {
  public:
    /// Takes the runs as they stand now. Throws std::runtime_error naming the file that cannot be written.
    ReportWriter(std::vector<lab::RunRecord> runs, QString target, const ReportOptions& options = {});
    ReportWriter(const ReportWriter&) = delete;
    ReportWriter& operator=(const ReportWriter&) = delete;

    const QString& target() const { return file; }
    size_t piecesDone() const { return next; }
    size_t pieceCount() const { return pieces.size(); }
    bool done() const { return next == pieces.size(); }
    /// Does the next piece, or waits a few milliseconds for it. Throws std::runtime_error naming the file; then the
    /// writer is of no more use.
    void step();

  private:
    const std::vector<lab::RunRecord> runs; ///< the pieces refer to them
    const QString file;
    const bool dark;
    ReportPieces pieces;
    size_t next = 0;
    std::future<bool> writing; ///< the next one, on its thread; last: goes before what it works on
};

/// The same to its end in one go.
void writeReport(std::vector<lab::RunRecord> runs, const QString& target, const ReportOptions& options = {});

/// `warplight report FILE.warplight... -o OUT`: needs no display. Returns the exit code (2: bad input).
int reportMain(const QStringList& arguments);

} // namespace warplight::app
