#include "app/views/table_view.h"

#include "app/views/theme.h"

#include <QHeaderView>
#include <QSortFilterProxyModel>
#include <QTableView>
#include <QVBoxLayout>
#include <algorithm>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>
#include <variant>

namespace warplight::app {
namespace {

constexpr int rowHeight = 26;
constexpr size_t sentenceLength = 60; ///< characters; longer texts are wrapped
constexpr size_t mostWrapped = 500;   ///< rows of a table whose heights are worked out

QString cellText(const lab::Table::Cell& cell, const lab::Table::Column& column) {
    const QString unit = QString::fromStdString(column.unit);
    if (const auto* number = std::get_if<double>(&cell))
        return numberText(*number, unit, unit.isEmpty() ? QString::fromStdString(column.format) : QString());
    if (const auto* count = std::get_if<int64_t>(&cell))
        return unit.isEmpty() ? QString::number(*count) : numberText(static_cast<double>(*count), unit);
    const auto* text = std::get_if<std::string>(&cell);
    return text ? QString::fromStdString(*text) : QString("–");
}

} // namespace

void TableModel::setTable(lab::Table table) {
    // Most updates add rows at the end; those keep selection and scroll position.
    if (table.columns == shown.columns && table.rows.size() > shown.rows.size() &&
        std::equal(shown.rows.begin(), shown.rows.end(), table.rows.begin())) {
        beginInsertRows({}, static_cast<int>(shown.rows.size()), static_cast<int>(table.rows.size()) - 1);
        shown = std::move(table);
        endInsertRows();
    } else if (!(table == shown)) {
        beginResetModel();
        shown = std::move(table);
        endResetModel();
    }
}

int TableModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(shown.rows.size());
}
int TableModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(shown.columns.size());
}

QVariant TableModel::data(const QModelIndex& index, int role) const {
    if (!index.isValid())
        return {};
    const auto& column = shown.columns[static_cast<size_t>(index.column())];
    const auto& cell = shown.rows[static_cast<size_t>(index.row())][static_cast<size_t>(index.column())];
    if (role == Qt::DisplayRole)
        return cellText(cell, column);
    if (role == Qt::TextAlignmentRole)
        return QVariant::fromValue(Qt::Alignment(Qt::AlignVCenter | (column.numeric ? Qt::AlignRight : Qt::AlignLeft)));
    if (role == Qt::FontRole)
        return column.numeric ? monoFont(11.5) : textFont(12.5);
    if (const auto link = shown.rowLinks.find(index.row());
        link != shown.rowLinks.end() && index.column() + 1 == columnCount()) { // the last cell is the way there
        if (role == Qt::ForegroundRole)
            return Theme::current().accent;
        if (role == Qt::ToolTipRole)
            return QString::fromStdString(link->second.title);
    }
    if (role == SortRole) {
        if (const auto* number = std::get_if<double>(&cell))
            return *number;
        if (const auto* count = std::get_if<int64_t>(&cell))
            return static_cast<qlonglong>(*count);
        return cellText(cell, column);
    }
    return {};
}

QVariant TableModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || section >= columnCount())
        return {};
    const auto& column = shown.columns[static_cast<size_t>(section)];
    if (role == Qt::DisplayRole)
        return QString::fromStdString(column.title);
    if (role == Qt::ToolTipRole && column.provenance)
        return badgeText(*column.provenance);
    if (role == Qt::TextAlignmentRole)
        return QVariant::fromValue(Qt::Alignment(Qt::AlignVCenter | (column.numeric ? Qt::AlignRight : Qt::AlignLeft)));
    return {};
}

