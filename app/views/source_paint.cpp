// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/views/highlight.h"
#include "app/views/source_layout.h"
#include "app/views/theme.h"

#include <QFontMetricsF>
#include <QLocale>
#include <QObject>
#include <QPainter>
#include <cmath>

#include <algorithm>
#include <array>

namespace warplight::app {
namespace {

constexpr double remarkGap = 3; ///< columns between the code and the words about it

QColor faint(QColor colour, float alpha) {
    colour.setAlphaF(alpha);
    return colour;
}

/// Vector formats clip badly, so what does not fit is left out.
QString fitting(const QFontMetricsF& metrics, const QString& text, double width) {
    return metrics.elidedText(text, Qt::ElideRight, std::max(0.0, width));
}

/// Paints the lines of one pane.
class LinePainter {
  public:
    LinePainter(QPainter& painter, const QRectF& area, const PaneData& data, const SourceMarks& marks)
        : painter(painter),
          area(area),
          data(data),
          marks(marks),
          layout(SourceLayout::of(data, area.width(), marks.counter)) {}

    void paint(int first) {
        painter.setFont(monoFont(12));
        const int last =
            std::min(data.lineCount(), first + static_cast<int>(std::ceil(area.height() / layout.rowHeight)));
        for (int i = std::max(first, 0); i < last; ++i)
            paintLine(i,
                      QRectF(area.left(), area.top() + (i - first) * layout.rowHeight, area.width(), layout.rowHeight));
    }

  private:
    void paintLine(int index, const QRectF& row) {
        const auto& line = data.line(index);
        paintGround(index, row);
        if (line.severity != lab::Source::Severity::None || !line.remark.empty())
            painter.fillRect(QRectF(row.left() + 1, row.top() + 1, 3, row.height() - 2), severityColour(line.severity));
        painter.setPen(index == marks.current ? theme.ink : theme.muted);
        painter.drawText(QRectF(row.left(), row.top(), layout.textLeft - 10, row.height()),
                         Qt::AlignRight | Qt::AlignVCenter, QString::number(line.number));
        const double end = paintText(index, row);
        if (!line.remark.empty())
            paintRemark(line, row, end);
        paintCounts(index, row);
    }

    void paintGround(int index, const QRectF& row) {
        const auto [low, high] = std::minmax(marks.current, marks.anchor < 0 ? marks.current : marks.anchor);
        const bool partner = std::binary_search(marks.partners.begin(), marks.partners.end(), index);
        if (index >= low && index <= high && marks.current >= 0)
            painter.fillRect(row, faint(theme.accent, marks.focused ? 0.22f : 0.12f));
        else if (index == marks.hover)
            painter.fillRect(row, faint(theme.muted, 0.10f));
        if (partner) {
            painter.fillRect(row, faint(theme.accent, 0.14f));
            painter.fillRect(QRectF(row.left() + layout.textLeft - 6, row.top(), 2, row.height()), theme.accent);
        }
    }

    /// Returns where the text ends.
    double paintText(int index, const QRectF& row) {
        const QString text = data.text(index);
        const qsizetype first = marks.firstColumn, last = std::min(text.size(), first + layout.textColumns());
        const double left = row.left() + layout.textLeft;
        const auto at = [&](qsizetype column) { return left + static_cast<double>(column - first) * layout.charWidth; };
        for (qsizetype found = 0; !marks.find.isEmpty(); ++found) {
            found = text.indexOf(marks.find, found, Qt::CaseInsensitive);
            if (found < 0)
                break;
            const qsizetype from = std::max(found, first), to = std::min(found + marks.find.size(), last);
            if (from < to)
                painter.fillRect(QRectF(at(from), row.top() + 2, at(to) - at(from), row.height() - 4),
                                 faint(theme.warning, 0.4f));
        }
        bool inComment = data.inComment[static_cast<size_t>(index)];
        for (const TokenRun& run : highlight(text, data.pane.language, inComment)) {
            const qsizetype from = std::max<qsizetype>(run.begin, first),
                            to = std::min<qsizetype>(run.begin + run.length, last);
            if (from >= to)
                continue;
            painter.setPen(colourOf(run.token));
            painter.drawText(QPointF(at(from), baseline(row)), text.mid(from, to - from));
        }
        return at(std::max(first, last));
    }

    void paintRemark(const lab::Source::Line& line, const QRectF& row, double end) {
        const double left = end + remarkGap * layout.charWidth, width = row.left() + layout.textRight - left;
        constexpr double readable = 60;
        if (width < readable)
            return;
        painter.save();
        const QFont font = textFont(11.5);
        painter.setFont(font);
        painter.setPen(severityColour(line.severity));
        painter.drawText(QPointF(left, baseline(row)),
                         fitting(QFontMetricsF(font), QString::fromStdString(line.remark), width));
        painter.restore();
    }

