// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QLayout>

namespace warplight::app {

/// Items one after another, in as many rows as the width asks for.
class FlowLayout : public QLayout {
  public:
    explicit FlowLayout(int gap) : gap(gap), verticalGap(gap) { setContentsMargins(0, 0, 0, 0); }
    ~FlowLayout() override {
        while (QLayoutItem* item = takeAt(0))
            delete item;
    }

    void setVerticalGap(int pixels) { verticalGap = pixels; }
    void addItem(QLayoutItem* item) override { items.append(item); }
    int count() const override { return static_cast<int>(items.size()); }
    QLayoutItem* itemAt(int index) const override { return items.value(index); }
    QLayoutItem* takeAt(int index) override {
        return index >= 0 && index < items.size() ? items.takeAt(index) : nullptr;
    }
    Qt::Orientations expandingDirections() const override { return {}; }
    bool hasHeightForWidth() const override { return true; }
    int heightForWidth(int width) const override { return arrange(QRect(0, 0, width, 0), false); }
    QSize sizeHint() const override { return minimumSize(); }
    QSize minimumSize() const override;
    void setGeometry(const QRect& rect) override {
        QLayout::setGeometry(rect);
        arrange(rect, true);
    }

  private:
    int arrange(const QRect& rect, bool place) const; ///< returns the height used

    QList<QLayoutItem*> items;
    int gap, verticalGap;
};

} // namespace warplight::app
