// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/views/figure_view.h"

#include <QSet>
#include <vector>

class QCustomPlot;

namespace warplight::app {

class Legend;
struct LegendEntry;

/// Counts over bins as step lines, so that several sets can be told apart where they overlap. Zoom with the wheel, pan
/// by dragging, double click to reset; a click on a name in the legend hides its set.
class HistogramView : public FigureView {
    Q_OBJECT
  public:
    explicit HistogramView(QWidget* parent = nullptr);
    void setFigure(const lab::Figure& figure) override;
    void render(QPainter& painter, const QRectF& area) const override;
    int moreHeight(int width) const override;
    bool canResetZoom() const override { return true; }
    void resetZoom() override;
    QList<QAction*> viewActions() override { return {logCounts}; }
    /// What the pointer reads at x: the bin and the count of each set.
    QString readingAt(double x) const;

  protected:
    void changeEvent(QEvent* event) override;

  private:
    void draw(QCustomPlot& plot, bool fit) const;
    void redraw();
    std::vector<LegendEntry> legendEntries() const;

    lab::Histogram histogram;
    Legend* legend;
    QCustomPlot* plot;
    QAction* logCounts;
    QSet<QString> hidden; ///< sets that a click on their name has put away, by label
    bool userZoomed = false;
};

} // namespace warplight::app
