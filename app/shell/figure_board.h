// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

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
    /// How much of the page the window shows at a time: figures grow with it.
    void setViewHeight(int height);
    void arrange(); ///< anew, after one of them has become another

  protected:
    void resizeEvent(QResizeEvent* event) override;

  private:
    void placeAlone();

    std::vector<FigureCard*> cards;
    FigureCard* enlarged = nullptr;
    int viewHeight = 0;
};

} // namespace warplight::app
