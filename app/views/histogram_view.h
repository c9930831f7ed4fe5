#pragma once

#include "app/views/figure_view.h"

class QCustomPlot;

namespace warplight::app {

/// Counts over bins as step lines, so that several sets can be told apart where they overlap.
class HistogramView : public FigureView {
    Q_OBJECT
  public:
    explicit HistogramView(QWidget* parent = nullptr);
    void setFigure(const lab::Figure& figure) override;
    void render(QPainter& painter, const QRectF& area) const override;

  protected:
    void changeEvent(QEvent* event) override;

  private:
    void draw(QCustomPlot& plot) const;

    lab::Histogram histogram;
    QCustomPlot* plot;
};

} // namespace warplight::app
