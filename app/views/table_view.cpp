// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/views/table_view.h"

#include "app/views/theme.h"

#include <QEvent>
#include <QFontMetrics>
#include <QHeaderView>
#include <QPainter>
#include <QScrollBar>
#include <QSortFilterProxyModel>
#include <QStyledItemDelegate>
#include <QTableView>
#include <QTextDocument>
#include <QVBoxLayout>
#include <algorithm>
#include <cstdint>
#include <numeric>
#include <string>
#include <tuple>
#include <utility>
#include <variant>

namespace warplight::app {
namespace {

constexpr int rowHeight = 26;
constexpr int cellMargin = 5; ///< left and right of a text, as the style sheet has it: columns keep a gap
constexpr int sentenceWidth = 260, narrowestSentence = 180, narrowestNames = 230, longNames = 300;
constexpr int scrolledSentence = 780, scrolledNames = 420; ///< at most, where the table scrolls anyway
constexpr QChar gapSign(0x2002);                           ///< half an em: what a text keeps from a number left of it
constexpr int headMargin = 6;                              ///< above and below the titles
constexpr int usualRows = 8, mainRows = 11, detailRows = 5;
constexpr size_t sentenceLength = 60; ///< characters; longer texts are wrapped
constexpr size_t mostWrapped = 500;   ///< rows of a table whose heights are worked out
constexpr size_t mostMeasured = 2000; ///< rows that decide how wide columns are

QString cellText(const lab::Table::Cell& cell, const lab::Table::Column& column) {
    const QString unit = QString::fromStdString(column.unit);
    if (const auto* number = std::get_if<double>(&cell))
        return numberText(*number, unit, unit.isEmpty() ? QString::fromStdString(column.format) : QString());
    if (const auto* count = std::get_if<int64_t>(&cell))
        return unit.isEmpty() ? QString::number(*count) : numberText(static_cast<double>(*count), unit);
    const auto* text = std::get_if<std::string>(&cell);
    return text ? QString::fromStdString(*text) : QString("–");
}

/// Today's pixels.
int scaled(int pixels) { return static_cast<int>(pixels * uiScale()); }

QFont fontOf(const lab::Table::Column& column) { return column.numeric ? monoFont(11.5) : textFont(12.5); }

/// In two lines where that makes a column narrower: no line longer than need be, none shorter than `enough`.
QString brokenTitle(const QString& title, const QFontMetrics& metrics, int enough) {
    QString best = title;
    int width = metrics.horizontalAdvance(title);
    constexpr qsizetype shortest = 3, unitLength = 2; // characters: "10 %" and "32 B" stay
    for (qsizetype at = title.indexOf(' '); at > 0 && width > enough; at = title.indexOf(' ', at + 1)) {
        const qsizetype next = title.indexOf(' ', at + 1), word = (next < 0 ? title.size() : next) - at - 1;
        if (at < shortest || title.size() - at <= shortest || (title[at - 1].isDigit() && word <= unitLength))
            continue;
        const int longer =
            std::max(metrics.horizontalAdvance(title.left(at)), metrics.horizontalAdvance(title.mid(at + 1)));
        if (longer < width) {
            width = longer;
            best = title.left(at) + '\n' + title.mid(at + 1);
        }
    }
    return best;
}

/// Before the texts of a column that follows on numbers, which end where it begins.
int gapBefore(const lab::Table& table, size_t column) {
    return column > 0 && !table.columns[column].numeric && table.columns[column - 1].numeric
               ? QFontMetrics(textFont()).horizontalAdvance(gapSign)
               : 0;
}

/// Draws cells with their gap; what is behind them has none.
class CellDelegate : public QStyledItemDelegate {
  public:
    CellDelegate(const TableModel& model, QObject* parent) : QStyledItemDelegate(parent), model(model) {}
    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override {
        QStyleOptionViewItem cell = option;
        if (const int gap = gapBefore(model.table(), static_cast<size_t>(index.column())); gap > 0) {
            initStyleOption(&cell, index);
            cell.text.clear();
            cell.widget->style()->drawControl(QStyle::CE_ItemViewItem, &cell, painter, cell.widget);
            cell = option;
            cell.rect.setLeft(cell.rect.left() + gap);
        }
        QStyledItemDelegate::paint(painter, cell, index);
    }

