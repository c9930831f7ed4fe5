#pragma once

#include "app/views/source_layout.h"

#include <QAbstractScrollArea>
#include <vector>

namespace warplight::app {

/// One pane of a source. Paints the lines that are visible and nothing else, so that 50,000 of them scroll as fast as
/// fifty. Keys: arrows, Page Up and Down, Home, End (with Shift: select), N the next remark, H the hottest line of the
/// current counter (again: the next hottest), C the next counter, Ctrl+C copies.
class SourcePane : public QAbstractScrollArea {
    Q_OBJECT
  public:
    explicit SourcePane(QWidget* parent = nullptr);

    void setData(PaneData data); ///< keeps the current line and counter where they still exist
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
    void setFind(const QString& text);
    bool findNext(int step); ///< from the current line on, around the end; false: nowhere
    int matches() const;     ///< lines that hold what is sought
    void nextRemark(int step);
    void hottest();
    void copySelection() const;

    void paintTo(QPainter& painter, const QRectF& area, bool withCursor) const; ///< vector output
    double heightOf(int lines) const;                                           ///< of a picture of as many

  signals:
    void focusMoved();        ///< another line is hovered or current
    void activated(int line); ///< clicked, or Enter
    void told(const QString& text);

  protected:
    bool viewportEvent(QEvent* event) override;
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
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
    void setHover(int line);
    QString reading(int line) const; ///< counters and remark of a line, one a row
    QString note(int first, int last) const;
    QRectF headArea() const;

    PaneData shown;
    SourceMarks marks;
    std::vector<int> ranked; ///< of `rankedCounter`, made when H is pressed
    int rankedCounter = -1, rank = -1;
    bool dragging = false;
};

} // namespace warplight::app