TableView::TableView(QWidget* parent) : FigureView(parent), model(new TableModel(this)), table(new QTableView(this)) {
    auto* sorted = new QSortFilterProxyModel(this);
    sorted->setSourceModel(model);
    sorted->setSortRole(TableModel::SortRole);
    table->setModel(sorted);
    table->setSortingEnabled(true);
    table->sortByColumn(-1, Qt::AscendingOrder);
    table->verticalHeader()->hide();
    table->verticalHeader()->setDefaultSectionSize(rowHeight);
    table->horizontalHeader()->setSectionResizeMode(QHeaderView::ResizeToContents);
    table->horizontalHeader()->setStretchLastSection(true);
    table->setShowGrid(false);
    table->setSelectionBehavior(QAbstractItemView::SelectRows);
    table->setEditTriggers(QAbstractItemView::NoEditTriggers);
    connect(table, &QTableView::activated, this, [this, sorted](const QModelIndex& index) {
        const int row = sorted->mapToSource(index).row();
        if (!follow(row))
            emit selected(row, 0);
    });
    connect(table, &QTableView::clicked, this, [this, sorted](const QModelIndex& index) {
        if (index.column() + 1 == model->columnCount())
            follow(sorted->mapToSource(index).row());
    });
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addWidget(table);
}

bool TableView::follow(int row) {
    const auto link = model->table().rowLinks.find(row);
    if (link == model->table().rowLinks.end())
        return false;
    emit linkActivated(link->second);
    return true;
}

void TableView::setFigure(const lab::Figure& figure) {
    model->setTable(std::get<lab::Table>(figure.content));
    wrapSentences();
}

/// A column of sentences takes the width that is left, and its rows the height they need.
void TableView::wrapSentences() {
    const lab::Table& shown = model->table();
    int sentences = -1;
    size_t longest = sentenceLength;
    if (shown.rows.size() <= mostWrapped)
        for (const auto& row : shown.rows)
            for (size_t column = 0; column < row.size(); ++column)
                if (const auto* text = std::get_if<std::string>(&row[column]); text && text->size() > longest) {
                    longest = text->size();
                    sentences = static_cast<int>(column);
                }
    QHeaderView* header = table->horizontalHeader();
    header->setSectionResizeMode(QHeaderView::ResizeToContents);
    header->setStretchLastSection(sentences < 0);
    table->setWordWrap(sentences >= 0);
    if (sentences >= 0)
        header->setSectionResizeMode(sentences, QHeaderView::Stretch);
    table->verticalHeader()->setSectionResizeMode(sentences >= 0 ? QHeaderView::ResizeToContents : QHeaderView::Fixed);
}

QSize TableView::pictureSize() const { return {960, 24 + rowHeight * (1 + model->rowCount())}; }

int TableView::fullHeight() const {
    const QHeaderView* rows = table->verticalHeader();
    return table->horizontalHeader()->sizeHint().height() + std::max(rows->length(), rows->defaultSectionSize()) +
           rows->defaultSectionSize() / 2;
}

void TableView::render(QPainter& painter, const QRectF& area) const {
    const Theme& theme = Theme::current();
    const int columns = std::max(1, model->columnCount());
    const double width = area.width() / columns;
    for (int row = -1; row < model->rowCount(); ++row)
        for (int column = 0; column < model->columnCount(); ++column) {
            const QModelIndex index = model->index(std::max(row, 0), column);
            const QRectF cell(area.left() + column * width, area.top() + (row + 1) * rowHeight, width - 8, rowHeight);
            painter.setPen(row < 0 ? theme.muted : theme.ink);
            painter.setFont(row < 0 ? textFont(12) : index.data(Qt::FontRole).value<QFont>());
            const QVariant text =
                row < 0 ? model->headerData(column, Qt::Horizontal, Qt::DisplayRole) : index.data(Qt::DisplayRole);
            const QVariant alignment = row < 0 ? model->headerData(column, Qt::Horizontal, Qt::TextAlignmentRole)
                                               : index.data(Qt::TextAlignmentRole);
            painter.drawText(cell, static_cast<int>(alignment.value<Qt::Alignment>()), text.toString());
        }
}

} // namespace warplight::app