  private:
    const TableModel& model;
};

int widthOf(const QString& text, const QFontMetrics& metrics) {
    int width = 0;
    for (const QString& line : text.split('\n'))
        width = std::max(width, metrics.horizontalAdvance(line));
    return width + 2 * cellMargin + 2;
}

} // namespace

void TableModel::setTitles(QStringList shownTitles) {
    titles = std::move(shownTitles);
    if (columnCount() > 0)
        emit headerDataChanged(Qt::Horizontal, 0, columnCount() - 1);
}

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
        return fontOf(column);
    if (const auto link = shown.rowLinks.find(index.row());
        link != shown.rowLinks.end() && index.column() + 1 == columnCount()) { // the last cell is the way there
        if (role == Qt::ForegroundRole)
            return Theme::current().accent;
        if (role == Qt::ToolTipRole)
            return QString::fromStdString(link->second.title);
    }
    if (const auto* text = std::get_if<std::string>(&cell); role == Qt::ToolTipRole && text)
        return Qt::convertFromPlainText(QString::fromStdString(*text));
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
        return titles.value(section, QString::fromStdString(column.title));
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
    table->setItemDelegate(new CellDelegate(*model, table));
    table->setSortingEnabled(true);
    table->sortByColumn(-1, Qt::AscendingOrder);
    table->verticalHeader()->hide();
    table->verticalHeader()->setDefaultSectionSize(rowHeight);
    for (QHeaderView* header : {table->horizontalHeader(), table->verticalHeader()})
        header->setMinimumSectionSize(1); // what is measured is enough
    table->horizontalHeader()->setSectionResizeMode(QHeaderView::Interactive);
    table->horizontalHeader()->setHighlightSections(false);
    table->setHorizontalScrollMode(QAbstractItemView::ScrollPerPixel);
    table->installEventFilter(this);
    table->setTabKeyNavigation(false); // Tab goes on to the next figure
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
    const bool others = std::get<lab::Table>(figure.content).columns != model->table().columns;
    const size_t before = model->table().rows.size();
    model->setTable(std::get<lab::Table>(figure.content));
    if (others || model->table().rows.size() <= before)
        measured = 0;
    measure();
    shareWidth();
}

int TableView::Column::width(Density density) const {
    if (density == Density::Dense && !any)
        return 0;
    return std::max(content, density == Density::Wide ? title : brokenTitle);
}

/// Looks at the rows that are new: those of a running sweep come one by one.
void TableView::measure() {
    const lab::Table& shown = model->table();
    if (measured == 0) {
        columns.assign(shown.columns.size(), {});
        sentences = names = -1;
    }
    std::vector<QFontMetrics> metrics;
    for (const auto& column : shown.columns)
        metrics.emplace_back(fontOf(column));
    size_t longest = sentenceLength;
    for (const size_t rows = std::min(shown.rows.size(), mostMeasured); measured < rows; ++measured)
        for (size_t column = 0; column < columns.size(); ++column) {
            const QString text = cellText(shown.rows[measured][column], shown.columns[column]);
            columns[column].content =
                std::max(columns[column].content, widthOf(text, metrics[column]) + gapBefore(shown, column));
            columns[column].any |= !std::holds_alternative<std::monostate>(shown.rows[measured][column]);
        }
    if (shown.rows.size() <= mostWrapped)
        for (const auto& row : shown.rows)
            for (size_t column = 0; column < row.size(); ++column)
                if (const auto* text = std::get_if<std::string>(&row[column]);
                    text && column > 0 && text->size() > longest) { // the first one holds names
                    longest = text->size();
                    sentences = static_cast<int>(column);
                }
    const QFontMetrics header(textFont());
    int widest = scaled(longNames);
    for (size_t i = 0; i < columns.size(); ++i) {
        Column& column = columns[i];
        column.whole = QString::fromStdString(shown.columns[i].title);
        column.broken = brokenTitle(column.whole, header, column.content - 2 * cellMargin);
        if (gapBefore(shown, i) > 0) {
            column.whole.prepend(gapSign);
            column.broken = gapSign + column.broken.replace('\n', QString("\n") + gapSign);
        }
        column.title = widthOf(column.whole, header);
        column.brokenTitle = widthOf(column.broken, header);
        if (static_cast<int>(i) != sentences && !shown.columns[i].numeric && column.content > widest) {
            widest = column.content;
            names = static_cast<int>(i);
        }
    }
}

