// SPDX-License-Identifier: GPL-3.0-or-later
// A scene's cells, arrows, labels and regions; scene_data.cpp has its values.
#include "app/views/scene_paint.h"

#include "app/views/theme.h"
#include "core/lab/scene_names.h"

#include <QPainterPath>
#include <QStringList>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace warplight::app {
namespace {

using lab::Steps;

constexpr double usualWidth = 720, usualHeight = 310; ///< of an area in which type has its usual size
constexpr double largestType = 3;
constexpr double leastPixels = 5; ///< of text that still says something
constexpr size_t mostHeads = 16;  ///< more arrows than that have none: they would hide each other

QString qt(const std::string& text) { return QString::fromStdString(text); }

QColor mix(const QColor& from, const QColor& to, double share) {
    const auto part = [share](int a, int b) { return static_cast<int>(std::lround(a + (b - a) * share)); };
    return QColor(part(from.red(), to.red()), part(from.green(), to.green()), part(from.blue(), to.blue()));
}

QColor fillOf(const Steps::Cell& cell, const Theme& theme) {
    if (!cell.colourKey.empty())
        return mix(theme.panel, theme.series(qt(cell.colourKey)), std::clamp(cell.strength, 0.0, 1.0));
    if (cell.value)
        return Theme::viridis(*cell.value);
    switch (cell.state) {
    case Steps::CellState::Current:
        return theme.accent;
    case Steps::CellState::Done:
        return QColor::fromRgbF(theme.accent.redF(), theme.accent.greenF(), theme.accent.blueF(), 0.3f);
    case Steps::CellState::Highlight:
        return theme.warning;
    case Steps::CellState::Card:
    case Steps::CellState::Marked:
        return theme.panel;
    default:
        return theme.ground;
    }
}

/// Pixels a unit in an area, across and down.
QPointF unitsOf(const QRectF& area, const Steps& steps) {
    const QPointF units(area.width() / steps.width, area.height() / steps.height);
    const double smaller = std::min(units.x(), units.y());
    return steps.stretches ? units : QPointF(smaller, smaller);
}

template <class Item>
QRectF boxIn(const QRectF& area, const QPointF& units, const Item& item) {
    return {area.left() + item.x * units.x(), area.top() + item.y * units.y(), item.width * units.x(),
            item.height * units.y()};
}

QString barTip(const Steps::Step& scene, const Steps::Bars& bars, const Steps::Bars::Bar& bar) {
    QStringList words{qt(bars.title), qt(lab::rowNameOf(scene, bars, bar.row)),
                      lab::isPart(bars, bar) ? qt(bar.text) : QString()};
    words.removeAll(QString());
    return QString("%1: %2 (%3)")
        .arg(words.join(" · "),
             bar.to ? numberText(*bar.to - bar.from, qt(bars.unit), bars.unit.empty() ? "{:.5g}" : "") : qt(bar.text),
             badgeText(bar.provenance));
}

/// One scene at one size.
class ScenePainter {
  public:
    ScenePainter(QPainter& painter, const QRectF& area, const Steps& steps, double leastType)
        : painter(painter),
          area(area),
          unitX(unitsOf(area, steps).x()),
          unitY(unitsOf(area, steps).y()),
          type{std::clamp(std::min(area.width() / usualWidth, area.height() / usualHeight), leastType, largestType)} {}

    void paint(const Steps::Step& scene) {
        for (const auto& region : scene.regions)
            paintRegion(region);
        for (const auto& matrix : scene.matrices)
            paintMatrix(painter, boxOf(matrix), matrix, type);
        for (const auto& bars : scene.bars)
            paintBars(painter, boxOf(bars), bars, type);
        for (const auto& trace : scene.traces)
            paintTrace(painter, boxOf(trace), trace, type);
        for (const bool under : {true, false}) { // what joins cells lies under them, what points at them over them
            for (const auto& arrow : scene.arrows)
                if ((arrow.shape != Steps::Arrow::Shape::Bow) == under)
                    paintArrow(arrow, scene.arrows.size() <= mostHeads);
            for (const auto& cell : scene.cells)
                if (under)
                    paintCell(boxOf(cell), cell);
        }
        for (const auto& label : scene.labels)
            paintLabel(label);
    }

  private:
    QPointF at(double x, double y) const { return {area.left() + x * unitX, area.top() + y * unitY}; }
    template <class Item>
    QRectF boxOf(const Item& item) const {
        return boxIn(area, {unitX, unitY}, item);
    }

    void paintRegion(const Steps::Region& region) {
        const Theme& theme = Theme::current();
        const QRectF box = boxOf(region);
        if (region.border != Steps::Region::Border::None) {
            painter.setPen(QPen(region.border == Steps::Region::Border::Dashed ? theme.muted : theme.line, type.scale,
                                region.border == Steps::Region::Border::Dashed ? Qt::DashLine : Qt::SolidLine));
            painter.setBrush(Qt::NoBrush);
            painter.drawRoundedRect(box, 8 * type.scale, 8 * type.scale);
        }
        paintTitle(painter, box, qt(region.title), type.text(12, QFont::DemiBold), theme.ink, 3 * type.scale);
    }

