// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/report/paper.h"

#include "app/views/theme.h"

#include <QAbstractTextDocumentLayout>
#include <QFontMetricsF>
#include <QPainter>
#include <QTextBlock>
#include <QTextCursor>
#include <QTextDocument>
#include <QTextLayout>
#include <algorithm>
#include <cmath>
#include <utility>

namespace warplight::app {
namespace {

constexpr double shortSide = 210, longSide = 297, millimetresAnInch = 25.4;
constexpr double footHeight = 28;

double inside(double millimetres) {
    return std::floor((millimetres - 2 * Paper::marginMillimetres) / millimetresAnInch * Paper::resolution);
}

/// Where the document can be cut: below each of its lines.
std::vector<double> cuts(const QTextDocument& document) {
    std::vector<double> below;
    for (QTextBlock block = document.begin(); block.isValid(); block = block.next()) {
        const QRectF box = document.documentLayout()->blockBoundingRect(block);
        for (int line = 0; line < block.layout()->lineCount(); ++line)
            below.push_back(box.top() + block.layout()->lineAt(line).rect().bottom());
        below.push_back(box.bottom());
    }
    std::sort(below.begin(), below.end());
    return below;
}

} // namespace

QSizeF Paper::sheet(bool landscape) {
    return landscape ? QSizeF(inside(longSide), inside(shortSide)) : QSizeF(inside(shortSide), inside(longSide));
}

QSizeF Paper::room(bool landscape) {
    const QSizeF whole = sheet(landscape);
    return {whole.width(), whole.height() - footHeight};
}

double Paper::left() const { return room(all.back().landscape).height() - y; }

void Paper::newPage() {
    if (!fresh())
        all.push_back({all.back().landscape, {}});
    y = 0;
}

void Paper::turn(bool landscape) {
    if (all.back().landscape == landscape)
        return;
    newPage();
    all.back().landscape = landscape;
}

void Paper::need(double height) {
    if (height > left() && height <= room(all.back().landscape).height())
        newPage();
}

void Paper::gap(double height) {
    if (!fresh())
        y += height;
}

void Paper::place(double height, Draw draw) {
    if (height > left())
        newPage();
    all.back().blocks.push_back({QRectF(0, y, width(), height), std::move(draw)});
    y += height;
}

void Paper::text(const QString& words, const QFont& font, const QColor& colour, double indent) {
    const double height = lineHeight(font), ascent = QFontMetricsF(font).ascent();
    for (const QString& line : wrapped(words, font, width() - indent))
        place(height, [=](QPainter& painter, const QRectF& box) {
            painter.setFont(font);
            painter.setPen(colour);
            painter.drawText(QPointF(box.left() + indent, box.top() + ascent), line);
        });
}

void Paper::document(const std::shared_ptr<QTextDocument>& text) {
    const std::vector<double> below = cuts(*text);
    const QColor colour = Theme::current().ink;
    for (double top = 0; !below.empty() && top + 0.5 < below.back();) {
        double bottom = 0;
        for (const double cut : below)
            if (cut > top && cut - top <= left())
                bottom = cut;
        if (bottom <= top) {
            if (!fresh()) {
                newPage();
                continue;
            }
            bottom = top + left(); // a line taller than a page: cut it there
        }
        place(bottom - top, [=](QPainter& painter, const QRectF& box) {
            painter.save();
            painter.translate(box.left(), box.top() - top);
            QAbstractTextDocumentLayout::PaintContext look;
            look.palette.setColor(QPalette::Text, colour);
            look.clip = QRectF(0, top, box.width(), bottom - top);
            painter.setClipRect(look.clip);
            text->documentLayout()->draw(&painter, look);
            painter.restore();
        });
        top = bottom;
    }
}

void Paper::paint(size_t page, QPainter& painter, const QString& foot) const {
    for (const Block& block : all[page].blocks) {
        painter.save();
        block.draw(painter, block.box);
        painter.restore();
    }
    const Theme& theme = Theme::current();
    const QSizeF whole = sheet(all[page].landscape);
    const QRectF line(0, whole.height() - footHeight / 2, whole.width(), footHeight / 2);
    const QString number = QObject::tr("page %1 of %2").arg(page + 1).arg(all.size());
    const QFont font = textFont(smallest);
    const QFontMetricsF metrics(font);
    painter.fillRect(QRectF(0, line.top() - 3, whole.width(), 1), theme.line);
    painter.setFont(font);
    painter.setPen(theme.muted);
    painter.drawText(line, Qt::AlignRight | Qt::AlignBottom, number);
    painter.drawText(line, Qt::AlignLeft | Qt::AlignBottom,
                     metrics.elidedText(foot, Qt::ElideRight,
                                        whole.width() - metrics.horizontalAdvance(number) - 2 * metrics.height()));
}

double lineHeight(const QFont& font) { return std::ceil(QFontMetricsF(font).height() * 1.15); }

QStringList wrapped(const QString& text, const QFont& font, double width) {
    QStringList lines;
    for (const QString& paragraph : text.split('\n')) {
        QTextLayout layout(paragraph, font);
        QTextOption option;
        option.setWrapMode(QTextOption::WrapAtWordBoundaryOrAnywhere);
        layout.setTextOption(option);
        layout.beginLayout();
        for (QTextLine line; (line = layout.createLine()).isValid();) {
            line.setLineWidth(width);
            lines << paragraph.mid(line.textStart(), line.textLength()).trimmed();
        }
        layout.endLayout();
        if (paragraph.isEmpty())
            lines << QString();
    }
    return lines;
}

std::shared_ptr<QTextDocument> prose(const std::string& markdown, double width, int pixels, const QColor& colour) {
    auto document = std::make_shared<QTextDocument>();
    document->setDefaultFont(textFont(pixels));
    document->setDocumentMargin(0);
    document->setMarkdown(QString::fromStdString(markdown));
    QTextCursor all(document.get());
    all.select(QTextCursor::Document);
    QTextCharFormat look;
    look.setForeground(colour);
    all.mergeCharFormat(look);
    document->setTextWidth(width);
    return document;
}

} // namespace warplight::app
