// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/linear/state_scene.h"

#include "core/text/counted.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <span>
#include <utility>

namespace warplight::labs::linear {
namespace {

using namespace lab;

// The canvas, in units: words above, three states in the middle, what is written and read below.
constexpr double canvasWidth = 32, canvasHeight = 14.6;
constexpr int64_t shownWords = 11;
constexpr double wordPitch = canvasWidth / shownWords, wordHeight = 0.95;
constexpr double stateTop = 2.6, stateSize = 7.6, stateLeft[]{0.4, 12.2, 24.0};
constexpr double stripTop = 11.4, stripHeight = 0.75;

std::vector<float> floats(std::span<const double> values) { return {values.begin(), values.end()}; }

class Scenes {
  public:
    explicit Scenes(const StateWalk& walk) : walk(walk) {
        for (const StateWalk::Step& step : walk.steps)
            for (const auto* matrix : {&step.written, &step.after})
                for (const double x : *matrix)
                    if (std::isfinite(x))
                        most = std::max(most, std::fabs(x));
    }

    Steps make() {
        Steps steps;
        steps.width = canvasWidth;
        steps.height = canvasHeight;
        steps.stretches = true;
        for (size_t t = 0; t < walk.steps.size(); ++t)
            steps.steps.push_back(scene(static_cast<int64_t>(t)));
        steps.opensAt = opens();
        return steps;
    }

  private:
    const MemoryStory::Token& token(int64_t t) const { return walk.story.tokens[static_cast<size_t>(t)]; }

    /// The first word that is written again, or the first question: what tells most.
    int64_t opens() const {
        for (int64_t t = 0; t < count(); ++t)
            if (token(t).asks || walk.story.written(token(t).word, t) >= 0)
                return t;
        return std::max<int64_t>(count() - 1, 0);
    }
    int64_t count() const { return static_cast<int64_t>(walk.steps.size()); }

    Steps::Step scene(int64_t t) const {
        const StateWalk::Step& step = walk.steps[static_cast<size_t>(t)];
        Steps::Step scene;
        addWords(scene, t);
        const bool asks = token(t).asks;
        addState(scene, 0, step.before, fmt::format("S before token {}", t + 1));
        if (!asks) {
            addState(scene, 1, step.written, writtenTitle(t));
            addState(scene, 2, step.after, fmt::format("S after token {}", t + 1));
            addSign(scene, 0, walk.keptText());
            addSign(scene, 1, "=");
        }
        addReading(scene, t, asks);
        scene.caption = sentence(t);
        scene.facts = {{"norm of S", fmt::format("{:.3g}", step.normAfter), Provenance::Counted},
                       {"effective rank",
                        fmt::format("{:.1f} of {}", step.rankAfter, std::min(walk.features, walk.story.valueDim)),
                        Provenance::Counted},
                       {"error of what is read", fmt::format("{:.2f}", step.error), Provenance::Counted}};
        return scene;
    }

    /// A window of words around the current one.
    void addWords(Steps::Step& scene, int64_t t) const {
        const int64_t begin = std::clamp<int64_t>(t - shownWords / 2, 0, std::max<int64_t>(0, count() - shownWords));
        for (int64_t i = begin; i < std::min(begin + shownWords, count()); ++i) {
            Steps::Cell cell;
            cell.x = static_cast<double>(i - begin) * wordPitch + 0.1;
            cell.y = 0.15;
            cell.width = wordPitch - 0.2;
            cell.height = wordHeight;
            cell.text = token(i).text;
            cell.state = i == t ? Steps::CellState::Current : i < t ? Steps::CellState::Done : Steps::CellState::Idle;
            cell.id = fmt::format("word {}", i);
            scene.cells.push_back(std::move(cell));
        }
    }

    void addState(Steps::Step& scene, size_t place, std::span<const double> values, std::string title) const {
        Steps::Matrix m;
        m.x = stateLeft[place];
        m.y = stateTop;
        m.width = m.height = stateSize;
        m.rows = walk.features;
        m.cols = walk.story.valueDim;
        m.values = floats(values);
        m.minimum = -most, m.maximum = most;
        m.palette = Heatmap::Palette::Diverging;
        m.title = std::move(title);
        m.provenance = Provenance::Counted;
        m.id = fmt::format("state {}", place);
        scene.matrices.push_back(std::move(m));
    }

    static void addSign(Steps::Step& scene, size_t after, std::string text) {
        const double middle = (stateLeft[after] + stateSize + stateLeft[after + 1]) / 2;
        scene.labels.push_back({middle, stateTop + stateSize / 2, std::move(text), Steps::Label::Align::Centre, true});
    }

    std::string writtenTitle(int64_t t) const {
        using cpu::LinearRule;
        const bool deltas = walk.shape.rule == LinearRule::Delta || walk.shape.rule == LinearRule::GatedDelta;
        return deltas ? fmt::format("β k (v − what k reads)ᵀ, β = {:.2g}", walk.gating.beta)
                      : fmt::format("k vᵀ of token {}", t + 1);
    }

    /// The value that is meant, and what is read under the word's key after the step.
    void addReading(Steps::Step& scene, int64_t t, bool asks) const {
        const StateWalk::Step& step = walk.steps[static_cast<size_t>(t)];
        const std::span<const double> value = walk.story.value(token(t));
        Steps::Matrix m;
        m.x = stateLeft[asks ? 1 : 0] + (asks ? 0 : 5.5);
        m.y = stripTop;
        m.width = asks ? stateLeft[2] + stateSize - m.x : stateLeft[2] + stateSize - m.x;
        m.height = 2 * stripHeight + 0.9;
        m.rows = 2;
        m.cols = walk.story.valueDim;
        m.values = floats(step.read);
        const std::vector<float> meant = floats(value);
        m.values.insert(m.values.end(), meant.begin(), meant.end());
        m.palette = Heatmap::Palette::Diverging;
        m.rowNames = {asks ? "read" : "reads now", asks ? "written" : "is to read"};
        m.provenance = Provenance::Counted;
        m.title =
            asks ? fmt::format("What {} reads", token(t).text) : fmt::format("What the key of {} reads", token(t).text);
        m.id = "reading";
        scene.matrices.push_back(std::move(m));
    }

    std::string sentence(int64_t t) const {
        const StateWalk::Step& step = walk.steps[static_cast<size_t>(t)];
        const MemoryStory::Token& now = token(t);
        const int64_t nearest = walk.story.nearest(step.read);
        if (now.asks) {
            const int64_t since = t - walk.story.written(now.word, t);
            return fmt::format(
                "{} reads {}{}: written {} before, {:.0f} % off it.", now.text,
                nearest == now.value ? fmt::format("{}", nearest) : fmt::format("nearest to {}, not", nearest),
                nearest == now.value ? "" : fmt::format(" {}", now.value), counted(since, "step"), 100 * step.error);
        }
        const int64_t before = walk.story.written(now.word, t);
        if (before >= 0)
            return fmt::format("{} is written again: its key reads {} now, {:.0f} % off {}; before it was {}.",
                               now.text, nearest, 100 * step.error, now.value, token(before).value);
        return fmt::format("{} is written: the state has {} numbers as before, and its key reads {:.0f} % off {}.",
                           now.text, walk.features * walk.story.valueDim, 100 * step.error, now.value);
    }

    const StateWalk& walk;
    double most = 1e-9;
};

} // namespace

Steps stateScene(const StateWalk& walk) { return Scenes(walk).make(); }

} // namespace warplight::labs::linear
