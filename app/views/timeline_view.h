// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/views/figure_view.h"
#include "app/views/timeline_index.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

class QScrollBar;

namespace warplight::app {

/// Tracks of spans. The wheel or + and - zoom around the mouse, dragging or the arrow keys pan, Home and End go to the
/// ends, 0 or a double click shows all; Shift and the wheel, or Page Up and Down, scroll the tracks. Draws pixels, not
/// spans: a million of them cost no more than what the screen has room for. A compared run's spans stand below each
/// track's, lower and pale, on the same axis.
class TimelineView : public FigureView {
    Q_OBJECT
  public:
    explicit TimelineView(QWidget* parent = nullptr);

    void setFigure(const lab::Figure& figure) override;
    void setCompared(std::optional<lab::Figure> pinned, const QString& pinnedName) override;
    void render(QPainter& painter, const QRectF& area) const override;
    QSize pictureSize() const override;
    FigureRoom room() const override { return {340, 210, 290, 150}; }
    int fullHeight(int width) const override;
    bool canResetZoom() const override { return true; }
    void resetZoom() override;

    double visibleBegin() const { return from; } ///< in units of the x axis
    double visibleEnd() const { return to; }
    void zoomAt(double x, double factor);  ///< a pixel keeps its time; factor above 1 shows less
    int64_t spanAt(QPointF point) const;   ///< index, -1: none
    int64_t pinnedAt(QPointF point) const; ///< index into the compared run's spans, -1: none
    QStringList readingAt(int64_t span) const;
    QString comparison() const; ///< "1.20× of pinned, pale: 3 µs": how long this run takes
    QString emptySentence() const;
    QColor colourOf(const std::string& colourKey) const;
    QRectF chartArea() const; ///< of the spans, in pixels of the widget

  protected:
    bool event(QEvent* event) override;
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void mouseDoubleClickEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void changeEvent(QEvent* event) override;

  private:
    static constexpr double narrowestLane = 7; ///< on the screen; below that tracks scroll

    /// Where tracks stand, from the top of all of them.
    struct Row {
        size_t track;
        double top, laneHeight;
        bool heading;     ///< the name of the track's group stands above it
        double pinnedTop; ///< of the compared run's lanes
        double pinnedHeight;
        int pinned; ///< its track, -1: none
    };
    struct Rows {
        std::vector<Row> rows;
        double height = 0;
    };

    Rows rowsFor(double height, double narrowest) const;
    QRectF chartIn(const QRectF& whole) const;
    void moveTo(double begin, double end);
    void fitScrollBar();
    double timeAt(double x, const QRectF& chart) const {
        return from + (x - chart.left()) / chart.width() * (to - from);
    }
    void paint(QPainter& painter, const QRectF& whole, const Rows& rows, double scrolled, double grain) const;
    void paintAxis(QPainter& painter, const QRectF& chart) const;
    void paintLane(QPainter& painter, const lab::Timeline& of, const std::vector<QColor>& palette,
                   const TimelineIndex::Lane& lane, const QRectF& box, double grain) const;
    void paintSpan(QPainter& painter, const lab::Timeline::Span& span, const QColor& colour, const QRectF& box) const;
    void paintEnds(QPainter& painter, const QRectF& chart) const;
    void paintComparison(QPainter& painter, const QRectF& whole) const;
    QRectF besideComparison(const QRectF& whole) const; ///< what its row leaves
    int64_t spanIn(const TimelineIndex::Track& track, double top, double laneHeight, double y, double time) const;
    QStringList readingOf(const lab::Timeline& of, int64_t span) const;
    void tell(QPointF point);
    /// Of all that is drawn.
    double firstTime() const;
    double lastTime() const;
    void paintLabels(QPainter& painter, const QRectF& whole, const Rows& rows, double scrolled) const;
    void paintLegend(QPainter& painter, const QRectF& whole) const;
    double legendHeight(double width) const;
    /// Places the names of the legend in rows of this width, from the left; returns how many rows.
    int placeLegend(double width, const std::function<void(size_t key, double x, int row)>& place) const;
    QString timeText(double time, double step, bool withUnit) const;
    QString unitText() const;
    QString durationText(double duration) const;
    void showAnew(); ///< after the spans, or those of the compared run, have changed
    void fillColours();
    void matchTracks();

    lab::Timeline timeline;
    TimelineIndex index;
    std::vector<QColor> colours; ///< per colour key of the index
    /// Another run's, drawn below.
    struct Pinned {
        QString name;
        lab::Timeline timeline;
        TimelineIndex index;
        std::vector<int> trackOf; ///< per track of this run, -1: it has none
        std::vector<QColor> colours;
    };
    std::optional<Pinned> pinned;
    double from = 0, to = 1;
    bool fitted = true; ///< shows all, also when more comes
    QScrollBar* scrollBar;
    int64_t hovered = -1;
    QPointF pressed;
    double pressedFrom = 0;
    int pressedScroll = 0;
    bool dragging = false, moved = false;
};

} // namespace warplight::app
