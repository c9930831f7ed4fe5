// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/precision/scaler_log_figures.h"

#include "core/error.h"
#include "core/labs/training/curves.h"
#include "core/text/counted.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <utility>

namespace warplight::labs::precision {
namespace {

using namespace lab;
using namespace training;
using warplight::precision::ScalerEvent;
using warplight::precision::ScalerLog;
using warplight::precision::ScalerSummary;
using Kind = ScalerEvent::Kind;

constexpr size_t colours = 8; ///< "scaler.0" to "scaler.7"

std::string titleOf(const ScalerLog& log, size_t scaler) {
    const std::string& name = log.scalers[scaler];
    return name.empty() ? "loss scale" : name.find("scale") != std::string::npos ? name : "scaler " + name;
}

bool tellsScale(const ScalerLog& log) {
    return std::any_of(log.events.begin(), log.events.end(), [](const ScalerEvent& e) { return e.before || e.after; });
}

Figure headline(const char* id, const char* title, std::optional<double> value, const char* unit, const char* format,
                std::string caption, const char* explain, Provenance provenance) {
    Metric m;
    m.value = value;
    m.unit = unit;
    m.format = format;
    m.caption = std::move(caption);
    m.provenance = provenance;
    return {id, title, "", explain, Figure::Place::Headline, std::move(m)};
}

/// Events without a step of their own stand evenly between those that tell one.
std::vector<double> spread(const ScalerLog& log) {
    std::vector<double> places(log.events.size());
    double before = 0;
    for (size_t i = 0; i < places.size();) {
        size_t end = i;
        while (end < places.size() && !log.events[end].step)
            ++end;
        const auto count = static_cast<double>(end - i);
        const double from = std::max(before, static_cast<double>(i < end ? log.events[i].afterStep.value_or(0) : 0));
        const double to = end < places.size() ? static_cast<double>(*log.events[end].step) : from + count + 1;
        for (size_t k = i; k < end; ++k)
            places[k] = from + (to - from) * static_cast<double>(k - i + 1) / (count + 1);
        if (end < places.size())
            before = places[end] = to;
        i = end + 1;
    }
    return places;
}

/// Near enough for a line to look upright, and in order behind the point before.
double justBefore(double x, double before) { return x - std::min(0.005, (x - before) / 2); }

} // namespace

ScalerLogAxis::ScalerLogAxis(const ScalerLog& log, const std::string& over) {
    if (over != "events" && placeBySteps(log)) {
        const auto told = std::count_if(log.events.begin(), log.events.end(), [](const auto& e) { return e.step; });
        if (over == "steps" || 2 * static_cast<size_t>(told) >= log.events.size()) {
            name = log.updates ? "update" : "step";
            return;
        }
    } else if (over == "steps") {
        throw InputError(fmt::format("over 'steps': the log's steps {}, expected 'events'",
                                     log.lastStep ? "go back" : "are not told"));
    }
    name = "event";
    places.resize(log.events.size());
    for (size_t i = 0; i < places.size(); ++i)
        places[i] = static_cast<double>(i + 1);
}

bool ScalerLogAxis::placeBySteps(const ScalerLog& log) {
    if (std::none_of(log.events.begin(), log.events.end(), [](const auto& e) { return e.step || e.afterStep; }))
        return false;
    places = spread(log);
    return std::is_sorted(places.begin(), places.end());
}

std::vector<Figure> logHeadlines(const ScalerLog& log) {
    const ScalerSummary all = summaryOf(log);
    std::vector<Figure> figures;
    figures.push_back(headline("skipped", "Skipped steps", static_cast<double>(all.skips), "", "{:.0f}",
                               log.skipsImplied         ? "steps skipped, one for each halving"
                               : log.scalers.size() > 1 ? fmt::format("steps skipped by {} scalers", log.scalers.size())
                                                        : "steps skipped",
                               "**Counted** in the log: lines that tell of an overflow or a skipped step, each event "
                               "once, and the numbers of skipped steps that lines tell beside the scale.",
                               Provenance::Counted));
    std::optional<double> share;
    if (log.steps && *log.steps > 0)
        share = 100 * static_cast<double>(all.skips) / static_cast<double>(*log.steps);
    figures.push_back(headline("share", "Share skipped", share, "%", "{:.3g}",
                               log.steps ? fmt::format("of {} skipped", counted(*log.steps, "step"))
                                         : "share skipped: of how many is not told",
                               "Skipped steps over the steps that the log is about, from the numbers of its first and "
                               "last.",
                               Provenance::Counted));
    figures.push_back(headline("lowest", "Lowest scale", all.lowest, "", "{:.10g}", "lowest scale",
                               "The smallest scale that the log tells.", Provenance::Measured));
    figures.push_back(headline("last", "Last scale", all.last, "", "{:.10g}", "last scale",
                               "The scale that the log tells last.", Provenance::Measured));
    return figures;
}

std::optional<Figure> logScaleFigure(const ScalerLog& log, const ScalerLogAxis& axis, const Run& run) {
    if (!tellsScale(log))
        return {};
    std::vector<Curve> curves(log.scalers.size());
    std::vector<std::optional<double>> now(log.scalers.size());
    Curve skipped;
    for (size_t i = 0; i < log.events.size(); ++i) {
        if (i % 4096 == 0)
            run.checkCancelled();
        const ScalerEvent& e = log.events[i];
        Curve& curve = curves[e.scaler];
        const double x = axis.at(i);
        if (e.before && e.kind != Kind::Told) { // what it was stands just before
            if (curve.x.empty()) {
                curve.x.push_back(x - 1);
                curve.y.push_back(*e.before);
            }
            curve.x.push_back(justBefore(x, curve.x.back()));
            curve.y.push_back(*e.before);
        }
        if (e.after) {
            curve.x.push_back(x);
            curve.y.push_back(*e.after);
        }
        if (const auto scale = e.before ? e.before : e.after ? e.after : now[e.scaler]; e.skipped > 0 && scale) {
            skipped.x.push_back(e.before ? justBefore(x, x - 1) : x);
            skipped.y.push_back(*scale);
        }
        now[e.scaler] = e.after ? e.after : e.before ? e.before : now[e.scaler];
    }
    Series figure;
    figure.x = {axis.title(), "", Scale::Linear, {}, {}, {}, false};
    figure.y = {"loss scale", "", Scale::Log2, {}, {}, {}, false};
    for (size_t s = 0; s < curves.size(); ++s)
        if (!curves[s].x.empty())
            figure.curves.push_back(named(thinned(std::move(curves[s])), fmt::format("scaler{}", s), titleOf(log, s),
                                          fmt::format("scaler.{}", s % colours), Curve::Style::LineAndPoints,
                                          Provenance::Measured));
    if (!skipped.x.empty())
        figure.curves.push_back(
            named(thinned(std::move(skipped)), "skipped", "skipped steps", "scaler.skipped", Curve::Style::Points));
    return Figure{
        "scale",
        "Scale",
        fmt::format("over {}s, as the log tells it", axis.title()),
        "The loss scale as the log tells it (**measured** there), and where steps were skipped (**counted**). "
        "A line that tells what the scale fell to implies what it was: that stands just before.",
        Figure::Place::Main,
        std::move(figure)};
}

Figure logSkipFigure(const ScalerLog& log, const ScalerLogAxis& axis) {
    Curve sum;
    int64_t skips = 0;
    for (size_t i = 0; i < log.events.size(); ++i) {
        const double x = axis.at(i);
        if (i == 0) {
            sum.x.push_back(std::min(x - 1, 0.0));
            sum.y.push_back(0);
        }
        if (log.events[i].skipped == 1) { // that step and no other
            sum.x.push_back(justBefore(x, sum.x.back()));
            sum.y.push_back(static_cast<double>(skips));
        }
        skips += log.events[i].skipped;
        sum.x.push_back(x);
        sum.y.push_back(static_cast<double>(skips));
    }
    Series figure;
    figure.x = {axis.title(), "", Scale::Linear, {}, {}, {}, false};
    figure.y = {"skipped steps so far", "", Scale::Linear, 0.0, {}, {}, false};
    figure.curves.push_back(named(thinned(std::move(sum)), "skips", "skipped steps", "scaler.skipped"));
    return {
        "skips",
        "Skipped steps",
        "so far",
        "Steps skipped up to there, of all scalers together (**counted**). A scaler that has settled skips one now "
        "and then, when it tries a larger scale; a slope that stays is a run whose gradients overflow at any scale.",
        tellsScale(log) ? Figure::Place::Support : Figure::Place::Main,
        std::move(figure)};
}

Figure logScalerTable(const ScalerLog& log) {
    const auto cell = [](const std::optional<double>& x) { return x ? Table::Cell(*x) : Table::Cell(); };
    Table table;
    table.columns = {{"scaler", "Scaler", "", false, {}, ""},
                     {"skips", "Skipped", "", true, Provenance::Counted, ""},
                     {"first", "First scale", "", true, Provenance::Measured, "{:.10g}"},
                     {"lowest", "Lowest", "", true, Provenance::Measured, "{:.10g}"},
                     {"highest", "Highest", "", true, Provenance::Measured, "{:.10g}"},
                     {"last", "Last", "", true, Provenance::Measured, "{:.10g}"}};
    for (size_t s = 0; s < log.scalers.size(); ++s) {
        const ScalerSummary of = summaryOf(log, s);
        table.rows.push_back(
            {titleOf(log, s), of.skips, cell(of.first), cell(of.lowest), cell(of.highest), cell(of.last)});
    }
    return {"scalers", "Scalers", "", "Each scaler that the log names.", Figure::Place::Support, std::move(table)};
}

Figure logEventTable(const ScalerLog& log, int64_t rows) {
    const auto changed = [](const ScalerEvent& e) { return e.kind != Kind::Told || e.skipped > 0; };
    const auto changes = std::count_if(log.events.begin(), log.events.end(), changed);
    const bool all = changes == 0 || static_cast<int64_t>(log.events.size()) <= rows;
    const bool several = log.scalers.size() > 1;
    const auto cell = [](const std::optional<double>& x) { return x ? Table::Cell(*x) : Table::Cell(); };
    Table table;
    table.columns = {{"line", "Line", "", true, {}, ""},
                     {"step", log.updates ? "Update" : "Step", "", true, {}, ""},
                     {"scaler", "Scaler", "", false, {}, ""},
                     {"what", "What", "", false, {}, ""},
                     {"before", "Scale before", "", true, Provenance::Measured, "{:.10g}"},
                     {"after", "Scale after", "", true, Provenance::Measured, "{:.10g}"},
                     {"skipped", "Skipped", "", true, Provenance::Counted, ""}};
    if (!several)
        table.columns.erase(table.columns.begin() + 2);
    for (const ScalerEvent& e : log.events) {
        if (!all && !changed(e))
            continue;
        if (static_cast<int64_t>(table.rows.size()) == rows)
            break;
        const char* what = e.kind == Kind::Grown                        ? "grew"
                           : e.kind == Kind::Skipped && e.beforeImplied ? "skipped; the scale before is implied"
                           : e.kind == Kind::Skipped && e.before && e.before == e.after ? "skipped; the scale stays"
                           : e.kind == Kind::Skipped                                    ? "skipped"
                           : e.skipped > 0 ? "skipped since the line before"
                                           : "scale told";
        std::vector<Table::Cell> row{e.line, e.step        ? Table::Cell(*e.step)
                                             : e.afterStep ? Table::Cell(fmt::format("after {}", *e.afterStep))
                                                           : Table::Cell()};
        if (several)
            row.emplace_back(titleOf(log, e.scaler));
        row.emplace_back(std::string(what));
        row.push_back(cell(e.before));
        row.push_back(cell(e.after));
        row.emplace_back(e.skipped);
        table.rows.push_back(std::move(row));
    }
    const size_t whole = all ? log.events.size() : static_cast<size_t>(changes);
    return {"events",
            "Events",
            table.rows.size() < whole ? fmt::format("the first {} of {}", table.rows.size(), whole)
            : all                     ? ""
                                      : "where something changed",
            "What the log tells of its scalers, by line. A step \"after 100\" is that of the last line before that "
            "tells one.",
            Figure::Place::Support,
            std::move(table)};
}

} // namespace warplight::labs::precision
