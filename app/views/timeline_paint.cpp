// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/views/theme.h"
#include "app/views/timeline_view.h"

#include <QFontMetricsF>
#include <QLocale>
#include <functional>
#include <utility>
#include <vector>

#include <algorithm>
#include <array>
#include <cmath>

namespace warplight::app {
namespace {

constexpr double axisHeight = 26, legendRow = 22, headingHeight = 22, legendSwatch = 10;
constexpr double usualLane = 26, fewLanes = 160, generousLane = 44, widestLane = 64, tickDistance = 110;
constexpr double pale = 0.5; ///< opacity of a compared run
constexpr int shades = 8;    ///< of how busy a pixel is: neighbours that look the same become one rectangle

QRgb mix(QRgb a, QRgb b, double share) {
    if (a == b)
        return a;
    const auto part = [share](int from, int to) { return static_cast<int>(std::lround(from + (to - from) * share)); };
    return qRgb(part(qRed(a), qRed(b)), part(qGreen(a), qGreen(b)), part(qBlue(a), qBlue(b)));
}

/// Dark or white, whichever contrasts more (relative luminance as WCAG 2.1 defines it).
QColor inkOn(const QColor& fill) {
    const auto linear = [](double part) {
        return part <= 0.03928 ? part / 12.92 : std::pow((part + 0.055) / 1.055, 2.4);
    };
    const double luminance =
        0.2126 * linear(fill.redF()) + 0.7152 * linear(fill.greenF()) + 0.0722 * linear(fill.blueF());
    constexpr double darkLuminance = 0.008; // of the dark ink
    const bool dark = (luminance + 0.05) / (darkLuminance + 0.05) > 1.05 / (luminance + 0.05);
    return dark ? QColor("#12161c") : QColor("#ffffff");
}

/// A rectangle that grows while its neighbours look about the same.
class Strip {
  public:
    Strip(QPainter& painter, double top, double height, double grain)
        : painter(painter), top(top), height(height), grain(grain) {}
    ~Strip() { flush(); }
    void add(double left, QRgb looks) {
        if (std::fabs(left - right) > 0.5 || !alike(looks, colour)) {
            flush();
            begin = left;
            colour = looks;
        }
        right = left + grain;
    }

  private:
    static bool alike(QRgb a, QRgb b) {
        constexpr int most = 24; // of 765: neighbours are hardly told apart
        return std::abs(qRed(a) - qRed(b)) + std::abs(qGreen(a) - qGreen(b)) + std::abs(qBlue(a) - qBlue(b)) <= most;
    }
    void flush() {
        if (right > begin)
            painter.fillRect(QRectF(begin, top, right - begin, height), QColor(colour));
        begin = right = -1;
    }

