// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/shell/figure_card.h"

#include "app/shell/dialogs.h"
#include "app/views/theme.h"
#include "core/formats/atomic_file.h"

#include <QApplication>
#include <QBuffer>
#include <QChildEvent>
#include <QClipboard>
#include <QContextMenuEvent>
#include <QHBoxLayout>
#include <QLabel>
#include <QMenu>
#include <QMessageBox>
#include <QSvgGenerator>
#include <QTimer>
#include <QToolButton>
#include <QVBoxLayout>
#include <cstdint>
#include <type_traits>
#include <variant>

#include <algorithm>
#include <exception>

namespace warplight::app {
namespace {

constexpr int pictureMargin = 16, titleHeight = 28;
constexpr int headSpacing = 6, topMargin = 8, bottomMargin = 10, lineSpacing = 6;

void paintPicture(QPainter& painter, const FigureView& view, const QString& title, const QSize& size) {
    painter.setRenderHint(QPainter::Antialiasing);
    painter.fillRect(QRect(QPoint(), size), Theme::current().panel);
    painter.setPen(Theme::current().ink);
    painter.setFont(textFont(14, QFont::DemiBold));
    painter.drawText(QRect(pictureMargin, pictureMargin, size.width() - 2 * pictureMargin, titleHeight),
                     Qt::AlignLeft | Qt::AlignVCenter, title);
    view.render(painter, QRectF(pictureMargin, pictureMargin + titleHeight, size.width() - 2 * pictureMargin,
                                size.height() - 2 * pictureMargin - titleHeight));
}

/// All of a figure but its content, of which the kind stays.
lab::Figure headOf(const lab::Figure& figure) {
    const auto empty = [](const auto& content) -> lab::Content { return std::decay_t<decltype(content)>(); };
    return {figure.id, figure.title, figure.subtitle, figure.explain, figure.place, std::visit(empty, figure.content)};
}

} // namespace

QString savePicture(const FigureView& view, const QString& title, const QString& file) {
    const QSize size = view.pictureSize() + QSize(2 * pictureMargin, 2 * pictureMargin + titleHeight);
    QBuffer bytes;
    bytes.open(QIODevice::WriteOnly);
    if (file.endsWith(".svg", Qt::CaseInsensitive)) {
        QSvgGenerator svg;
        svg.setOutputDevice(&bytes);
        svg.setSize(size);
        svg.setResolution(96); // the pixels that views draw in
        svg.setViewBox(QRect(QPoint(), size));
        svg.setTitle(title);
        QPainter painter(&svg);
        paintPicture(painter, view, title, size);
        painter.end();
    } else {
        QImage image(size * 2, QImage::Format_ARGB32_Premultiplied);
        image.setDevicePixelRatio(2);
        QPainter painter(&image);
        paintPicture(painter, view, title, size);
        painter.end();
        if (!image.save(&bytes, "PNG"))
            return QObject::tr("%1: the picture could not be made, it may be too large").arg(file);
    }
    try {
        formats::AtomicFile out(file.toStdString());
        out.stream().write(bytes.data().constData(), bytes.data().size());
        out.commit();
        return {};
    } catch (const std::exception& error) {
        return QString::fromUtf8(error.what());
    }
}

FigureCard::FigureCard(const lab::Figure& figure, uint64_t revision, QWidget* parent)
    : QFrame(parent),
      current(headOf(figure)),
      revision(revision),
      title(new QLabel(this)),
      subtitle(new QLabel(this)),
      below(new QLabel(this)),
      head(new QHBoxLayout),
      shown(FigureView::create(figure, this)) {
    setObjectName("panel");
    setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred); // the page decides the width
    title->setFont(textFont(13, QFont::DemiBold));
    title->setTextFormat(Qt::PlainText);
    title->setWordWrap(true);
    title->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    for (QLabel* label : {subtitle, below}) {
        label->setObjectName("muted");
        label->setTextFormat(Qt::PlainText);
    }
    below->setWordWrap(true);
    head->setSpacing(headSpacing);
    head->addWidget(title, 1);
    head->addWidget(subtitle);
    const auto addButton = [&](const QString& icon, const QString& tip, auto&& action) {
        auto* button = new QToolButton(this);
        button->setObjectName("quiet");
        button->setIcon(QIcon(QString(":/icons/%1.svg").arg(icon)));
        button->setToolTip(tip);
        button->setAccessibleName(tip);
        connect(button, &QToolButton::clicked, this, action);
        head->addWidget(button);
    };
    addButton("enlarge", tr("Enlarge, or back"), [this] { emit enlargeWanted(); });
    addButton("copy", tr("Copy as image"), [this] { copyImage(); });
    addButton("save", tr("Save as SVG, PNG or CSV"), [this] { save(); });
    addButton("explain", tr("Explain"), [this] { explain(); });
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(frameWidth / 2 - 1, topMargin, frameWidth / 2 - 1, bottomMargin); // the line is 1 wide
    layout->setSpacing(lineSpacing);
    layout->addLayout(head);
    layout->addWidget(below);
    layout->addWidget(shown, 1);
    showHead();
}

bool FigureCard::showRevision(const lab::Figure& figure, uint64_t newRevision) {
    if (newRevision == revision)
        return false;
    revision = newRevision;
    current = headOf(figure);
    showHead();
    shown->setFigure(figure);
    return true;
}

