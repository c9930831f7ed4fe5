// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"
#include "core/lab/frame.h"

#include <QAction>
#include <QPainter>
#include <QString>
#include <QWidget>
#include <cstdint>

#include <optional>

namespace warplight::app {

/// What a kind of figure asks of its page, in pixels at the base size of type.
struct FigureRoom {
    int width = 340;        ///< the least that it can be read in
    int height = 210;       ///< that suits it as one of several
    int mainHeight = 290;   ///< that suits it as the main figure
    int detailHeight = 150; ///< that suits it beside another
    int detailWidth = 270;  ///< the least that it can be read in there
};

/// A widget that draws one kind of figure. Views know pixels, never algorithms, and never compute on the data beyond
/// what is visible. setFigure may be called a thousand times a second: a view repaints at most once per screen frame.
class FigureView : public QWidget {
    Q_OBJECT
  public:
    using QWidget::QWidget;

    /// The view for the figure's kind, already showing it.
    static FigureView* create(const lab::Figure& figure, QWidget* parent = nullptr);

    /// Shows this state of the figure (same kind as at creation); keeps zoom, hidden curves, current step.
    virtual void setFigure(const lab::Figure& figure) = 0;
    /// Draws another run's figure of the same id over this one, with the ratio at each point; nullopt ends comparing.
    virtual void setCompared(std::optional<lab::Figure> pinned, const QString& pinnedName);
    /// A tile of a lazy heat map has come.
    virtual void addTile(const lab::TilePut& tile);
    /// Lines for the hover at a cell have come (answer to probeWanted).
    virtual void setProbe(int64_t row, int64_t col, const QStringList& lines);
    /// No engine answers for this figure any more (opened from a file, engine gone): show what is here.
    virtual void setDetached(bool detached);

    /// Paints the figure as it stands into `area` (vector output: report, SVG, PDF, printing, clipboard).
    virtual void render(QPainter& painter, const QRectF& area) const = 0;
    /// A good size in pixels for a stand-alone picture of it.
    virtual QSize pictureSize() const { return {960, 540}; }
    virtual FigureRoom room() const { return {}; }
    /// The height in which all of it can be seen at this width, in pixels of today; 0 = it makes use of any.
    virtual int fullHeight(int /*width*/) const { return 0; }
    /// What a legend that has more than a line at this width adds to the height that suits it, in pixels of today.
    virtual int moreHeight(int /*width*/) const { return 0; }
    virtual bool keepsShape() const { return false; } ///< as high as wide: more width is of no use
    /// Of a figure that keeps its shape: the width that it makes use of at this height, in pixels of today.
    virtual int fullWidth(int /*height*/) const { return 0; }

    virtual bool canResetZoom() const { return false; }
    /// What can be done with this view besides: entries of its context menu, owned by the view.
    virtual QList<QAction*> viewActions() { return {}; }

  public slots:
    virtual void resetZoom() {}

  signals:
    void tileWanted(int level, qint64 tileRow, qint64 tileCol);
    void tilesDropped(); ///< the view has moved on: pending tile requests are stale
    void probeWanted(qint64 row, qint64 col);
    void selected(qint64 row, qint64 col); ///< what `row` and `col` are: docs/protocol.md, "select"
    void linkActivated(const warplight::lab::Link& link);
    void statusText(const QString& text); ///< crosshair values, for the status line
};

} // namespace warplight::app