    QPainter& painter;
    double top, height, grain, begin = -1, right = -1;
    QRgb colour = 0;
};

} // namespace

QRectF TimelineView::chartIn(const QRectF& whole) const {
    const QFontMetricsF metrics(textFont(11.5));
    double widest = 0;
    for (const auto& track : timeline.tracks)
        widest = std::max(widest, metrics.horizontalAdvance(QString::fromStdString(track.title)));
    if (timeline.x.unit != "s") // stands left of the axis
        widest = std::max(widest, QFontMetricsF(monoFont(11)).horizontalAdvance(unitText()));
    const double left = std::min(widest + 14, whole.width() * 0.3), right = 12 * uiScale();
    const double legend = legendHeight(whole.width() - left);
    return {whole.left() + left, whole.top() + axisHeight * uiScale(), std::max(1.0, whole.width() - left - right),
            std::max(1.0, whole.height() - axisHeight * uiScale() - legend)};
}

TimelineView::Rows TimelineView::rowsFor(double height, double narrowest) const {
    constexpr double share = 0.45; // of a lane's height that a compared run's has
    double lanes = 0, headings = 0;
    const auto isHeading = [this](size_t track) {
        const auto& group = timeline.tracks[track].group;
        return !group.empty() && (track == 0 || timeline.tracks[track - 1].group != group);
    };
    for (size_t t = 0; t < index.tracks().size(); ++t) {
        lanes += static_cast<double>(index.tracks()[t].lanes.size());
        headings += isHeading(t);
        if (pinned && pinned->trackOf[t] >= 0)
            lanes += share *
                     static_cast<double>(pinned->index.tracks()[static_cast<size_t>(pinned->trackOf[t])].lanes.size());
    }
    const double tracks = static_cast<double>(index.tracks().size());
    const double heading = headingHeight * uiScale();
    double gap = 4;
    if (tracks * (gap + 4) > height)
        gap = 2;
    const double laneHeight = std::clamp((height - headings * heading - tracks * gap) / std::max(lanes, 1.0), narrowest,
                                         widestLane * uiScale());
    Rows result;
    for (size_t t = 0; t < index.tracks().size(); ++t) {
        const bool first = isHeading(t);
        result.height += first ? heading : 0;
        const double height = laneHeight * static_cast<double>(index.tracks()[t].lanes.size());
        const int theirs = pinned ? pinned->trackOf[t] : -1;
        result.rows.push_back(
            {t, result.height, laneHeight, first, result.height + height, share * laneHeight, theirs});
        result.height += height + gap;
        if (theirs >= 0)
            result.height += share * laneHeight *
                             static_cast<double>(pinned->index.tracks()[static_cast<size_t>(theirs)].lanes.size());
    }
    return result;
}

void TimelineView::paint(QPainter& painter, const QRectF& whole, const Rows& rows, double scrolled,
                         double grain) const {
    const Theme& theme = Theme::current();
    if (const QString sentence = emptySentence(); !sentence.isEmpty()) {
        painter.setFont(textFont());
        painter.setPen(theme.muted);
        painter.drawText(whole, Qt::AlignCenter | Qt::TextWordWrap, sentence);
        return;
    }
    const QRectF chart = chartIn(whole);
    paintAxis(painter, chart);
    for (const Row& row : rows.rows) {
        const auto& lanes = index.tracks()[row.track].lanes;
        for (size_t lane = 0; lane < lanes.size(); ++lane) {
            const QRectF box(chart.left(),
                             chart.top() + row.top - scrolled + row.laneHeight * static_cast<double>(lane),
                             chart.width(), row.laneHeight);
            if (box.bottom() > chart.top() && box.top() < chart.bottom())
                paintLane(painter, timeline, colours, lanes[lane],
                          box.intersected(chart).adjusted(0, 0, 0, lanes.size() > 1 ? -0.5 : 0), grain);
        }
        if (row.pinned < 0)
            continue;
        painter.save();
        painter.setOpacity(pale);
        const auto& theirs = pinned->index.tracks()[static_cast<size_t>(row.pinned)].lanes;
        for (size_t lane = 0; lane < theirs.size(); ++lane) {
            const QRectF box(chart.left(),
                             chart.top() + row.pinnedTop - scrolled + row.pinnedHeight * static_cast<double>(lane) + 1,
                             chart.width(), row.pinnedHeight - 1);
            if (box.bottom() > chart.top() && box.top() < chart.bottom())
                paintLane(painter, pinned->timeline, pinned->colours, theirs[lane], box.intersected(chart), grain);
        }
        painter.restore();
    }
    paintEnds(painter, chart);
    paintLabels(painter, whole, rows, scrolled);
    paintLegend(painter, whole);
}

void TimelineView::paintLane(QPainter& painter, const lab::Timeline& of, const std::vector<QColor>& palette,
                             const TimelineIndex::Lane& lane, const QRectF& box, double grain) const {
    const QRgb ground = Theme::current().panel.rgb();
    const double perPixel = (to - from) / box.width();
    const auto xOf = [&](double time) { return box.left() + (time - from) / perPixel; };
    Strip strip(painter, box.top(), box.height(), grain);
    double done = box.left();
    for (size_t i = lane.firstEndingAfter(from); i < lane.begin.size() && lane.begin[i] < to;) {
        const double left = std::max(xOf(lane.begin[i]), box.left()), right = std::min(xOf(lane.end[i]), box.right());
        if (right - left >= 1) {
            paintSpan(painter, of.spans[lane.span[i]], palette[lane.colour[i]],
                      QRectF(left, box.top(), right - left, box.height()));
            ++i;
            continue;
        }
        // Rounding may put what begins at the edge of a pixel into the one that is done.
        const double pixel = std::max(box.left() + std::floor((left - box.left()) / grain) * grain, done);
        done = pixel + grain;
        const MergedPixel merged =
            mergePixel(lane, i, from + (pixel + grain - box.left()) * perPixel, grain * perPixel);
        const double shade = std::max(2.0, std::round(merged.busy * shades)) / shades; // a lone span is still seen
        strip.add(pixel, mix(ground, palette[merged.colour].rgb(), shade));
        i = std::max(i + 1, merged.next);
    }
}

void TimelineView::paintSpan(QPainter& painter, const lab::Timeline::Span& span, const QColor& colour,
                             const QRectF& box) const {
    const Theme& theme = Theme::current();
    const bool hollow = span.provenance == lab::Provenance::Modelled && box.width() > 4 && box.height() > 4;
    const QColor fill = hollow ? QColor(mix(theme.panel.rgb(), colour.rgb(), 0.75)) : colour;
    const bool gap = box.width() > 3; // neighbours stay apart
    painter.fillRect(box.adjusted(0, 0, gap ? -1 : 0, 0), fill);
    if (hollow) {
        painter.setPen(QPen(colour, 1));
        painter.setBrush(Qt::NoBrush);
        painter.drawRect(box.adjusted(0.5, 0.5, -1.5, -0.5));
    }
    const bool isHovered = hovered >= 0 && &timeline.spans[static_cast<size_t>(hovered)] == &span;
    if (isHovered) {
        painter.setPen(QPen(theme.ink, 1.5));
        painter.setBrush(Qt::NoBrush);
        painter.drawRect(box.adjusted(0.5, 0.5, -1.5, -0.5));
    }
    constexpr double readable = 26;
    if (span.text.empty() || box.width() < readable)
        return;
    const QFont font = textFont(std::clamp(box.height() / uiScale() - 4, 9.0, 11.5));
    const QFontMetricsF metrics(font);
    if (metrics.height() > box.height() + 2)
        return;
    const QString words = metrics.elidedText(QString::fromStdString(span.text), Qt::ElideRight, box.width() - 8);
    if (words.size() < 2 && span.text.size() > 1)
        return;
    painter.setFont(font);
    painter.setPen(inkOn(fill));
    painter.drawText(box.adjusted(4, 0, -4, 0), Qt::AlignLeft | Qt::AlignVCenter, words);
}

void TimelineView::paintAxis(QPainter& painter, const QRectF& chart) const {
    const Theme& theme = Theme::current();
    const double width = to - from, rough = width / std::max(1.0, chart.width() / (tickDistance * uiScale()));
    const double power = std::pow(10.0, std::floor(std::log10(rough)));
    const double step = rough / power > 5   ? 10 * power
                        : rough / power > 2 ? 5 * power
                        : rough / power > 1 ? 2 * power
                                            : power;
    const QFont font = monoFont(11);
    const QFontMetricsF metrics(font);
    painter.setFont(font);
    if (timeline.x.unit != "s") { // seconds stand with their prefix at each tick
        painter.setPen(theme.muted);
        painter.drawText(
            QRectF(chart.left() - 200, chart.top() - axisHeight * uiScale(), 190, axisHeight * uiScale() - 5),
            Qt::AlignRight | Qt::AlignVCenter, unitText());
    }
    for (double tick = std::ceil(from / step); tick * step <= to; ++tick) {
        const double time = tick * step, x = chart.left() + (time - from) / width * chart.width();
        painter.fillRect(QRectF(std::floor(x), chart.top() - 4, 1, chart.height() + 4), theme.line);
        const QString words = timeText(time, step, true);
        const double half = metrics.horizontalAdvance(words) / 2;
        if (x + half > chart.right() + 12)
            continue;
        painter.setPen(theme.muted);
        painter.drawText(
            QRectF(x - half - 2, chart.top() - axisHeight * uiScale(), 2 * half + 4, axisHeight * uiScale() - 5),
            Qt::AlignCenter, words);
    }
}

void TimelineView::paintLabels(QPainter& painter, const QRectF& whole, const Rows& rows, double scrolled) const {
    const Theme& theme = Theme::current();
    const QRectF chart = chartIn(whole);
    const QFont font = textFont(11.5), bold = textFont(11.5, QFont::DemiBold);
    const QFontMetricsF metrics(font);
    double free = chart.top() - metrics.height() / 2; // labels of narrow tracks do not lie upon one another
    for (const Row& row : rows.rows) {
        const double top = chart.top() + row.top - scrolled;
        const double heading = headingHeight * uiScale();
        if (row.heading && top > chart.top() - 2 && top - heading < chart.bottom()) {
            painter.setFont(bold);
            painter.setPen(theme.muted);
            if (top - heading >= chart.top() - 2 && top <= chart.bottom() + 2)
                painter.drawText(QRectF(whole.left(), top - heading, whole.width(), heading),
                                 Qt::AlignLeft | Qt::AlignVCenter,
                                 QString::fromStdString(timeline.tracks[row.track].group));
        }
        const double height = row.laneHeight * static_cast<double>(index.tracks()[row.track].lanes.size());
        const double middle = top + height / 2, half = metrics.height() / 2;
        if (middle - half < free - 1 || middle + half > chart.bottom() + 3)
            continue;
        painter.setFont(font);
        painter.setPen(theme.ink);
        painter.drawText(QRectF(whole.left(), middle - half, chart.left() - whole.left() - 8, 2 * half),
                         Qt::AlignRight | Qt::AlignVCenter,
                         metrics.elidedText(QString::fromStdString(timeline.tracks[row.track].title), Qt::ElideRight,
                                            chart.left() - whole.left() - 8));
        free = middle + half;
    }
}

void TimelineView::paintLegend(QPainter& painter, const QRectF& whole) const {
    const auto& keys = index.colourKeys();
    if (keys.size() < 2)
        return;
    const Theme& theme = Theme::current();
    const QFont font = textFont(11.5);
    const double left = chartIn(whole).left(), height = legendRow * uiScale();
    const double top = whole.bottom() - legendHeight(whole.right() - left) + 2;
    painter.setFont(font);
    painter.setPen(theme.muted);
    placeLegend(whole.right() - left, [&](size_t key, double x, int row) {
        const QRectF box(left + x, top + row * height, legendSwatch, height);
        painter.fillRect(QRectF(box.left(), box.center().y() - legendSwatch / 2, legendSwatch, legendSwatch),
                         colours[key]);
        painter.drawText(QRectF(box.right() + 6, box.top(), whole.width(), height), Qt::AlignLeft | Qt::AlignVCenter,
                         QString::fromStdString(keys[key]));
    });
}

int TimelineView::placeLegend(double width, const std::function<void(size_t, double, int)>& place) const {
    const auto& keys = index.colourKeys();
    const QFontMetricsF metrics(textFont(11.5));
    double x = 0;
    int row = 0;
    for (size_t key = 1; key < keys.size(); ++key) {
        const double own = legendSwatch + 6 + metrics.horizontalAdvance(QString::fromStdString(keys[key]));
        if (x > 0 && x + own > width) {
            x = 0;
            ++row;
        }
        place(key, x, row);
        x += own + 18;
    }
    return keys.size() > 1 ? row + 1 : 0;
}

double TimelineView::legendHeight(double width) const {
    const int rows = placeLegend(width, [](size_t, double, int) {});
    return rows > 0 ? rows * legendRow * uiScale() + 2 : 4;
}

int TimelineView::fullHeight(int width) const {
    if (!emptySentence().isEmpty())
        return 0;
    const QRectF whole(0, 0, width, 1000);
    double lanes = 0;
    for (const auto& track : index.tracks())
        lanes += static_cast<double>(track.lanes.size());
    const double lane = std::clamp(fewLanes / std::max(lanes, 1.0), usualLane, generousLane);
    const Rows rows = rowsFor(0, lane * uiScale());
    return static_cast<int>(std::ceil(rows.height + 1000 - chartIn(besideComparison(whole)).height()));
}

QString TimelineView::timeText(double time, double step, bool withUnit) const {
    QString unit = QString::fromStdString(timeline.x.unit);
    double scale = 1;
    if (unit == "s") {
        constexpr std::array<std::pair<double, const char*>, 4> units{
            {{1, "s"}, {1e-3, "ms"}, {1e-6, "µs"}, {1e-9, "ns"}}};
        for (const auto& [size, name] : units) { // by what is visible, so that all ticks have one unit
            scale = size;
            unit = QString::fromUtf8(name);
            if (to - from >= size)
                break;
        }
    }
    const int decimals = std::clamp(static_cast<int>(-std::floor(std::log10(step / scale) + 1e-9)), 0, 9);
    const QString number = QLocale(QLocale::English).toString(time / scale, 'f', decimals).replace(',', QChar(0x2009));
    return withUnit && timeline.x.unit == "s" ? number + ' ' + unit : number;
}

QString TimelineView::unitText() const {
    return timeline.x.unit == "clock" ? tr("clocks") : QString::fromStdString(timeline.x.unit);
}

QString TimelineView::durationText(double duration) const {
    if (timeline.x.unit == "s")
        return numberText(duration, "s");
    const QString number = QLocale(QLocale::English).toString(duration, 'f', duration == std::floor(duration) ? 0 : 2);
    return tr("%1 %2").arg(QString(number).replace(',', QChar(0x2009)), unitText());
}

} // namespace warplight::app