    void paintCell(const QRectF& box, const Steps::Cell& cell) {
        const Theme& theme = Theme::current();
        const bool marked = cell.state == Steps::CellState::Marked, keyed = !cell.colourKey.empty();
        const double radius = std::min({4.0 * type.scale, box.width() / 4, box.height() / 4});
        const QColor fill = fillOf(cell, theme);
        painter.setPen(keyed && !marked ? QPen(Qt::NoPen)
                                        : QPen(!marked ? theme.line
                                               : keyed ? theme.ink
                                                       : theme.accent,
                                               (marked ? 2 : 1) * std::max(1.0, type.scale)));
        painter.setBrush(fill);
        painter.drawRoundedRect(box, radius, radius);
        if (cell.state == Steps::CellState::Skipped) {
            painter.setBrush(QBrush(theme.line, Qt::BDiagPattern));
            painter.drawRoundedRect(box, radius, radius);
        }
        if (cell.text.empty())
            return;
        painter.setPen(keyed || cell.value || cell.state == Steps::CellState::Highlight ? inkOn(fill)
                       : cell.state == Steps::CellState::Current                        ? theme.accentInk
                                                                                        : theme.ink);
        const QString text = qt(cell.text);
        QFont font = type.text(13);
        const QFontMetricsF metrics(font);
        const double fits = std::min({1.0, (box.width() - 2) / std::max(1.0, metrics.horizontalAdvance(text)),
                                      box.height() / (0.8 * metrics.height())});
        if (fits * font.pixelSize() < leastPixels)
            return;
        font.setPixelSize(static_cast<int>(fits * font.pixelSize()));
        painter.setFont(font);
        painter.drawText(box, Qt::AlignCenter, text);
    }

    void paintArrow(const Steps::Arrow& arrow, bool heads) {
        const QPointF from = at(arrow.fromX, arrow.fromY), to = at(arrow.toX, arrow.toY);
        const QColor colour =
            arrow.colourKey.empty() ? Theme::current().accent : Theme::current().series(qt(arrow.colourKey));
        painter.setPen(QPen(colour, 2 * std::max(1.0, type.scale)));
        painter.setBrush(Qt::NoBrush);
        if (arrow.shape == Steps::Arrow::Shape::Line)
            return painter.drawLine(from, to);
        QPainterPath path(from);
        if (arrow.shape == Steps::Arrow::Shape::Track) {
            const double middle = (from.x() + to.x()) / 2;
            path.cubicTo({middle, from.y()}, {middle, to.y()}, to);
            return painter.drawPath(path);
        }
        const double length = std::hypot(arrow.toX - arrow.fromX, arrow.toY - arrow.fromY);
        const double aside = length > 0 ? arrow.bow / length : 0; // to the left of its direction, y grows downwards
        const QPointF bend = at((arrow.fromX + arrow.toX) / 2 + aside * (arrow.toY - arrow.fromY),
                                (arrow.fromY + arrow.toY) / 2 - aside * (arrow.toX - arrow.fromX));
        const QPointF handle = 2 * bend - (from + to) / 2; // so that the middle of the curve is the bend
        path.quadTo(handle, to);
        painter.drawPath(path);
        if (heads)
            paintHead(to == handle ? from : handle, to, colour);
    }

    void paintHead(const QPointF& back, const QPointF& to, const QColor& colour) {
        const double length = std::hypot(to.x() - back.x(), to.y() - back.y()), size = std::max(1.0, type.scale);
        if (length < 1)
            return;
        const QPointF along = (to - back) / length, across(-along.y(), along.x());
        painter.setPen(Qt::NoPen);
        painter.setBrush(colour);
        painter.drawPolygon(
            QPolygonF{to, to - 9 * size * along + 4 * size * across, to - 9 * size * along - 4 * size * across});
    }

    void paintLabel(const Steps::Label& label) {
        const Theme& theme = Theme::current();
        painter.setFont(label.mono ? type.mono(11) : type.text(12, label.strong ? QFont::DemiBold : QFont::Normal));
        painter.setPen(label.strong ? theme.ink : theme.muted);
        const QPointF point = at(label.x, label.y);
        const double width = 600 * type.scale, height = 20 * type.scale;
        const double left = label.align == Steps::Label::Align::Left    ? 0
                            : label.align == Steps::Label::Align::Right ? width
                                                                        : width / 2;
        const auto flag = label.align == Steps::Label::Align::Left    ? Qt::AlignLeft
                          : label.align == Steps::Label::Align::Right ? Qt::AlignRight
                                                                      : Qt::AlignHCenter;
        painter.drawText(QRectF(point.x() - left, point.y() - height / 2, width, height),
                         static_cast<int>(flag | Qt::AlignVCenter), qt(label.text));
    }

    QPainter& painter;
    const QRectF area;
    const double unitX, unitY;
    const SceneType type;
};

} // namespace