TableView::Density TableView::densityIn(int width) const {
    for (const Density density : {Density::Wide, Density::Broken}) {
        int whole = 0;
        for (size_t i = 0; i < columns.size(); ++i)
            whole += static_cast<int>(i) == sentences ? std::min(columns[i].width(density), scaled(sentenceWidth))
                                                      : columns[i].width(density);
        if (whole <= width)
            return density;
    }
    return model->rowCount() > 0 ? Density::Dense : Density::Broken;
}

/// What is left is shared by all, or is a column of sentences' alone. Where it is too little, that gives way first,
/// then long names; where that is not enough either, the table scrolls, and neither need be narrow.
std::vector<int> TableView::widthsIn(int width) const {
    const Density density = densityIn(width);
    std::vector<int> widths;
    int left = width;
    for (const Column& column : columns) {
        widths.push_back(column.width(density));
        left -= widths.back();
    }
    const auto give = [&](int column, int least) {
        if (column < 0)
            return;
        int& own = widths[static_cast<size_t>(column)];
        const int before = own;
        own = std::max(std::min(own, scaled(least)), own + left);
        left += before - own;
    };
    if (left < 0 || sentences >= 0)
        give(sentences, narrowestSentence);
    if (left < 0)
        give(names, narrowestNames);
    if (left < 0)
        for (const auto& [column, most] : {std::pair(sentences, scrolledSentence), std::pair(names, scrolledNames)})
            if (column >= 0)
                widths[static_cast<size_t>(column)] =
                    std::max(widths[static_cast<size_t>(column)],
                             std::min(columns[static_cast<size_t>(column)].content, scaled(most)));
    auto open = std::count_if(widths.begin(), widths.end(), [](int each) { return each > 0; });
    for (int& each : widths)
        if (each > 0 && left > 0) {
            const int more = left / static_cast<int>(open--);
            each += more;
            left -= more;
        }
    return widths;
}

/// A table that scrolls has a line for each row: sentences out of sight would make holes in it.
bool TableView::wrapsIn(int width, const std::vector<int>& widths) const {
    return sentences >= 0 && std::accumulate(widths.begin(), widths.end(), 0) <= width;
}

/// Until their sum is `enough`; 0: of all.
std::vector<int> TableView::rowHeights(int width, const std::vector<int>& widths, int enough) const {
    const lab::Table& shown = model->table();
    std::vector<int> heights(shown.rows.size(), scaled(rowHeight));
    if (!wrapsIn(width, widths) || shown.rows.size() > mostWrapped)
        return heights;
    const auto column = static_cast<size_t>(sentences);
    const int gap = gapBefore(shown, column);
    const QFontMetrics metrics(fontOf(shown.columns[column]));
    const int padding = scaled(rowHeight) - metrics.height();
    int sum = 0;
    for (size_t row = 0; row < heights.size() && (enough == 0 || sum < enough); ++row) {
        const QRect room(0, 0, widths[column] - gap - 2 * cellMargin - 2, QWIDGETSIZE_MAX);
        const QString text = cellText(shown.rows[row][column], shown.columns[column]);
        heights[row] = metrics.boundingRect(room, Qt::TextWordWrap, text).height() + padding;
        sum += heights[row];
    }
    return heights;
}

int TableView::headHeight(int width) const {
    const Density density = densityIn(width);
    const bool twoLines = std::any_of(columns.begin(), columns.end(), [density](const Column& column) {
        return density != Density::Wide && column.width(density) > 0 && column.broken.contains('\n');
    });
    return QFontMetrics(textFont()).height() * (twoLines ? 2 : 1) + 2 * scaled(headMargin) + 1;
}

