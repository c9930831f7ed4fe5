// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QSize>
#include <QWidget>

#include <vector>

namespace warplight::app {

class FigureCard;

/// The cards of a page, placed as placeFigures says. As high as they need, and as the window has room for.
class FigureBoard : public QWidget {
  public:
    using QWidget::QWidget;

    /// Shows these, or of them just the one that is enlarged (null: all). They are this widget's children.
    void setCards(const std::vector<FigureCard*>& cards, FigureCard* enlarged);
    /// How much of the page the window shows at a time: figures grow with its height, and what they need is that of its
    /// width. The same with and without a scroll bar: a need that changed with the bar would call and lose it for ever.
    void setView(const QSize& size);
    void arrange(); ///< anew, after one of them has become another

  protected:
    void resizeEvent(QResizeEvent* event) override;

  private:
    void placeAlone();

    std::vector<FigureCard*> cards;
    FigureCard* enlarged = nullptr;
    QSize view;
};

} // namespace warplight::app
