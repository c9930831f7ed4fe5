// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/provenance.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace warplight::lab {

/// How numbers become positions (axes) or colours (heat maps).
enum class Scale { Linear, Log10, Log2 };

struct Axis {
    std::string title;
    std::string unit;
    Scale scale = Scale::Linear;
    std::optional<double> minimum, maximum; ///< fixed range; unset = fit the data
    std::vector<std::string> labels;        ///< for integer positions 0..n-1: category or token names; may be empty
    bool reversed = false;                  ///< grows downwards or to the left
    bool operator==(const Axis&) const = default;
};

/// Points on shared axes: one implementation, one theory line, one ceiling.
struct Curve {
    /// Bars stand on those of the curves before them.
    enum class Style { LineAndPoints, Line, Points, Bars };
    std::string id;
    std::string label;     ///< empty: the curve goes with that whose id stands before the dot in its own
    std::string colourKey; ///< what the colour stands for ("flash"): the same key has the same colour on every page
    Provenance provenance = Provenance::Measured;
    Style style = Style::LineAndPoints;
    std::vector<double> x, y;
    std::vector<double> low, high;      ///< dispersion bars, absolute values; empty or one per point
    std::vector<std::string> pointText; ///< shown on hover; empty or one per point
    std::string device{};               ///< what it was measured on, where that is not the run's device
    bool operator==(const Curve&) const = default;
};

struct Series {
    Axis x, y;
    std::vector<Curve> curves;
    std::string dispersion; ///< what the bars mean: "10th to 90th percentile"
    bool operator==(const Series&) const = default;
};

/// A matrix as colours. Either all cells are here, or the figure is lazy and the view asks for the tiles it shows.
struct Heatmap {
    enum class Palette { Viridis, Diverging };
    Axis x, y; ///< x over columns, y over rows (row 0 on top)
    std::string valueTitle, valueUnit;
    Scale valueScale = Scale::Linear;
    std::optional<double> valueMinimum, valueMaximum;
    Palette palette = Palette::Viridis;
    int64_t rows = 0, cols = 0; ///< of level 0
    std::vector<float> cells;   ///< [rows, cols] of level 0 when not lazy; NaN = no value, ±inf = drawn as such
    bool lazy = false;
    int tileSize = 256;      ///< lazy: edge of a tile in cells of its level
    int levels = 1;          ///< lazy: level l has ceil(rows / 2^l) × ceil(cols / 2^l) cells
    std::string pooling;     ///< lazy: how coarse cells stand for finer ones: "max" or "mean"
    bool selectable = false; ///< a click on a cell sends a selection to the engine
    bool operator==(const Heatmap&) const = default;
};

/// Counts over bins, one set per compared thing.
struct Histogram {
    struct Set {
        std::string id, label, colourKey;
        Provenance provenance = Provenance::Counted;
        std::vector<double> counts; ///< one per bin
        bool operator==(const Set&) const = default;
    };
    Axis x, y;
    std::vector<double> edges; ///< bins + 1, ascending
    std::vector<Set> sets;
    bool operator==(const Histogram&) const = default;
};

/// Go somewhere: another experiment with these settings (values as command-line text) filled in.
struct Link {
    std::string title; ///< "Open the worst row in Map"
    std::string experiment;
    std::map<std::string, std::string> settings;
    bool operator==(const Link&) const = default;
};

struct Table {
    struct Column {
        std::string id, title, unit;
        bool numeric = true;
        std::optional<Provenance> provenance; ///< of every number in the column; unset for labels and inputs
        std::string format;                   ///< fmt specification of how to show a number: "{:.3g}"; empty = shortest
        bool operator==(const Column&) const = default;
    };
    using Cell = std::variant<std::monostate, int64_t, double, std::string>; ///< monostate = no value
    std::vector<Column> columns;
    std::vector<std::vector<Cell>> rows;
    std::map<int64_t, Link> rowLinks; ///< by row index
    bool operator==(const Table&) const = default;
};

/// One number worth a headline.
struct Metric {
    std::optional<double> value; ///< unset = not known (yet)
    std::string unit;
    std::string format;  ///< fmt specification: "{:.2f}"; empty = three significant digits with SI prefix
    std::string caption; ///< what it is, in words: "flash over standard at 8192"
    std::optional<double> low, high;
    Provenance provenance = Provenance::Measured;
    std::optional<Link> link;
    bool operator==(const Metric&) const = default;
};

struct Note {
    std::string markdown;
    bool operator==(const Note&) const = default;
};

