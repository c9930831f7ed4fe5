// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/precision/sums_scene.h"

#include "core/precision/exact_sum.h"
#include "core/text/counted.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <utility>
#include <vector>

namespace warplight::labs::precision {
namespace {

using namespace lab;
using warplight::precision::SumNode;
using warplight::precision::SumOrder;
using warplight::precision::SumTree;

constexpr double pitch = 2, canvasHeight = 13;     ///< units of the canvas
constexpr double highestRow = 2.6, paleness = 0.1; ///< of what is exact: the least strength of a colour

/// Short enough for a cell.
std::string text(double x) {
    const double size = std::fabs(x);
    if (!std::isfinite(x))
        return std::isnan(x) ? "NaN" : x > 0 ? "∞" : "−∞";
    return size > 0 && size < 1e-3 ? fmt::format("{:.1e}", x)
           : size < 1000           ? fmt::format("{:.4g}", x)
                                   : fmt::format("{:.6g}", x);
}

class Scenes {
  public:
    Scenes(const SumTree& tree, SumOrder order, const number::FloatFormat& accumulator)
        : tree(tree), order(order), accumulator(accumulator) {
        for (const SumNode& node : tree.nodes)
            if (node.step == 0) {
                finite = finite && std::isfinite(node.value); // the accumulator's format may not hold a term
                if (finite)
                    exact.add(node.value);
                ++terms;
            }
        if (order == SumOrder::Kahan) { // its rows have names, and there are lines between its columns
            left = 2.2;
            cellWidth = 1.3;
        }
        rowPitch = std::min(highestRow, canvasHeight / tree.rows);
    }

    Steps make() {
        Steps steps;
        steps.width = left + pitch * static_cast<double>(std::max<size_t>(terms, 8)) - (pitch - cellWidth) + 0.3;
        steps.height = rowPitch * tree.rows;
        steps.stretches = true;
        steps.always = background();
        for (int step = 1; step <= std::max(tree.steps, 1); ++step)
            steps.steps.push_back(scene(step));
        steps.opensAt = static_cast<int64_t>(steps.steps.size()) - 1; // the whole of it
        return steps;
    }

  private:
    double x(const SumNode& node) const { return left + pitch * node.column; }
    double y(const SumNode& node) const { return 0.1 + rowPitch * node.row; }
    double cellHeight() const { return std::min(1.1, 0.72 * rowPitch); }

    Steps::Cell cellOf(const SumNode& node) const {
        Steps::Cell cell;
        cell.x = x(node), cell.y = y(node), cell.width = cellWidth, cell.height = cellHeight();
        cell.text = text(node.value);
        return cell;
    }

    Steps::Step background() const {
        Steps::Step under;
        for (const SumNode& node : tree.nodes)
            if (node.step == 0)
                under.cells.push_back(cellOf(node));
        if (order == SumOrder::Kahan) {
            const std::array<const char*, 4> rows{"term", "term − lost", "sum", "lost"};
            for (size_t row = 0; row < rows.size(); ++row)
                under.labels.push_back({left - 0.3, 0.1 + rowPitch * static_cast<double>(row) + cellHeight() / 2,
                                        rows[row], Steps::Label::Align::Right});
        }
        return under;
    }

    /// The share of half a unit in the last place that rounding took: at most 1, but for what lies below the range.
    double shareLost(const SumNode& node) const {
        return node.lost == 0 || !std::isfinite(node.value)
                   ? 0
                   : std::min(1.0, std::fabs(node.lost) / (number::spacing(node.value, formatOf(node)) / 2));
    }

    /// Within a tensor core sums are f32; only the last one is rounded.
    const number::FloatFormat& formatOf(const SumNode& node) const {
        return order == SumOrder::TensorCore && &node != &tree.nodes[tree.sum] ? number::floatFormat("f32")
                                                                               : accumulator;
    }

