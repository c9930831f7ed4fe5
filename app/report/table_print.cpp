// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/report/table_print.h"

#include "app/views/table_view.h"
#include "app/views/theme.h"

#include <QFontMetricsF>
#include <QLocale>
#include <QObject>
#include <QPainter>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <variant>

namespace warplight::app {
namespace {

constexpr int textSize = 11, numberSize = 10, headSize = 10; ///< pixels of 1/96 inch: 8.25 and 7.5 points
constexpr double rowPadding = 4, capHeight = 18, widestNarrowed = 150, mostSpread = 22;
constexpr double labelShare = 0.4; ///< of the width that a first column may take which is repeated
constexpr int rowsATurn = 500, fewRows = 12;
constexpr qsizetype mostLines = 30; ///< of a cell

QString counted(int64_t number) { return QLocale(QLocale::English).toString(static_cast<qlonglong>(number)); }

double total(const std::vector<double>& widths) {
    double sum = TablePlan::gap * static_cast<double>(widths.size() - 1);
    for (const double width : widths)
        sum += width;
    return sum;
}

/// Natural widths if they fit, else narrowed ones; empty: they do not fit either.
std::vector<double> fitted(const std::vector<TablePlan::Need>& needs, double width) {
    std::vector<double> widths, least;
    for (const auto& need : needs) {
        widths.push_back(need.natural);
        least.push_back(need.least);
    }
    if (total(least) > width)
        return {};
    if (const double over = total(widths) - width; over > 0) { // who has most to give gives most
        const double given = over / (total(widths) - total(least));
        for (size_t i = 0; i < widths.size(); ++i)
            widths[i] -= given * (widths[i] - least[i]);
    }
    const double spread = std::min(mostSpread, (width - total(widths)) / static_cast<double>(widths.size()));
    for (double& each : widths)
        each += std::max(0.0, spread);
    return widths;
}

std::vector<int> upTo(size_t count) {
    std::vector<int> all(count);
    for (size_t i = 0; i < count; ++i)
        all[i] = static_cast<int>(i);
    return all;
}

} // namespace

TablePlan TablePlan::of(const std::vector<Need>& needs, bool fewRows, double upright, double onItsSide) {
    TablePlan plan;
    if (needs.empty())
        return plan;
    plan.widths = fitted(needs, upright);
    plan.parts = {upTo(needs.size())};
    if (!plan.widths.empty())
        return plan;
    if (!fewRows) {
        plan.landscape = true;
        plan.widths = fitted(needs, onItsSide);
        if (!plan.widths.empty())
            return plan;
    }
    const double width = plan.landscape ? onItsSide : upright;
    for (const Need& need : needs)
        plan.widths.push_back(std::min(std::max(need.least, std::min(need.natural, 2 * widestNarrowed)), width));
    plan.widths[0] = std::min(plan.widths[0], labelShare * width);
    plan.parts.clear();
    double used = 2 * width;
    for (size_t column = 1; column < needs.size(); ++column) {
        if (used + gap + plan.widths[column] > width) {
            plan.parts.push_back({0});
            used = plan.widths[0];
            plan.widths[column] = std::min(plan.widths[column], width - used - gap);
        }
        plan.parts.back().push_back(static_cast<int>(column));
        used += gap + plan.widths[column];
    }
    if (plan.parts.empty()) // a single column, wider than the page
        plan.parts = {{0}}, plan.widths[0] = width;
    return plan;
}

TablePrint::TablePrint(const lab::Figure& shown) : figure(shown), model(std::make_unique<TableModel>()) {
    model->setTable(std::get<lab::Table>(figure.content));
    needs.resize(static_cast<size_t>(model->columnCount()));
}

TablePrint::~TablePrint() = default;

QFont TablePrint::fontOf(int column) const {
    return model->table().columns[static_cast<size_t>(column)].numeric ? monoFont(numberSize) : textFont(textSize);
}

bool TablePrint::measure() {
    const int until = std::min(measured + rowsATurn, model->rowCount());
    for (size_t c = 0; c < needs.size(); ++c) {
        const bool numeric = model->table().columns[c].numeric;
        const QFontMetricsF metrics(fontOf(static_cast<int>(c)));
        for (int row = measured; row < until; ++row) {
            const QString text = model->index(row, static_cast<int>(c)).data().toString();
            double width = 0;
            for (const QString& line : text.split('\n'))
                width = std::max(width, std::ceil(metrics.horizontalAdvance(line)) + 1);
            needs[c].natural = std::max(needs[c].natural, width);
            needs[c].least = std::max(needs[c].least, numeric ? width : std::min(width, widestNarrowed));
        }
    }
    measured = until;
    if (measured < model->rowCount())
        return false;
    layOut();
    return true;
}

void TablePrint::layOut() {
    const QFontMetricsF metrics(textFont(headSize));
    for (size_t c = 0; c < needs.size(); ++c) {
        const QString title = model->headerData(static_cast<int>(c), Qt::Horizontal, Qt::DisplayRole).toString();
        const QString badge = model->headerData(static_cast<int>(c), Qt::Horizontal, Qt::ToolTipRole).toString();
        double word = metrics.horizontalAdvance(badge);
        for (const QString& each : title.split(' '))
            word = std::max(word, metrics.horizontalAdvance(each));
        needs[c].least = std::max(needs[c].least, std::ceil(word) + 1);
        needs[c].natural = std::max(needs[c].natural, needs[c].least);
    }
    planned = TablePlan::of(needs, model->rowCount() <= fewRows, Paper::room(false).width(), Paper::room(true).width());
    qsizetype lines = 1;
    for (size_t c = 0; c < needs.size(); ++c) {
        const auto column = static_cast<int>(c);
        QStringList head = wrapped(model->headerData(column, Qt::Horizontal, Qt::DisplayRole).toString(),
                                   textFont(headSize), planned.widths[c]);
        if (const QString badge = model->headerData(column, Qt::Horizontal, Qt::ToolTipRole).toString();
            !badge.isEmpty())
            head << badge;
        lines = std::max(lines, head.size());
        heads.push_back(head);
    }
    headHeight = static_cast<double>(lines) * lineHeight(textFont(headSize)) + rowPadding;
    for (int row = 0; row < model->rowCount(); ++row)
        rowHeights.push_back(heightOf(row));
}

QStringList TablePrint::cellLines(int row, int column) const {
    const QString text = model->index(row, column).data().toString();
    const double width = planned.widths[static_cast<size_t>(column)];
    if (needs[static_cast<size_t>(column)].natural <= width && !text.contains('\n'))
        return {text};
    QStringList lines = wrapped(text, fontOf(column), width);
    if (lines.size() > mostLines) {
        lines = lines.mid(0, mostLines);
        lines.back() = QObject::tr("… (%1 characters)").arg(counted(text.size()));
    }
    return lines;
}

double TablePrint::heightOf(int row) const {
    qsizetype lines = 1;
    for (int column = 0; column < model->columnCount(); ++column)
        if (needs[static_cast<size_t>(column)].natural > planned.widths[static_cast<size_t>(column)] ||
            !model->table().columns[static_cast<size_t>(column)].numeric)
            lines = std::max(lines, cellLines(row, column).size());
    return static_cast<double>(lines) * lineHeight(textFont(textSize)) + rowPadding;
}

double TablePrint::firstHeight() const { return capHeight + headHeight + (rowHeights.empty() ? 0 : rowHeights[0]); }

void TablePrint::place(Paper& paper) const {
    const int rows = model->rowCount();
    if (planned.parts.empty() || rows == 0)
        return paper.text(planned.parts.empty() ? QObject::tr("The table has no columns.")
                                                : QObject::tr("The table has no rows."),
                          textFont(textSize), Theme::current().muted);
    const auto parts = static_cast<int>(planned.parts.size());
    for (int row = 0; row < rows;) {
        paper.need(firstHeight());
        // As many rows as fit; if all that are left fit with all their parts, those.
        double all = 0;
        for (int r = row; r < rows && all <= paper.left(); ++r)
            all += rowHeights[static_cast<size_t>(r)];
        int end = rows;
        if (parts * (all + headHeight + capHeight) > paper.left()) {
            double height = capHeight + headHeight + rowHeights[static_cast<size_t>(row)];
            for (end = row + 1; end < rows && height + rowHeights[static_cast<size_t>(end)] <= paper.left(); ++end)
                height += rowHeights[static_cast<size_t>(end)];
        }
        for (int part = 0; part < parts; ++part) // all columns of these rows before the next rows
            placePart(paper, static_cast<size_t>(part), row, end, row > 0 || part > 0 || parts > 1 || end < rows);
        row = end;
    }
}

void TablePrint::placePart(Paper& paper, size_t part, int first, int last, bool said) const {
    const std::vector<int>& columns = planned.parts[part];
    double height = headHeight + (said ? capHeight : 0);
    for (int row = first; row < last; ++row)
        height += rowHeights[static_cast<size_t>(row)];
    QStringList which;
    if (first > 0 || last < model->rowCount())
        which << QObject::tr("rows %1 to %2 of %3").arg(counted(first + 1), counted(last), counted(model->rowCount()));
    if (planned.parts.size() > 1)
        which << QObject::tr("columns %1 to %2 of %3").arg(columns[1] + 1).arg(columns.back() + 1).arg(needs.size());
    const QString cap = QString("%1%2: %3")
                            .arg(QString::fromStdString(figure.title),
                                 first > 0 || part > 0 ? QObject::tr(", continued") : QString(), which.join(", "));
    const auto self = shared_from_this();
    paper.place(height, [=](QPainter& painter, const QRectF& box) {
        double y = box.top();
        if (said) {
            painter.setFont(textFont(headSize));
            painter.setPen(Theme::current().muted);
            painter.drawText(QPointF(box.left(), y + QFontMetricsF(textFont(headSize)).ascent()), cap);
            y += capHeight;
        }
        self->drawHead(painter, QRectF(box.left(), y, box.width(), self->headHeight), self->planned.parts[part]);
        y += self->headHeight;
        for (int row = first; row < last; ++row) {
            const double tall = self->rowHeights[static_cast<size_t>(row)];
            self->drawRow(painter, QRectF(box.left(), y, box.width(), tall), row, self->planned.parts[part]);
            y += tall;
        }
    });
}

namespace {

void drawLines(QPainter& painter, const QRectF& cell, const QStringList& lines, const QFont& font, bool right,
               double pitch) {
    const QFontMetricsF metrics(font);
    painter.setFont(font);
    double y = cell.top() + metrics.ascent();
    for (const QString& line : lines) {
        const double x = right ? cell.right() - metrics.horizontalAdvance(line) : cell.left();
        painter.drawText(QPointF(x, y), line);
        y += pitch;
    }
}

} // namespace

void TablePrint::drawHead(QPainter& painter, const QRectF& box, const std::vector<int>& columns) const {
    const double pitch = lineHeight(textFont(headSize));
    double x = box.left();
    painter.setPen(Theme::current().muted);
    for (const int column : columns) {
        const auto c = static_cast<size_t>(column);
        const double used = pitch * static_cast<double>(heads[c].size());
        drawLines(painter, QRectF(x, box.bottom() - rowPadding - used, planned.widths[c], used), heads[c],
                  textFont(headSize), model->table().columns[c].numeric, pitch);
        x += planned.widths[c] + TablePlan::gap;
    }
    painter.fillRect(QRectF(box.left(), box.bottom() - 1.5, x - TablePlan::gap - box.left(), 1),
                     Theme::current().muted);
}

void TablePrint::drawRow(QPainter& painter, const QRectF& box, int row, const std::vector<int>& columns) const {
    double x = box.left();
    for (const int column : columns) {
        const auto c = static_cast<size_t>(column);
        painter.setPen(Theme::current().ink);
        drawLines(painter, QRectF(x, box.top() + rowPadding / 2, planned.widths[c], box.height()),
                  cellLines(row, column), fontOf(column), model->table().columns[c].numeric,
                  lineHeight(textFont(textSize)));
        x += planned.widths[c] + TablePlan::gap;
    }
    painter.fillRect(QRectF(box.left(), box.bottom() - 0.5, x - TablePlan::gap - box.left(), 0.5),
                     Theme::current().line);
}

} // namespace warplight::app