/// A recorded algorithm: one scene per step, to play, pause and scrub. Coordinates are in units of a grid whose origin
/// is top left; a view scales the whole canvas to its size. What has the same `id` in two neighbouring steps is the
/// same thing: where it has another place or length, it is seen moving there. No `id`: it is there or it is not.
struct Steps {
    /// Card and Marked are grounds for other cells and labels: a plain one, and one with a bright border.
    enum class CellState { Idle, Current, Done, Skipped, Highlight, Card, Marked };
    struct Cell {
        double x = 0, y = 0, width = 1, height = 1;
        std::string text; ///< inside the cell
        CellState state = CellState::Idle;
        std::optional<double> value; ///< 0..1: filled with the sequential palette instead of the state's colour
        std::string colourKey{};     ///< filled with what the key stands for instead of the state's colour
        std::string id{};
        std::string origin{}; ///< id of the cell that it has just come out of: it is seen coming from there
        double strength = 1;  ///< of the key's colour: 0 = as the ground, 1 = full
        int64_t link = -1;    ///< index into the step's links: a click goes there; negative: none
        bool operator==(const Cell&) const = default;
    };
    struct Label {
        double x = 0, y = 0;
        std::string text;
        enum class Align { Left, Centre, Right } align = Align::Left;
        bool strong = false; ///< a heading
        bool mono = false;   ///< a number: tabular figures
        std::string id{};
        bool operator==(const Label&) const = default;
    };
    struct Arrow {
        /// Track: leaves and arrives level, without a head: what goes along it is seen going. Line: has no head.
        enum class Shape { Bow, Track, Line };
        double fromX = 0, fromY = 0, toX = 0, toY = 0;
        std::string text;
        double bow = 0; ///< how far its middle lies to the left of the straight line, seen in its direction
        Shape shape = Shape::Bow;
        std::string colourKey{}; ///< empty: the accent colour
        std::string id{};
        bool operator==(const Arrow&) const = default;
    };
    /// An area with a title: a memory, a chip, a strip of tiles.
    struct Region {
        enum class Border { None, Solid, Dashed };
        double x = 0, y = 0, width = 1, height = 1;
        std::string title{}; ///< above it
        Border border = Border::Solid;
        std::string id{};
        bool operator==(const Region&) const = default;
    };
    /// Real values as a small heat map; where cells are large enough their numbers stand in them.
    struct Matrix {
        double x = 0, y = 0, width = 1, height = 1;
        int64_t rows = 0, cols = 0;
        std::vector<float> values{};                ///< [rows, cols]; NaN and infinities are drawn as such
        std::vector<uint32_t> absent{};             ///< indices of cells that have no value: drawn empty
        std::optional<double> minimum{}, maximum{}; ///< where the palette begins and ends; unset = fit the values
        Heatmap::Palette palette = Heatmap::Palette::Viridis; ///< Diverging: white at 0 of a range that is symmetric
        std::string title{};                                  ///< above it
        std::vector<std::string> rowNames{}, colNames{};      ///< left of it and above it; empty or one each
        Provenance provenance = Provenance::Measured;
        std::string id{};
        bool operator==(const Matrix&) const = default;
    };
    /// Horizontal bars, a row each, on one scale. Bars of one row may stand on each other's ends.
    struct Bars {
        struct Bar {
            int64_t row = 0;
            double from = 0;
            std::optional<double> to{}; ///< unset = no finite number, `text` says which: the row is hatched
            std::string text{};         ///< at its end; inside a bar that is one of several
            std::string colourKey{};
            Provenance provenance = Provenance::Measured;
            std::optional<double> mark{}; ///< a tick: where it stood before, a limit
            bool operator==(const Bar&) const = default;
        };
        double x = 0, y = 0, width = 1, height = 1;
        double minimum = 0, maximum = 1; ///< of the scale, at the left and the right edge
        int64_t rows = 1;
        std::vector<Bar> bars{};
        std::string title{}, unit{};
        std::vector<std::string> rowNames{}; ///< left of it; empty or one each
        std::string id{};
        bool operator==(const Bars&) const = default;
    };
    /// Numbers over positions, in a box with scales of its own; traces of one box are drawn over each other.
    struct Trace {
        enum class Style { Line, Points, Stems }; ///< Stems: a bar from 0 at each position
        double x = 0, y = 0, width = 1, height = 1;
        double left = 0, right = 1, bottom = 0, top = 1; ///< what stands at the box's edges
        std::vector<float> xs{};                         ///< empty: evenly from left to right
        std::vector<float> ys;                           ///< NaN: a gap
        Style style = Style::Line;
        std::string title{}, unit{}; ///< what it is called where the pointer rests
        std::string colourKey{};     ///< empty: muted; without a title a line of a scale
        Provenance provenance = Provenance::Measured;
        int64_t link = -1;   ///< of one that can be drawn with the mouse: index into the step's links
        std::string draws{}; ///< the setting of that link which takes what was drawn: ys, with commas between
        std::string id{};
        bool operator==(const Trace&) const = default;
    };
    struct Fact { ///< a number of this step, listed beside the scene
        std::string title, text;
        Provenance provenance = Provenance::Measured;
        bool operator==(const Fact&) const = default;
    };
    struct Step {
        // Defined once, in figure.cpp: so much is in one that each file which has them would compile for seconds.
        Step();
        Step(const Step&);
        Step(Step&&) noexcept;
        Step& operator=(const Step&);
        Step& operator=(Step&&) noexcept;
        ~Step();

