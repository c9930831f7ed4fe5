// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"

#include <QString>
#include <vector>

namespace warplight::app {

/// For each line of `now` the line of `then` that it was, -1: it is new. Lines are the same if their texts are; what
/// was moved counts as new.
std::vector<int> sameLines(const std::vector<lab::Source::Line>& now, const std::vector<lab::Source::Line>& then);

/// Another run's pane, as it is drawn over one.
struct PinnedPane {
    QString name; ///< of the run
    lab::Source::Pane pane;
    std::vector<int> lineOf;    ///< per line of the pane: which of these it was, -1: new
    std::vector<int> counterOf; ///< per counter of the pane, -1: it is not in here
    int gone = 0, added = 0;    ///< lines

    static PinnedPane of(lab::Source::Pane pane, const QString& name, const lab::Source::Pane& now);
    /// Too few lines are the same for a comparison to say something.
    bool isOther() const;
};

} // namespace warplight::app
