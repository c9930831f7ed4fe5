// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/views/timeline_view.h"

#include "app/views/theme.h"

#include <QHelpEvent>
#include <QMouseEvent>
#include <QScrollBar>
#include <QToolTip>
#include <QWheelEvent>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <algorithm>
#include <array>
#include <cmath>

namespace warplight::app {
namespace {

constexpr double narrowestPrinted = 2.5; ///< a picture does not scroll
constexpr double printedGrain = 2;       ///< pixels that become one: vector files stay small
constexpr double margin = 0.01;          ///< of all time, beside the first and last span
constexpr double deepest = 1e-9;         ///< of all time: the least that can be shown
constexpr double wheelStep = 1.2, keyStep = 1.5, panStep = 0.1;

} // namespace

TimelineView::TimelineView(QWidget* parent) : FigureView(parent), scrollBar(new QScrollBar(Qt::Vertical, this)) {
    setFocusPolicy(Qt::StrongFocus);
    setMouseTracking(true);
    setMinimumSize(220, 120);
    connect(scrollBar, &QScrollBar::valueChanged, this, qOverload<>(&QWidget::update));
}

void TimelineView::setFigure(const lab::Figure& figure) {
    const auto& shown = std::get<lab::Timeline>(figure.content);
    const size_t had = timeline.spans.size();
    const bool grown = had > 0 && shown.tracks == timeline.tracks && shown.spans.size() >= had &&
                       std::equal(timeline.spans.begin(), timeline.spans.end(), shown.spans.begin());
    if (grown) {
        timeline.spans.insert(timeline.spans.end(), shown.spans.begin() + static_cast<ptrdiff_t>(had),
                              shown.spans.end());
        timeline.x = shown.x;
        timeline.selectable = shown.selectable;
        index.extend(timeline, had);
    } else {
        timeline = shown;
        index.rebuild(timeline);
        hovered = -1;
    }
    setAccessibleName(QString::fromStdString(figure.title));
    matchTracks();
    showAnew();
}

void TimelineView::showAnew() {
    fillColours();
    if (fitted)
        resetZoom();
    fitScrollBar();
    update();
}

void TimelineView::fillColours() {
    // A key that keeps its colour on every page has it here; the others take those that are left, in order.
    constexpr std::array<const char*, 6> palette{"#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"};
    const Theme& theme = Theme::current();
    std::vector<QColor> left(palette.begin(), palette.end());
    for (const auto& key : index.colourKeys())
        if (Theme::keepsColour(QString::fromStdString(key)))
            std::erase(left, Theme::lightTheme().series(QString::fromStdString(key)));
    if (left.empty())
        left.assign(palette.begin(), palette.end());
    colours.clear();
    size_t next = 0;
    for (const auto& key : index.colourKeys()) {
        const QString name = QString::fromStdString(key);
        if (key.empty())
            colours.push_back(theme.muted);
        else if (Theme::keepsColour(name))
            colours.push_back(theme.series(name));
        else
            colours.push_back(theme.dark ? left[next++ % left.size()].lighter(115) : left[next++ % left.size()]);
    }
    if (!pinned)
        return;
    pinned->colours.clear();
    for (const auto& key : pinned->index.colourKeys()) // what this run does not have is grey
        pinned->colours.push_back(colourOf(key));
}

QColor TimelineView::colourOf(const std::string& colourKey) const {
    const auto& keys = index.colourKeys();
    const auto found = std::find(keys.begin(), keys.end(), colourKey);
    return colours[found == keys.end() ? 0 : static_cast<size_t>(found - keys.begin())];
}

QString TimelineView::emptySentence() const {
    if (timeline.tracks.empty())
        return tr("There is nothing to time: the run has no tracks.");
    if (timeline.spans.empty())
        return tr("Nothing has happened yet on %1.")
            .arg(timeline.tracks.size() == 1 ? QString::fromStdString(timeline.tracks[0].title)
                                             : tr("the %1 tracks").arg(timeline.tracks.size()));
    return {};
}

QRectF TimelineView::chartArea() const {
    return chartIn(besideComparison(QRectF(rect()).adjusted(0, 0, scrollBar->isHidden() ? 0 : -scrollBar->width(), 0)));
}

void TimelineView::fitScrollBar() {
    const QRectF chart = chartIn(besideComparison(rect()));
    const Rows rows = rowsFor(chart.height(), narrowestLane);
    const int hidden = std::max(0, static_cast<int>(std::ceil(rows.height - chart.height())));
    scrollBar->setRange(0, hidden);
    scrollBar->setPageStep(static_cast<int>(chart.height()));
    scrollBar->setSingleStep(24);
    scrollBar->setVisible(hidden > 4);
    const int wide = scrollBar->sizeHint().width();
    scrollBar->setGeometry(width() - wide, static_cast<int>(chart.top()), wide, static_cast<int>(chart.height()));
}

void TimelineView::moveTo(double begin, double end) {
    const double all = lastTime() - firstTime(), most = all * (1 + 2 * margin);
    const double lowest = firstTime() - all * margin;
    // Times far from zero have less than a billionth to tell them apart.
    const double least =
        std::max({all * deepest, std::max(std::fabs(firstTime()), std::fabs(lastTime())) * 1e-13, 1e-300});
    const double wanted = end - begin, width = std::clamp(wanted, std::min(least, most), std::max(most, least));
    begin += (wanted - width) / 2;
    begin = std::clamp(begin, lowest, std::max(lowest, lowest + most - width));
    from = begin;
    to = begin + width;
    fitted = width >= most * (1 - 1e-9);
    update();
}

void TimelineView::resetZoom() {
    const double all = lastTime() - firstTime();
    from = firstTime() - all * margin;
    to = all > 0 ? lastTime() + all * margin : from + 1;
    fitted = true;
    update();
}

void TimelineView::zoomAt(double x, double factor) {
    const QRectF chart = chartArea();
    const double share = std::clamp((x - chart.left()) / chart.width(), 0.0, 1.0);
    const double time = from + share * (to - from);
    const double all = lastTime() - firstTime(), most = all * (1 + 2 * margin);
    const double width = std::clamp((to - from) / factor, std::min(all * deepest, most), std::max(most, 1e-300));
    moveTo(time - share * width, time + (1 - share) * width);
}

int64_t TimelineView::spanIn(const TimelineIndex::Track& track, double top, double laneHeight, double y,
                             double time) const {
    const auto lane = static_cast<size_t>(std::max(0.0, (y - top) / laneHeight));
    if (y < top || lane >= track.lanes.size())
        return -1;
    // What is narrower than a pixel can be hit as well.
    const double reach = 1.5 * (to - from) / chartArea().width();
    const auto& held = track.lanes[lane];
    const size_t at = held.firstEndingAfter(time);
    if (at < held.begin.size() && held.begin[at] <= time)
        return held.span[at];
    if (at > 0 && time - held.end[at - 1] < reach)
        return held.span[at - 1];
    if (at < held.begin.size() && held.begin[at] - time < reach)
        return held.span[at];
    return -1;
}

int64_t TimelineView::spanAt(QPointF point) const {
    const QRectF chart = chartArea();
    if (!chart.contains(point) || timeline.spans.empty())
        return -1;
    const double y = point.y() - chart.top() + scrollBar->value();
    for (const Row& row : rowsFor(chart.height(), narrowestLane).rows)
        if (const int64_t found =
                spanIn(index.tracks()[row.track], row.top, row.laneHeight, y, timeAt(point.x(), chart));
            found >= 0)
            return found;
    return -1;
}

QStringList TimelineView::readingAt(int64_t at) const { return readingOf(timeline, at); }

QStringList TimelineView::readingOf(const lab::Timeline& of, int64_t at) const {
    if (at < 0 || at >= static_cast<int64_t>(of.spans.size()))
        return {};
    const auto& span = of.spans[static_cast<size_t>(at)];
    const auto& track = of.tracks[static_cast<size_t>(span.track)];
    const double step = std::max((span.end - span.begin) / 1000, (to - from) / 1e6);
    QStringList lines;
    lines << QString::fromStdString(span.text.empty() ? span.colourKey : span.text);
    lines << (track.group.empty() ? QString() : QString::fromStdString(track.group) + ", ") +
                 QString::fromStdString(track.title);
    lines << tr("%1 (%2), from %3 to %4")
                 .arg(durationText(span.end - span.begin), badgeText(span.provenance),
                      timeText(span.begin, step, false), timeText(span.end, step, true));
    if (!span.detail.empty())
        lines << QString::fromStdString(span.detail);
    lines.removeAll(QString());
    return lines;
}

QSize TimelineView::pictureSize() const {
    constexpr double printedLane = 14;
    constexpr int tallest = 1200;
    const double chrome = 400 - chartIn(besideComparison(QRectF(0, 0, 960, 400))).height();
    double height = chrome;
    for (const Row& row : rowsFor(1e9, printedLane).rows) // as high as lanes want to be
        height = std::max(height, chrome + row.top / row.laneHeight * printedLane +
                                      printedLane * static_cast<double>(index.tracks()[row.track].lanes.size() + 2));
    return {960, std::clamp(static_cast<int>(height), 200, tallest)};
}

void TimelineView::render(QPainter& painter, const QRectF& area) const {
    const QRectF chartAndLegend = besideComparison(area);
    paint(painter, chartAndLegend, rowsFor(chartIn(chartAndLegend).height(), narrowestPrinted), 0, printedGrain);
    paintComparison(painter, area);
}

void TimelineView::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    const QRectF whole = QRectF(rect()).adjusted(0, 0, scrollBar->isHidden() ? 0 : -scrollBar->width(), 0);
    const QRectF chartAndLegend = besideComparison(whole);
    paint(painter, chartAndLegend, rowsFor(chartIn(chartAndLegend).height(), narrowestLane), scrollBar->value(), 1);
    paintComparison(painter, whole);
    if (hasFocus()) {
        painter.setPen(QPen(Theme::current().accent, 1));
        painter.drawRect(chartArea().adjusted(-0.5, -0.5, 0.5, 0.5));
    }
}

