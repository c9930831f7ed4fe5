// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/frame.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace warplight::lab {

/// Answers for the tiles of a lazy heat map, while its run is kept. Called on the engine's worker threads, also after
/// run() has returned; must be safe to call from one thread at a time and stop soon (Cancelled) when `cancel` is set.
class TileSource {
  public:
    virtual ~TileSource() = default;
    /// Cells of one tile, row-major: at most tileSize × tileSize of that level.
    virtual TilePut tile(int level, int64_t tileRow, int64_t tileCol, const std::atomic<bool>& cancel) = 0;
    /// What a hover shows at a level-0 cell, in lines: "P = 0.0184", "S = 10.0872".
    virtual std::vector<std::string> probe(int64_t row, int64_t col) = 0;
};

/// What an experiment sees of its run: where to put figures, whether to stop. Safe to use from several threads.
class Run {
  public:
    using Sink = std::function<void(const Frame&)>; ///< called with one frame at a time
    /// Called when the user selects a cell of a selectable heat map, a row of a table or a line of
    /// a selectable source (row = index of the line, col = pane) or a span of a selectable timeline
    /// (row = its index, col = its track); emits figures like run() does.
    using SelectionHandler = std::function<void(Run&, int64_t row, int64_t col)>;

    Run(RunId id, std::string device, Sink sink, std::shared_ptr<std::atomic<bool>> cancel);

    RunId id() const { return runId; }
    const std::string& device() const { return deviceName; } ///< "cpu"
    bool cancelled() const {
        touch();
        return cancelFlag->load(std::memory_order_relaxed);
    }
    const std::atomic<bool>* cancelToken() const { return cancelFlag.get(); } ///< for kernels
    void checkCancelled() const;                                              ///< throws Cancelled

    void put(Figure figure);                                           ///< shows or replaces a figure
    void appendPoint(std::string_view figure, const Curve& newPoints); ///< more points of one curve of a Series
    void appendRow(std::string_view figure, std::vector<Table::Cell> row);
    void appendStep(std::string_view figure, Steps::Step step);
    /// More spans of a Timeline. Many at once: each call is a frame.
    void appendSpans(std::string_view figure, std::vector<Timeline::Span> spans);
    void putTile(TilePut tile); ///< `run` is filled in
    void remove(std::string_view figure);
    void progress(double fraction, std::string text, double secondsLeft = -1);
    void log(std::string text, Log::Level level = Log::Level::Info);

    /// The settings that it was begun with, but for live ones that have been moved since.
    Settings current(const Settings& begun) const;

    /// Keep answering for a lazy or selectable figure after run() has returned.
    void serveTiles(std::string figure, std::shared_ptr<TileSource> source);
    void onSelect(std::string figure, SelectionHandler handler);

    /// Engine side: what was registered; null when the figure has none.
    std::shared_ptr<TileSource> tileSource(std::string_view figure) const;
    SelectionHandler selectionHandler(std::string_view figure) const;
    /// Engine side: live settings have other values now; they have been checked.
    void adjust(const std::map<std::string, Value>& values);
    /// Engine side: a new cancel flag for what is asked after run() has returned.
    void renewCancel(std::shared_ptr<std::atomic<bool>> cancel) { cancelFlag = std::move(cancel); }

    /// Engine side: when the experiment last looked at its cancel flag or emitted something.
    std::chrono::steady_clock::time_point lastSign() const {
        return std::chrono::steady_clock::time_point(std::chrono::steady_clock::duration(sign.load()));
    }

  private:
    void send(Frame frame);
    void touch() const {
        sign.store(std::chrono::steady_clock::now().time_since_epoch().count(), std::memory_order_relaxed);
    }

    RunId runId;
    std::string deviceName;
    Sink sink;
    std::shared_ptr<std::atomic<bool>> cancelFlag;
    mutable std::atomic<std::chrono::steady_clock::rep> sign{0};
    mutable std::mutex mutex;
    mutable std::mutex adjusting;
    std::map<std::string, Value> adjusted;
    std::map<std::string, std::shared_ptr<TileSource>, std::less<>> tileSources;
    std::map<std::string, SelectionHandler, std::less<>> selectionHandlers;
};

} // namespace warplight::lab
