// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/frame.h"
#include "tests/core/lab/scene.h"

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace warplight::test {

/// One figure of each kind, with every member away from its default and the numbers that files get wrong.
inline std::vector<lab::Figure> everyFigure() {
    using namespace lab;
    constexpr double inf = std::numeric_limits<double>::infinity();
    Series series{{"length", "keys", Scale::Log2, 1.0, 9.0, {"a", "b"}, true},
                  {"time", "s", Scale::Log10, {}, {}, {}, false},
                  {},
                  "p10 to p90"};
    series.curves.push_back({"flash",
                             "Flash",
                             "flash",
                             Provenance::Measured,
                             Curve::Style::Points,
                             {1, 2, 3},
                             {-inf, 0.1, inf},
                             {0, 0, 0},
                             {1, 1, 1},
                             {"x", "y", "ü"}});
    series.curves.push_back({"peak", "Peak", "", Provenance::Reference, Curve::Style::Line, {}, {}, {}, {}, {}});
    Heatmap map;
    map.rows = 2;
    map.cols = 3;
    map.cells = {1, 2, 3, 4, 5, std::numeric_limits<float>::infinity()};
    map.palette = Heatmap::Palette::Diverging;
    map.valueMinimum = -1;
    map.selectable = true;
    Heatmap lazy;
    lazy.rows = lazy.cols = 131072;
    lazy.lazy = true;
    lazy.levels = 10;
    lazy.pooling = "max";
    Histogram histogram{{"log error", "", Scale::Linear, {}, {}, {}, false},
                        {"rows", "", Scale::Linear, {}, {}, {}, false},
                        {-8, -7, -6},
                        {{"a", "A", "a", Provenance::Counted, {3, 4}}}};
    Table table{{{"n", "N", "", true, Provenance::Counted, "{:.3g}"}, {"name", "Name", "", false, {}, ""}},
                {{int64_t{7}, std::string("x,\"y\"\n")}, {2.5, std::monostate{}}},
                {{1, {"go", "attention.map", {{"row", "3"}}}}}};
    Metric metric{
        2.31, "×", "{:.2f}", "flash over standard", 2.2, 2.4, Provenance::Modelled, Link{"open", "attention.race", {}}};
    Steps steps{
        12,
        8,
        {scene("first",
               {{0, 1, 2, 3, "t", Steps::CellState::Current, 0.5},
                {4, 1, 2, 3, "", Steps::CellState::Marked, {}, "rank 1", "K 1", "K", 0.5, 0}},
               {{1, 1, "l", Steps::Label::Align::Right, true, true, "label"}},
               {{0, 0, 1, 1, "a", 0.25, Steps::Arrow::Shape::Track, "tensor.K", "track"}},
               {{"max", "1.5", Provenance::Measured}}, {{1, 2, 3, 4, "chip", Steps::Region::Border::Dashed, "chip"}},
               {{5,
                 1,
                 3,
                 2,
                 2,
                 3,
                 {1, -2.5f, std::numeric_limits<float>::infinity(), 4, -std::numeric_limits<float>::infinity(), 6},
                 {5},
                 -3.0,
                 4.0,
                 Heatmap::Palette::Diverging,
                 "S",
                 {"16", "17"},
                 {"8", "9", "10"},
                 Provenance::Counted,
                 "S 2 1"}},
               {{9,
                 1,
                 2,
                 2,
                 -1,
                 8,
                 2,
                 {{0, 0, 2.5, "ü", "flash", Provenance::Counted, 1.5},
                  {0, 2.5, 4.0, "V", "tensor.V", Provenance::Modelled, {}},
                  {1, 0, {}, "−∞", "", Provenance::Measured, {}}},
                 "bytes",
                 "B",
                 {"flash2", "standard"},
                 "bytes"}},
               {{1,
                 5,
                 6,
                 2,
                 -10,
                 10,
                 -1,
                 3,
                 {-10, 0, 10},
                 {0.5f, std::numeric_limits<float>::infinity(), -0.25f},
                 Steps::Trace::Style::Stems,
                 "signal",
                 "V",
                 "flash",
                 Provenance::Counted,
                 0,
                 "drawn",
                 "signal"}},
               {{"turn it over", "precision.formats", {{"value", "2"}}}})},
        true,
        1,
        0.05,
        scene("", {{0, 0, 1, 1, "under", Steps::CellState::Idle, {}}}, {}, {}, {},
              {{0, 0, 9, 9, "memory", Steps::Region::Border::None}}, {}, {})};
    Source source;
    source.panes = {{"cu",
                     "flash.cu",
                     {{"count", "Instructions", "", Provenance::Counted, "{:.0f}"},
                      {"bytes", "Bytes", "B", Provenance::Modelled, ""}},
                     {{41, "__global__ void f(int* p, const char* \"ü\") {", {}, {}, "", Source::Severity::None},
                      {43,
                       "    p[threadIdx.x * 32] = 1; // \"x\"",
                       {96, 4096.5},
                       {1, 2},
                       "32 sectors a request",
                       Source::Severity::Warning},
                      {44, "}", {{}, 0.0}, {2}, "", Source::Severity::None}},
                     Source::Language::Cpp},
                    {"ptx",
                     "PTX",
                     {{"count", "Instructions", "", Provenance::Counted, ""}},
                     {{10, ".visible .entry f(", {}, {}, "", Source::Severity::None},
                      {11, "st.global.u32 [%rd1], 1;", {64}, {1}, "uncoalesced", Source::Severity::Error},
                      {12, "ret;", {32}, {1, 2}, "", Source::Severity::Good}},
                     Source::Language::Ptx}};
    source.selectable = true;
    Timeline timeline;
    timeline.x = {"time", "clock", Scale::Linear, 0.0, {}, {}, false};
    timeline.tracks = {{"sm0", "SM 0", "GPU"}, {"sm1", "SM 1", "GPU"}, {"host", "Host", ""}};
    timeline.spans = {{0, 0, 100, "block 0", "load", Provenance::Modelled, "block 0: 100 clocks"},
                      {0, 50, 120, "block 2, ü", "compute", Provenance::Modelled, ""},
                      {2, -3.5, 200.25, "launch", "", Provenance::Measured, "on the \"host\""}};
    timeline.selectable = true;
    const auto figure = [](const char* id, auto content) {
        return Figure{id, id, "sub", "*why*", Figure::Place::Main, std::move(content)};
    };
    return {figure("series", series),       figure("map", map),     figure("lazy", lazy),
            figure("histogram", histogram), figure("table", table), figure("metric", metric),
            figure("note", Note{"# hi"}),   figure("steps", steps), figure("source", source),
            figure("timeline", timeline)};
}

/// A short run with one of everything.
inline std::vector<lab::Frame> everyFrame() {
    using namespace lab;
    std::vector<Frame> frames;
    frames.push_back(RunStarted{5,
                                "test.ramp",
                                "Ramp",
                                {{"n", int64_t{3}},
                                 {"x", 0.5},
                                 {"flag", true},
                                 {"t", std::string("é")},
                                 {"s", std::vector<int64_t>{1, 2}},
                                 {"c", std::vector<std::string>{"a"}}},
                                "cpu",
                                "2026-01-02T03:04:05Z",
                                {"CPU", 2, 1 << 30, "AVX3", "Debian", "0.1"}});
    for (const Figure& figure : everyFigure())
        frames.push_back(FigurePut{5, figure});
    frames.push_back(SeriesAppended{
        5, "series", {{"peak", "Peak", "", Provenance::Reference, Curve::Style::Line, {4}, {5}, {}, {}, {}}}});
    frames.push_back(RowsAppended{5, "table", {{int64_t{1}, std::string("z")}}});
    frames.push_back(StepsAppended{5, "steps", {scene("second")}});
    frames.push_back(SpansAppended{5, "timeline", {{1, 10, 20, "block 1", "load", Provenance::Counted, "block 1"}}});
    frames.push_back(TilePut{5, "lazy", 9, 0, 0, 2, 2, {1, 2, 3, 4}, true});
    frames.push_back(Progress{5, 0.5, "half", 3});
    frames.push_back(Log{5, Log::Level::Warning, "careful"});
    frames.push_back(FigureRemoved{5, "note"});
    frames.push_back(RunEnded{5, RunEnded::Outcome::Cancelled, "", 1.25});
    return frames;
}

} // namespace warplight::test