void TimelineView::resizeEvent(QResizeEvent*) { fitScrollBar(); }

void TimelineView::changeEvent(QEvent* event) {
    if (event->type() == QEvent::StyleChange || event->type() == QEvent::FontChange) {
        fillColours();
        fitScrollBar();
    }
    FigureView::changeEvent(event);
}

void TimelineView::wheelEvent(QWheelEvent* event) {
    const QPoint turned = event->angleDelta();
    if (event->modifiers() & Qt::ShiftModifier)
        scrollBar->setValue(scrollBar->value() - (turned.y() != 0 ? turned.y() : turned.x()) / 2);
    else if (turned.y() != 0)
        zoomAt(event->position().x(), std::pow(wheelStep, turned.y() / 120.0));
    else // a touchpad's sideways
        moveTo(from - turned.x() / 1200.0 * (to - from), to - turned.x() / 1200.0 * (to - from));
    event->accept();
}

void TimelineView::mousePressEvent(QMouseEvent* event) {
    if (event->button() != Qt::LeftButton)
        return;
    dragging = true;
    moved = false;
    pressed = event->position();
    pressedFrom = from;
    pressedScroll = scrollBar->value();
}

void TimelineView::mouseMoveEvent(QMouseEvent* event) {
    const QPointF way = event->position() - pressed;
    if (dragging && (moved || way.manhattanLength() > 4)) {
        moved = true;
        const double time = pressedFrom - way.x() / chartArea().width() * (to - from);
        moveTo(time, time + (to - from));
        scrollBar->setValue(pressedScroll - static_cast<int>(way.y()));
        return;
    }
    tell(event->position());
}