    void paintCounts(int index, const QRectF& row) {
        for (const auto& column : layout.columns) {
            const auto counter = static_cast<size_t>(column.counter);
            if (data.scales[counter] <= 0)
                continue;
            const double perUnit = column.width / data.scales[counter], middle = row.top() + row.height() / 2;
            const QColor colour = counterColour(data.colours[counter]);
            if (const double count = data.count(index, column.counter).value_or(0); count > 0) {
                QRectF bar(row.left() + column.left, middle - 5, std::max(1.5, perUnit * count), 10);
                const bool hollow = data.pane.counters[counter].provenance == lab::Provenance::Modelled;
                if (hollow && bar.width() > 4) {
                    bar.adjust(0.5, 0.5, -0.5, -0.5);
                    painter.setPen(QPen(colour, 1));
                    painter.setBrush(faint(colour, 0.25f));
                    painter.drawRect(bar);
                } else {
                    painter.fillRect(bar, colour);
                }
            }
            if (const double before = data.pinnedCount(index, column.counter).value_or(0); before > 0) {
                painter.setPen(QPen(theme.ink, 1));
                painter.setBrush(Qt::NoBrush);
                painter.drawRect(QRectF(row.left() + column.left + 0.5, std::round(middle) - 6.5,
                                        std::max(2.0, perUnit * before - 1), 13));
            }
        }
        const QRectF number(row.left() + layout.numberLeft, row.top(), layout.numberWidth, row.height());
        if (layout.numberWidth > 0 && data.count(index, marks.counter)) {
            painter.setPen(theme.ink);
            painter.drawText(number, Qt::AlignRight | Qt::AlignVCenter, data.countText(index, marks.counter));
        }
        if (layout.ratioWidth > 0) {
            painter.setPen(theme.muted);
            painter.drawText(QRectF(number.right(), row.top(), layout.ratioWidth, row.height()),
                             Qt::AlignRight | Qt::AlignVCenter, data.ratioText(index, marks.counter));
        }
    }

    double baseline(const QRectF& row) const {
        const QFontMetricsF metrics(painter.font());
        return row.top() + (row.height() + metrics.ascent() - metrics.descent()) / 2;
    }

    QPainter& painter;
    QRectF area;
    const PaneData& data;
    const SourceMarks& marks;
    SourceLayout layout;
    const Theme& theme = Theme::current();
};

} // namespace

QString lineCountText(int lines) {
    return lines == 1 ? QObject::tr("1 line") : QObject::tr("%1 lines").arg(QLocale(QLocale::English).toString(lines));
}

QColor counterColour(int index) {
    constexpr std::array<const char*, 6> colours{"#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#0072B2", "#D55E00"};
    return QColor(colours[static_cast<size_t>(index) % colours.size()]);
}

QColor severityColour(lab::Source::Severity severity) {
    const Theme& theme = Theme::current();
    switch (severity) {
    case lab::Source::Severity::Good:
        return theme.success;
    case lab::Source::Severity::Warning:
        return theme.warning;
    case lab::Source::Severity::Error:
        return theme.danger;
    case lab::Source::Severity::Note:
        return theme.accent;
    case lab::Source::Severity::None:
        break;
    }
    return theme.muted;
}

void paintSourceHead(QPainter& painter, const QRectF& area, const PaneData& data, const SourceMarks& marks,
                     const QString& note) {
    const Theme& theme = Theme::current();
    const SourceLayout layout = SourceLayout::of(data, area.width(), marks.counter);
    const double middle = area.top() + layout.headHeight / 2 - 2, bottom = area.top() + layout.headHeight;
    const double textWidth = (layout.columns.empty() ? area.width() : layout.columns.front().left) - 12;
    const auto words = [&](const QRectF& box, int flags, const QFont& font, const QColor& colour, const QString& text) {
        painter.setFont(font);
        painter.setPen(colour);
        painter.drawText(box, flags | Qt::AlignVCenter, fitting(QFontMetricsF(font), text, box.width()));
    };
    words(QRectF(area.left() + 6, area.top() + 2, textWidth, middle - area.top() - 2), Qt::AlignLeft,
          textFont(12, QFont::DemiBold), theme.ink, QString::fromStdString(data.pane.title));
    words(QRectF(area.left() + 6, middle, textWidth, bottom - middle - 4), Qt::AlignLeft, textFont(11), theme.muted,
          note);
    for (const auto& column : layout.columns) {
        const auto& counter = data.pane.counters[static_cast<size_t>(column.counter)];
        const bool current = column.counter == marks.counter;
        const double left = area.left() + column.left;
        const QString title = QString::fromStdString(counter.title.empty() ? counter.id : counter.title);
        words(QRectF(left, area.top() + 2, column.width + 6, middle - area.top() - 2), Qt::AlignLeft,
              textFont(11, current ? QFont::DemiBold : QFont::Normal), current ? theme.ink : theme.muted, title);
        words(QRectF(left, middle, column.width + 6, bottom - middle - 4), Qt::AlignLeft, textFont(10), theme.muted,
              counterNote(counter));
        if (current)
            painter.fillRect(QRectF(left, bottom - 2, column.width, 2), theme.accent);
    }
    // The numbers are of the current counter, whose bars may stand further left.
    if (layout.numberWidth > 0 && !layout.columns.empty() && layout.columns.back().counter != marks.counter) {
        constexpr double more = 10; // of the gap before them
        const auto& counter = data.pane.counters[static_cast<size_t>(marks.counter)];
        words(QRectF(area.left() + layout.numberLeft - more, area.top() + 2, layout.numberWidth + more,
                     middle - area.top() - 2),
              Qt::AlignRight, textFont(11, QFont::DemiBold), theme.ink, QString::fromStdString(counter.title));
    }
    painter.fillRect(QRectF(area.left(), bottom - 1, area.width(), 1), faint(theme.line, 1));
}

void paintSourceLines(QPainter& painter, const QRectF& area, const PaneData& data, const SourceMarks& marks,
                      int first) {
    LinePainter(painter, area, data, marks).paint(first);
}

} // namespace warplight::app