void FigureCard::showHead() {
    title->setText(QString::fromStdString(current.title));
    for (QLabel* label : {subtitle, below})
        label->setText(QString::fromStdString(current.subtitle));
    placeSubtitle();
}

bool FigureCard::subtitleFits(int width) const {
    int needed = frameWidth;
    for (int i = 0; i < head->count(); ++i)
        if (QWidget* part = head->itemAt(i)->widget(); part && part != title && part != subtitle)
            needed += part->sizeHint().width() + headSpacing;
    return needed + title->fontMetrics().horizontalAdvance(title->text()) + headSpacing +
               subtitle->fontMetrics().horizontalAdvance(subtitle->text()) <
           width;
}

void FigureCard::placeSubtitle() {
    const bool any = !subtitle->text().isEmpty(), fits = subtitleFits(width());
    subtitle->setVisible(any && fits);
    below->setVisible(any && !fits);
    title->setSizePolicy(any && fits ? QSizePolicy::Preferred : QSizePolicy::Ignored, QSizePolicy::Preferred);
    title->setWordWrap(!(any && fits)); // a title that wraps would take no more than half of the line
    head->setStretch(head->indexOf(title), any && fits ? 0 : 1);
    head->setStretch(head->indexOf(subtitle), any && fits ? 1 : 0);
}

int FigureCard::frameHeight(int width) const {
    int buttons = 0, line = 0;
    for (int i = 0; i < head->count(); ++i)
        if (QWidget* part = head->itemAt(i)->widget(); part && part != title && part != subtitle) {
            buttons += part->sizeHint().width() + headSpacing;
            line = std::max(line, part->sizeHint().height());
        }
    const auto heightOf = [](const QLabel& label, int wide) {
        return label.fontMetrics()
            .boundingRect(QRect(0, 0, std::max(wide, 1), QWIDGETSIZE_MAX), Qt::TextWordWrap, label.text())
            .height();
    };
    const bool any = !subtitle->text().isEmpty(), fits = subtitleFits(width);
    line = std::max(line, any && fits ? title->fontMetrics().height() : heightOf(*title, width - frameWidth - buttons));
    const int second = any && !fits ? heightOf(*below, width - frameWidth) + lineSpacing : 0;
    return topMargin + line + second + lineSpacing + bottomMargin + 2;
}

void FigureCard::resizeEvent(QResizeEvent* event) {
    QFrame::resizeEvent(event);
    placeSubtitle();
}

void FigureCard::contextMenuEvent(QContextMenuEvent* event) {
    auto* menu = new QMenu(this);
    connect(menu, &QMenu::aboutToHide, menu, &QObject::deleteLater);
    menu->addActions(shown->viewActions());
    if (shown->canResetZoom())
        menu->addAction(tr("Show all"), shown, &FigureView::resetZoom);
    menu->addSeparator();
    menu->addAction(tr("Copy as image"), this, &FigureCard::copyImage);
    menu->addAction(tr("Copy numbers as CSV"), this, [this] { emit csvWanted({}); });
    menu->addAction(tr("Save…"), this, &FigureCard::save);
    if (std::holds_alternative<lab::Timeline>(current.content))
        menu->addAction(tr("Save as trace…"), this, &FigureCard::askForTrace);
    menu->addAction(tr("Explain"), this, &FigureCard::explain);
    menu->popup(event->globalPos());
}

void FigureCard::copyImage() {
    const QSize size = shown->pictureSize();
    QImage image(size * 2, QImage::Format_ARGB32_Premultiplied);
    image.setDevicePixelRatio(2);
    QPainter painter(&image);
    paintPicture(painter, *shown, title->text(), size);
    painter.end();
    QApplication::clipboard()->setImage(image);
}

void FigureCard::save() {
    askWhereToSave(this, tr("Save figure"), QString::fromStdString(current.id) + ".svg",
                   tr("SVG (*.svg);;PNG (*.png);;CSV (*.csv)"), [this](const QString& file) {
                       if (file.endsWith(".csv", Qt::CaseInsensitive))
                           emit csvWanted(file);
                       else if (const QString failed = savePicture(*shown, title->text(), file); !failed.isEmpty())
                           tell(this, tr("Not saved"), failed);
                   });
}

void FigureCard::askForTrace() {
    askWhereToSave(
        this, tr("Save as trace for Perfetto (ui.perfetto.dev)"), QString::fromStdString(current.id) + ".trace.json.gz",
        tr("Compressed trace (*.json.gz);;Trace (*.json)"), [this](const QString& file) { emit traceWanted(file); });
}

void FigureCard::explain() {
    QMessageBox* box = makeBox(this, title->text(),
                               current.explain.empty() ? tr("Nothing more is known about this figure.")
                                                       : QString::fromStdString(current.explain));
    box->setTextFormat(Qt::MarkdownText);
    box->setStandardButtons(QMessageBox::Close);
    box->open();
}

void FigureCard::retire() {
    retired = true;
    hide();
    goIfNothingIsOpen();
}

void FigureCard::childEvent(QChildEvent* event) {
    QFrame::childEvent(event);
    if (retired && event->removed())
        QTimer::singleShot(0, this, &FigureCard::goIfNothingIsOpen); // one window may have opened the next
}

void FigureCard::goIfNothingIsOpen() {
    const QObjectList& all = children();
    if (std::none_of(all.begin(), all.end(),
                     [](QObject* child) { return child->isWidgetType() && static_cast<QWidget*>(child)->isWindow(); }))
        deleteLater();
}

} // namespace warplight::app
