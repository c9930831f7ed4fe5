// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lab/run.h"

#include "core/error.h"
#include "core/lab/figure_checks.h"

#include <utility>

namespace warplight::lab {

Run::Run(RunId id, std::string device, Sink sink, std::shared_ptr<std::atomic<bool>> cancel)
    : runId(id), deviceName(std::move(device)), sink(std::move(sink)), cancelFlag(std::move(cancel)) {
    touch();
}

void Run::checkCancelled() const {
    if (cancelled()) {
        throw Cancelled();
    }
}

void Run::send(Frame frame) {
    touch();
    const std::lock_guard lock(mutex);
    sink(frame);
}

void Run::put(Figure figure) {
    checkFigure(figure);
    send(FigurePut{runId, std::move(figure)});
}

void Run::appendPoint(std::string_view figure, const Curve& newPoints) {
    checkCurve(newPoints);
    send(SeriesAppended{runId, std::string(figure), {newPoints}});
}

void Run::appendRow(std::string_view figure, std::vector<Table::Cell> row) {
    send(RowsAppended{runId, std::string(figure), {std::move(row)}});
}

void Run::appendStep(std::string_view figure, Steps::Step step) {
    checkSteps(figure, {&step, 1});
    send(StepsAppended{runId, std::string(figure), {std::move(step)}});
}

void Run::appendSpans(std::string_view figure, std::vector<Timeline::Span> spans) {
    checkSpans(figure, spans);
    send(SpansAppended{runId, std::string(figure), std::move(spans)});
}

void Run::putTile(TilePut tile) {
    tile.run = runId;
    checkTile(tile);
    send(std::move(tile));
}

void Run::remove(std::string_view figure) {
    {
        const std::lock_guard lock(mutex);
        tileSources.erase(std::string(figure));
        selectionHandlers.erase(std::string(figure));
    }
    send(FigureRemoved{runId, std::string(figure)});
}

void Run::progress(double fraction, std::string text, double secondsLeft) {
    send(Progress{runId, fraction, std::move(text), secondsLeft});
}

void Run::log(std::string text, Log::Level level) { send(Log{runId, level, std::move(text)}); }

Settings Run::current(const Settings& begun) const {
    const std::lock_guard lock(adjusting);
    return begun.with(adjusted);
}

void Run::adjust(const std::map<std::string, Value>& values) {
    const std::lock_guard lock(adjusting);
    for (const auto& [id, value] : values)
        adjusted[id] = value;
}

void Run::serveTiles(std::string figure, std::shared_ptr<TileSource> source) {
    const std::lock_guard lock(mutex);
    tileSources[std::move(figure)] = std::move(source);
}

void Run::onSelect(std::string figure, SelectionHandler handler) {
    const std::lock_guard lock(mutex);
    selectionHandlers[std::move(figure)] = std::move(handler);
}

std::shared_ptr<TileSource> Run::tileSource(std::string_view figure) const {
    const std::lock_guard lock(mutex);
    const auto found = tileSources.find(figure);
    return found == tileSources.end() ? nullptr : found->second;
}

Run::SelectionHandler Run::selectionHandler(std::string_view figure) const {
    const std::lock_guard lock(mutex);
    const auto found = selectionHandlers.find(figure);
    return found == selectionHandlers.end() ? nullptr : found->second;
}

} // namespace warplight::lab
