// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/report/paper.h"
#include "core/lab/figure.h"

#include <memory>
#include <vector>

namespace warplight::app {

class TableModel;

/// How the columns of a table share the width of paper. What does not fit goes on beside it: parts, each of which
/// begins with the first column.
struct TablePlan {
    /// What a column needs.
    struct Need {
        double natural = 0; ///< on one line
        double least = 0;   ///< wrapped
    };
    bool landscape = false;
    std::vector<double> widths;
    std::vector<std::vector<int>> parts; ///< columns

    /// For a page of these widths, upright and on its side. Few rows stay upright.
    static TablePlan of(const std::vector<Need>& needs, bool fewRows, double upright, double onItsSide);
    static constexpr double gap = 14; ///< between two columns
};

/// A table on paper: it breaks over pages, and its head is repeated on each of them.
class TablePrint : public std::enable_shared_from_this<TablePrint> {
  public:
    explicit TablePrint(const lab::Figure& figure); ///< which must outlive what is placed
    ~TablePrint();

    bool measure(); ///< some of the rows; true: all are measured
    const TablePlan& plan() const { return planned; }
    double firstHeight() const; ///< of head and first row: less is not begun with
    void place(Paper& paper) const;

  private:
    void layOut();
    QFont fontOf(int column) const;
    QStringList cellLines(int row, int column) const;
    double heightOf(int row) const;
    void placePart(Paper& paper, size_t part, int first, int last, bool said) const;
    void drawHead(QPainter& painter, const QRectF& box, const std::vector<int>& columns) const;
    void drawRow(QPainter& painter, const QRectF& box, int row, const std::vector<int>& columns) const;

    const lab::Figure& figure;
    std::unique_ptr<TableModel> model;
    std::vector<TablePlan::Need> needs;
    std::vector<double> rowHeights;
    std::vector<QStringList> heads;
    TablePlan planned;
    int measured = 0;
    double headHeight = 0;
};

} // namespace warplight::app