    void addLines(Steps::Step& scene, const SumNode& node, bool current) const {
        for (const size_t from : node.from) {
            const SumNode& above = tree.nodes[from];
            const bool level = above.row >= node.row; // Kahan's: from the column on the left
            scene.arrows.push_back({x(above) + (level ? cellWidth : cellWidth / 2),
                                    y(above) + (level ? cellHeight() / 2 : cellHeight()),
                                    x(node) + (level ? 0 : cellWidth / 2), y(node) + (level ? cellHeight() / 2 : 0), "",
                                    0, Steps::Arrow::Shape::Line, current ? "" : "sum.line"});
        }
    }

    Steps::Step scene(int step) const {
        Steps::Step scene;
        std::vector<const SumNode*> made;
        for (const SumNode& node : tree.nodes) {
            if (node.step == 0 || node.step > step)
                continue;
            const bool current = node.step == step;
            addLines(scene, node, current);
            Steps::Cell cell = cellOf(node);
            cell.colourKey = "sum.lost";
            cell.strength = paleness + (1 - paleness) * shareLost(node);
            cell.state = current ? Steps::CellState::Marked : Steps::CellState::Idle;
            cell.id = fmt::format("node {}", &node - tree.nodes.data());
            scene.cells.push_back(std::move(cell));
            if (current)
                made.push_back(&node);
        }
        scene.caption = captionOf(made, step);
        addResult(scene, step);
        return scene;
    }

    /// An addition by itself is told with its numbers, several together by what the worst of them lost.
    std::string captionOf(const std::vector<const SumNode*>& made, int step) const {
        if (made.empty())
            return "One term: there is nothing to add.";
        if (order == SumOrder::Kahan)
            return fmt::format("Term {}: the sum becomes {}; the rounding took {}, which the next term makes good.",
                               step, text(made[1]->value), text(-made[2]->value));
        if (made.size() == 1) {
            const SumNode& node = *made[0];
            if (node.lost == 0)
                return fmt::format("Step {}: {}, exactly.", step, text(node.value));
            return fmt::format("Step {}: {} would be {:.9g}; the rounding takes {:.3g}, {:.0f} % of half a unit in the "
                               "last place.",
                               step, text(node.value), node.value + node.lost, std::fabs(node.lost),
                               100 * shareLost(node));
        }
        const auto* worst = *std::max_element(made.begin(), made.end(), [](const SumNode* a, const SumNode* b) {
            return std::fabs(a->lost) < std::fabs(b->lost);
        });
        const auto exactly =
            std::count_if(made.begin(), made.end(), [](const SumNode* node) { return node->lost == 0; });
        return fmt::format("Step {}: {} at once, {} of them exact; the largest rounding takes {:.3g}.", step,
                           counted(static_cast<int64_t>(made.size()), "addition"), exactly, std::fabs(worst->lost));
    }

    void addResult(Steps::Step& scene, int step) const {
        const double sum = tree.nodes[tree.sum].value;
        const bool done = step >= tree.nodes[tree.sum].step && (order != SumOrder::Kahan || step == tree.steps);
        const auto counted = Provenance::Counted;
        if (finite)
            scene.facts.push_back({"exact sum", fmt::format("{:.9g}", exact.value()), Provenance::Reference});
        if (!done)
            return;
        scene.facts.push_back({"sum", text(sum), counted});
        if (!std::isfinite(sum))
            return;
        const double error = exact.differenceFrom(sum);
        scene.facts.push_back({"error", fmt::format("{:.3g}", error), counted});
        scene.facts.push_back({"in the last place",
                               fmt::format("{:.3g} ulp", error / number::spacing(exact.value(), accumulator)),
                               counted});
    }

    const SumTree& tree;
    const SumOrder order;
    const number::FloatFormat& accumulator;
    warplight::precision::ExactSum exact;
    bool finite = true;
    size_t terms = 0;
    double left = 0.3, cellWidth = 1.8, rowPitch = 1;
};

} // namespace

Steps sumScene(const SumTree& tree, SumOrder order, const number::FloatFormat& accumulator) {
    return Scenes(tree, order, accumulator).make();
}

} // namespace warplight::labs::precision
