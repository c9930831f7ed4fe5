// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"
#include "core/lab/run.h"
#include "core/precision/gradient_series.h"

#include <string>
#include <vector>

namespace warplight::labs::precision {

/// A way to choose the scale, and how it went.
struct Player {
    std::string id, title;
    warplight::precision::ScalerRules rules;
    warplight::precision::Replay played{};
    double score = 0;
    bool isScaler = true; ///< its scale moves
};

/// The players of a game: the user's first, then those it is compared with.
struct Game {
    const warplight::precision::GradientSeries& series;
    std::vector<Player> players;
    warplight::precision::Replay best; ///< the best power of two in each step
    const Player& yours() const { return players.front(); }
    const Player& of(const std::string& id) const; ///< that there is
};

/// "2^17", "3000".
std::string powerText(double scale);

std::vector<lab::Figure> headlineFigures(const Game& game);
lab::Figure scaleFigure(const Game& game);
/// The largest gradient of each step, scaled, against the range of FP16.
lab::Figure productFigure(const Game& game);
/// What each step loses at its small end. Throws Cancelled.
lab::Figure lossFigure(const Game& game, const lab::Run& run);
/// `input` and `file` are settings that a row's link keeps.
lab::Figure playersTable(const Game& game, const std::string& input, const std::string& file);

} // namespace warplight::labs::precision
