#include "app/shell/page_view.h"

#include "app/shell/figure_card.h"
#include "app/views/steps_view.h"
#include "app/views/theme.h"

#include <QEvent>
#include <QGridLayout>
#include <QLabel>
#include <QVBoxLayout>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include <algorithm>

namespace warplight::app {
namespace {

constexpr int screenFrame = 16; // ms
constexpr int gap = 12, enlargedHeight = 600, mapHeight = 500, sourceHeight = 480, noteHeight = 110, detailHeight = 200,
              mainHeight = 330, scenesHeight = 430, supportHeight = 270, columnWidth = 360;

/// Pixels at the base size of type, in those of today's.
int scaled(int pixels) { return static_cast<int>(pixels * uiScale()); }

/// So much, but no more than the card's figure has to show.
int heightOf(const FigureCard& card, int pixels) {
    const int needed = card.view()->fullHeight();
    const int frame = card.minimumSizeHint().height() - card.view()->minimumSizeHint().height();
    return needed > 0 ? std::min(scaled(pixels), needed + frame) : scaled(pixels);
}

} // namespace

PageView::PageView(QWidget* parent)
    : QWidget(parent),
      title(new QLabel(this)),
      sentence(new QLabel(this)),
      state(new QLabel(this)),
      hint(new QLabel(this)),
      headlines(new QHBoxLayout),
      grid(new QGridLayout) {
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
    headlines->setSpacing(2 * gap);
    grid->setSpacing(gap);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(16, 14, 16, 16);
    layout->setSpacing(gap);
    layout->addLayout(head);
    layout->addWidget(state);
    layout->addLayout(headlines);
    layout->addLayout(grid, 1);
    hint->setObjectName("muted");
    hint->setAlignment(Qt::AlignRight);
    hint->setTextInteractionFlags(Qt::LinksAccessibleByMouse);
    hint->hide();
    layout->addWidget(hint);
    layout->addStretch(); // below a page that has no figure yet
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
    enlarged = nullptr;
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
    bool complete = true;
    for (const lab::Figure& figure : record.figures()) {
        if (const auto metric = metrics.find(figure.id); metric != metrics.end()) {
            metric->second->setFigure(figure);
            continue;
        }
        const auto card =
            std::find_if(cards.begin(), cards.end(), [&](FigureCard* c) { return c->figure().id == figure.id; });
        if (card != cards.end()) {
            (*card)->showRevision(figure, record.revision(figure.id));
            if (std::holds_alternative<lab::Table>(figure.content) && *card != enlarged)
                (*card)->setMinimumHeight(
                    heightOf(**card, figure.place == lab::Figure::Place::Main ? mainHeight : supportHeight));
        } else if (added < mostNew) {
            add(figure, record.revision(figure.id));
            ++added;
        } else {
            complete = false;
        }
    }
    if (added > 0) {
        arrange();
        showHead();
    }
    return complete;
}

void PageView::setRemark(const QString& sentences) {
    remark = sentences;
    showState();
}

/// The remark, and what the run itself warned of.
void PageView::showState() {
    QString text = remark;
    if (shown)
        for (const lab::Log& log : shown->logs())
            if (log.level == lab::Log::Level::Warning)
                text += (text.isEmpty() ? "" : "\n") + QString::fromStdString(log.text);
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
        headlines->addWidget(metric, 1);
        return;
    }
    auto* card = new FigureCard(figure, revision, this);
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
        arrange();
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
}

