// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lab/number_text.h"
#include "core/labs/linear/order.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <string>
#include <string_view>
#include <utility>

namespace warplight::labs::linear {
namespace {

using namespace lab;

constexpr double canvasWidth = 32, rowHeight = 7.2, largest = 5.2; ///< of the longer edge, in units of the canvas
constexpr double thinnest = 0.14;                                  ///< so that one feature of many rows is still seen
constexpr double asleep = 0.22;                                    ///< strength of what is not made yet

struct Place {
    double x = 0, width = 0, height = 0;
};

/// One order as a row of blocks: A · B = made, then made or Q with the rest.
class Row {
  public:
    Row(const Orders& orders, size_t order, bool counted) : orders(orders), order(order), counted(counted) {
        unit = largest / static_cast<double>(std::max(orders.length, orders.features));
    }

    /// With `done` of its two products.
    void draw(Steps::Step& scene, int done, bool current) const {
        const int64_t n = orders.length, d = orders.features;
        const double top = static_cast<double>(order) * rowHeight;
        double x = 0.3;
        const auto block = [&](std::string_view name, int64_t rows, int64_t columns, std::string_view key, int madeBy) {
            const Place at{x, std::max(thinnest, unit * static_cast<double>(columns)),
                           std::max(thinnest, unit * static_cast<double>(rows))};
            Steps::Cell cell;
            cell.x = at.x, cell.width = at.width, cell.height = at.height;
            cell.y = top + 1.5 + (largest - at.height) / 2;
            cell.colourKey = fmt::format("tensor.{}", key);
            cell.strength = done >= madeBy ? 1 : asleep;
            if (madeBy > 0 && current && done == madeBy)
                cell.state = Steps::CellState::Marked;
            cell.id = fmt::format("{} {} {}", order, name, madeBy);
            scene.cells.push_back(std::move(cell));
            const double middle = x + at.width / 2;
            scene.labels.push_back(
                {middle, top + 1.1 + (largest - at.height) / 2, std::string(name), Steps::Label::Align::Centre, true});
            scene.labels.push_back({middle, top + 1.9 + (largest + at.height) / 2,
                                    fmt::format("{} × {}", rows, columns), Steps::Label::Align::Centre, false, true});
            x += std::max(at.width, 1.7) + 0.35;
        };
        const auto sign = [&](const char* text) {
            scene.labels.push_back({x + 0.1, top + 1.5 + largest / 2, text, Steps::Label::Align::Centre, true});
            x += 0.75;
        };
        scene.labels.push_back({0.1, top + 0.3,
                                order == 0 ? "(Q Kᵀ) V: scores first" : "Q (Kᵀ V): keys and values first",
                                Steps::Label::Align::Left, true});
        if (order == 0) {
            block("Q", n, d, "Q", 0), sign("·"), block("Kᵀ", d, n, "K", 0), sign("="), block("S", n, n, "S", 1);
            sign("·"), block("V", n, d, "V", 0);
        } else {
            block("Kᵀ", d, n, "K", 0), sign("·"), block("V", n, d, "V", 0), sign("="), block("M", d, d, "S", 1);
            sign("   Q ·"), block("Q", n, d, "Q", 0);
        }
        sign("="), block("O", n, d, "O", 2);
        addTotals(scene, top, done);
    }

  private:
    void addTotals(Steps::Step& scene, double top, int done) const {
        double flops = 0, bytes = 0;
        for (int i = 0; i < done; ++i) {
            const Product& p = orders.products[2 * order + static_cast<size_t>(i)];
            flops += p.flops, bytes += p.bytes;
        }
        if (done == 0)
            return;
        const Provenance provenance = counted ? Provenance::Counted : Provenance::Modelled;
        const std::string name = order == 0 ? "scores first" : "keys and values first";
        scene.facts.push_back({name, numberText(flops, "FLOP"), provenance});
        if (counted)
            scene.facts.push_back({name, numberText(bytes, "B"), provenance});
        static_cast<void>(top);
    }

    const Orders& orders;
    size_t order;
    bool counted;
    double unit = 1;
};

std::string sentenceOf(const Orders& orders, size_t made) {
    const Product& p = orders.products[made];
    return fmt::format("{} = {}: {} for {} numbers{}", p.name, p.of, numberText(p.flops, "FLOP"), p.rows * p.columns,
                       made == 0   ? fmt::format(", {} between the products.",
                                                 numberText(4.0 * static_cast<double>(p.rows * p.columns), "B"))
                       : made == 2 ? fmt::format(", {} between the products, however long the sequence.",
                                                 numberText(4.0 * static_cast<double>(p.rows * p.columns), "B"))
                       : made == 1 ? fmt::format(": {} in all.", numberText(orders.sum(0, &Product::flops), "FLOP"))
                                   : fmt::format(": {} in all, {:.3g} times fewer.",
                                                 numberText(orders.sum(1, &Product::flops), "FLOP"),
                                                 orders.sum(0, &Product::flops) / orders.sum(1, &Product::flops)));
}

} // namespace

Steps orderScene(const Orders& orders, bool counted) {
    Steps steps;
    steps.width = canvasWidth;
    steps.height = 2 * rowHeight + 0.6;
    for (size_t made = 0; made < orders.products.size(); ++made) {
        Steps::Step scene;
        const int first = std::min<int>(2, static_cast<int>(made) + 1),
                  second = std::max(0, static_cast<int>(made) - 1);
        Row(orders, 0, counted).draw(scene, first, made < 2);
        Row(orders, 1, counted).draw(scene, second, made >= 2);
        scene.caption = sentenceOf(orders, made);
        steps.steps.push_back(std::move(scene));
    }
    steps.opensAt = 3;
    return steps;
}

} // namespace warplight::labs::linear
