// SPDX-License-Identifier: GPL-3.0-or-later
// What the lines of a log say together: which scaler is which, how many steps were skipped, and of how many.
#include "core/error.h"
#include "core/precision/scaler_events.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace warplight::precision {
namespace {

using Kind = ScalerEvent::Kind;

bool isPowerOfTwo(const std::optional<double>& x) {
    int exponent = 0;
    return !x || (*x > 0 && std::frexp(*x, &exponent) == 0.5);
}

} // namespace

/// What is called "scale" and no more counts where the log has no better, and the values are those of a loss scale.
void ScalerEvents::dropWeak() {
    const auto scale = [](const Pending& p) { return p.event.before || p.event.after; };
    const bool strong =
        std::any_of(pending.begin(), pending.end(), [&](const Pending& p) { return !p.weak && scale(p); });
    const bool likely = std::all_of(pending.begin(), pending.end(), [](const Pending& p) {
        return !p.weak || (isPowerOfTwo(p.event.before) && isPowerOfTwo(p.event.after));
    });
    if (strong || !likely)
        std::erase_if(pending, [](const Pending& p) { return p.weak; });
}

/// Where one scaler has a name and other lines give none, they are of the same. Scalers without events are left out.
void ScalerEvents::nameTheUnnamed(ScalerLog& log) {
    std::vector<std::optional<size_t>> places(names.size());
    std::vector<bool> used(names.size());
    for (const Pending& p : pending)
        used[p.event.scaler] = true;
    const auto named = static_cast<size_t>(std::count(used.begin(), used.end(), true));
    const auto unnamed = std::find(names.begin(), names.end(), "");
    if (named == 2 && unnamed != names.end() && used[static_cast<size_t>(unnamed - names.begin())]) {
        for (size_t i = 0; i < names.size(); ++i)
            if (used[i] && !names[i].empty())
                log.scalers = {names[i]};
        std::fill(places.begin(), places.end(), size_t{0});
    } else {
        for (size_t i = 0; i < names.size(); ++i)
            if (used[i]) {
                places[i] = log.scalers.size();
                log.scalers.push_back(names[i]);
            }
    }
    for (Pending& p : pending)
        p.event.scaler = *places[p.event.scaler];
}

/// Counts that never fall are of all steps so far, unless they say otherwise; others are of an interval.
void ScalerEvents::countSkips() {
    double last = 0;
    bool total = true;
    for (const Pending& p : pending)
        if (p.skips && !p.skipsOfInterval) {
            total = total && *p.skips >= last;
            last = *p.skips;
        }
    // A log that begins in the middle of a run does not say when the first of them were skipped.
    const bool middle = words.first && words.second && *words.first > 2 * (*words.second - *words.first);
    double since = 0, counted = 0;
    std::optional<double> before;
    for (Pending& p : pending) {
        since += static_cast<double>(p.event.skipped);
        counted += static_cast<double>(p.event.skipped);
        if (!p.skips)
            continue;
        double more = 0;
        if (p.skipsOfInterval || !total) {
            more = *p.skips - since;
        } else {
            before = before.value_or(middle ? std::max(0.0, *p.skips - counted) : 0);
            more = *p.skips - *before - counted;
        }
        more = std::max(more, 0.0);
        p.event.skipped += static_cast<int64_t>(more);
        counted += more;
        since = 0;
    }
    std::erase_if(pending, [](const Pending& p) {
        return p.event.kind == Kind::Told && p.event.skipped == 0 && !p.event.after && !p.event.before;
    });
}

/// A scale that falls does so because a step was skipped, unless a checkpoint was loaded in between.
void ScalerEvents::implySkips(ScalerLog& log) {
    if (tellsSkips)
        return;
    std::vector<std::optional<double>> now(log.scalers.size());
    std::optional<int64_t> step;
    for (Pending& p : pending) {
        const bool restart = step && p.event.step && *p.event.step < *step;
        step = p.event.step ? p.event.step : step;
        std::optional<double>& current = now[p.event.scaler];
        const double after = p.event.after.value_or(0);
        if (p.event.kind == Kind::Told && !restart && current && after > 0 && after < *current) {
            p.event.skipped = std::max<int64_t>(1, std::llround(std::log2(*current / after)));
            log.skipsImplied = true;
        }
        current = p.event.after ? p.event.after : current;
    }
}

void ScalerEvents::chooseSteps(ScalerLog& log) {
    const bool byWords = std::any_of(pending.begin(), pending.end(), [](const Pending& p) { return p.event.step; });
    const bool byBars = !byWords && (!words.last || std::any_of(pending.begin(), pending.end(),
                                                                [](const Pending& p) { return p.bar; }));
    bool ofInterval = false;
    int64_t skips = 0;
    for (Pending& p : pending) {
        if (byBars) {
            p.event.step = p.bar;
            p.event.afterStep = p.afterBar;
        }
        if (p.event.step)
            p.event.afterStep = {};
        ofInterval = ofInterval || p.skipsOfInterval;
        skips += p.event.skipped;
    }
    const Counter& counter = byBars ? bars : words;
    log.firstStep = counter.first;
    log.lastStep = counter.last;
    log.stepsGoBack = counter.back;
    log.updates = updates && !byBars;
    if (!counter.second || counter.back || !plainSteps)
        return;
    const int64_t interval = *counter.second - *counter.first;
    const int64_t told = *counter.first <= interval ? *counter.last + (*counter.first == 0)
                                                    : *counter.last - *counter.first + (ofInterval ? interval : 1);
    const int64_t steps = told + (log.updates ? skips : 0);
    if (steps >= skips)
        log.steps = steps;
}

ScalerLog ScalerEvents::finish(const std::string& name) {
    dropWeak();
    countSkips();
    const bool changes = std::any_of(pending.begin(), pending.end(), [](const Pending& p) {
        return p.event.kind != Kind::Told || p.event.skipped > 0;
    });
    const bool setting = pending.size() == 1 && !changes && !pending[0].event.step && !pending[0].bar;
    if (pending.empty() || setting) // one scale without a step stands in a configuration
        throw InputError(fmt::format("{}: tells nothing of a loss scaler, expected lines such as \"Gradient overflow.  "
                                     "Skipping step, loss scaler 0 reducing loss scale to 32768.0\", or metrics with "
                                     "\"loss scale: 65536.0\"",
                                     name));
    ScalerLog log;
    nameTheUnnamed(log);
    implySkips(log);
    chooseSteps(log);
    std::vector<std::optional<double>> now(log.scalers.size()); // the scale of each
    for (Pending& p : pending) {
        ScalerEvent& e = p.event;
        std::optional<double>& current = now[e.scaler];
        if (e.kind == Kind::Skipped && p.telling && !e.before && e.after && *e.after > 0) {
            const bool known = current && *current > *e.after;
            e.before = known ? *current : 2 * *e.after;
            e.beforeImplied = !known;
        }
        current = e.after ? e.after : e.before ? e.before : current;
        log.events.push_back(e);
    }
    if (tooMany)
        log.warnings.push_back(
            fmt::format("The log tells more than {} things of its scalers: the rest is left out.", mostScalerEvents));
    if (tooManyScalers)
        log.warnings.push_back(
            fmt::format("The log names more than {} scalers: the others are left out.", mostScalers));
    return log;
}

} // namespace warplight::precision
