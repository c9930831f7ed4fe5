// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/shell/page_view.h"

#include "app/shell/figure_board.h"
#include "app/shell/figure_card.h"
#include "app/shell/page_layout.h"
#include "app/views/steps_view.h"
#include "app/views/theme.h"

#include <QAbstractScrollArea>
#include <QEvent>
#include <QGridLayout>
#include <QLabel>
#include <QScrollBar>
#include <QVBoxLayout>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include <algorithm>

namespace warplight::app {
namespace {

constexpr int screenFrame = 16; // ms
constexpr int sideMargin = 16, narrowestMetric = 124;
constexpr qsizetype mostWarnings = 4; ///< lines above the figures; the others are told on hover

} // namespace

PageView::PageView(QWidget* parent)
    : QWidget(parent),
      title(new QLabel(this)),
      sentence(new QLabel(this)),
      state(new QLabel(this)),
      hint(new QLabel(this)),
      headlines(new QGridLayout),
      board(new FigureBoard(this)) {
    setObjectName("page");
    more.setSingleShot(true);
    more.setInterval(screenFrame);
    connect(&more, &QTimer::timeout, this, &PageView::refresh);
    title->setFont(textFont(18, QFont::Bold));
    sentence->setObjectName("muted");
    sentence->setWordWrap(true);
    state->setObjectName("banner");
    state->setTextFormat(Qt::PlainText);
    state->setWordWrap(true);
    auto* head = new QHBoxLayout;
    head->addWidget(title);
    head->addWidget(sentence, 1);
    headlines->setHorizontalSpacing(2 * figureGap);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(sideMargin, 14, sideMargin, sideMargin);
    layout->setSpacing(figureGap);
    layout->addLayout(head);
    layout->addWidget(state);
    layout->addLayout(headlines);
    layout->addWidget(board, 1);
    hint->setObjectName("muted");
    hint->setAlignment(Qt::AlignRight);
    hint->setTextInteractionFlags(Qt::LinksAccessibleByMouse);
    hint->hide();
    layout->addWidget(hint);
    connect(hint, &QLabel::linkActivated, this, &PageView::presentationEnded);
}

void PageView::setDescription(const QString& titleText, const QString& sentenceText) {
    title->setText(titleText);
    sentence->setText(sentenceText);
}

void PageView::showRecord(const lab::RunRecord* record, lab::RunId key) {
    // One of them may be what a press, a drag or a key just now goes to: they go when that event is over.
    std::map<std::string, int> steps; // of the same run, in larger type: players stay where they are
    for (FigureCard* card : cards) {
        if (const auto* player = qobject_cast<StepsView*>(card->view()); player && record == shown && key == shownKey)
            steps[card->figure().id] = player->step();
        disconnect(card->view(), nullptr, this, nullptr); // what is open on it may still want its numbers
        card->retire();
    }
    for (const auto& [id, metric] : metrics) {
        metric->hide();
        metric->deleteLater();
    }
    cards.clear();
    metrics.clear();
    headlineOrder.clear();
    enlarged = nullptr;
    board->setCards(cards, enlarged);
    shown = record;
    shownKey = key;
    more.stop();
    refresh();
    for (const auto& [id, step] : steps)
        if (auto* player = qobject_cast<StepsView*>(view(id)))
            player->showStep(step);
    if (record)
        for (const auto& [place, tile] : record->tiles())
            addTile(tile);
}

void PageView::refresh() {
    if (shown && !update(*shown))
        more.start();
    showState();
}

bool PageView::update(const lab::RunRecord& record) {
    // Making a plot takes some milliseconds: while a run streams in, one a screen frame.
    const size_t mostNew = record.running() ? 1 : record.figures().size();
    size_t added = 0;
    bool complete = true, grown = false;
    for (const lab::Figure& figure : record.figures()) {
        if (const auto metric = metrics.find(figure.id); metric != metrics.end()) {
            metric->second->setFigure(figure);
            continue;
        }
        const auto card =
            std::find_if(cards.begin(), cards.end(), [&](FigureCard* c) { return c->figure().id == figure.id; });
        if (card != cards.end()) {
            grown |= (*card)->showRevision(figure, record.revision(figure.id));
        } else if (added < mostNew) {
            add(figure, record.revision(figure.id));
            ++added;
        } else {
            complete = false;
        }
    }
    if (added > 0) {
        board->setCards(cards, enlarged);
        showHead();
    } else if (grown) // a table has more rows
        board->arrange();
    return complete;
}

void PageView::setRemark(const QString& sentences) {
    remark = sentences;
    showState();
}

/// The remark, and what the run itself warned of: many sentences would push the figures out of sight.
void PageView::showState() {
    QStringList warnings;
    if (shown)
        for (const lab::Log& log : shown->logs())
            if (log.level == lab::Log::Level::Warning)
                warnings << QString::fromStdString(log.text);
    state->setToolTip(warnings.size() > mostWarnings
                          ? Qt::convertFromPlainText(warnings.join('\n'), Qt::WhiteSpaceNormal)
                          : QString());
    if (const qsizetype more = warnings.size() - mostWarnings + 1; more > 1)
        warnings = warnings.mid(0, mostWarnings - 1) << tr("… and %1 more").arg(more);
    if (!remark.isEmpty())
        warnings.prepend(remark);
    const QString text = warnings.join('\n');
    if (text == state->text() && state->isHidden() == text.isEmpty())
        return;
    state->setText(text);
    state->setVisible(!text.isEmpty());
}

void PageView::add(const lab::Figure& figure, uint64_t revision) {
    if (figure.place == lab::Figure::Place::Headline && std::holds_alternative<lab::Metric>(figure.content)) {
        FigureView* metric = FigureView::create(figure, this);
        metric->setToolTip(QString::fromStdString(figure.explain));
        metrics[figure.id] = metric;
        headlineOrder.push_back(metric);
        arrangeHeadlines();
        return;
    }
    auto* card = new FigureCard(figure, revision, board);
    const QString id = QString::fromStdString(figure.id);
    connect(card, &FigureCard::csvWanted, this,
            [this, id, run = shownKey](const QString& file) { emit csvWanted(run, id, file); });
    connect(card, &FigureCard::traceWanted, this,
            [this, id, run = shownKey](const QString& file) { emit traceWanted(run, id, file); });
    connect(card, &FigureCard::enlargeWanted, this, [this, card] {
        if (std::find(cards.begin(), cards.end(), card) == cards.end())
            return;
        enlarged = enlarged == card ? nullptr : card;
        presented = card->figure().id;
        board->setCards(cards, enlarged);
        showHead();
    });
    const FigureView* view = card->view();
    connect(view, &FigureView::statusText, this, &PageView::statusText);
    connect(view, &FigureView::linkActivated, this, &PageView::linkActivated);
    connect(view, &FigureView::tilesDropped, this, [this, id] { emit tilesDropped(id); });
    connect(view, &FigureView::tileWanted, this,
            [this, id](int level, qint64 row, qint64 col) { emit tileWanted(id, level, row, col); });
    connect(view, &FigureView::probeWanted, this,
            [this, id](qint64 row, qint64 col) { emit probeWanted(id, row, col); });
    connect(view, &FigureView::selected, this, [this, id](qint64 row, qint64 col) { emit selected(id, row, col); });
    cards.push_back(card);
    if (presenting && !enlarged &&
        (presented.empty() ? figure.place == lab::Figure::Place::Main : presented == figure.id))
        enlarged = card;
}

void PageView::setPresenting(bool on) {
    presenting = on;
    presented.clear();
    enlarged = nullptr;
    showHead();
}

/// A figure that fills the page stands alone on it; a hint says how to go on.
void PageView::showHead() {
    const bool alone = presenting && enlarged;
    title->setVisible(!alone);
    sentence->setVisible(!alone);
    for (const auto& [id, metric] : metrics)
        metric->setVisible(!alone);
    hint->setVisible(presenting);
    hint->setText(tr("← → or a clicker: step &nbsp; space: play &nbsp; ↑ ↓: another figure &nbsp; <a href='end' "
                     "style='color:%1'>F5: end</a>")
                      .arg(Theme::current().muted.name()));
    fitToView();
}

void PageView::showOther(int step) {
    const auto at = std::find(cards.begin(), cards.end(), enlarged);
    if (cards.empty())
        return;
    const auto count = static_cast<int>(cards.size());
    const int now = at == cards.end() ? (step > 0 ? -1 : 0) : static_cast<int>(at - cards.begin());
    enlarged = cards[static_cast<size_t>((now + step + count) % count)];
    presented = enlarged->figure().id;
    board->setCards(cards, enlarged);
    showHead();
}

bool PageView::takePresentationKey(int key, bool repeated) {
    auto* player = enlarged ? qobject_cast<StepsView*>(enlarged->view()) : nullptr;
    if (!enlarged) // all figures are there: the first that plays does
        for (FigureCard* card : cards)
            if (!player)
                player = qobject_cast<StepsView*>(card->view());
    switch (key) {
    case Qt::Key_Up:
    case Qt::Key_Down:
        showOther(key == Qt::Key_Down ? 1 : -1);
        return true;
    case Qt::Key_Left:
    case Qt::Key_PageUp:
    case Qt::Key_Right:
    case Qt::Key_PageDown:
        if (!player) {
            showOther(key == Qt::Key_Right || key == Qt::Key_PageDown ? 1 : -1);
            return true;
        }
        break;
    }
    return player && player->takeKey(key, repeated);
}

/// Side by side in equal columns; in two rows where the page is too narrow for all of them.
void PageView::arrangeHeadlines() {
    const auto count = static_cast<int>(headlineOrder.size());
    const int room = std::max(1, (width() - 2 * sideMargin) / static_cast<int>(narrowestMetric * uiScale()));
    const int rows = (count + room - 1) / room, perRow = rows > 0 ? (count + rows - 1) / rows : 0;
    while (QLayoutItem* item = headlines->takeAt(0))
        delete item;
    for (int i = 0; i < count; ++i)
        headlines->addWidget(headlineOrder[static_cast<size_t>(i)], i / perRow, i % perRow);
    for (int column = 0; column < headlines->columnCount(); ++column)
        headlines->setColumnStretch(column, column < perRow ? 1 : 0);
}

void PageView::setPinned(const lab::RunRecord* record, const QString& name) {
    for (FigureCard* card : cards) {
        const lab::Figure* other = record ? record->figure(card->figure().id) : nullptr;
        card->view()->setCompared(other ? std::optional(*other) : std::nullopt, name);
    }
}

FigureView* PageView::view(const std::string& figure) const {
    if (const auto metric = metrics.find(figure); metric != metrics.end())
        return metric->second;
    for (FigureCard* card : cards)
        if (card->figure().id == figure)
            return card->view();
    return nullptr;
}

void PageView::changeEvent(QEvent* event) {
    if (event->type() == QEvent::StyleChange) {
        title->setFont(textFont(18, QFont::Bold));
        board->arrange(); // type may be larger now
    }
    QWidget::changeEvent(event);
}

void PageView::addTile(const lab::TilePut& tile) {
    if (FigureView* shown = view(tile.figure))
        shown->addTile(tile);
}

void PageView::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    arrangeHeadlines();
    fitToView();
}

/// The scroll bar's width is kept free while there is none: figures do not jump when it comes.
void PageView::fitToView() {
    const QWidget* view = parentWidget();
    const auto* scroll = view ? qobject_cast<QAbstractScrollArea*>(view->parentWidget()) : nullptr;
    const int bar = scroll ? scroll->width() - view->width() : 0;
    const int usual = scroll ? scroll->verticalScrollBar()->sizeHint().width() : 0;
    QMargins margins = layout()->contentsMargins();
    margins.setRight(sideMargin + (bar > 0 ? 0 : usual));
    layout()->setContentsMargins(margins);
    const int below = presenting ? hint->sizeHint().height() + figureGap : 0;
    const int shown = scroll ? scroll->width() - usual : width();
    board->setView({shown - margins.left() - sideMargin, (view ? view->height() : height()) - below});
}

bool PageView::event(QEvent* event) {
    if (event->type() == QEvent::ParentChange && parentWidget())
        parentWidget()->installEventFilter(this);
    return QWidget::event(event);
}

bool PageView::eventFilter(QObject* object, QEvent* event) {
    if (object == parentWidget() && event->type() == QEvent::Resize)
        fitToView();
    return QWidget::eventFilter(object, event);
}

} // namespace warplight::app
