// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/views/figure_view.h"

#include <QAbstractTableModel>
#include <QStringList>
#include <cstddef>
#include <vector>

class QTableView;

namespace warplight::app {

/// The rows of a Table figure as Qt sees them: numbers aligned right, sorted by value.
class TableModel : public QAbstractTableModel {
    Q_OBJECT
  public:
    using QAbstractTableModel::QAbstractTableModel;
    void setTable(lab::Table table);
    void setTitles(QStringList titles); ///< of the columns, as the header shows them
    const lab::Table& table() const { return shown; }

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

    static constexpr int SortRole = Qt::UserRole;

  private:
    lab::Table shown;
    QStringList titles;
};

/// A sortable table. Columns are as wide as what stands in them, and share what is left; where that is not enough, long
/// titles have two lines, sentences wrap, long names lose their middle, columns without
/// any value go, and the rest scrolls. Enter on a row, or a
/// click on its last cell, follows the row's link.
class TableView : public FigureView {
    Q_OBJECT
  public:
    explicit TableView(QWidget* parent = nullptr);
    void setFigure(const lab::Figure& figure) override;
    void render(QPainter& painter, const QRectF& area) const override;
    QSize pictureSize() const override;
    FigureRoom room() const override;
    int fullHeight(int width) const override;

  protected:
    void changeEvent(QEvent* event) override;
    bool eventFilter(QObject* object, QEvent* event) override;

  private:
    bool follow(int row); ///< the row's link, if it has one
    void measure();
    void shareWidth();
    /// Titles in one line; in two; without the columns that have no value: the first that has room in this width.
    enum class Density { Wide, Broken, Dense };
    Density densityIn(int width) const;
    std::vector<int> widthsIn(int width) const;
    bool wrapsIn(int width, const std::vector<int>& widths) const;
    std::vector<int> rowHeights(int width, const std::vector<int>& widths, int enough) const;
    int headHeight(int width) const;

    struct Column {
        int content = 0;                  ///< the widest cell
        bool any = false;                 ///< has a value in some row
        int title = 0;                    ///< in one line
        int brokenTitle = 0;              ///< in two, where that is narrower
        QString whole, broken;            ///< titles
        int width(Density density) const; ///< 0: it goes
    };
    std::vector<Column> columns;
    size_t measured = 0; ///< rows that are in them
    int sentences = -1;  ///< the column that wraps
    int names = -1;      ///< the one that may be elided: long names without spaces

    TableModel* model;
    QTableView* table;
};

} // namespace warplight::app
