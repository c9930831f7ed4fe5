// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/ssm/scans_scene.h"

#include "core/text/counted.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::ssm {
namespace {

using namespace lab;
using Known = ScanWalk::Known;
using gpu::ScanCombine;

// The canvas, in units: pairs before and after the step above, the network of the whole run below.
constexpr double canvasWidth = 32, canvasHeight = 15, left = 1.6, right = 0.3;
constexpr double pairHeight = 1.7, beforeTop = 1.3, afterTop = 4.6, networkTop = 7.8, networkBottom = 14.7;
constexpr int64_t namedElements = 32, ///< from more on their numbers have no room above them
    mostLines = 150;                  ///< of the network, beyond which only those of the step are drawn

std::string number(float value) { return std::isnan(value) ? "NaN" : fmt::format("{:.3g}", value); }

class Scenes {
  public:
    explicit Scenes(const ScanWalk& w)
        : walk(w),
          count(w.elements()),
          pitch((canvasWidth - left - right) / static_cast<double>(std::max<int64_t>(count, 1))),
          line((networkBottom - networkTop) / static_cast<double>(std::max<size_t>(w.steps.size(), 1) + 1)) {
        for (const ScanWalk::Step& step : walk.steps)
            for (const float x : step.b)
                if (std::isfinite(x))
                    most = std::max(most, std::fabs(static_cast<double>(x)));
    }

    Steps make() {
        Steps steps;
        steps.width = canvasWidth;
        steps.height = canvasHeight;
        steps.stretches = true;
        int64_t done = 0;
        for (size_t i = 0; i < walk.steps.size(); ++i) {
            done += static_cast<int64_t>(walk.steps[i].combines.size());
            steps.steps.push_back(scene(i, done));
            if (steps.steps[i].arrows.size() > steps.steps[static_cast<size_t>(steps.opensAt)].arrows.size())
                steps.opensAt = static_cast<int64_t>(i); // where most elements meet
        }
        return steps;
    }

  private:
    double middleOf(int64_t element) const { return left + (static_cast<double>(element) + 0.5) * pitch; }
    double lineOf(size_t step) const { return networkTop + static_cast<double>(step + 1) * line; }
    /// The element that was combined with `into`; itself where nothing else of the picture took part.
    static int64_t earlierOf(const ScanCombine& c, const ScanWalk::Step& step) {
        return c.from == c.into       ? c.into
               : step.phase == "down" ? c.from
               : c.middle == c.into   ? c.into - 1
                                      : c.middle - 1;
    }
    bool isCrowded() const { return walk.combines > mostLines; }

    Steps::Step scene(size_t index, int64_t done) const {
        const ScanWalk::Step& step = walk.steps[index];
        Steps::Step scene;
        addPairs(scene, index, true);
        addPairs(scene, index, false);
        for (const ScanCombine& c : step.combines)
            if (const int64_t earlier = earlierOf(c, step); earlier != c.into)
                scene.arrows.push_back(arrow(middleOf(earlier), beforeTop + pairHeight + 0.1, middleOf(c.into),
                                             afterTop - 0.1, Steps::Arrow::Shape::Bow));
        addNetwork(scene, index);
        scene.caption = sentence(index);
        scene.facts = {{"combines of this step", fmt::format("{}", step.combines.size()), Provenance::Counted},
                       {"combines up to here", fmt::format("{} of {}", done, walk.combines), Provenance::Counted}};
        if (step.lookedAt > 0)
            scene.facts.push_back({"statuses read", fmt::format("{}", step.lookedAt), Provenance::Counted});
        return scene;
    }

    static Steps::Arrow arrow(double fromX, double fromY, double toX, double toY, Steps::Arrow::Shape shape) {
        Steps::Arrow a;
        a.fromX = fromX, a.fromY = fromY;
        a.toX = toX, a.toY = toY;
        a.shape = shape;
        return a;
    }

    void addPairs(Steps::Step& scene, size_t index, bool before) const {
        const bool isFirst = before && index == 0;
        const ScanWalk::Step& step = walk.steps[before && index > 0 ? index - 1 : index];
        Steps::Matrix m;
        m.x = left;
        m.y = before ? beforeTop : afterTop;
        m.width = canvasWidth - left - right;
        m.height = pairHeight;
        m.rows = 2;
        m.cols = count;
        m.values = isFirst ? walk.a : step.a;
        const std::vector<float>& b = isFirst ? walk.b : step.b;
        m.values.insert(m.values.end(), b.begin(), b.end());
        for (int64_t i = 0; i < count; ++i) {
            const Known known =
                isFirst ? (walk.chunk > 0 ? Known::Nothing : Known::Pair) : step.known[static_cast<size_t>(i)];
            if (known != Known::Pair)
                m.absent.push_back(static_cast<uint32_t>(i));
            if (known == Known::Nothing)
                m.absent.push_back(static_cast<uint32_t>(count + i));
        }
        m.minimum = -most, m.maximum = most;
        m.palette = Heatmap::Palette::Diverging;
        if (before)
            m.title = "before this step, and below after it: pairs (a, b), or a state h where a is empty";
        m.rowNames = {"a", "b, h"};
        if (before && count <= namedElements)
            for (int64_t i = 0; i < count; ++i)
                m.colNames.push_back(fmt::format("{}", i));
        m.provenance = Provenance::Counted;
        m.id = before ? "before" : "after";
        scene.matrices.push_back(std::move(m));
    }