/// What is under the mouse.
void TimelineView::tell(QPointF point) {
    const int64_t at = spanAt(point);
    if (at != hovered) {
        hovered = at;
        QToolTip::hideText();
        update();
    }
    QStringList lines = readingAt(at);
    if (const int64_t other = at < 0 ? pinnedAt(point) : -1; other >= 0)
        lines = QStringList(pinned->name) + readingOf(pinned->timeline, other);
    emit statusText(lines.join("  ·  "));
}

void TimelineView::mouseReleaseEvent(QMouseEvent* event) {
    if (event->button() != Qt::LeftButton)
        return;
    if (const int64_t at = spanAt(event->position()); dragging && !moved && timeline.selectable && at >= 0)
        emit selected(at, timeline.spans[static_cast<size_t>(at)].track);
    dragging = false;
}

void TimelineView::mouseDoubleClickEvent(QMouseEvent*) { resetZoom(); }

void TimelineView::leaveEvent(QEvent*) {
    hovered = -1;
    emit statusText({});
    update();
}

bool TimelineView::event(QEvent* event) {
    if (event->type() == QEvent::ToolTip) {
        const auto* help = static_cast<QHelpEvent*>(event);
        QToolTip::showText(help->globalPos(), readingAt(spanAt(help->pos())).join('\n'), this);
        return true;
    }
    return FigureView::event(event);
}

void TimelineView::keyPressEvent(QKeyEvent* event) {
    const double step = panStep * (to - from), middle = chartArea().center().x();
    switch (event->key()) {
    case Qt::Key_Left:
        return moveTo(from - step, to - step);
    case Qt::Key_Right:
        return moveTo(from + step, to + step);
    case Qt::Key_Up:
    case Qt::Key_Down:
        return scrollBar->setValue(scrollBar->value() +
                                   (event->key() == Qt::Key_Up ? -1 : 1) * scrollBar->singleStep());
    case Qt::Key_PageUp:
    case Qt::Key_PageDown:
        return scrollBar->setValue(scrollBar->value() +
                                   (event->key() == Qt::Key_PageUp ? -1 : 1) * scrollBar->pageStep());
    case Qt::Key_Home:
        return moveTo(firstTime(), firstTime() + (to - from));
    case Qt::Key_End:
        return moveTo(lastTime() - (to - from), lastTime());
    case Qt::Key_Plus:
    case Qt::Key_Equal:
        return zoomAt(middle, keyStep);
    case Qt::Key_Minus:
        return zoomAt(middle, 1 / keyStep);
    case Qt::Key_0:
        return resetZoom();
    default:
        FigureView::keyPressEvent(event);
    }
}

} // namespace warplight::app
