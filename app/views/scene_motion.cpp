// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/views/scene_motion.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace warplight::app {
namespace {

using lab::Steps;

bool wanted = true;

double mix(double from, double to, double share) { return from + (to - from) * share; }

template <class Item>
const Item* withId(const std::vector<Item>& items, const std::string& id) {
    const auto found = std::find_if(items.begin(), items.end(), [&](const Item& item) { return item.id == id; });
    return id.empty() || found == items.end() ? nullptr : &*found;
}

template <class Box>
void shift(Box& box, const Box& from, double share) {
    box.x = mix(from.x, box.x, share);
    box.y = mix(from.y, box.y, share);
    box.width = mix(from.width, box.width, share);
    box.height = mix(from.height, box.height, share);
}

void shift(Steps::Label& label, const Steps::Label& from, double share) {
    label.x = mix(from.x, label.x, share);
    label.y = mix(from.y, label.y, share);
}

void shift(Steps::Arrow& arrow, const Steps::Arrow& from, double share) {
    arrow.fromX = mix(from.fromX, arrow.fromX, share);
    arrow.fromY = mix(from.fromY, arrow.fromY, share);
    arrow.toX = mix(from.toX, arrow.toX, share);
    arrow.toY = mix(from.toY, arrow.toY, share);
}

void shift(Steps::Bars& bars, const Steps::Bars& from, double share) {
    shift<Steps::Bars>(bars, from, share);
    if (bars.bars.size() != from.bars.size() || bars.rows != from.rows)
        return;
    for (size_t i = 0; i < bars.bars.size(); ++i) {
        Steps::Bars::Bar& bar = bars.bars[i];
        const Steps::Bars::Bar& before = from.bars[i];
        if (!bar.to || !before.to || bar.row != before.row)
            continue;
        bar.from = mix(before.from, bar.from, share);
        bar.to = mix(*before.to, *bar.to, share);
    }
}

/// The values are those of one of the two.
template <class Values>
void shiftWithValues(Values& item, const Values& from, double share) {
    Values shown = share < 0.5 ? from : item;
    shown.x = item.x, shown.y = item.y, shown.width = item.width, shown.height = item.height;
    shift<Values>(shown, from, share);
    item = std::move(shown);
}
void shift(Steps::Matrix& matrix, const Steps::Matrix& from, double share) { shiftWithValues(matrix, from, share); }
void shift(Steps::Trace& trace, const Steps::Trace& from, double share) { shiftWithValues(trace, from, share); }

template <class Item>
void moveAll(std::vector<Item>& items, const std::vector<Item>& before, double share) {
    const std::vector<Item> after = std::exchange(items, {});
    for (const Item& item : before)
        if (share < 0.5 && !item.id.empty() && !withId(after, item.id))
            items.push_back(item);
    for (const Item& item : after) {
        const Item* same = withId(before, item.id);
        if (!same && !item.id.empty() && share < 0.5)
            continue;
        items.push_back(item);
        if (same)
            shift(items.back(), *same, share);
    }
}

/// Level first and last, as a track runs.
void comeFrom(Steps::Cell& cell, const Steps::Cell& origin, double share) {
    const double y = mix(origin.y, cell.y, share * share * (3 - 2 * share));
    shift(cell, origin, share);
    cell.y = y;
}

} // namespace

Steps::Step sceneBetween(const Steps& steps, size_t from, size_t to, double share) {
    const Steps::Step &before = steps.steps.at(from), &after = steps.steps.at(to);
    Steps::Step scene = after;
    for (Steps::Cell& cell : scene.cells) {
        const Steps::Cell* same = withId(before.cells, cell.id);
        const Steps::Cell* origin = nullptr;
        if (!same || same->origin != cell.origin)
            for (const auto* cells : {&after.cells, &before.cells, &steps.always.cells})
                if (!origin)
                    origin = withId(*cells, cell.origin);
        if (origin)
            comeFrom(cell, *origin, share);
        else if (same)
            shift(cell, *same, share);
    }
    moveAll(scene.labels, before.labels, share);
    moveAll(scene.arrows, before.arrows, share);
    moveAll(scene.regions, before.regions, share);
    moveAll(scene.bars, before.bars, share);
    moveAll(scene.matrices, before.matrices, share);
    moveAll(scene.traces, before.traces, share);
    return scene;
}

bool motionWanted() { return wanted; }
void setMotionWanted(bool moves) { wanted = moves; }

} // namespace warplight::app