void TableView::shareWidth() {
    // The scroll bar comes where it is needed with all of the width, or rows that grow with it would keep it there.
    const bool fits = fullHeight(table->width()) <= table->height() + 1;
    table->setVerticalScrollBarPolicy(fits ? Qt::ScrollBarAlwaysOff : Qt::ScrollBarAlwaysOn);
    const int width = table->width() - (fits ? 0 : table->verticalScrollBar()->sizeHint().width());
    const std::vector<int> widths = widthsIn(width);
    const bool wide = densityIn(width) == Density::Wide;
    QStringList titles;
    for (const Column& column : columns)
        titles << (wide ? column.whole : column.broken);
    model->setTitles(titles);
    table->horizontalHeader()->setFixedHeight(headHeight(width));
    for (size_t column = 0; column < widths.size(); ++column) {
        table->setColumnHidden(static_cast<int>(column), widths[column] == 0);
        table->setColumnWidth(static_cast<int>(column), widths[column]);
    }
    table->setWordWrap(wrapsIn(width, widths));
    table->setTextElideMode(names >= 0 ? Qt::ElideMiddle : Qt::ElideRight);
    const std::vector<int> heights = rowHeights(width, widths, 0);
    const auto* sorted = static_cast<const QSortFilterProxyModel*>(table->model());
    table->verticalHeader()->setDefaultSectionSize(scaled(rowHeight));
    for (size_t row = 0; sentences >= 0 && row < heights.size(); ++row)
        table->setRowHeight(sorted->mapFromSource(model->index(static_cast<int>(row), 0)).row(), heights[row]);
}

bool TableView::eventFilter(QObject* object, QEvent* event) {
    if (event->type() == QEvent::Resize)
        shareWidth();
    return FigureView::eventFilter(object, event);
}

void TableView::changeEvent(QEvent* event) {
    if (event->type() == QEvent::StyleChange || event->type() == QEvent::FontChange) {
        measured = 0;
        measure();
        shareWidth();
    }
    FigureView::changeEvent(event);
}

QSize TableView::pictureSize() const { return {960, 24 + rowHeight * (1 + model->rowCount())}; }

FigureRoom TableView::room() const {
    double width = 0;
    for (size_t i = 0; i < columns.size(); ++i) {
        const int own = columns[i].width(Density::Dense);
        width += static_cast<int>(i) == sentences ? std::min(own, scaled(sentenceWidth))
                 : static_cast<int>(i) == names   ? std::min(own, scaled(longNames))
                                                  : own;
    }
    constexpr int head = 2 * 16 + 2 * headMargin;
    FigureRoom room;
    width += table->verticalScrollBar()->sizeHint().width();
    room.detailWidth = static_cast<int>(width / uiScale()) + 1;
    room.width = std::max(room.width, room.detailWidth);
    room.height = head + usualRows * rowHeight;
    room.mainHeight = head + mainRows * rowHeight;
    room.detailHeight = head + detailRows * rowHeight;
    return room;
}

int TableView::fullHeight(int width) const {
    constexpr int tallerThanAny = 20'000;
    const std::vector<int> widths = widthsIn(width);
    int height = headHeight(width) + 2, whole = 0;
    for (const int row : rowHeights(width, widths, tallerThanAny))
        height += row;
    for (const int column : widths)
        whole += column;
    if (model->rowCount() == 0)
        height += scaled(rowHeight);
    return height + (whole > width ? table->horizontalScrollBar()->sizeHint().height() : 0);
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
                row < 0 ? QString::fromStdString(model->table().columns[static_cast<size_t>(column)].title)
                        : index.data(Qt::DisplayRole);
            const QVariant alignment = row < 0 ? model->headerData(column, Qt::Horizontal, Qt::TextAlignmentRole)
                                               : index.data(Qt::TextAlignmentRole);
            painter.drawText(cell, static_cast<int>(alignment.value<Qt::Alignment>()), text.toString());
        }
}

} // namespace warplight::app
