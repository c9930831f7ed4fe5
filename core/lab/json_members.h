// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/experiment.h"
#include "core/lab/frame.h"
#include "core/lab/json_scene_members.h"
#include "core/lab/span_columns.h"

#include <array>
#include <string_view>
#include <type_traits>
#include <variant>

/// The members of every type of the vocabulary, once: the writer and the reader both walk these lists, so that they
/// cannot drift apart. `need` is always there, `may` is left out when it equals its default.
namespace warplight::lab::vocabulary {

template <>
struct EnumNames<Provenance> {
    static constexpr std::array<std::string_view, 4> names = {"measured", "counted", "modelled", "reference"};
};
template <>
struct EnumNames<Scale> {
    static constexpr std::array<std::string_view, 3> names = {"linear", "log10", "log2"};
};
template <>
struct EnumNames<Curve::Style> {
    static constexpr std::array<std::string_view, 4> names = {"lineAndPoints", "line", "points", "bars"};
};
template <>
struct EnumNames<Heatmap::Palette> {
    static constexpr std::array<std::string_view, 2> names = {"viridis", "diverging"};
};
template <>
struct EnumNames<Source::Severity> {
    static constexpr std::array<std::string_view, 5> names = {"none", "good", "note", "warning", "error"};
};
template <>
struct EnumNames<Source::Language> {
    static constexpr std::array<std::string_view, 3> names = {"plain", "cpp", "ptx"};
};
template <>
struct EnumNames<Figure::Place> {
    static constexpr std::array<std::string_view, 4> names = {"headline", "main", "support", "detail"};
};
template <>
struct EnumNames<Log::Level> {
    static constexpr std::array<std::string_view, 2> names = {"info", "warning"};
};
template <>
struct EnumNames<RunEnded::Outcome> {
    static constexpr std::array<std::string_view, 3> names = {"finished", "cancelled", "failed"};
};
template <>
struct EnumNames<Parameter::Type> {
    static constexpr std::array<std::string_view, 8> names = {"integer", "real", "flag", "choice",
                                                              "choices", "file", "text", "sweep"};
};

void members(auto& v, std::type_identity<Axis>) {
    v.may("title", &Axis::title);
    v.may("unit", &Axis::unit);
    v.may("scale", &Axis::scale);
    v.may("minimum", &Axis::minimum);
    v.may("maximum", &Axis::maximum);
    v.may("labels", &Axis::labels);
    v.may("reversed", &Axis::reversed);
}

void members(auto& v, std::type_identity<Curve>) {
    v.need("id", &Curve::id);
    v.may("label", &Curve::label);
    v.may("colourKey", &Curve::colourKey);
    v.need("provenance", &Curve::provenance);
    v.may("style", &Curve::style);
    v.need("x", &Curve::x);
    v.need("y", &Curve::y);
    v.may("low", &Curve::low);
    v.may("high", &Curve::high);
    v.may("pointText", &Curve::pointText);
    v.may("device", &Curve::device);
}

void members(auto& v, std::type_identity<Series>) {
    v.need("x", &Series::x);
    v.need("y", &Series::y);
    v.need("curves", &Series::curves);
    v.may("dispersion", &Series::dispersion);
}

void members(auto& v, std::type_identity<Heatmap>) {
    v.need("x", &Heatmap::x);
    v.need("y", &Heatmap::y);
    v.may("valueTitle", &Heatmap::valueTitle);
    v.may("valueUnit", &Heatmap::valueUnit);
    v.may("valueScale", &Heatmap::valueScale);
    v.may("valueMinimum", &Heatmap::valueMinimum);
    v.may("valueMaximum", &Heatmap::valueMaximum);
    v.may("palette", &Heatmap::palette);
    v.need("rows", &Heatmap::rows);
    v.need("cols", &Heatmap::cols);
    v.may("cells", &Heatmap::cells);
    v.may("lazy", &Heatmap::lazy);
    v.may("tileSize", &Heatmap::tileSize);
    v.may("levels", &Heatmap::levels);
    v.may("pooling", &Heatmap::pooling);
    v.may("selectable", &Heatmap::selectable);
}

void members(auto& v, std::type_identity<Histogram::Set>) {
    v.need("id", &Histogram::Set::id);
    v.may("label", &Histogram::Set::label);
    v.may("colourKey", &Histogram::Set::colourKey);
    v.need("provenance", &Histogram::Set::provenance);
    v.need("counts", &Histogram::Set::counts);
}

void members(auto& v, std::type_identity<Histogram>) {
    v.need("x", &Histogram::x);
    v.need("y", &Histogram::y);
    v.need("edges", &Histogram::edges);
    v.need("sets", &Histogram::sets);
}

void members(auto& v, std::type_identity<Link>) {
    v.need("title", &Link::title);
    v.need("experiment", &Link::experiment);
    v.may("settings", &Link::settings);
}

void members(auto& v, std::type_identity<Table::Column>) {
    v.need("id", &Table::Column::id);
    v.may("title", &Table::Column::title);
    v.may("unit", &Table::Column::unit);
    v.may("numeric", &Table::Column::numeric);
    v.may("provenance", &Table::Column::provenance);
    v.may("format", &Table::Column::format);
}

void members(auto& v, std::type_identity<Table>) {
    v.need("columns", &Table::columns);
    v.need("rows", &Table::rows);
    v.may("rowLinks", &Table::rowLinks);
}

void members(auto& v, std::type_identity<Metric>) {
    v.may("value", &Metric::value);
    v.may("unit", &Metric::unit);
    v.may("format", &Metric::format);
    v.may("caption", &Metric::caption);
    v.may("low", &Metric::low);
    v.may("high", &Metric::high);
    v.need("provenance", &Metric::provenance);
    v.may("link", &Metric::link);
}

void members(auto& v, std::type_identity<Note>) { v.need("markdown", &Note::markdown); }

void members(auto& v, std::type_identity<Source::Counter>) {
    v.need("id", &Source::Counter::id);
    v.may("title", &Source::Counter::title);
    v.may("unit", &Source::Counter::unit);
    v.need("provenance", &Source::Counter::provenance);
    v.may("format", &Source::Counter::format);
}

void members(auto& v, std::type_identity<Source::Line>) {
    v.need("number", &Source::Line::number);
    v.need("text", &Source::Line::text);
    v.may("counts", &Source::Line::counts);
    v.may("partners", &Source::Line::partners);
    v.may("remark", &Source::Line::remark);
    v.may("severity", &Source::Line::severity);
}

void members(auto& v, std::type_identity<Source::Pane>) {
    v.need("id", &Source::Pane::id);
    v.may("title", &Source::Pane::title);
    v.may("language", &Source::Pane::language);
    v.need("counters", &Source::Pane::counters);
    v.need("lines", &Source::Pane::lines);
}

void members(auto& v, std::type_identity<Source>) {
    v.need("panes", &Source::panes);
    v.may("selectable", &Source::selectable);
}

void members(auto& v, std::type_identity<Timeline::Track>) {
    v.need("id", &Timeline::Track::id);
    v.may("title", &Timeline::Track::title);
    v.may("group", &Timeline::Track::group);
}

void members(auto& v, std::type_identity<SpanColumns>) {
    v.need("track", &SpanColumns::track);
    v.need("begin", &SpanColumns::begin);
    v.need("end", &SpanColumns::end);
    v.need("text", &SpanColumns::text);
    v.need("colourKey", &SpanColumns::colourKey);
    v.need("provenance", &SpanColumns::provenance);
    v.need("detail", &SpanColumns::detail);
    v.need("words", &SpanColumns::words);
}

void members(auto& v, std::type_identity<Timeline>) {
    v.need("x", &Timeline::x);
    v.need("tracks", &Timeline::tracks);
    v.need("spans", &Timeline::spans);
    v.may("selectable", &Timeline::selectable);
}

void members(auto& v, std::type_identity<Figure>) {
    v.need("id", &Figure::id);
    v.need("title", &Figure::title);
    v.may("subtitle", &Figure::subtitle);
    v.may("explain", &Figure::explain);
    v.need("place", &Figure::place);
    v.content();
}

void members(auto& v, std::type_identity<Machine>) {
    v.may("cpu", &Machine::cpu);
    v.may("cores", &Machine::cores);
    v.may("memoryBytes", &Machine::memoryBytes);
    v.may("instructionSet", &Machine::instructionSet);
    v.may("system", &Machine::system);
    v.may("version", &Machine::version);
}

void members(auto& v, std::type_identity<RunStarted>) {
    v.need("run", &RunStarted::run);
    v.need("experiment", &RunStarted::experiment);
    v.may("title", &RunStarted::title);
    v.need("settings", &RunStarted::settings);
    v.need("device", &RunStarted::device);
    v.may("startTime", &RunStarted::startTime);
    v.need("machine", &RunStarted::machine);
    v.may("colours", &RunStarted::colours);
}

void members(auto& v, std::type_identity<FigurePut>) {
    v.need("run", &FigurePut::run);
    v.need("figure", &FigurePut::figure);
}

void members(auto& v, std::type_identity<SeriesAppended>) {
    v.need("run", &SeriesAppended::run);
    v.need("figure", &SeriesAppended::figure);
    v.need("curves", &SeriesAppended::curves);
}

void members(auto& v, std::type_identity<RowsAppended>) {
    v.need("run", &RowsAppended::run);
    v.need("figure", &RowsAppended::figure);
    v.need("rows", &RowsAppended::rows);
}

void members(auto& v, std::type_identity<StepsAppended>) {
    v.need("run", &StepsAppended::run);
    v.need("figure", &StepsAppended::figure);
    v.need("steps", &StepsAppended::steps);
}

void members(auto& v, std::type_identity<SpansAppended>) {
    v.need("run", &SpansAppended::run);
    v.need("figure", &SpansAppended::figure);
    v.need("spans", &SpansAppended::spans);
}

void members(auto& v, std::type_identity<TilePut>) {
    v.need("run", &TilePut::run);
    v.need("figure", &TilePut::figure);
    v.need("level", &TilePut::level);
    v.need("tileRow", &TilePut::tileRow);
    v.need("tileCol", &TilePut::tileCol);
    v.need("rows", &TilePut::rows);
    v.need("cols", &TilePut::cols);
    v.need("cells", &TilePut::cells);
    v.may("final", &TilePut::final);
}

void members(auto& v, std::type_identity<FigureRemoved>) {
    v.need("run", &FigureRemoved::run);
    v.need("figure", &FigureRemoved::figure);
}

void members(auto& v, std::type_identity<Progress>) {
    v.need("run", &Progress::run);
    v.need("fraction", &Progress::fraction);
    v.may("text", &Progress::text);
    v.may("secondsLeft", &Progress::secondsLeft);
}

void members(auto& v, std::type_identity<Log>) {
    v.need("run", &Log::run);
    v.may("level", &Log::level);
    v.need("text", &Log::text);
}

void members(auto& v, std::type_identity<RunEnded>) {
    v.need("run", &RunEnded::run);
    v.need("outcome", &RunEnded::outcome);
    v.may("message", &RunEnded::message);
    v.need("seconds", &RunEnded::seconds);
}

void members(auto& v, std::type_identity<Parameter::Option>) {
    v.need("id", &Parameter::Option::id);
    v.may("title", &Parameter::Option::title);
    v.may("doc", &Parameter::Option::doc);
}

/// The `type` of a frame on the wire, in the order of the alternatives of Frame.
constexpr std::array<std::string_view, 11> frameTypes = {
    "runStarted", "figurePut",     "seriesAppended", "rowsAppended", "stepsAppended", "spansAppended",
    "tilePut",    "figureRemoved", "progress",       "log",          "runEnded"};
static_assert(frameTypes.size() == std::variant_size_v<Frame>);

/// The `kind` of a figure, in the order of the alternatives of its content.
constexpr std::array<std::string_view, 9> figureKinds = {"series", "heatmap", "histogram", "table",   "metric",
                                                         "note",   "steps",   "source",    "timeline"};
static_assert(figureKinds.size() == std::variant_size_v<Content::variant>);

void members(auto& v, std::type_identity<Condition>) {
    v.need("id", &Condition::id);
    v.need("values", &Condition::values);
    v.may("negated", &Condition::negated);
}

/// Without `default`, whose type follows from `type`.
void members(auto& v, std::type_identity<Parameter>) {
    v.need("id", &Parameter::id);
    v.need("title", &Parameter::title);
    v.may("unit", &Parameter::unit);
    v.may("doc", &Parameter::doc);
    v.may("group", &Parameter::group);
    v.need("type", &Parameter::type);
    v.may("minimum", &Parameter::minimum);
    v.may("maximum", &Parameter::maximum);
    v.may("sliderStep", &Parameter::sliderStep);
    v.may("powersOfTwo", &Parameter::powersOfTwo);
    v.may("multiline", &Parameter::multiline);
    v.may("advanced", &Parameter::advanced);
    v.may("live", &Parameter::live);
    v.may("options", &Parameter::options);
    v.may("fileFilter", &Parameter::fileFilter);
    v.may("shownWhen", &Parameter::shownWhen);
}

void members(auto& v, std::type_identity<Description>) {
    v.need("id", &Description::id);
    v.need("lab", &Description::lab);
    v.need("title", &Description::title);
    v.may("sentence", &Description::sentence);
    v.may("question", &Description::question);
    v.may("about", &Description::about);
    v.need("devices", &Description::devices);
    v.need("parameters", &Description::parameters);
    v.may("colours", &Description::colours);
    v.may("dropFiles", &Description::dropFiles);
}

} // namespace warplight::lab::vocabulary
