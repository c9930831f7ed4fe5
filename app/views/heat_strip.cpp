// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/views/heat_strip.h"

#include "app/views/theme.h"

#include <QMouseEvent>
#include <QPainter>
#include <algorithm>
#include <cmath>
#include <cstdint>

namespace warplight::app {
namespace {

constexpr int heatWidth = 9;       ///< the rest is for remarks
constexpr float faintest = 0.12f;  ///< of a line that has any of the counter
constexpr double lowestRemark = 2; ///< pixels
constexpr double lowestWindow = 6; ///< of the part in view

} // namespace

HeatStrip::HeatStrip(QWidget* parent) : QWidget(parent) {
    setFixedWidth(stripWidth);
    setCursor(Qt::PointingHandCursor);
    setToolTip(tr("Where the current counter's work is done, and remarks: click to go there, H goes to the hottest "
                  "line and on to the next"));
}

void HeatStrip::setLines(const PaneData& data, int counter) {
    lines.clear();
    useful = false;
    const auto c = static_cast<size_t>(counter);
    const double most = c < data.maxima.size() ? data.maxima[c] : 0;
    if (c < data.colours.size())
        colour = counterColour(data.colours[c]);
    for (int i = 0; i < data.lineCount(); ++i) {
        const double share = most > 0 ? data.count(i, counter).value_or(0) / most : 0;
        lines.push_back({static_cast<float>(std::clamp(share, 0.0, 1.0)),
                         data.line(i).remark.empty() ? lab::Source::Severity::None : data.line(i).severity});
        useful = useful || share > 0 || !data.line(i).remark.empty();
    }
    fit();
}

void HeatStrip::fit() {
    const auto count = static_cast<int64_t>(lines.size());
    parts.assign(static_cast<size_t>(lines.empty() ? 0 : std::max(height(), 0)), {});
    for (size_t y = 0; y < parts.size(); ++y) {
        const auto tall = static_cast<int64_t>(parts.size()), at = static_cast<int64_t>(y);
        const int64_t first = at * count / tall, last = std::max(first + 1, (at + 1) * count / tall);
        Part& part = parts[y];
        part.line = static_cast<int>(first);
        for (int64_t i = first; i < last; ++i) {
            const Line& line = lines[static_cast<size_t>(i)];
            if (line.share > part.share) {
                part.share = line.share;
                part.line = static_cast<int>(i);
            }
            part.severity = std::max(part.severity, line.severity);
        }
    }
    update();
}

void HeatStrip::setVisibleLines(int first, int last) {
    if (first == firstVisible && last == lastVisible)
        return;
    firstVisible = first;
    lastVisible = last;
    update();
}

int HeatStrip::lineAt(double y) const {
    return parts.empty() ? -1
                         : parts[static_cast<size_t>(std::clamp(y, 0.0, static_cast<double>(parts.size() - 1)))].line;
}

void HeatStrip::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    const Theme& theme = Theme::current();
    QColor ground = theme.muted;
    ground.setAlphaF(0.10f);
    painter.fillRect(rect(), ground);
    if (lines.empty())
        return;
    for (size_t y = 0; y < parts.size(); ++y) {
        if (parts[y].share <= 0)
            continue;
        QColor heat = colour;
        heat.setAlphaF(faintest + (1 - faintest) * std::sqrt(parts[y].share)); // warm lines are seen beside hot ones
        painter.fillRect(QRectF(0, static_cast<double>(y), heatWidth, 1), heat);
    }
    for (size_t y = 0; y < parts.size(); ++y)
        if (parts[y].severity != lab::Source::Severity::None)
            painter.fillRect(QRectF(heatWidth + 1, static_cast<double>(y), stripWidth - heatWidth - 1, lowestRemark),
                             severityColour(parts[y].severity));
    // The part in view.
    const double perLine = height() / static_cast<double>(lines.size());
    double top = firstVisible * perLine, tall = (lastVisible + 1 - firstVisible) * perLine;
    if (tall < lowestWindow) {
        top = std::max(0.0, top - (lowestWindow - tall) / 2);
        tall = lowestWindow;
    }
    painter.setPen(QPen(theme.ink, 1));
    painter.setBrush(Qt::NoBrush);
    painter.drawRect(QRectF(0.5, std::floor(std::min(top, height() - tall)) + 0.5, stripWidth - 1,
                            std::max(1.0, std::floor(tall) - 1)));
}

void HeatStrip::resizeEvent(QResizeEvent*) { fit(); }

void HeatStrip::mousePressEvent(QMouseEvent* event) {
    if (const int line = lineAt(event->position().y()); event->button() == Qt::LeftButton && line >= 0)
        emit lineWanted(line);
}

void HeatStrip::mouseMoveEvent(QMouseEvent* event) {
    if (const int line = lineAt(event->position().y()); event->buttons() & Qt::LeftButton && line >= 0)
        emit lineWanted(line);
}

} // namespace warplight::app
