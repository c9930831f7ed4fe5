// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/views/source_pane.h"

#include "app/views/heat_strip.h"
#include "app/views/theme.h"
#include "core/lab/number_text.h"

#include <QApplication>
#include <QClipboard>
#include <QHelpEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QScrollBar>
#include <QToolTip>
#include <utility>
#include <vector>

#include <algorithm>
#include <cmath>

namespace warplight::app {

namespace {

bool sameText(const lab::Source::Pane& a, const lab::Source::Pane& b) {
    return std::equal(a.lines.begin(), a.lines.end(), b.lines.begin(), b.lines.end(),
                      [](const auto& x, const auto& y) { return x.number == y.number && x.text == y.text; });
}

} // namespace

SourcePane::SourcePane(QWidget* parent) : QAbstractScrollArea(parent), strip(new HeatStrip(this)) {
    setFocusPolicy(Qt::StrongFocus);
    setFrameShape(QFrame::NoFrame);
    setMinimumSize(220, 120);
    viewport()->setMouseTracking(true);
    viewport()->setAutoFillBackground(false);
    connect(strip, &HeatStrip::lineWanted, this, [this](int line) {
        moveTo(line, false);
        centre(line);
    });
}

void SourcePane::setData(PaneData data) {
    touched = touched && sameText(shown.pane, data.pane);
    shown = std::move(data);
    rankedCounter = -1;
    marks.current = touched ? std::min(marks.current, shown.lineCount() - 1) : -1;
    marks.anchor = touched ? std::min(marks.anchor, shown.lineCount() - 1) : -1;
    marks.hover = -1;
    marks.partners.clear();
    marks.counter = std::clamp(marks.counter, 0, std::max(0, static_cast<int>(shown.pane.counters.size()) - 1));
    setAccessibleName(QString::fromStdString(shown.pane.title));
    strip->setLines(shown, marks.counter);
    setViewportMargins(0, 0, strip->isOfUse() ? HeatStrip::stripWidth + 2 : 0, 0);
    strip->setVisible(strip->isOfUse());
    fitScrollBars();
    viewport()->update();
}

bool SourcePane::openAtHottest() {
    if (touched || shown.lineCount() == 0)
        return false;
    rankLines();
    rank = ranked.empty() ? -1 : 0;
    const int line = ranked.empty() ? shown.gravestRemark() : ranked[0];
    if (line < 0)
        return false;
    marks.current = marks.anchor = line;
    centre(line);
    return true;
}

void SourcePane::setPinned(std::optional<PinnedPane> pinned) {
    shown.pin(std::move(pinned));
    fitScrollBars();
    viewport()->update();
}

SourceLayout SourcePane::layoutNow() const { return SourceLayout::of(shown, viewport()->width(), marks.counter); }

int SourcePane::rowsVisible() const {
    const SourceLayout layout = layoutNow();
    return std::max(1, static_cast<int>((viewport()->height() - layout.headHeight) / layout.rowHeight));
}

int SourcePane::firstVisible() const { return verticalScrollBar()->value(); }
int SourcePane::lastVisible() const { return std::min(firstVisible() + rowsVisible(), shown.lineCount()) - 1; }

void SourcePane::fitScrollBars() {
    const bool before = std::exchange(placing, true);
    const int rows = rowsVisible(), columns = layoutNow().textColumns();
    verticalScrollBar()->setRange(0, std::max(0, shown.lineCount() - rows));
    verticalScrollBar()->setPageStep(rows);
    horizontalScrollBar()->setRange(0, static_cast<int>(std::max<qsizetype>(0, shown.longest - columns)));
    horizontalScrollBar()->setPageStep(columns);
    horizontalScrollBar()->setSingleStep(4);
    placing = before;
    const double head = layoutNow().headHeight;
    strip->setGeometry(viewport()->geometry().right() + 3, static_cast<int>(viewport()->y() + head),
                       HeatStrip::stripWidth, std::max(0, static_cast<int>(viewport()->height() - head)));
    strip->setVisibleLines(firstVisible(), lastVisible());
}

void SourcePane::scrollTo(int first) {
    const bool before = std::exchange(placing, true);
    verticalScrollBar()->setValue(first);
    placing = before;
}

/// Near the middle, so that what stands around it is seen.
void SourcePane::centre(int line) {
    awaited = isVisible() ? -1 : line;
    scrollTo(line - rowsVisible() / 3);
}

void SourcePane::scrollContentsBy(int, int) {
    marks.firstColumn = horizontalScrollBar()->value();
    touched = touched || !placing;
    strip->setVisibleLines(firstVisible(), lastVisible());
    viewport()->update();
}

void SourcePane::resizeEvent(QResizeEvent*) {
    fitScrollBars();
    // Until the user has gone elsewhere, what was opened stays in view.
    const int opened = touched                  ? -1
                       : marks.current >= 0     ? marks.current
                       : marks.partners.empty() ? -1
                                                : marks.partners.front();
    if (const int line = awaited >= 0 ? awaited : opened; line >= 0)
        centre(line);
}

void SourcePane::showEvent(QShowEvent* event) {
    QAbstractScrollArea::showEvent(event);
    if (awaited >= 0)
        centre(awaited);
}

void SourcePane::changeEvent(QEvent* event) {
    if (event->type() == QEvent::StyleChange || event->type() == QEvent::FontChange)
        fitScrollBars();
    QAbstractScrollArea::changeEvent(event);
}

int SourcePane::lineAt(double y) const {
    const SourceLayout layout = layoutNow();
    if (y < layout.headHeight)
        return -1;
    const int line = firstVisible() + static_cast<int>((y - layout.headHeight) / layout.rowHeight);
    return line < shown.lineCount() ? line : -1;
}

void SourcePane::reveal(int line) {
    const int rows = rowsVisible();
    if (line == firstVisible() - 1 || line == firstVisible() + rows)
        scrollTo(firstVisible() + (line < firstVisible() ? -1 : 1));
    else if (line < firstVisible() || line >= firstVisible() + rows || !isVisible())
        centre(line);
}

void SourcePane::setHover(int line) {
    if (line == marks.hover)
        return;
    marks.hover = line;
    viewport()->update();
    emit told(line < 0 ? QString() : reading(line).replace('\n', "  ·  "));
    emit focusMoved();
}

void SourcePane::setCounter(int counter) {
    if (counter < 0 || counter >= static_cast<int>(shown.pane.counters.size()))
        return;
    marks.counter = counter;
    strip->setLines(shown, counter);
    fitScrollBars();
    viewport()->update();
}

void SourcePane::setPartners(std::vector<int> lines, bool scrollThere) {
    std::sort(lines.begin(), lines.end());
    if (marks.partners == lines)
        return;
    marks.partners = std::move(lines);
    const auto seen = [this](int line) { return line >= firstVisible() && line <= lastVisible(); };
    if (scrollThere && !marks.partners.empty() && std::none_of(marks.partners.begin(), marks.partners.end(), seen))
        reveal(marks.partners.front());
    viewport()->update();
}

void SourcePane::setFind(const QString& text) {
    marks.find = text;
    viewport()->update();
}

QString SourcePane::reading(int index) const {
    if (index < 0)
        return {};
    QStringList rows{QString("%1:%2").arg(QString::fromStdString(shown.pane.title)).arg(shown.line(index).number)};
    for (int c = 0; c < static_cast<int>(shown.pane.counters.size()); ++c)
        if (shown.count(index, c)) {
            const auto& counter = shown.pane.counters[static_cast<size_t>(c)];
            QString row = QString("%1: %2 (%3)")
                              .arg(QString::fromStdString(counter.title), shown.countText(index, c),
                                   badgeText(counter.provenance));
            if (const auto before = shown.pinnedCount(index, c))
                row += tr(", %1 of %2: %3")
                           .arg(shown.ratioText(index, c), shown.pinned->name,
                                QString::fromStdString(lab::countText(*before, counter.unit, counter.format)));
            rows << row;
        }
    if (shown.isCompared() && shown.pinned->lineOf[static_cast<size_t>(index)] < 0)
        rows << tr("not in the %1 run").arg(shown.pinned->name);
    if (!shown.line(index).remark.empty())
        rows << QString::fromStdString(shown.line(index).remark);
    return rows.join('\n');
}

bool SourcePane::viewportEvent(QEvent* event) {
    if (event->type() == QEvent::ToolTip) {
        const auto* help = static_cast<QHelpEvent*>(event);
        QString text = reading(lineAt(help->pos().y()));
        if (text.isEmpty())
            for (const auto& column : layoutNow().columns)
                if (help->pos().x() >= column.left && help->pos().x() < column.left + column.width) {
                    const auto& counter = shown.pane.counters[static_cast<size_t>(column.counter)];
                    text = tr("%1 (%2): click to show its numbers")
                               .arg(QString::fromStdString(counter.title), badgeText(counter.provenance));
                }
        QToolTip::showText(help->globalPos(), text, viewport());
        return true;
    }
    if (event->type() == QEvent::Leave)
        setHover(-1);
    return QAbstractScrollArea::viewportEvent(event);
}

QString SourcePane::note(int first, int last) const {
    QString text = last - first + 1 >= shown.lineCount() || first < 0
                       ? lineCountText(shown.lineCount())
                       : tr("lines %1 to %2 of %3").arg(first + 1).arg(last + 1).arg(shown.lineCount());
    if (shown.remarks > 0)
        text += "  ·  " + (shown.remarks == 1 ? tr("1 remark") : tr("%1 remarks").arg(shown.remarks)) +
                (first < 0 ? tr(" (N)") : QString()); // paper has no keys
    if (first < 0 && !shown.pane.counters.empty())
        text += "  ·  " + tr("hottest (H)");
    if (shown.pinned && shown.pinned->isOther())
        text += "  ·  " + tr("the %1 run has other code").arg(shown.pinned->name);
    else if (shown.pinned)
        text += "  ·  " + tr("outlined: %1").arg(shown.pinned->name) +
                (shown.pinned->added > 0 ? tr(", %1 new").arg(shown.pinned->added) : QString()) +
                (shown.pinned->gone > 0 ? tr(", %1 gone").arg(shown.pinned->gone) : QString());
    return text;
}

void SourcePane::paintEvent(QPaintEvent*) {
    QPainter painter(viewport());
    const QRectF area = viewport()->rect();
    const double head = layoutNow().headHeight;
    marks.focused = hasFocus();
    paintSourceLines(painter, area.adjusted(0, head, 0, 0), shown, marks, firstVisible());
    paintSourceHead(painter, QRectF(area.left(), area.top(), area.width(), head), shown, marks, note(-1, -1));
}

double SourcePane::heightOf(int lines) const {
    const SourceLayout layout = SourceLayout::of(shown, 600, marks.counter);
    return layout.headHeight + lines * layout.rowHeight;
}

void SourcePane::paintTo(QPainter& painter, const QRectF& area, bool withCursor) const {
    const SourceLayout layout = SourceLayout::of(shown, area.width(), marks.counter);
    const int rows = std::max(1, static_cast<int>((area.height() - layout.headHeight) / layout.rowHeight));
    SourceMarks printed;
    if (withCursor)
        printed = marks;
    printed.counter = marks.counter;
    // What the user looks at; of a pane that nobody has scrolled, the surroundings of its hottest line.
    int first = firstVisible();
    if (!withCursor && shown.lineCount() > rows && !shown.hottest.empty())
        first = std::clamp(shown.hottest[static_cast<size_t>(marks.counter)] - rows / 2, 0, shown.lineCount() - rows);
    first = std::min(first, std::max(0, shown.lineCount() - rows));
    const QRectF lines(area.left(), area.top() + layout.headHeight, area.width(), rows * layout.rowHeight);
    paintSourceLines(painter, lines, shown, printed, first);
    paintSourceHead(painter, area, shown, printed, note(first, std::min(first + rows, shown.lineCount()) - 1));
}

void SourcePane::mousePressEvent(QMouseEvent* event) {
    if (event->button() != Qt::LeftButton)
        return;
    const SourceLayout layout = layoutNow();
    if (event->position().y() < layout.headHeight) {
        for (const auto& column : layout.columns)
            if (event->position().x() >= column.left && event->position().x() < column.left + column.width + 12)
                setCounter(column.counter);
        return;
    }
    if (const int line = lineAt(event->position().y()); line >= 0) {
        dragging = true;
        goTo(line, event->modifiers() & Qt::ShiftModifier);
    }
}

void SourcePane::mouseMoveEvent(QMouseEvent* event) {
    if (!dragging)
        return setHover(lineAt(event->position().y()));
    const double y = event->position().y();
    const int line = y < layoutNow().headHeight ? firstVisible() - 1 : lineAt(y);
    if (line >= 0 && line != marks.current)
        goTo(line, true);
}

void SourcePane::mouseReleaseEvent(QMouseEvent* event) {
    if (!dragging || event->button() != Qt::LeftButton)
        return;
    dragging = false;
    if (marks.anchor == marks.current) // a click, not a selection of several lines
        emit activated(marks.current);
}

void SourcePane::focusInEvent(QFocusEvent* event) {
    QAbstractScrollArea::focusInEvent(event);
    viewport()->update();
    emit focusMoved();
}

void SourcePane::focusOutEvent(QFocusEvent* event) {
    QAbstractScrollArea::focusOutEvent(event);
    viewport()->update();
}

} // namespace warplight::app
