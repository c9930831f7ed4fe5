// SPDX-License-Identifier: GPL-3.0-or-later
// Another run's spans, drawn below each track of this one.
#include "app/views/theme.h"
#include "app/views/timeline_view.h"

#include <QFontMetricsF>
#include <QPainter>
#include <QScrollBar>
#include <cmath>
#include <cstdint>
#include <optional>
#include <utility>

#include <algorithm>
#include <variant>

namespace warplight::app {
namespace {

constexpr double comparisonHeight = 22; ///< of the row of words

} // namespace

void TimelineView::setCompared(std::optional<lab::Figure> other, const QString& pinnedName) {
    const auto* theirs = other ? std::get_if<lab::Timeline>(&other->content) : nullptr;
    pinned.reset();
    if (theirs) {
        pinned.emplace();
        pinned->name = pinnedName;
        pinned->timeline = *theirs;
        // Clocks that began elsewhere: both runs begin together.
        TimelineIndex times;
        times.rebuild(*theirs);
        if (times.last() < index.first() || times.first() > index.last())
            for (auto& span : pinned->timeline.spans) {
                span.begin += index.first() - times.first();
                span.end += index.first() - times.first();
            }
        pinned->index.rebuild(pinned->timeline);
        matchTracks();
    }
    showAnew();
}

void TimelineView::matchTracks() {
    if (!pinned)
        return;
    pinned->trackOf.clear();
    for (const auto& track : timeline.tracks) {
        const auto& theirs = pinned->timeline.tracks;
        const auto found = std::find_if(theirs.begin(), theirs.end(), [&](const auto& t) { return t.id == track.id; });
        pinned->trackOf.push_back(found == theirs.end() ? -1 : static_cast<int>(found - theirs.begin()));
    }
}

double TimelineView::firstTime() const {
    return pinned && !pinned->timeline.spans.empty() ? std::min(index.first(), pinned->index.first()) : index.first();
}
double TimelineView::lastTime() const {
    return pinned && !pinned->timeline.spans.empty() ? std::max(index.last(), pinned->index.last()) : index.last();
}

QString TimelineView::comparison() const {
    if (!pinned)
        return {};
    if (pinned->timeline.spans.empty())
        return tr("the %1 run has no spans").arg(pinned->name);
    const double mine = index.last() - index.first(), theirs = pinned->index.last() - pinned->index.first();
    const bool clocks = timeline.x.unit != "s"; // of which nobody needs a hundredth
    const QString pale = tr("%1, pale: %2").arg(pinned->name, durationText(clocks ? std::round(theirs) : theirs));
    return theirs > 0 && mine > 0 ? tr("%1× of %2").arg(mine / theirs, 0, 'f', 2).arg(pale) : pale;
}

QRectF TimelineView::besideComparison(const QRectF& whole) const {
    return whole.adjusted(0, 0, 0, pinned ? -comparisonHeight * uiScale() : 0);
}

/// The sentence about two runs, in the row below everything else.
void TimelineView::paintComparison(QPainter& painter, const QRectF& whole) const {
    if (!pinned)
        return;
    const QFont font = textFont(11.5);
    const double height = comparisonHeight * uiScale();
    const QRectF row(whole.left(), whole.bottom() - height, whole.width(), height);
    painter.setFont(font);
    painter.setPen(Theme::current().ink);
    painter.drawText(row, Qt::AlignCenter, QFontMetricsF(font).elidedText(comparison(), Qt::ElideRight, row.width()));
}

/// Where each of two runs ends: what the comparison is about.
void TimelineView::paintEnds(QPainter& painter, const QRectF& chart) const {
    if (!pinned || pinned->timeline.spans.empty())
        return;
    const Theme& theme = Theme::current();
    const auto line = [&](double time, const QColor& colour, Qt::PenStyle style) {
        if (time < from || time > to)
            return;
        const double x = std::round(chart.left() + (time - from) / (to - from) * chart.width()) + 0.5;
        painter.setPen(QPen(colour, 1, style));
        painter.drawLine(QPointF(x, chart.top()), QPointF(x, chart.bottom()));
    };
    line(index.last(), theme.ink, Qt::SolidLine);
    line(pinned->index.last(), theme.ink, Qt::DashLine);
}

int64_t TimelineView::pinnedAt(QPointF point) const {
    const QRectF chart = chartArea();
    if (!pinned || !chart.contains(point))
        return -1;
    const double y = point.y() - chart.top() + scrollBar->value();
    for (const Row& row : rowsFor(chart.height(), narrowestLane).rows)
        if (row.pinned >= 0)
            if (const int64_t found = spanIn(pinned->index.tracks()[static_cast<size_t>(row.pinned)], row.pinnedTop,
                                             row.pinnedHeight, y, timeAt(point.x(), chart));
                found >= 0)
                return found;
    return -1;
}

} // namespace warplight::app
