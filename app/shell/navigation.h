// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/experiment.h"

#include <QTreeWidget>

#include <vector>

namespace warplight::app {

/// The pages, lab by lab. The lab whose page is shown has its pages below it, the others are one line each: a click, →,
/// Return or the space bar opens one to look into it, and choosing a page of it closes the one before. The page that is
/// shown can always be seen.
class Navigation : public QTreeWidget {
    Q_OBJECT
  public:
    explicit Navigation(QWidget* parent = nullptr);

    /// As wide as their titles need, within bounds.
    void setPages(const std::vector<lab::Description>& pages);
    bool isEmpty() const { return topLevelItemCount() == 0; }
    QString firstPage() const;
    void choose(const QString& page);   ///< without a signal
    QString neighbour(int steps) const; ///< of the chosen page, over the ends of labs; the last one where it ends

  signals:
    void pageChosen(const QString& page);

  protected:
    void drawRow(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
    void drawBranches(QPainter* painter, const QRect& rect, const QModelIndex& index) const override;
    void keyPressEvent(QKeyEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void changeEvent(QEvent* event) override;

  private:
    QTreeWidgetItem* itemOf(const QString& page) const;
    void toggle(QTreeWidgetItem* lab);
    void tidy(); ///< closes labs that nobody looks into any more, and brings the chosen page into sight
    void colour();

    QTreeWidgetItem* shown = nullptr; ///< the chosen page's
    bool pressed = false;             ///< rows stay where they are under a mouse button
};

} // namespace warplight::app
