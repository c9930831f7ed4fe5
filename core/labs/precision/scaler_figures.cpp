// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/precision/scaler_figures.h"

#include "core/labs/training/curves.h"
#include "core/text/counted.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <limits>
#include <map>
#include <span>
#include <utility>

namespace warplight::labs::precision {
namespace {

using namespace lab;
using namespace training;
using warplight::precision::Replay;

Axis stepAxis() { return {"step", "", Scale::Linear, {}, {}, {}, false}; }

/// Of what follows from the sizes of gradients.
Provenance ofBits(const Game& game) { return game.series.assumed ? Provenance::Modelled : Provenance::Counted; }

std::string explained(const Game& game, const char* text) {
    return std::string(text) + (game.series.assumed ? " **Modelled**: your file has the largest gradient alone; the "
                                                      "others are taken to lie below it as in the recorded example."
                                                    : " **Counted** from the recorded exponents.");
}

Figure headline(const char* id, const char* title, double value, const char* unit, const char* format,
                std::string caption, std::string explain, Provenance provenance) {
    Metric m;
    m.value = value;
    m.unit = unit;
    m.format = format;
    m.caption = std::move(caption);
    m.provenance = provenance;
    return {id, title, "", std::move(explain), Figure::Place::Headline, std::move(m)};
}

/// The best scale moves with every step: more than this of it hides what it is compared with.
constexpr size_t mostBest = 250;

std::vector<double> leastOfEach(std::span<const double> values, size_t stretch) {
    std::vector<double> least(values.size());
    for (size_t i = 0; i < values.size(); i += stretch) {
        const auto begin = values.begin() + static_cast<std::ptrdiff_t>(i);
        const auto end = begin + static_cast<std::ptrdiff_t>(std::min(stretch, values.size() - i));
        std::fill_n(least.begin() + static_cast<std::ptrdiff_t>(i), end - begin, *std::min_element(begin, end));
    }
    return least;
}

} // namespace

const Player& Game::of(const std::string& id) const {
    return *std::find_if(players.begin(), players.end(), [&](const Player& p) { return p.id == id; });
}

std::string powerText(double scale) {
    const double power = std::log2(scale);
    return power == std::floor(power) ? fmt::format("2^{:.0f}", power) : fmt::format("{:.6g}", scale);
}

std::vector<Figure> headlineFigures(const Game& game) {
    const Replay& played = game.yours().played;
    return {headline("score", "Score", game.yours().score, "", "{:.1f}", "score: 100 is the best scale in each step",
                     explained(game, "How much of the bits that scaling can save was saved: 100 loses as few as the "
                                     "best power of two in each step, 0 as many as no scaling."),
                     ofBits(game)),
            headline("skips", "Skipped", static_cast<double>(played.skips), "", "{:.0f}",
                     fmt::format("of {} skipped", counted(static_cast<int64_t>(game.series.steps()), "step")),
                     "Steps whose largest gradient times the scale reached 65520, which FP16 rounds to infinity. "
                     "**Counted.**",
                     Provenance::Counted),
            headline("bits", "Lost bits", played.lostBits, "", "{:.3f}",
                     fmt::format("bits lost of {}; a skipped step loses all", warplight::precision::f16Bits),
                     explained(game, "Significant bits that gradients lack in FP16 because they are subnormal there or "
                                     "0, mean over all gradients and steps."),
                     ofBits(game)),
            headline("zeros", "Became 0", 100 * played.flushed, "%", "{:.3g}", "of the gradients became 0",
                     explained(game, "Gradients at or below 2^−25 once scaled, half of FP16's least number; mean over "
                                     "the steps that were not skipped."),
                     ofBits(game))};
}

Figure scaleFigure(const Game& game) {
    Series figure;
    figure.x = stepAxis();
    figure.y = {"scale", "", Scale::Log2, {}, {}, {}, false};
    const Player &fixed = game.of("static"), &usual = game.of("pytorch"), &yours = game.yours();
    const size_t stretch = (game.series.steps() + mostBest - 1) / mostBest;
    figure.curves.push_back(
        named(stairs(leastOfEach(game.best.scales, stretch)), "best",
              stretch > 1 ? fmt::format("best in each step, least of {}", stretch) : "best in each step", "scaler.best",
              Curve::Style::Line, Provenance::Reference));
    figure.curves.push_back(named(stairs(fixed.played.scales), "static",
                                  fmt::format("best that stays: {}", powerText(fixed.rules.initial)), "scaler.static",
                                  Curve::Style::Line, Provenance::Reference));
    figure.curves.push_back(named(thinned(stairs(usual.played.scales)), "pytorch", usual.title, "scaler.pytorch"));
    figure.curves.push_back(named(thinned(stairs(yours.played.scales)), "yours", "yours", "scaler.yours"));
    Curve skipped;
    for (size_t i = 0; i < game.series.steps(); ++i)
        if (yours.played.skipped[i]) {
            skipped.x.push_back(static_cast<double>(i + 1));
            skipped.y.push_back(yours.played.scales[i]);
        }
    if (!skipped.x.empty())
        figure.curves.push_back(
            named(thinned(std::move(skipped)), "skipped", "skipped steps", "scaler.skipped", Curve::Style::Points));
    return {"scale",
            "Scale",
            counted(static_cast<int64_t>(game.series.steps()), "step"),
            "The scale in each step (**counted**: every step is played by the scaler's rules), and the steps that were "
            "skipped because the largest gradient overflowed. **Reference**: the largest power of two that does not "
            "overflow in each step, which nobody knows beforehand, and the one that loses fewest bits when it stays.",
            Figure::Place::Main,
            std::move(figure)};
}

Figure productFigure(const Game& game) {
    Series figure;
    figure.x = stepAxis();
    figure.y = {"largest |g| · scale", "", Scale::Log2, {}, {}, {}, false};
    const Replay& played = game.yours().played;
    Curve fits, over, limit;
    for (size_t i = 0; i < game.series.steps(); ++i) {
        const double product = game.series.largest[i] * played.scales[i];
        if (!std::isfinite(product))
            continue;
        Curve& curve = played.skipped[i] ? over : fits;
        curve.x.push_back(static_cast<double>(i + 1));
        curve.y.push_back(product);
    }
    limit.x = {1, static_cast<double>(game.series.steps())};
    limit.y = {65504, 65504};
    figure.curves.push_back(named(thinned(std::move(fits)), "product", "yours", "scaler.yours"));
    if (!over.x.empty())
        figure.curves.push_back(
            named(thinned(std::move(over)), "over", "overflows", "scaler.skipped", Curve::Style::Points));
    figure.curves.push_back(named(std::move(limit), "limit", "65504, the largest FP16", "scaler.limit",
                                  Curve::Style::Line, Provenance::Reference));
    return {
        "largest",
        "Largest gradient, scaled",
        "largest |g| · S against 65504",
        "The largest gradient of each step times your scale, against the largest number of FP16: what lies above is "
        "infinite there. How far below it stays is range that is given away at the other end.",
        Figure::Place::Support,
        std::move(figure)};
}

Figure lossFigure(const Game& game, const Run& run) {
    Series figure;
    figure.x = stepAxis();
    figure.y = {"gradients that become 0, %", "", Scale::Linear, 0.0, {}, {}, false};
    const auto add = [&](const Replay& r, const char* id, std::string label, const char* colour, Provenance how) {
        Curve curve;
        for (size_t i = 0; i < game.series.steps(); ++i) {
            if (i % 4096 == 0)
                run.checkCancelled();
            if (r.skipped[i])
                continue;
            curve.x.push_back(static_cast<double>(i + 1));
            curve.y.push_back(100 * warplight::precision::keptAt(game.series, i, r.scales[i]).flushed);
        }
        figure.curves.push_back(
            named(thinned(std::move(curve)), id, std::move(label), colour, Curve::Style::Line, how));
    };
    const Player& usual = game.of("pytorch");
    add(usual.played, "pytorch", usual.title, "scaler.pytorch", ofBits(game));
    add(game.yours().played, "yours", "yours", "scaler.yours", ofBits(game));
    add(game.best, "best", "best in each step", "scaler.best", Provenance::Reference);
    return {"flushed",
            "Flushed to 0",
            "of the gradients that are not 0",
            explained(game,
                      "Share of the step's gradients that are at or below 2^−25 once scaled, half of FP16's least "
                      "number. Skipped steps are left out."),
            Figure::Place::Support,
            std::move(figure)};
}

Figure playersTable(const Game& game, const std::string& input, const std::string& file) {
    Table table;
    table.columns = {{"scaler", "Scaler", "", false, {}, ""},
                     {"start", "Starts at", "", false, {}, ""},
                     {"interval", "Interval, steps", "", true, {}, "{:.0f}"},
                     {"skips", "Skipped", "", true, Provenance::Counted, ""},
                     {"bits", "Lost bits", "", true, ofBits(game), "{:.4f}"},
                     {"flushed", "Became 0, %", "", true, ofBits(game), "{:.4f}"},
                     {"last", "Ends at", "", false, {}, ""},
                     {"score", "Score", "", true, ofBits(game), "{:.2f}"}};
    const auto row = [&](const std::string& title, double start, Table::Cell interval, const Replay& r, double points) {
        table.rows.push_back({title, powerText(start), std::move(interval), r.skips, r.lostBits, 100 * r.flushed,
                              powerText(r.last), points});
    };
    std::vector<const Player*> order;
    for (const Player& p : game.players)
        order.push_back(&p);
    std::stable_sort(order.begin() + 1, order.end(),
                     [](const Player* a, const Player* b) { return a->score > b->score; });
    for (const Player* p : order) {
        const bool canBeSet = p->isScaler && p->rules.maximum == std::numeric_limits<double>::infinity();
        if (canBeSet && p != order.front())
            table.rowLinks[static_cast<int64_t>(table.rows.size())] = {
                "Play with its settings",
                "precision.scaler",
                {{"initial", fmt::format("{:.0f}", std::log2(p->rules.initial))},
                 {"interval", std::to_string(p->rules.interval)},
                 {"growth", fmt::format("{}", p->rules.growth)},
                 {"backoff", fmt::format("{}", p->rules.backoff)},
                 {"hysteresis", std::to_string(p->rules.hysteresis)},
                 {"minimum", fmt::format("{}", p->rules.minimum)},
                 {"input", input},
                 {"file", file}}};
        row(p->title, p->rules.initial, p->isScaler ? Table::Cell(p->rules.interval) : Table::Cell(), p->played,
            p->score);
    }
    row("Best in each step", game.best.scales.front(), {}, game.best, 100);
    return {"scalers",
            "Against others",
            "on the same gradients: yours, then the best first",
            explained(game,
                      "Frameworks as they begin, the best scale that stays, none, and what nobody can do better. A "
                      "click plays with a framework's settings."),
            Figure::Place::Support,
            std::move(table)};
}

} // namespace warplight::labs::precision
