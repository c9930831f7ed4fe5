// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/views/source_view.h"

#include "app/views/source_pane.h"
#include "app/views/theme.h"

#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QSplitter>
#include <QToolButton>
#include <QVBoxLayout>
#include <cstdint>
#include <optional>
#include <utility>
#include <variant>

#include <algorithm>
#include <array>
#include <cmath>

namespace warplight::app {
namespace {

constexpr int mostPictureLines = 64, fewestPictureLines = 32; ///< a printed page's worth
constexpr double paneGap = 24;                                ///< between two panes of a picture
constexpr double widthOfTwo = 1040;                           ///< pixels: about 50 columns of code and a counter each
constexpr qsizetype longestTab = 34;                          ///< characters

} // namespace

SourceView::SourceView(QWidget* parent)
    : FigureView(parent),
      tabs(new QWidget(this)),
      splitter(new QSplitter(Qt::Horizontal, this)),
      findBar(new QWidget(this)),
      findText(new QLineEdit(findBar)),
      findCount(new QLabel(findBar)),
      empty(new QLabel(this)) {
    splitter->setChildrenCollapsible(false);
    splitter->setHandleWidth(9);
    for (int i = 0; i < 2; ++i) {
        auto* pane = new SourcePane(splitter);
        panes.push_back(pane);
        splitter->addWidget(pane);
        connect(pane, &SourcePane::told, this, &FigureView::statusText);
        connect(pane, &SourcePane::focusMoved, this, [this, pane] { markPartners(pane); });
        connect(pane, &SourcePane::otherWanted, this, &SourceView::showOther);
        connect(pane, &SourcePane::activated, this, [this, i](int line) {
            if (selectable)
                emit selected(line, i);
        });
    }
    lastUsed = panes[0];
    setFocusProxy(panes[0]);
    empty->setObjectName("muted");
    empty->setAlignment(Qt::AlignCenter);
    empty->setWordWrap(true);
    findText->setPlaceholderText(tr("Find in this pane"));
    findText->setAccessibleName(findText->placeholderText());
    findText->installEventFilter(this);
    findCount->setObjectName("muted");
    auto* bar = new QHBoxLayout(findBar);
    bar->setContentsMargins(0, 0, 0, 0);
    bar->addWidget(findText, 1);
    bar->addWidget(findCount);
    const auto addButton = [&](const QString& text, const QString& tip, auto&& action) {
        auto* button = new QToolButton(findBar);
        button->setObjectName("quiet");
        button->setText(text);
        button->setToolTip(tip);
        button->setAccessibleName(tip);
        connect(button, &QToolButton::clicked, this, action);
        bar->addWidget(button);
    };
    addButton("▲", tr("Previous (Shift+F3)"), [this] { find(-1); });
    addButton("▼", tr("Next (F3)"), [this] { find(1); });
    addButton("✕", tr("Close (Esc)"), [this] { closeFind(); });
    findBar->hide();
    connect(findText, &QLineEdit::textChanged, this, [this] { find(0); });
    auto* choices = new QHBoxLayout(tabs);
    choices->setContentsMargins(0, 0, 0, 0);
    choices->setSpacing(4);
    for (int i = 0; i < 3; ++i) {
        auto* button = new QToolButton(tabs);
        button->setObjectName("bar");
        button->setCheckable(true);
        button->setFont(textFont(12));
        connect(button, &QToolButton::clicked, this, [this, i] { i < 2 ? showPane(i) : showSideBySide(); });
        choices->addWidget(button);
        tabButtons.push_back(button);
    }
    tabButtons[2]->setText(tr("Side by side"));
    tabs->setStyleSheet("QToolButton { padding: 2px 10px; } "
                        "QToolButton:checked { border-color: palette(highlight); font-weight: 600; }");
    choices->addStretch(1);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(4);
    layout->addWidget(tabs);
    layout->addWidget(findBar);
    layout->addWidget(splitter, 1);
    layout->addWidget(empty, 1);
    const auto addAction = [&](const QString& text, const QKeySequence& key, auto&& run) {
        auto* action = new QAction(text, this);
        action->setShortcut(key);
        action->setShortcutContext(Qt::WidgetWithChildrenShortcut);
        connect(action, &QAction::triggered, this, run);
        QWidget::addAction(action);
        menu << action;
    };
    addAction(tr("Find…"), QKeySequence::Find, [this] { openFind(); });
    addAction(tr("Find next"), QKeySequence(Qt::Key_F3), [this] { find(1); });
    addAction(tr("Find previous"), QKeySequence(Qt::SHIFT | Qt::Key_F3), [this] { find(-1); });
    // These keys are the pane's own: a shortcut would take them from the find line.
    addAction(tr("Next remark (N)"), {}, [this] { focusedPane()->nextRemark(1); });
    addAction(tr("Hottest line, then the next (H)"), {}, [this] { focusedPane()->hottest(); });
    addAction(tr("Other pane (P)"), {}, [this] { showOther(); });
    addAction(tr("Copy lines (Ctrl+C)"), {}, [this] { focusedPane()->copySelection(); });
}

void SourceView::setFigure(const lab::Figure& figure) {
    const auto& source = std::get<lab::Source>(figure.content);
    selectable = source.selectable;
    paneCount = static_cast<int>(source.panes.size());
    QHash<QString, int> colours;
    for (int i = 0; i < 2; ++i) {
        const auto at = static_cast<size_t>(i);
        panes[at]->setData(PaneData::of(i < paneCount ? source.panes[at] : lab::Source::Pane(), colours));
        QString title = QString::fromStdString(panes[at]->data().pane.title);
        tabButtons[at]->setToolTip(tr("%1 (P: the other one)").arg(title));
        if (title.size() > longestTab)
            title = title.left(longestTab - 1) + "…";
        tabButtons[at]->setText(title);
    }
    pin();
    empty->setText(emptySentence());
    empty->setVisible(!empty->text().isEmpty());
    splitter->setVisible(empty->text().isEmpty());
    arrange();
    // The source opens at its hottest line, the other pane at what belongs to it.
    if (panes[0]->openAtHottest())
        lastUsed = panes[0];
    markPartners(lastUsed);
    if (paneCount == 2 && panes[1]->partners().empty())
        panes[1]->openAtHottest();
}

void SourceView::setCompared(std::optional<lab::Figure> pinned, const QString& pinnedName) {
    const auto* source = pinned ? std::get_if<lab::Source>(&pinned->content) : nullptr;
    compared = source ? std::optional(*source) : std::nullopt;
    comparedName = pinnedName;
    pin();
}

void SourceView::pin() {
    for (int i = 0; i < 2; ++i) {
        const lab::Source::Pane& shown = panes[static_cast<size_t>(i)]->data().pane;
        std::optional<PinnedPane> pinned;
        if (compared && i < paneCount)
            for (const auto& pane : compared->panes)
                if (pane.id == shown.id)
                    pinned = PinnedPane::of(pane, comparedName, shown);
        panes[static_cast<size_t>(i)]->setPinned(std::move(pinned));
    }
}

bool SourceView::roomForTwo() const { return width() >= widthOfTwo * uiScale(); }
bool SourceView::sideBySide() const { return paneCount == 2 && wanted.value_or(roomForTwo()); }

void SourceView::arrange() {
    if (alone >= paneCount)
        alone = 0;
    for (int i = 0; i < 2; ++i)
        panes[static_cast<size_t>(i)]->setVisible(i < paneCount && (sideBySide() || i == alone));
    setFocusProxy(panes[static_cast<size_t>(sideBySide() ? 0 : alone)]);
    tabs->setVisible(paneCount == 2 && empty->text().isEmpty());
    for (int i = 0; i < 3; ++i)
        tabButtons[static_cast<size_t>(i)]->setChecked(i == 2 ? sideBySide() : !sideBySide() && i == alone);
}

void SourceView::resizeEvent(QResizeEvent* event) {
    FigureView::resizeEvent(event);
    const bool was = event->oldSize().width() >= widthOfTwo * uiScale();
    if (was != roomForTwo()) // what was wanted was for another width
        wanted.reset();
    arrange();
}

void SourceView::showPane(int index) {
    alone = index;
    wanted = roomForTwo() ? std::optional(false) : std::nullopt;
    const std::vector<int> partners = panes[static_cast<size_t>(index)]->partners();
    arrange();
    if (!partners.empty())
        panes[static_cast<size_t>(index)]->goTo(partners.front());
    panes[static_cast<size_t>(index)]->setFocus();
}

void SourceView::showSideBySide() {
    wanted = roomForTwo() ? std::nullopt : std::optional(true);
    arrange();
}

void SourceView::showOther() {
    if (paneCount < 2)
        return;
    const int other = focusedPane() == panes[0] ? 1 : 0;
    if (!sideBySide())
        return showPane(other);
    SourcePane* pane = panes[static_cast<size_t>(other)];
    if (const std::vector<int> partners = pane->partners(); !partners.empty())
        pane->goTo(partners.front());
    pane->setFocus();
}

QString SourceView::emptySentence() const {
    if (paneCount == 0)
        return tr("There is no source to show: the kernel's file was not found, or nothing has run yet.");
    if (std::all_of(panes.begin(), panes.begin() + paneCount, [](auto* p) { return p->data().lineCount() == 0; }))
        return tr("%1 has no lines: the file is empty, or it holds no line of this kernel.")
            .arg(QString::fromStdString(panes[0]->data().pane.title));
    return {};
}

SourcePane* SourceView::focusedPane() const {
    return !lastUsed->isHidden() ? lastUsed : panes[panes[0]->isHidden() ? 1 : 0];
}

void SourceView::markPartners(SourcePane* from) {
    lastUsed = from;
    SourcePane* other = from == panes[0] ? panes[1] : panes[0];
    const int line = from->focusedLine();
    std::vector<int> partners;
    if (line >= 0)
        for (const int64_t partner : from->data().line(line).partners)
            if (partner < other->data().lineCount())
                partners.push_back(static_cast<int>(partner));
    from->setPartners({}, false);
    other->setPartners(std::move(partners), true);
}

void SourceView::openFind() {
    findBar->show();
    findText->setFocus();
    findText->selectAll();
}

void SourceView::closeFind() {
    findBar->hide();
    for (SourcePane* pane : panes)
        pane->setFind({});
    focusedPane()->setFocus();
}

void SourceView::find(int step) {
    if (findBar->isHidden())
        return openFind();
    SourcePane* pane = focusedPane();
    for (SourcePane* each : panes)
        each->setFind(each == pane ? findText->text() : QString());
    const bool found = pane->findNext(step);
    findCount->setText(findText->text().isEmpty() ? QString()
                       : found                    ? tr("in %1").arg(lineCountText(pane->matches()))
                                                  : tr("not found"));
}

bool SourceView::eventFilter(QObject* watched, QEvent* event) {
    if (watched == findText && (event->type() == QEvent::ShortcutOverride || event->type() == QEvent::KeyPress)) {
        const auto* key = static_cast<QKeyEvent*>(event);
        const bool press = event->type() == QEvent::KeyPress;
        if (key->key() == Qt::Key_Escape) { // closes the find line and does not stop the run
            event->accept();
            if (press)
                closeFind();
            return true;
        }
        if (press && (key->key() == Qt::Key_Return || key->key() == Qt::Key_Enter)) {
            find(key->modifiers() & Qt::ShiftModifier ? -1 : 1);
            return true;
        }
    }
    return FigureView::eventFilter(watched, event);
}

QSize SourceView::pictureSize() const {
    std::array<int, 2> lines{1, 0};
    for (int i = 0; i < paneCount; ++i)
        lines[static_cast<size_t>(i)] = panes[static_cast<size_t>(i)]->data().lineCount();
    // Beside a short pane no more of the long one than looks well; the rest would be blank paper.
    const int most = paneCount == 2 ? std::clamp(std::min(lines[0], lines[1]), fewestPictureLines, mostPictureLines)
                                    : mostPictureLines;
    return {paneCount == 2 ? 1400 : 960,
            static_cast<int>(std::ceil(panes[0]->heightOf(std::min(std::max(lines[0], lines[1]), most))))};
}

void SourceView::render(QPainter& painter, const QRectF& area) const {
    if (const QString sentence = emptySentence(); !sentence.isEmpty()) {
        painter.setFont(textFont());
        painter.setPen(Theme::current().muted);
        painter.drawText(area, Qt::AlignCenter | Qt::TextWordWrap, sentence);
        return;
    }
    const double width = paneCount == 2 ? (area.width() - paneGap) / 2 : area.width();
    for (int i = 0; i < paneCount; ++i)
        panes[static_cast<size_t>(i)]->paintTo(
            painter, QRectF(area.left() + i * (width + paneGap), area.top(), width, area.height()),
            panes[static_cast<size_t>(i)]->isVisible());
}

} // namespace warplight::app
