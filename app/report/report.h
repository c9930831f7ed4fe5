#pragma once

#include "core/lab/session.h"

#include <QString>
#include <vector>

namespace warplight::app {

struct ReportOptions {
    QString title;                   ///< empty: made from the runs
    bool includeHostAndUser = false; ///< host and user name are left out unless asked for
    bool darkFigures = false;
};

/// Prints runs the way the program shows them: every figure with its explanation, provenance and formulas, the machine
/// and the settings. The format follows from `target`: *.html (one self-contained file), *.pdf, else a folder with
/// SVG, PNG, CSV and JSON per figure. Written under a temporary name, then renamed. Throws std::runtime_error naming
/// the file.
void writeReport(const std::vector<const lab::RunRecord*>& runs, const QString& target,
                 const ReportOptions& options = {});

/// `warplight report FILE.warplight... -o OUT`: needs no display. Returns the exit code (2: bad input).
int reportMain(const QStringList& arguments);

} // namespace warplight::app