    void addNetwork(Steps::Step& scene, size_t now) const {
        scene.labels.push_back({left, networkTop - 0.35, networkTitle(), Steps::Label::Align::Left, false});
        const double size = std::min({0.42, 0.6 * pitch, 0.7 * line});
        for (size_t i = 0; i < walk.steps.size(); ++i) {
            const ScanWalk::Step& step = walk.steps[i];
            if (i == now)
                scene.labels.push_back(
                    {left - 0.35, lineOf(i), fmt::format("{}", i + 1), Steps::Label::Align::Right, true});
            for (const ScanCombine& c : step.combines) {
                const double x = middleOf(c.into);
                Steps::Cell cell;
                cell.x = x - size / 2, cell.y = lineOf(i) - size / 2;
                cell.width = cell.height = size;
                cell.state = i > now   ? Steps::CellState::Idle
                             : i < now ? Steps::CellState::Done
                                       : Steps::CellState::Current;
                scene.cells.push_back(std::move(cell));
                const int64_t earlier = earlierOf(c, step);
                if (earlier == c.into || (i != now && isCrowded()))
                    continue;
                Steps::Arrow edge =
                    arrow(middleOf(earlier), lineOf(i) - line * 0.9, x, lineOf(i), Steps::Arrow::Shape::Line);
                if (i != now)
                    edge.colourKey = earlierCombines;
                scene.arrows.push_back(std::move(edge));
            }
        }
    }

    std::string networkTitle() const {
        return walk.chunk > 0 ? fmt::format("the whole run: a column a chunk of {} steps, a line a step of the kernels",
                                            walk.chunk)
                              : "the whole run: a column an element, a line a step; a square is a combine";
    }

    std::string sentence(size_t index) const {
        const ScanWalk::Step& step = walk.steps[index];
        const ScanCombine& last = step.combines.back();
        const float h = step.b[static_cast<size_t>(last.into)];
        const auto combines = counted(static_cast<int64_t>(step.combines.size()), "combine");
        const std::string which = fmt::format("Step {} of {}: ", index + 1, walk.steps.size());
        const std::string thing = walk.chunk > 0 ? "chunk" : "element";
        if (walk.chunk > 0 && step.phase == "pairs")
            return which + (step.combines.size() > 1
                                ? fmt::format("{} become a pair each, all at once.",
                                              counted(static_cast<int64_t>(step.combines.size()), "chunk"))
                                : fmt::format("chunk {} tells its pair: all of its steps as one.", last.into));
        if (step.phase == "carry")
            return which + fmt::format("one block makes {} of the pairs.",
                                       counted(static_cast<int64_t>(step.combines.size()), "state"));
        if (step.phase == "look back")
            return which + fmt::format("chunk {} reads {}; chunk {} knows its state, {}.", last.into,
                                       counted(step.lookedAt, "status", "statuses"), last.from,
                                       number(step.b[static_cast<size_t>(last.from)]));
        if (walk.chunk > 0)
            return which + (step.combines.size() > 1
                                ? fmt::format("all chunks write h; the last is {}.", number(h))
                                : fmt::format("chunk {} writes h; its last is {}.", last.into, number(h)));
        if (step.phase == "up")
            return which + fmt::format("up the tree, {}: element {} holds steps {} to {} now.", combines, last.into,
                                       last.from, last.into);
        if (step.phase == "down")
            return which +
                   fmt::format("down the tree, {}: the state before element {} is {}.", combines, last.into, number(h));
        if (step.phase == "own step")
            return which +
                   fmt::format("each element takes its own step: {}, the last state is {}.", combines, number(h));
        if (step.phase == "pairs of a chunk")
            return which + fmt::format("the state before element {} is not known yet, so its chunk becomes pairs: {}.",
                                       last.from, combines);
        if (step.phase == "state handed on")
            return which +
                   fmt::format("the state behind element {} is {}; the next chunk may go on.", last.into, number(h));
        if (step.phase == "states of a chunk" || step.phase == "state into a chunk")
            return which + fmt::format("{} up to element {}: {}, the last state is {}.",
                                       step.phase == "states of a chunk" ? "states one after the other"
                                                                         : "the state goes into every pair",
                                       last.into, combines, number(h));
        if (last.state || step.combines.size() == 1)
            return which + fmt::format("h of {} {} is {}.", thing, last.into, number(h));
        return which + fmt::format("{} at once; element {} takes in element {} and holds {} steps.", combines,
                                   last.into, last.middle - 1, last.into - last.from + 1);
    }

    const ScanWalk& walk;
    const int64_t count;
    const double pitch, line;
    double most = 1e-9;
};

} // namespace

Steps scanScene(const ScanWalk& walk) { return Scenes(walk).make(); }

int64_t sceneBytes(int64_t elements, int64_t steps, int64_t combines) {
    constexpr int64_t matrix = 2000, element = 40, combine = 900; // with a cell, a line and their texts, a few times
    return steps * (matrix + elements * element + combines * combine);
}

} // namespace warplight::labs::ssm
