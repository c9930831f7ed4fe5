// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/views/source_layout.h"

#include <QAbstractScrollArea>
#include <optional>
#include <vector>

namespace warplight::app {

class HeatStrip;

/// One pane of a source. Paints the lines that are visible and nothing else, so that 50,000 of them scroll as fast as
/// fifty. It opens at the hottest line of its first counter; a strip beside the scroll bar shows where the others are.
/// Keys: arrows, Page Up and Down, Home, End (with Shift: select), N the next remark, H the hottest line of the current
/// counter (again: the next hottest), C the next counter, P the other pane, Ctrl+C copies.
class SourcePane : public QAbstractScrollArea {
    Q_OBJECT
  public:
    explicit SourcePane(QWidget* parent = nullptr);

    /// Keeps the current line, counter and place of a text that the user has moved in.
    void setData(PaneData data);
    /// To the hottest line, or where nothing is counted to the gravest remark. False: there is neither, or the user has
    /// been here.
    bool openAtHottest();
    void setPinned(std::optional<PinnedPane> pinned);
    const PaneData& data() const { return shown; }

    int currentLine() const { return marks.current; } ///< -1: none yet
    int focusedLine() const { return marks.hover >= 0 ? marks.hover : marks.current; }
    int currentCounter() const { return marks.counter; }
    int firstVisible() const;
    int lastVisible() const; ///< wholly
    QString selectedText() const;

    void goTo(int line, bool extend = false);
    void setCounter(int counter);
    void setPartners(std::vector<int> lines, bool scrollThere);
    const std::vector<int>& partners() const { return marks.partners; }
    void setFind(const QString& text);
    bool findNext(int step); ///< from the current line on, around the end; false: nowhere
    int matches() const;     ///< lines that hold what is sought
    void nextRemark(int step);
    void hottest(int step = 1); ///< the hottest line; from there the next in rank, or the one before
    void copySelection() const;

    void paintTo(QPainter& painter, const QRectF& area, bool withCursor) const; ///< vector output
    double heightOf(int lines) const;                                           ///< of a picture of as many

  signals:
    void focusMoved();        ///< another line is hovered or current
    void activated(int line); ///< clicked, or Enter
    void told(const QString& text);
    void otherWanted(); ///< P: the other pane

  protected:
    bool viewportEvent(QEvent* event) override;
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void showEvent(QShowEvent* event) override;
    void scrollContentsBy(int dx, int dy) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;
    void changeEvent(QEvent* event) override;

  private:
    SourceLayout layoutNow() const;
    int lineAt(double y) const; ///< -1: none
    int rowsVisible() const;
    void fitScrollBars();
    void reveal(int line);
    void moveTo(int line, bool extend);
    void scrollTo(int first); ///< not by the user
    void centre(int line);
    void rankLines();
    void setHover(int line);
    QString reading(int line) const; ///< counters and remark of a line, one a row
    QString note(int first, int last) const;
    QRectF headArea() const;

    PaneData shown;
    SourceMarks marks;
    std::vector<int> ranked; ///< of `rankedCounter`, made when H is pressed
    int rankedCounter = -1, rank = -1;
    HeatStrip* strip;
    int awaited = -1;     ///< a line that is to be seen when there is room to see something
    bool touched = false; ///< the user has been moving in this text
    bool placing = false; ///< scrolled by the program
    bool dragging = false;
};

} // namespace warplight::app
