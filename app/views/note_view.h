// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/views/figure_view.h"

class QTextBrowser;

namespace warplight::app {

/// A text in Markdown.
class NoteView : public FigureView {
    Q_OBJECT
  public:
    explicit NoteView(QWidget* parent = nullptr);
    void setFigure(const lab::Figure& figure) override;
    void render(QPainter& painter, const QRectF& area) const override;
    int fullHeight(int width) const override;

  private:
    QTextBrowser* text;
};

} // namespace warplight::app
