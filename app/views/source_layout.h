// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/views/source_compare.h"
#include "core/lab/figure.h"

#include <QColor>
#include <QHash>
#include <QRectF>
#include <QString>
#include <cstdint>
#include <optional>

#include <vector>

class QPainter;

namespace warplight::app {

/// A pane as a view holds it: what drawing a line asks for again and again is worked out once.
struct PaneData {
    lab::Source::Pane pane;
    std::vector<bool> inComment;      ///< per line: it begins inside a block comment
    std::vector<double> maxima;       ///< per counter: the most of any line, at least 0
    std::vector<double> scales;       ///< per counter: what the longest bar stands for, also among the pinned run's
    std::vector<int> hottest;         ///< per counter: the line with the most, -1 if none has any
    std::vector<int> colours;         ///< per counter: index into the palette, the same for one id in both panes
    qsizetype longest = 0;            ///< columns of the longest line
    int64_t remarks = 0;              ///< lines that have one
    std::optional<PinnedPane> pinned; ///< another run's, drawn over this one

    static PaneData of(lab::Source::Pane pane, QHash<QString, int>& colours);

    int lineCount() const { return static_cast<int>(pane.lines.size()); }
    const lab::Source::Line& line(int index) const { return pane.lines[static_cast<size_t>(index)]; }
    QString text(int index) const; ///< tabs as spaces
    std::optional<double> count(int line, int counter) const;
    QString countText(int line, int counter) const; ///< "4.0 KiB"
    /// Lines with some of the counter, those with the most first.
    std::vector<int> ranking(int counter) const;
    int nextRemark(int from, int step) const; ///< -1: there is none
    int gravestRemark() const;                ///< the first line with one of the highest severity, -1: there is none
    void pin(std::optional<PinnedPane> other);
    bool isCompared() const { return pinned && !pinned->isOther(); }
    std::optional<double> pinnedCount(int line, int counter) const; ///< of the line that this one was
    QString ratioText(int line, int counter) const; ///< "1.20×" of the pinned run's, "=", "new"; empty: no comparison
};

/// Where things stand in a pane of a width: mark, number, text, then a column per counter, numbers of the current one.
struct SourceLayout {
    double rowHeight, headHeight, charWidth;
    double textLeft, textRight;
    struct Column {
        int counter;
        double left, width;
    };
    std::vector<Column> columns;                ///< those that fit; the current one always does if any
    double numberLeft, numberWidth, ratioWidth; ///< the ratio to a pinned run stands right of the number

    static SourceLayout of(const PaneData& data, double width, int currentCounter);
    int textColumns() const { return static_cast<int>((textRight - textLeft) / charWidth); }
};

/// What is marked in a pane while it is drawn.
struct SourceMarks {
    int current = -1, anchor = -1, hover = -1; ///< lines; the selection goes from anchor to current
    int counter = 0;
    qsizetype firstColumn = 0; ///< of the text, scrolled horizontally
    std::vector<int> partners; ///< ascending
    QString find;
    bool focused = false;
};

/// Title, then the counters' titles, units and badges.
void paintSourceHead(QPainter& painter, const QRectF& area, const PaneData& data, const SourceMarks& marks,
                     const QString& note);
/// The lines from `first` on as far as they fit into the area.
void paintSourceLines(QPainter& painter, const QRectF& area, const PaneData& data, const SourceMarks& marks, int first);

QString lineCountText(int lines); ///< "1 line", "53,100 lines"
QColor severityColour(lab::Source::Severity severity);
QColor counterColour(int index);                          ///< of PaneData::colours
QString counterNote(const lab::Source::Counter& counter); ///< "/ request · counted"

} // namespace warplight::app
