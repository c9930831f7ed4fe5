#pragma once

#include "app/views/figure_view.h"

#include <QAbstractTableModel>

class QTableView;

namespace warplight::app {

/// The rows of a Table figure as Qt sees them: numbers aligned right, sorted by value.
class TableModel : public QAbstractTableModel {
    Q_OBJECT
  public:
    using QAbstractTableModel::QAbstractTableModel;
    void setTable(lab::Table table);
    const lab::Table& table() const { return shown; }

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

    static constexpr int SortRole = Qt::UserRole;

  private:
    lab::Table shown;
};

/// A sortable table. Enter on a row, or a click on its last cell, follows the row's link.
class TableView : public FigureView {
    Q_OBJECT
  public:
    explicit TableView(QWidget* parent = nullptr);
    void setFigure(const lab::Figure& figure) override;
    void render(QPainter& painter, const QRectF& area) const override;
    QSize pictureSize() const override;
    int fullHeight() const override;

  private:
    bool follow(int row); ///< the row's link, if it has one
    void wrapSentences();

    TableModel* model;
    QTableView* table;
};

} // namespace warplight::app
