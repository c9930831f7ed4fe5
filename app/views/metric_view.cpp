// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/views/metric_view.h"

#include "app/views/theme.h"

#include <QEvent>
#include <QLabel>
#include <QRegularExpression>
#include <QVBoxLayout>
#include <tuple>

namespace warplight::app {
namespace {

/// Names of kernels have no spaces, but may break: they are shown whole. Numbers stay with their units.
QString breakable(const QString& caption) {
    static const QRegularExpression inName("(?<=[_/,:\\-×])(?=\\w)"), unit("(?<=\\d) (?=[A-Za-zµ%]{1,3}\\b)"),
        equals(" = ");
    return QString(caption)
        .replace(inName, QChar(0x200b))
        .replace(unit, QChar(0x00a0))
        .replace(equals, QString("%1=%1").arg(QChar(0x00a0)));
}

} // namespace

MetricView::MetricView(QWidget* parent)
    : FigureView(parent), number(new QLabel(this)), caption(new QLabel(this)), badge(new QLabel(this)) {
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(2);
    caption->setObjectName("muted");
    caption->setTextFormat(Qt::PlainText);
    caption->setWordWrap(true);
    caption->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred); // the page decides the width
    badge->setObjectName("badge");
    layout->addWidget(number);
    layout->addWidget(caption);
    layout->addWidget(badge, 0, Qt::AlignLeft);
    layout->addStretch();
    number->setFont(textFont(20, QFont::Bold));
    badge->setFont(textFont(10.5));
}

void MetricView::setFigure(const lab::Figure& figure) {
    const auto& metric = std::get<lab::Metric>(figure.content);
    number->setText(metric.value ? numberText(*metric.value, QString::fromStdString(metric.unit),
                                              QString::fromStdString(metric.format))
                                 : QString("–"));
    const QString words = QString::fromStdString(metric.caption);
    caption->setText(breakable(words));
    badge->setText(badgeText(metric.provenance));
    setAccessibleName(QString("%1: %2, %3").arg(words, number->text(), badge->text()));
}

void MetricView::changeEvent(QEvent* event) {
    if (event->type() == QEvent::StyleChange) {
        number->setFont(textFont(20, QFont::Bold));
        badge->setFont(textFont(10.5));
    }
    FigureView::changeEvent(event);
}

void MetricView::render(QPainter& painter, const QRectF& area) const {
    const Theme& theme = Theme::current();
    painter.setPen(theme.ink);
    painter.setFont(textFont(20, QFont::Bold));
    painter.drawText(area.adjusted(0, 0, 0, -area.height() * 0.55), Qt::AlignLeft | Qt::AlignVCenter, number->text());
    painter.setPen(theme.muted);
    painter.setFont(textFont(12));
    painter.drawText(area.adjusted(0, area.height() * 0.45, 0, 0), Qt::AlignLeft | Qt::AlignTop | Qt::TextWordWrap,
                     caption->text() + " · " + badge->text());
}

} // namespace warplight::app
