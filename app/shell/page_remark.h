// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/record.h"

#include <QString>
#include <QStringList>

namespace warplight::app {

/// What a page is about, as far as a reader of its figures has to be told.
struct PageFacts {
    const lab::RunRecord* newest = nullptr; ///< null: nothing was asked for, or it has not begun
    const lab::RunRecord* shown = nullptr;  ///< whose figures stand on the page; null: none
    bool going = false;                     ///< the newest run is under way
    bool example = false;                   ///< the figures came with the program
    bool refused = false;                   ///< the settings as they are now could not be run
    QStringList changed;                    ///< titles of settings that are others now than those of the figures
    QString banner;                         ///< what the window says already
};

/// The sentences above a page's figures: whose they are, and why they are not those of the newest run. Empty when there
/// is nothing to say.
QString pageRemark(const PageFacts& facts);

} // namespace warplight::app