void PageView::showOther(int step) {
    const auto at = std::find(cards.begin(), cards.end(), enlarged);
    if (cards.empty())
        return;
    const auto count = static_cast<int>(cards.size());
    const int now = at == cards.end() ? (step > 0 ? -1 : 0) : static_cast<int>(at - cards.begin());
    enlarged = cards[static_cast<size_t>((now + step + count) % count)];
    presented = enlarged->figure().id;
    arrange();
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

void PageView::arrange() {
    columns = std::clamp((width() - 32) / columnWidth, 1, 3);
    while (QLayoutItem* item = grid->takeAt(0))
        delete item;
    for (int i = 0; i < 3; ++i) // equal columns, whatever the cards would like
        grid->setColumnStretch(i, i < columns ? 2 : 0);
    int row = arrangeMap(), column = 0;
    for (const bool main : {true, false})
        for (FigureCard* card : cards) {
            if ((card->figure().place == lab::Figure::Place::Main) != main || grid->indexOf(card) >= 0)
                continue;
            card->setVisible(!enlarged || card == enlarged);
            card->setMaximumHeight(QWIDGETSIZE_MAX);
            const bool source = std::holds_alternative<lab::Source>(card->figure().content);
            const bool steps = std::holds_alternative<lab::Steps>(card->figure().content);
            const bool wide = card == enlarged || main || source || steps || std::holds_alternative<lab::Table>(card->figure().content);
            card->setMinimumHeight(card == enlarged ? (presenting ? 0 : scaled(enlargedHeight))
                                   : source         ? scaled(sourceHeight)
                                                    : heightOf(*card, main && steps   ? scenesHeight
                                                                      : main || steps ? mainHeight
                                                                                      : supportHeight));
            if (wide && column > 0) {
                ++row;
                column = 0;
            }
            grid->addWidget(card, row, wide ? 0 : column, 1, wide ? columns : 1);
            column = wide ? columns : column + 1;
            if (column >= columns) {
                ++row;
                column = 0;
            }
        }
}

/// A map is square: it stands left, the details of a selection beside it, as they stand beside a source that has some.
/// Returns the first free row below.
int PageView::arrangeMap() {
    const bool details = std::any_of(cards.begin(), cards.end(), [](FigureCard* card) {
        return card->figure().place == lab::Figure::Place::Detail;
    });
    const auto isMap = [details](FigureCard* card) {
        return card->figure().place == lab::Figure::Place::Main &&
               (std::holds_alternative<lab::Heatmap>(card->figure().content) ||
                (details && std::holds_alternative<lab::Source>(card->figure().content)));
    };
    const auto map = std::find_if(cards.begin(), cards.end(), isMap);
    if (map == cards.end() || enlarged)
        return 0;
    (*map)->setVisible(true);
    (*map)->setMinimumHeight(scaled(mapHeight));
    if (columns == 1) {
        grid->addWidget(*map, 0, 0);
        return 1;
    }
    const bool source = std::holds_alternative<lab::Source>((*map)->figure().content);
    if (source && columns == 2) // two panes need the width: the details stand below
        return arrangeBelow(*map);
    if (columns == 2)
        grid->setColumnStretch(0, 3);
    int row = 0;
    for (FigureCard* card : cards)
        if (card->figure().place == lab::Figure::Place::Detail) {
            card->setVisible(true);
            const bool note = std::holds_alternative<lab::Note>(card->figure().content);
            card->setMinimumHeight(note ? scaled(noteHeight) : scaled(detailHeight));
            card->setMaximumHeight(note ? scaled(noteHeight) : QWIDGETSIZE_MAX);
            grid->addWidget(card, row++, columns - 1, note && source ? Qt::AlignTop : Qt::Alignment());
        }
    grid->addWidget(*map, 0, 0, std::max(row, 1), columns - 1);
    return std::max(row, 1);
}

/// The figure as wide as the page, its details in the rows below. Returns the first free row.
int PageView::arrangeBelow(FigureCard* main) {
    grid->addWidget(main, 0, 0, 1, columns);
    int place = columns;
    for (FigureCard* card : cards)
        if (card->figure().place == lab::Figure::Place::Detail) {
            const bool note = std::holds_alternative<lab::Note>(card->figure().content);
            card->setVisible(true);
            card->setMinimumHeight(note ? scaled(noteHeight) : scaled(detailHeight));
            card->setMaximumHeight(note ? scaled(noteHeight) : QWIDGETSIZE_MAX);
            grid->addWidget(card, place / columns, place % columns, note ? Qt::AlignTop : Qt::Alignment());
            ++place;
        }
    return (place + columns - 1) / columns;
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
    if (event->type() == QEvent::StyleChange)
        title->setFont(textFont(18, QFont::Bold));
    QWidget::changeEvent(event);
}

void PageView::addTile(const lab::TilePut& tile) {
    if (FigureView* shown = view(tile.figure))
        shown->addTile(tile);
}

void PageView::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    if (std::clamp((width() - 32) / columnWidth, 1, 3) != columns)
        arrange();
}

} // namespace warplight::app
