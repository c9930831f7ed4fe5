// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/shell/wrapped_text.h"

#include <QEvent>
#include <QTextDocument>
#include <QTextOption>

#include <cmath>

namespace warplight::app {

WrappedText::WrappedText(QWidget* parent) : QTextBrowser(parent) {
    setObjectName("muted");
    setWordWrapMode(QTextOption::WrapAtWordBoundaryOrAnywhere);
    setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setFrameShape(QFrame::NoFrame);
    setOpenExternalLinks(true);
    setFocusPolicy(Qt::ClickFocus);
    document()->setDocumentMargin(0);
    connect(document(), &QTextDocument::contentsChanged, this, &WrappedText::fit);
}

void WrappedText::resizeEvent(QResizeEvent* event) {
    QTextBrowser::resizeEvent(event);
    fit();
}

void WrappedText::changeEvent(QEvent* event) {
    QTextBrowser::changeEvent(event);
    if (event->type() == QEvent::FontChange || event->type() == QEvent::StyleChange)
        fit();
}

void WrappedText::fit() {
    document()->setTextWidth(viewport()->width());
    setFixedHeight(static_cast<int>(std::ceil(document()->size().height())));
}

} // namespace warplight::app
