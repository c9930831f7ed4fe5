// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"

#include <array>
#include <string_view>
#include <type_traits>

/// The part of json_members.h that scenes are written and read by.
namespace warplight::lab::vocabulary {

template <class Enum>
struct EnumNames;
template <>
struct EnumNames<Steps::CellState> {
    static constexpr std::array<std::string_view, 7> names = {"idle",      "current", "done",  "skipped",
                                                              "highlight", "card",    "marked"};
};
template <>
struct EnumNames<Steps::Label::Align> {
    static constexpr std::array<std::string_view, 3> names = {"left", "centre", "right"};
};
template <>
struct EnumNames<Steps::Arrow::Shape> {
    static constexpr std::array<std::string_view, 3> names = {"bow", "track", "line"};
};
template <>
struct EnumNames<Steps::Region::Border> {
    static constexpr std::array<std::string_view, 3> names = {"none", "solid", "dashed"};
};
template <>
struct EnumNames<Steps::Trace::Style> {
    static constexpr std::array<std::string_view, 3> names = {"line", "points", "stems"};
};

void members(auto& v, std::type_identity<Steps::Cell>) {
    v.need("x", &Steps::Cell::x);
    v.need("y", &Steps::Cell::y);
    v.may("width", &Steps::Cell::width);
    v.may("height", &Steps::Cell::height);
    v.may("text", &Steps::Cell::text);
    v.may("state", &Steps::Cell::state);
    v.may("value", &Steps::Cell::value);
    v.may("colourKey", &Steps::Cell::colourKey);
    v.may("id", &Steps::Cell::id);
    v.may("origin", &Steps::Cell::origin);
    v.may("strength", &Steps::Cell::strength);
    v.may("link", &Steps::Cell::link);
}

void members(auto& v, std::type_identity<Steps::Label>) {
    v.need("x", &Steps::Label::x);
    v.need("y", &Steps::Label::y);
    v.need("text", &Steps::Label::text);
    v.may("align", &Steps::Label::align);
    v.may("strong", &Steps::Label::strong);
    v.may("mono", &Steps::Label::mono);
    v.may("id", &Steps::Label::id);
}

void members(auto& v, std::type_identity<Steps::Arrow>) {
    v.need("fromX", &Steps::Arrow::fromX);
    v.need("fromY", &Steps::Arrow::fromY);
    v.need("toX", &Steps::Arrow::toX);
    v.need("toY", &Steps::Arrow::toY);
    v.may("text", &Steps::Arrow::text);
    v.may("bow", &Steps::Arrow::bow);
    v.may("shape", &Steps::Arrow::shape);
    v.may("colourKey", &Steps::Arrow::colourKey);
    v.may("id", &Steps::Arrow::id);
}

void members(auto& v, std::type_identity<Steps::Region>) {
    v.need("x", &Steps::Region::x);
    v.need("y", &Steps::Region::y);
    v.may("width", &Steps::Region::width);
    v.may("height", &Steps::Region::height);
    v.may("title", &Steps::Region::title);
    v.may("border", &Steps::Region::border);
    v.may("id", &Steps::Region::id);
}

void members(auto& v, std::type_identity<Steps::Matrix>) {
    v.need("x", &Steps::Matrix::x);
    v.need("y", &Steps::Matrix::y);
    v.may("width", &Steps::Matrix::width);
    v.may("height", &Steps::Matrix::height);
    v.need("rows", &Steps::Matrix::rows);
    v.need("cols", &Steps::Matrix::cols);
    v.need("values", &Steps::Matrix::values);
    v.may("absent", &Steps::Matrix::absent);
    v.may("minimum", &Steps::Matrix::minimum);
    v.may("maximum", &Steps::Matrix::maximum);
    v.may("palette", &Steps::Matrix::palette);
    v.may("title", &Steps::Matrix::title);
    v.may("rowNames", &Steps::Matrix::rowNames);
    v.may("colNames", &Steps::Matrix::colNames);
    v.need("provenance", &Steps::Matrix::provenance);
    v.may("id", &Steps::Matrix::id);
}

void members(auto& v, std::type_identity<Steps::Bars::Bar>) {
    v.may("row", &Steps::Bars::Bar::row);
    v.may("from", &Steps::Bars::Bar::from);
    v.may("to", &Steps::Bars::Bar::to);
    v.may("text", &Steps::Bars::Bar::text);
    v.may("colourKey", &Steps::Bars::Bar::colourKey);
    v.need("provenance", &Steps::Bars::Bar::provenance);
    v.may("mark", &Steps::Bars::Bar::mark);
}

void members(auto& v, std::type_identity<Steps::Bars>) {
    v.need("x", &Steps::Bars::x);
    v.need("y", &Steps::Bars::y);
    v.may("width", &Steps::Bars::width);
    v.may("height", &Steps::Bars::height);
    v.may("minimum", &Steps::Bars::minimum);
    v.may("maximum", &Steps::Bars::maximum);
    v.may("rows", &Steps::Bars::rows);
    v.need("bars", &Steps::Bars::bars);
    v.may("title", &Steps::Bars::title);
    v.may("unit", &Steps::Bars::unit);
    v.may("rowNames", &Steps::Bars::rowNames);
    v.may("id", &Steps::Bars::id);
}

void members(auto& v, std::type_identity<Steps::Trace>) {
    v.need("x", &Steps::Trace::x);
    v.need("y", &Steps::Trace::y);
    v.may("width", &Steps::Trace::width);
    v.may("height", &Steps::Trace::height);
    v.may("left", &Steps::Trace::left);
    v.may("right", &Steps::Trace::right);
    v.may("bottom", &Steps::Trace::bottom);
    v.may("top", &Steps::Trace::top);
    v.may("xs", &Steps::Trace::xs);
    v.need("ys", &Steps::Trace::ys);
    v.may("style", &Steps::Trace::style);
    v.may("title", &Steps::Trace::title);
    v.may("unit", &Steps::Trace::unit);
    v.may("colourKey", &Steps::Trace::colourKey);
    v.need("provenance", &Steps::Trace::provenance);
    v.may("link", &Steps::Trace::link);
    v.may("draws", &Steps::Trace::draws);
    v.may("id", &Steps::Trace::id);
}

void members(auto& v, std::type_identity<Steps::Fact>) {
    v.need("title", &Steps::Fact::title);
    v.need("text", &Steps::Fact::text);
    v.need("provenance", &Steps::Fact::provenance);
}

void members(auto& v, std::type_identity<Steps::Step>) {
    v.may("caption", &Steps::Step::caption);
    v.may("cells", &Steps::Step::cells);
    v.may("labels", &Steps::Step::labels);
    v.may("arrows", &Steps::Step::arrows);
    v.may("facts", &Steps::Step::facts);
    v.may("regions", &Steps::Step::regions);
    v.may("matrices", &Steps::Step::matrices);
    v.may("bars", &Steps::Step::bars);
    v.may("traces", &Steps::Step::traces);
    v.may("links", &Steps::Step::links);
}

void members(auto& v, std::type_identity<Steps>) {
    v.need("width", &Steps::width);
    v.need("height", &Steps::height);
    v.may("stretches", &Steps::stretches);
    v.may("opensAt", &Steps::opensAt);
    v.may("stepTime", &Steps::stepTime);
    v.may("always", &Steps::always);
    v.need("steps", &Steps::steps);
}

} // namespace warplight::lab::vocabulary
