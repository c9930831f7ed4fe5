// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/views/figure_view.h"

class QLabel;

namespace warplight::app {

/// One headline number with its caption and provenance.
class MetricView : public FigureView {
    Q_OBJECT
  public:
    explicit MetricView(QWidget* parent = nullptr);
    void setFigure(const lab::Figure& figure) override;
    void render(QPainter& painter, const QRectF& area) const override;
    QSize pictureSize() const override { return {360, 110}; }

  protected:
    void changeEvent(QEvent* event) override;

  private:
    QLabel *number, *caption, *badge;
};

} // namespace warplight::app