        std::string caption; ///< one sentence: what happens in this step, with a number from this run
        std::vector<Cell> cells;
        std::vector<Label> labels;
        std::vector<Arrow> arrows;
        std::vector<Fact> facts;
        std::vector<Region> regions{};
        std::vector<Matrix> matrices{};
        std::vector<Bars> bars{};
        std::vector<Trace> traces{};
        std::vector<Link> links{};
        bool operator==(const Step&) const = default;
    };
    double width = 10, height = 10; ///< of the canvas
    std::vector<Step> steps;
    bool stretches = false; ///< the canvas takes the shape of the view; otherwise a unit is as wide as it is high
    int64_t opensAt = 0;    ///< the step that a view shows first
    double stepTime = 0;    ///< s a step when it is played; 0: time to read its sentence
    Step always{};          ///< drawn under every step: what does not change
    bool operator==(const Steps&) const = default;
};

/// Lines of code with counters beside them: one pane, or two that belong together (CUDA C++ and the PTX made of it).
struct Source {
    struct Counter {
        std::string id, title, unit;
        Provenance provenance = Provenance::Counted;
        std::string format; ///< as of a Metric
        bool operator==(const Counter&) const = default;
    };
    /// How much a remark matters; None = the line has no mark.
    enum class Severity { None, Good, Note, Warning, Error };
    struct Line {
        int64_t number = 0; ///< as the file counts it; lines may be left out between two
        std::string text;
        std::vector<std::optional<double>> counts; ///< one per counter of the pane, or empty; unset = not counted here
        std::vector<int64_t> partners;             ///< indices of the other pane's lines that belong to this one
        std::string remark;                        ///< a finding in words; empty = none
        Severity severity = Severity::None;
        bool operator==(const Line&) const = default;
    };
    enum class Language { Plain, Cpp, Ptx };
    struct Pane {
        std::string id, title; ///< "flash.cu"
        std::vector<Counter> counters;
        std::vector<Line> lines;
        Language language = Language::Plain; ///< decides how words are coloured
        bool operator==(const Pane&) const = default;
    };
    std::vector<Pane> panes; ///< at most two, side by side
    bool selectable = false; ///< a click on a line sends a selection to the engine: row = index of the line, col = pane
    bool operator==(const Source&) const = default;
};

/// What went on when: tracks (threads, streams, multiprocessors) of spans. Spans of a track may overlap.
struct Timeline {
    struct Track {
        std::string id, title;
        std::string group; ///< tracks of one group stand under its name; empty = no heading
        bool operator==(const Track&) const = default;
    };
    struct Span {
        int64_t track = 0; ///< index into tracks
        double begin = 0, end = 0;
        std::string text;      ///< inside the span where there is room
        std::string colourKey; ///< what the colour stands for ("load"), also its name in the legend
        Provenance provenance = Provenance::Measured;
        std::string detail; ///< shown on hover
        bool operator==(const Span&) const = default;
    };
    Axis x; ///< time; the unit is "s" or "clock"
    std::vector<Track> tracks;
    std::vector<Span> spans; ///< in any order
    bool selectable = false; ///< a click on a span sends a selection to the engine: row = its index, col = its track
    bool operator==(const Timeline&) const = default;
};

/// What a figure shows. Copies, moves and what else needs to know every kind are compiled once, in figure.cpp.
class Content : public std::variant<Series, Heatmap, Histogram, Table, Metric, Note, Steps, Source, Timeline> {
  public:
    Content();
    Content(Series);
    Content(Heatmap);
    Content(Histogram);
    Content(Table);
    Content(Metric);
    Content(Note);
    Content(Steps);
    Content(Source);
    Content(Timeline);
    Content(const Content&);
    Content(Content&&) noexcept;
    Content& operator=(const Content&);
    Content& operator=(Content&&) noexcept;
    ~Content();
    bool operator==(const Content&) const;
};

/// One titled picture or number of a run.
struct Figure {
    /// Where a page puts it: headline numbers on top, the main figure large, supporting ones below,
    /// details of a selection beside them.
    enum class Place { Headline, Main, Support, Detail };

    std::string id;       ///< unique in its run: "time"
    std::string title;    ///< "Time"
    std::string subtitle; ///< "ms, median with 10–90 %"
    std::string explain;  ///< Markdown: what is drawn, which formula, where the numbers come from
    Place place = Place::Support;
    Content content;
    bool operator==(const Figure&) const = default;
};

/// "series", "heatmap", "histogram", "table", "metric", "note", "steps", "source", "timeline"
std::string_view kindName(const Figure& figure);

} // namespace warplight::lab
