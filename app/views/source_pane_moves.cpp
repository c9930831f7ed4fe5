// SPDX-License-Identifier: GPL-3.0-or-later
// How one gets about in a pane: lines, remarks, heat, what is sought, and the keys for it.
#include "app/views/source_pane.h"

#include <QApplication>
#include <QClipboard>
#include <QKeyEvent>
#include <QScrollBar>

#include <algorithm>
#include <utility>
#include <vector>

namespace warplight::app {

void SourcePane::goTo(int line, bool extend) {
    moveTo(line, extend);
    if (marks.current >= 0)
        reveal(marks.current);
}

void SourcePane::moveTo(int line, bool extend) {
    if (shown.lineCount() == 0)
        return;
    touched = true;
    marks.current = std::clamp(line, 0, shown.lineCount() - 1);
    if (!extend)
        marks.anchor = marks.current;
    marks.hover = -1;
    viewport()->update();
    emit told(reading(marks.current).replace('\n', "  ·  "));
    emit focusMoved();
}

bool SourcePane::findNext(int step) {
    for (int i = step == 0 ? 0 : 1; !marks.find.isEmpty() && i <= shown.lineCount(); ++i) {
        const int from = std::max(marks.current, 0), count = shown.lineCount();
        const int at = ((from + (step < 0 ? -i : i)) % count + count) % count;
        if (!shown.text(at).contains(marks.find, Qt::CaseInsensitive))
            continue;
        goTo(at);
        const qsizetype column = shown.text(at).indexOf(marks.find, 0, Qt::CaseInsensitive);
        if (column < marks.firstColumn || column + marks.find.size() > marks.firstColumn + layoutNow().textColumns())
            horizontalScrollBar()->setValue(static_cast<int>(column) - 4);
        return true;
    }
    return false;
}

int SourcePane::matches() const {
    int count = 0;
    for (int i = 0; !marks.find.isEmpty() && i < shown.lineCount(); ++i)
        count += shown.text(i).contains(marks.find, Qt::CaseInsensitive);
    return count;
}

void SourcePane::nextRemark(int step) {
    if (const int at = shown.lineCount() == 0
                           ? -1
                           : shown.nextRemark(marks.current < 0 && step > 0 ? -1 : std::max(marks.current, 0), step);
        at >= 0)
        goTo(at);
}

void SourcePane::rankLines() {
    if (rankedCounter == marks.counter)
        return;
    ranked = shown.pane.counters.empty() ? std::vector<int>() : shown.ranking(marks.counter);
    rankedCounter = marks.counter;
    rank = -1;
}

void SourcePane::hottest(int step) {
    rankLines();
    if (ranked.empty())
        return emit told(tr("No line has any of this counter."));
    // Pressed again where it went: the next in rank.
    const int count = static_cast<int>(ranked.size());
    const bool again = rank >= 0 && ranked[static_cast<size_t>(rank)] == marks.current;
    rank = again ? (rank + step + count) % count : 0;
    goTo(ranked[static_cast<size_t>(rank)]);
    emit told(tr("number %1 of %2 by %3")
                  .arg(rank + 1)
                  .arg(count)
                  .arg(QString::fromStdString(shown.pane.counters[static_cast<size_t>(marks.counter)].title)) +
              "  ·  " + reading(marks.current).replace('\n', "  ·  "));
}

QString SourcePane::selectedText() const {
    QStringList lines;
    if (marks.current >= 0) {
        const auto [low, high] = std::minmax(marks.current, marks.anchor);
        for (int i = std::max(low, 0); i <= high; ++i)
            lines << QString::fromStdString(shown.line(i).text);
    }
    return lines.join('\n');
}

void SourcePane::copySelection() const {
    if (marks.current >= 0)
        QApplication::clipboard()->setText(selectedText() + '\n');
}

void SourcePane::keyPressEvent(QKeyEvent* event) {
    const bool extend = event->modifiers() & Qt::ShiftModifier;
    const int page = std::max(1, rowsVisible() - 1);
    if (event->matches(QKeySequence::Copy))
        return copySelection();
    if (event->matches(QKeySequence::SelectAll)) {
        goTo(0);
        return goTo(shown.lineCount() - 1, true);
    }
    switch (event->key()) {
    case Qt::Key_Up:
        return goTo(std::max(marks.current, 0) - 1, extend);
    case Qt::Key_Down:
        return goTo(marks.current + 1, extend);
    case Qt::Key_PageUp:
        return goTo(marks.current - page, extend);
    case Qt::Key_PageDown:
        return goTo(std::max(marks.current, 0) + page, extend);
    case Qt::Key_Home:
        return goTo(0, extend);
    case Qt::Key_End:
        return goTo(shown.lineCount() - 1, extend);
    case Qt::Key_Left:
    case Qt::Key_Right:
        return horizontalScrollBar()->setValue(horizontalScrollBar()->value() +
                                               (event->key() == Qt::Key_Left ? -4 : 4));
    case Qt::Key_N:
        return nextRemark(extend ? -1 : 1);
    case Qt::Key_H:
        return hottest(extend ? -1 : 1);
    case Qt::Key_P:
        return emit otherWanted();
    case Qt::Key_C:
        return setCounter((marks.counter + 1) % std::max(1, static_cast<int>(shown.pane.counters.size())));
    case Qt::Key_Return:
    case Qt::Key_Enter:
        if (marks.current >= 0)
            emit activated(marks.current);
        return;
    default:
        QAbstractScrollArea::keyPressEvent(event);
    }
}

} // namespace warplight::app
