// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lab/number_text.h"
#include "core/labs/linear/order.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::linear {
namespace {

using namespace lab;

// The canvas, in units: an order a row, and what both have cost so far at the right.
constexpr double canvasWidth = 34, rowHeight = 7.4, blocksWidth = 23.5;
constexpr double highest = 4.7, thinnest = 0.14; ///< of a block: one feature of many rows is still seen
constexpr double narrowest = 2.7, gap = 0.9;     ///< what a block takes for its label, and between two blocks
constexpr double barsLeft = 27.2, barsWidth = 6, barsHeight = 4.2;
constexpr double asleep = 0.22; ///< strength of what is not made yet

struct Block {
    const char *name, *sign; ///< what stands before it: "·", "="
    int64_t rows, columns;
    char tensor;
    int madeBy; ///< product of its order, 0: it is given
};

class Scenes {
  public:
    Scenes(const Orders& orders, bool counted) : orders(orders), counted(counted) {
        const int64_t n = orders.length, d = orders.features;
        rows[0] = {{"Q", "", n, d, 'Q', 0},
                   {"Kᵀ", "·", d, n, 'K', 0},
                   {"S", "=", n, n, 'S', 1},
                   {"V", "·", n, d, 'V', 0},
                   {"O", "=", n, d, 'O', 2}};
        rows[1] = {{"Kᵀ", "", d, n, 'K', 0}, {"V", "·", n, d, 'V', 0}, {"M", "=", d, d, 'S', 1},
                   {"Q", "→", n, d, 'Q', 0}, {"M", "·", d, d, 'S', 1}, {"O", "=", n, d, 'O', 2}};
        unit = highest / static_cast<double>(std::max(n, d));
        while (std::max(widthOf(rows[0]), widthOf(rows[1])) > blocksWidth)
            unit *= 0.95;
    }

    Steps make() const {
        Steps steps;
        steps.width = canvasWidth;
        steps.height = 2 * rowHeight;
        for (size_t made = 0; made < orders.products.size(); ++made)
            steps.steps.push_back(scene(made));
        steps.opensAt = static_cast<int64_t>(steps.steps.size()) - 1;
        return steps;
    }

  private:
    double wide(const Block& b) const { return std::max(thinnest, unit * static_cast<double>(b.columns)); }
    double high(const Block& b) const { return std::max(thinnest, unit * static_cast<double>(b.rows)); }
    double slot(const Block& b) const { return std::max(wide(b), narrowest); }
    double widthOf(const std::vector<Block>& row) const {
        double width = 0;
        for (const Block& b : row)
            width += slot(b) + gap;
        return width;
    }

    Steps::Step scene(size_t made) const {
        Steps::Step scene;
        const int done[]{made == 0 ? 1 : 2, made < 2 ? 0 : static_cast<int>(made) - 1};
        for (size_t order = 0; order < 2; ++order)
            drawRow(scene, order, done[order], (made < 2) == (order == 0));
        addBars(scene, "operations", "FLOP", &Product::flops, 1.1, done);
        if (counted)
            addBars(scene, "bytes asked of memory", "B", &Product::bytes, 1.1 + rowHeight, done);
        scene.caption = sentenceOf(made);
        return scene;
    }

    void drawRow(Steps::Step& scene, size_t order, int done, bool current) const {
        const double top = static_cast<double>(order) * rowHeight, middle = top + 1.7 + highest / 2;
        scene.labels.push_back({0.1, top + 0.35,
                                order == 0 ? "(Q Kᵀ) V: scores first" : "Q (Kᵀ V): keys and values first",
                                Steps::Label::Align::Left, true});
        double x = 0.2;
        for (size_t i = 0; i < rows[order].size(); ++i) {
            const Block& b = rows[order][i];
            if (*b.sign)
                scene.labels.push_back({x - gap / 2, middle, b.sign, Steps::Label::Align::Centre, true});
            Steps::Cell cell;
            cell.width = wide(b), cell.height = high(b);
            cell.x = x + (slot(b) - cell.width) / 2, cell.y = middle - cell.height / 2;
            cell.colourKey = fmt::format("tensor.{}", b.tensor);
            cell.strength = done >= b.madeBy ? 1 : asleep;
            if (b.madeBy > 0 && current && done == b.madeBy)
                cell.state = Steps::CellState::Marked;
            cell.id = fmt::format("{} {}", order, i);
            const double centre = x + slot(b) / 2;
            scene.labels.push_back({centre, cell.y - 0.38, b.name, Steps::Label::Align::Centre, true});
            scene.labels.push_back({centre, cell.y + cell.height + 0.42, fmt::format("{} × {}", b.rows, b.columns),
                                    Steps::Label::Align::Centre, false, true});
            scene.cells.push_back(std::move(cell));
            x += slot(b) + gap;
        }
    }

    void addBars(Steps::Step& scene, const char* title, const char* bytesOrFlops, double Product::*what, double top,
                 const int (&done)[2]) const {
        Steps::Bars bars;
        bars.x = barsLeft, bars.y = top, bars.width = barsWidth, bars.height = barsHeight;
        bars.maximum = std::max(orders.sum(0, what), orders.sum(1, what)) * 1.45; // room for the numbers
        bars.rows = 2;
        bars.title = title;
        bars.unit = bytesOrFlops;
        bars.rowNames = {"(Q Kᵀ) V", "Q (Kᵀ V)"};
        bars.id = title;
        for (size_t order = 0; order < 2; ++order) {
            double sum = 0;
            for (int i = 0; i < done[order]; ++i)
                sum += orders.products[2 * order + static_cast<size_t>(i)].*what;
            bars.bars.push_back({static_cast<int64_t>(order), 0, sum, numberText(sum, bytesOrFlops),
                                 order == 0 ? "scores" : "state",
                                 counted ? Provenance::Counted : Provenance::Modelled});
        }
        scene.bars.push_back(std::move(bars));
    }

    std::string sentenceOf(size_t made) const {
        const Product& p = orders.products[made];
        const std::string what = fmt::format("{} = {}: {}", p.name, p.of, numberText(p.flops, "FLOP")),
                          between = numberText(4.0 * static_cast<double>(p.rows * p.columns), "B");
        const double first = orders.sum(0, &Product::flops), second = orders.sum(1, &Product::flops);
        switch (made) {
        case 0:
            return fmt::format("{}, and {} of scores between the products.", what, between);
        case 1:
            return fmt::format("{}, {} in all.", what, numberText(first, "FLOP"));
        case 2:
            return fmt::format("{}, and {} between the products, however long the sequence.", what, between);
        default:
            return fmt::format("{}, {} in all: {:.3g} times {}.", what, numberText(second, "FLOP"),
                               first >= second ? first / second : second / first, first >= second ? "fewer" : "more");
        }
    }

    const Orders& orders;
    bool counted;
    double unit = 1;
    std::vector<Block> rows[2];
};

} // namespace

Steps orderScene(const Orders& orders, bool counted) { return Scenes(orders, counted).make(); }

} // namespace warplight::labs::linear
