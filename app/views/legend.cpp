// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/views/legend.h"

#include "app/views/flow_layout.h"
#include "app/views/theme.h"

#include <QLabel>
#include <QPainter>
#include <QToolButton>
#include <algorithm>
#include <cmath>
#include <cstddef>

namespace warplight::app {
namespace {

constexpr double square = 10, squareGap = 6, entryGap = 16, printedRow = 20;
constexpr int chipMargin = 4;

void paintSquare(QPainter& painter, const QRectF& box, const QColor& colour, lab::Provenance provenance) {
    switch (provenance) {
    case lab::Provenance::Modelled:
        painter.setPen(QPen(colour, 2));
        painter.setBrush(Qt::NoBrush);
        painter.drawRect(box.adjusted(1, 1, -1, -1));
        break;
    case lab::Provenance::Reference:
        painter.fillRect(QRectF(box.left(), box.center().y() - 1, box.width(), 2), colour);
        break;
    default:
        painter.fillRect(box, colour);
    }
}

class Chip : public QToolButton {
  public:
    explicit Chip(QWidget* parent) : QToolButton(parent) {
        setObjectName("quiet");
        setCheckable(true);
        setFocusPolicy(Qt::TabFocus);
    }
    void show(const LegendEntry& shown) {
        entry = shown;
        setChecked(!entry.hidden);
        setFont(textFont(12));
        setText(entry.label);
        setToolTip(tr("%1 (%2): click to hide or show").arg(entry.label, badgeText(entry.provenance)));
        updateGeometry();
        update();
    }
    QSize sizeHint() const override {
        const QFontMetrics metrics(textFont(12));
        return {static_cast<int>(2 * chipMargin + square + squareGap) + metrics.horizontalAdvance(entry.label) + 1,
                metrics.height() + chipMargin};
    }
    QSize minimumSizeHint() const override { return sizeHint(); }

  protected:
    void paintEvent(QPaintEvent*) override {
        const Theme& theme = Theme::current();
        QPainter painter(this);
        if (underMouse() || hasFocus()) {
            painter.setRenderHint(QPainter::Antialiasing);
            painter.setPen(Qt::NoPen);
            painter.setBrush(theme.ground);
            painter.drawRoundedRect(rect(), 4, 4);
            painter.setRenderHint(QPainter::Antialiasing, false);
        }
        paintSquare(painter, QRectF(chipMargin, std::floor((height() - square) / 2), square, square),
                    entry.hidden ? theme.line : entry.colour, entry.provenance);
        painter.setFont(textFont(12));
        painter.setPen(entry.hidden ? theme.muted : theme.ink);
        painter.drawText(QRectF(chipMargin + square + squareGap, 0, width(), height()),
                         Qt::AlignLeft | Qt::AlignVCenter, entry.label);
    }

  private:
    LegendEntry entry;
};

} // namespace

Legend::Legend(QWidget* parent) : QWidget(parent), flow(new FlowLayout(static_cast<int>(entryGap) - 2 * chipMargin)) {
    flow->setVerticalGap(2);
    setLayout(flow);
}

void Legend::makeChips(const QStringList& wanted, const QString& behind) {
    while (QLayoutItem* item = flow->takeAt(0)) {
        delete item->widget();
        delete item;
    }
    const auto add = [&](QWidget* widget) {
        flow->addWidget(widget);
        widget->show(); // now: a layout shows what is new in it later, and a picture between has none
    };
    for (const QString& id : wanted) {
        auto* chip = new Chip(this);
        connect(chip, &QToolButton::clicked, this, [this, id](bool shown) { emit toggled(id, !shown); });
        add(chip);
    }
    if (!behind.isEmpty())
        add(new QLabel(behind, this));
}

void Legend::setEntries(const std::vector<LegendEntry>& entries, const QString& behind) {
    QStringList wanted;
    for (const LegendEntry& entry : entries)
        wanted << entry.id;
    if (wanted != ids || behind != note) {
        ids = wanted;
        note = behind;
        makeChips(ids, note);
    }
    for (size_t i = 0; i < entries.size(); ++i)
        static_cast<Chip*>(flow->itemAt(static_cast<int>(i))->widget())->show(entries[i]);
    setVisible(!ids.isEmpty() || !note.isEmpty());
}

int Legend::moreHeight(int width) const { return std::max(0, heightForWidth(width) - heightForWidth(QWIDGETSIZE_MAX)); }

double Legend::paint(QPainter& painter, const QRectF& area, const std::vector<LegendEntry>& entries) {
    painter.setFont(textFont(12));
    double x = area.left(), y = area.top();
    bool any = false;
    for (const LegendEntry& entry : entries) {
        if (entry.hidden)
            continue;
        any = true;
        const QString label = QString("%1 (%2)").arg(entry.label, badgeText(entry.provenance));
        const double width = square + squareGap + painter.fontMetrics().horizontalAdvance(label) + entryGap + 2;
        if (x > area.left() && x + width > area.right()) {
            x = area.left();
            y += printedRow;
        }
        paintSquare(painter, QRectF(x, y + (printedRow - square) / 2, square, square), entry.colour, entry.provenance);
        painter.setPen(Theme::current().ink);
        painter.drawText(QRectF(x + square + squareGap, y, width, printedRow), Qt::AlignLeft | Qt::AlignVCenter, label);
        x += width;
    }
    return any ? y + printedRow + 6 - area.top() : 0;
}

} // namespace warplight::app
