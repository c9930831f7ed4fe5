// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/views/note_view.h"

#include "app/views/theme.h"

#include <QAbstractTextDocumentLayout>
#include <QStyle>
#include <QTextBrowser>
#include <QTextDocument>
#include <QVBoxLayout>
#include <cmath>
#include <memory>
#include <variant>

namespace warplight::app {

NoteView::NoteView(QWidget* parent) : FigureView(parent), text(new QTextBrowser(this)) {
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addWidget(text);
    text->document()->setDocumentMargin(2);
    text->setMinimumHeight(1);
}

void NoteView::setFigure(const lab::Figure& figure) {
    const auto* note = std::get_if<lab::Note>(&figure.content);
    text->setMarkdown(note ? QString::fromStdString(note->markdown)
                           : tr("This kind of figure cannot be drawn yet; its numbers are in the CSV."));
}

int NoteView::fullHeight(int width) const {
    const std::unique_ptr<QTextDocument> copy(text->document()->clone());
    copy->setTextWidth(width);
    const double wider = copy->idealWidth() > width ? style()->pixelMetric(QStyle::PM_ScrollBarExtent) : 0; // code
    return static_cast<int>(std::ceil(copy->size().height() + wider));
}

void NoteView::render(QPainter& painter, const QRectF& area) const {
    const std::unique_ptr<QTextDocument> copy(text->document()->clone());
    copy->setDefaultFont(textFont());
    copy->setTextWidth(area.width());
    painter.save();
    painter.translate(area.topLeft());
    QAbstractTextDocumentLayout::PaintContext look;
    look.palette.setColor(QPalette::Text, Theme::current().ink);
    copy->documentLayout()->draw(&painter, look);
    painter.restore();
}

} // namespace warplight::app
