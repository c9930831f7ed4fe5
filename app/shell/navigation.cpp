// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/shell/navigation.h"

#include "app/views/theme.h"

#include <QFontMetrics>
#include <QHeaderView>
#include <QKeyEvent>
#include <QPainter>
#include <QSignalBlocker>
#include <algorithm>
#include <map>
#include <string>

namespace warplight::app {
namespace {

constexpr int indent = 18, titleMargin = 20; // beside a page's title: its own room and the scroll bar's
constexpr int leastWidth = 180, mostWidth = 212;

QString pageOf(const QTreeWidgetItem* item) { return item ? item->data(0, Qt::UserRole).toString() : QString(); }

} // namespace

Navigation::Navigation(QWidget* parent) : QTreeWidget(parent) {
    setHeaderHidden(true);
    setIndentation(indent);
    setUniformRowHeights(true);
    setAnimated(false);
    setExpandsOnDoubleClick(false); // the first click has done it
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setTabKeyNavigation(false);
    setAccessibleName(tr("Pages"));
    connect(this, &QTreeWidget::currentItemChanged, this, [this](QTreeWidgetItem* item) {
        if (const QString page = pageOf(item); !page.isEmpty() && item != shown)
            emit pageChosen(page);
    });
    connect(this, &QTreeWidget::itemClicked, this, &Navigation::toggle);
    connect(this, &QTreeWidget::itemCollapsed, this, [this](QTreeWidgetItem* lab) {
        if (shown && lab == shown->parent())
            lab->setExpanded(true);
    });
    connect(this, &QTreeWidget::itemExpanded, this, [this](QTreeWidgetItem* opened) {
        for (int i = 0; i < topLevelItemCount(); ++i)
            if (QTreeWidgetItem* lab = topLevelItem(i); lab != opened && !(shown && lab == shown->parent()))
                lab->setExpanded(false);
    });
}

void Navigation::setPages(const std::vector<lab::Description>& pages) {
    const QSignalBlocker quiet(this);
    shown = nullptr;
    clear();
    std::map<std::string, QTreeWidgetItem*> labs;
    for (const lab::Description& page : pages) {
        QTreeWidgetItem*& lab = labs[page.lab];
        if (!lab)
            lab = new QTreeWidgetItem(this, {QString::fromStdString(page.lab)});
        auto* item = new QTreeWidgetItem(lab, {QString::fromStdString(page.title)});
        item->setData(0, Qt::UserRole, QString::fromStdString(page.id));
        item->setToolTip(0, QString::fromStdString(page.question).toHtmlEscaped());
    }
    colour();
    const QFontMetrics metrics(textFont(0, QFont::DemiBold));
    int widest = 0;
    for (const lab::Description& page : pages)
        widest = std::max(widest, metrics.horizontalAdvance(QString::fromStdString(page.title)));
    setFixedWidth(std::clamp(widest + 2 * indent + titleMargin, leastWidth, mostWidth));
}

QString Navigation::firstPage() const { return isEmpty() ? QString() : pageOf(topLevelItem(0)->child(0)); }

QTreeWidgetItem* Navigation::itemOf(const QString& page) const {
    for (QTreeWidgetItemIterator item(const_cast<Navigation*>(this)); *item; ++item)
        if (pageOf(*item) == page && !page.isEmpty())
            return *item;
    return nullptr;
}

void Navigation::choose(const QString& page) {
    QTreeWidgetItem* item = itemOf(page);
    if (!item)
        return;
    shown = item;
    item->parent()->setExpanded(true);
    if (currentItem() != item) {
        const QSignalBlocker quiet(this);
        setCurrentItem(item);
    }
    colour();
    tidy();
}

QString Navigation::neighbour(int steps) const {
    QStringList pages;
    for (QTreeWidgetItemIterator item(const_cast<Navigation*>(this)); *item; ++item)
        if (const QString page = pageOf(*item); !page.isEmpty())
            pages << page;
    if (pages.isEmpty())
        return {};
    const qsizetype at = pages.indexOf(pageOf(shown)) + steps;
    return pages[std::clamp<qsizetype>(at, 0, pages.size() - 1)];
}

void Navigation::toggle(QTreeWidgetItem* lab) {
    if (lab && lab->childCount() > 0)
        lab->setExpanded(!lab->isExpanded());
}

void Navigation::tidy() {
    if (pressed || !shown)
        return;
    for (int i = 0; i < topLevelItemCount(); ++i)
        if (topLevelItem(i) != shown->parent())
            topLevelItem(i)->setExpanded(false);
    scrollToItem(shown->parent()->child(shown->parent()->childCount() - 1)); // the whole lab where it fits
    scrollToItem(shown->parent());
    scrollToItem(shown);
}

/// The open lab stands out, its pages are quieter than the one that is shown.
void Navigation::colour() {
    const Theme& theme = Theme::current();
    const QSignalBlocker quiet(this);
    for (QTreeWidgetItemIterator item(this); *item; ++item) {
        const bool lab = (*item)->childCount() > 0, open = lab && shown && shown->parent() == *item;
        (*item)->setForeground(0, lab || *item == shown ? theme.ink : theme.muted);
        (*item)->setFont(0, textFont(0, open || *item == shown ? QFont::DemiBold : QFont::Normal));
    }
}

/// The page that is shown has a bar at its left; the line that the keyboard is on has the same ground.
void Navigation::drawRow(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const {
    const Theme& theme = Theme::current();
    if (index == currentIndex() || itemFromIndex(index) == shown) {
        painter->save();
        painter->setRenderHint(QPainter::Antialiasing);
        painter->setPen(Qt::NoPen);
        painter->setBrush(theme.ground);
        painter->drawRoundedRect(option.rect, 6, 6);
        if (itemFromIndex(index) == shown) {
            painter->setBrush(theme.accent);
            painter->drawRoundedRect(QRectF(option.rect.left(), option.rect.top() + 3, 3, option.rect.height() - 6),
                                     1.5, 1.5);
        }
        painter->restore();
    }
    QTreeWidget::drawRow(painter, option, index);
}

void Navigation::drawBranches(QPainter* painter, const QRect& rect, const QModelIndex& index) const {
    if (index.parent().isValid())
        return;
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    painter->setPen(QPen(Theme::current().muted, 1.4, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
    painter->translate(QPointF(rect.right() - indent / 2.0 + 2, rect.center().y() + 0.5));
    if (isExpanded(index))
        painter->rotate(90);
    painter->drawPolyline(QPolygonF{QPointF(-1.8, -3.6), QPointF(1.8, 0), QPointF(-1.8, 3.6)});
    painter->restore();
}

void Navigation::keyPressEvent(QKeyEvent* event) {
    QTreeWidgetItem* item = currentItem();
    const int key = event->key();
    if (item && item->childCount() > 0 && (key == Qt::Key_Return || key == Qt::Key_Enter || key == Qt::Key_Space))
        return toggle(item);
    QTreeWidget::keyPressEvent(event);
}

void Navigation::mousePressEvent(QMouseEvent* event) {
    pressed = true;
    QTreeWidget::mousePressEvent(event);
}

void Navigation::mouseReleaseEvent(QMouseEvent* event) {
    pressed = false;
    QTreeWidget::mouseReleaseEvent(event);
    if (currentItem() == shown)
        tidy();
}

void Navigation::resizeEvent(QResizeEvent* event) {
    QTreeWidget::resizeEvent(event);
    if (shown)
        scrollToItem(shown);
}

void Navigation::changeEvent(QEvent* event) {
    QTreeWidget::changeEvent(event);
    if (event->type() == QEvent::StyleChange)
        colour();
}

} // namespace warplight::app
