// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/precision/scaler_events.h"

#include <algorithm>
#include <utility>

namespace warplight::precision {
namespace {

using Kind = ScalerEvent::Kind;
using Change = ScalerLine::Change;

constexpr int64_t nearLines = 8;       ///< between lines on one event
constexpr int64_t mostUnsureRank = 64; ///< a larger number before a line is none that a launcher put there
constexpr size_t manyEvents = 50'000;  ///< from which on not all that tell the same are kept
constexpr size_t mostShapes = 8;       ///< of lines on one event

bool agree(const std::optional<double>& a, const std::optional<double>& b) { return !a || !b || *a == *b; }
bool agree(const std::optional<int64_t>& a, const std::optional<int64_t>& b) { return !a || !b || *a == *b; }

bool agree(const ScalerEvent& a, const ScalerEvent& b) {
    return agree(a.before, b.before) && agree(a.after, b.after) && agree(a.step, b.step) &&
           (a.kind == b.kind || a.kind == Kind::Told || b.kind == Kind::Told);
}

bool sameScales(const ScalerEvent& a, const ScalerEvent& b) {
    return a.kind == b.kind && a.before == b.before && a.after == b.after && agree(a.step, b.step);
}

} // namespace

void ScalerEvents::Counter::tell(int64_t step) {
    back = back || (last && step < *last);
    if (!first)
        first = step;
    else if (!second && step > *first)
        second = step;
    last = std::max(last.value_or(step), step);
}

ScalerEvents::Scaler* ScalerEvents::scalerOf(const std::string& name) {
    const auto found = scalers.find(name);
    if (found != scalers.end())
        return &found->second;
    if (names.size() == mostScalers) {
        tooManyScalers = true;
        return nullptr;
    }
    names.push_back(name);
    Scaler& made = scalers[name];
    made.index = names.size() - 1;
    return &made;
}

size_t ScalerEvents::keep(Pending&& more) {
    if (pending.size() == mostScalerEvents) {
        tooMany = true;
        return pending.size() - 1;
    }
    pending.push_back(std::move(more));
    return pending.size() - 1;
}

void ScalerEvents::add(const ScalerLine& line, int64_t number) {
    if (line.updates && !updates) { // those are what counts
        updates = true;
        words = {};
        for (Pending& p : pending)
            p.event.step = p.event.afterStep = {};
    }
    const bool counts = line.step && line.updates == updates;
    tellsSkips = tellsSkips || line.skipped || line.tellsSkips;
    plainSteps = plainSteps || (!line.skipped && (counts || line.bar));
    if (line.any() && !tooMany) {
        Pending made;
        made.event.line = number;
        made.event.step = counts ? line.step : std::nullopt;
        made.event.afterStep = words.last;
        made.bar = line.bar;
        made.afterBar = bars.last;
        const auto falling = std::find_if(line.scales.begin(), line.scales.end(), [](const auto& s) {
            return s.change == Change::Falls || s.change == Change::Stays;
        });
        for (auto scale = line.scales.begin(); scale != line.scales.end(); ++scale) {
            Scaler* scaler = scalerOf(scale->scaler);
            if (!scaler)
                continue;
            Pending more = made;
            more.event.scaler = scaler->index;
            more.event.before = scale->before;
            more.event.after = scale->after;
            more.weak = scale->weak;
            more.telling = scale->change == Change::Falls || scale->change == Change::Set;
            const bool skipsHere = falling == line.scales.end()
                                       ? scale == line.scales.begin()
                                       : scale->change == Change::Falls || scale->change == Change::Stays;
            if (scale->change == Change::Falls || (line.skipped && skipsHere)) {
                more.event.kind = Kind::Skipped;
                more.event.skipped = 1;
            } else if (scale->change == Change::Grows) {
                more.event.kind = Kind::Grown;
            }
            if (scale == line.scales.begin()) {
                more.skips = line.skips;
                more.skipsOfInterval = line.skipsOfInterval;
            }
            if (more.event.kind == Kind::Told)
                addTold(*scaler, std::move(more), line);
            else
                addChange(*scaler, std::move(more), line);
        }
        if (line.scales.empty())
            if (Scaler* scaler = scalerOf("")) {
                made.event.scaler = scaler->index;
                made.skips = line.skips;
                made.skipsOfInterval = line.skipsOfInterval;
                if (line.skipped) {
                    made.event.kind = Kind::Skipped;
                    made.event.skipped = 1;
                    addChange(*scaler, std::move(made), line);
                } else {
                    addTold(*scaler, std::move(made), line);
                }
            }
    }
    if (counts)
        words.tell(*line.step);
    if (line.bar)
        bars.tell(*line.bar);
}

void ScalerEvents::addChange(Scaler& scaler, Pending&& more, const ScalerLine& line) {
    const bool labelled = line.rank && (line.rankIsSure || *line.rank < mostUnsureRank);
    const int64_t rank = labelled ? *line.rank : scaler.lastWriter;
    if (labelled && !scaler.writers.contains(rank)) {
        if (const auto unnamed = scaler.writers.find(-1); unnamed != scaler.writers.end()) {
            scaler.writers[rank] = std::move(unnamed->second); // it wrote lines without its label, too
            scaler.writers.erase(unnamed);
        } else if (!line.rankIsSure) {
            scaler.writers[rank].next = scaler.changes.empty() ? 0 : scaler.changes.size() - 1;
        }
    }
    scaler.lastWriter = rank;
    Writer& writer = scaler.writers[rank];
    const int64_t number = more.event.line;
    const auto fill = [&](ScalerEvent& event) {
        if (event.kind == Kind::Told)
            event.kind = more.event.kind;
        event.before = event.before ? event.before : more.event.before;
        event.after = event.after ? event.after : more.event.after;
        event.step = event.step ? event.step : more.event.step;
    };
    if (writer.current && !writer.shapes.contains(line.shape) && writer.shapes.size() < mostShapes &&
        number - writer.line <= nearLines && agree(pending[*writer.current].event, more.event) &&
        agree(pending[*writer.current].bar, more.bar)) {
        fill(pending[*writer.current].event); // the same event in other words
        pending[*writer.current].telling = pending[*writer.current].telling || more.telling;
    } else if (writer.next < scaler.changes.size() &&
               sameScales(pending[scaler.changes[writer.next]].event, more.event)) {
        writer.current = scaler.changes[writer.next++]; // what another rank has written before
        writer.shapes = {line.shape};
    } else {
        writer.current = keep(std::move(more));
        scaler.changes.push_back(*writer.current);
        writer.next = scaler.changes.size();
        writer.shapes = {line.shape};
    }
    writer.shapes.insert(line.shape);
    writer.line = number;
}

void ScalerEvents::addTold(Scaler& scaler, Pending&& more, const ScalerLine& line) {
    if (line.rank && line.rankIsSure) {
        if (scaler.toldBy && *scaler.toldBy != *line.rank)
            return;
        scaler.toldBy = line.rank;
    }
    if (scaler.told) { // progress bars are drawn again and again
        Pending& last = pending[*scaler.told];
        const bool placed =
            (more.event.step && more.event.step == last.event.step) || (more.bar && more.bar == last.bar);
        if (placed && last.event.after == more.event.after && last.weak == more.weak) {
            last.skips = last.skips ? last.skips : more.skips;
            return;
        }
    }
    // Of a long log, the ends of each time in which the scale stayed.
    const bool stays = scaler.told && scaler.toldBefore && pending.size() > manyEvents &&
                       *scaler.told + 1 == pending.size() && !more.skips &&
                       more.event.after == pending[*scaler.told].event.after &&
                       more.event.after == pending[*scaler.toldBefore].event.after;
    if (stays && !pending[*scaler.told].skips) {
        pending[*scaler.told] = std::move(more);
        return;
    }
    scaler.toldBefore = scaler.told;
    scaler.told = keep(std::move(more));
}

} // namespace warplight::precision