QFont SceneType::text(double pixels, QFont::Weight weight) const {
    return textFont(pixels * scale / uiScale(), weight); // the area has grown with the interface already
}
QFont SceneType::mono(double pixels) const { return monoFont(pixels * scale / uiScale()); }

QColor inkOn(const QColor& ground) {
    // Relative luminance (WCAG 2): black reads better above 0.18.
    const auto linear = [](double c) { return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4); };
    const double light = 0.2126 * linear(static_cast<double>(ground.redF())) +
                         0.7152 * linear(static_cast<double>(ground.greenF())) +
                         0.0722 * linear(static_cast<double>(ground.blueF()));
    return light > 0.18 ? QColor("#0b1220") : QColor("#ffffff");
}

void paintTitle(QPainter& painter, const QRectF& box, const QString& title, const QFont& font, const QColor& colour,
                double gap) {
    if (title.isEmpty())
        return;
    painter.setFont(font);
    painter.setPen(colour);
    const double height = QFontMetricsF(font).height();
    painter.drawText(QRectF(box.left(), box.top() - gap - height, 2000, height), Qt::AlignLeft | Qt::AlignVCenter,
                     title);
}

void paintScene(QPainter& painter, const QRectF& area, const Steps& steps, const Steps::Step& scene, double leastType) {
    if (area.width() <= 0 || area.height() <= 0 || steps.width <= 0 || steps.height <= 0)
        return;
    ScenePainter scenePainter(painter, area, steps, leastType);
    scenePainter.paint(steps.always);
    scenePainter.paint(scene);
}

const lab::Link* sceneLink(const QRectF& area, const Steps& steps, const Steps::Step& scene, const QPointF& point) {
    const QPointF units = unitsOf(area, steps);
    const QPointF at((point.x() - area.left()) / units.x(), (point.y() - area.top()) / units.y());
    for (auto cell = scene.cells.rbegin(); cell != scene.cells.rend(); ++cell) // the last one lies on top
        if (cell->link >= 0 && QRectF(cell->x, cell->y, cell->width, cell->height).contains(at))
            return &scene.links[static_cast<size_t>(cell->link)];
    return nullptr;
}

QString sceneTip(const QRectF& area, const Steps& steps, const Steps::Step& scene, const QPointF& point) {
    const QPointF units = unitsOf(area, steps);
    const double x = (point.x() - area.left()) / units.x(), y = (point.y() - area.top()) / units.y();
    /// Index of the row or column at `at` of an item that begins at `from`; nothing outside.
    const auto indexAt = [](double at, double from, double size, int64_t count) -> std::optional<int64_t> {
        if (!(at >= from) || !(at < from + size) || count <= 0)
            return {};
        return std::min(count - 1, static_cast<int64_t>((at - from) / size * static_cast<double>(count)));
    };
    const auto called = [](const std::vector<std::string>& names, int64_t index) {
        return names.empty() ? QString::number(index) : qt(names[static_cast<size_t>(index)]);
    };
    for (const auto& matrix : scene.matrices) {
        const auto row = indexAt(y, matrix.y, matrix.height, matrix.rows),
                   col = indexAt(x, matrix.x, matrix.width, matrix.cols);
        if (!row || !col)
            continue;
        const auto index = static_cast<uint32_t>(*row * matrix.cols + *col);
        if (std::find(matrix.absent.begin(), matrix.absent.end(), index) != matrix.absent.end())
            return {};
        return QString("%1 · %2, %3: %4 (%5)")
            .arg(qt(matrix.title), called(matrix.rowNames, *row), called(matrix.colNames, *col),
                 QString::number(static_cast<double>(matrix.values[index]), 'g', 5), badgeText(matrix.provenance));
    }
    for (const auto& bars : scene.bars) {
        const auto row = indexAt(y, bars.y, bars.height, bars.rows);
        const double value = bars.minimum + (x - bars.x) / bars.width * (bars.maximum - bars.minimum);
        if (!row || !(x >= bars.x) || !(x < bars.x + bars.width))
            continue;
        for (const auto& bar : bars.bars)
            if (bar.row == *row && (!lab::isPart(bars, bar) || (bar.to && value >= bar.from && value < *bar.to)))
                return barTip(scene, bars, bar);
    }
    QStringList lines; // all traces of a box tell theirs
    for (const auto* part : {&steps.always, &scene})
        for (const auto& trace : part->traces)
            if (const QRectF box = boxIn(area, units, trace); box.contains(point))
                if (const QString line = traceTip(box, trace, point); !line.isEmpty())
                    lines << line;
    return lines.join('\n');
}

std::optional<DrawingSheet> sceneSheet(const QRectF& area, const Steps& steps, const Steps::Step& scene,
                                       const QPointF& point) {
    for (const auto* part : {&scene, &steps.always})
        for (const auto& trace : part->traces)
            if (const QRectF box = boxIn(area, unitsOf(area, steps), trace); trace.link >= 0 && box.contains(point))
                return DrawingSheet{trace, part->links[static_cast<size_t>(trace.link)], box};
    return {};
}

} // namespace warplight::app
