// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/views/figure_view.h"

#include <optional>
#include <vector>

class QLabel;
class QLineEdit;
class QSplitter;
class QToolButton;

namespace warplight::app {

class SourcePane;

/// Lines of code with counters beside them, in one pane or in two that belong together: what belongs to the line under
/// the mouse, or to the current one, is marked in the other pane and scrolled into view. Where two panes leave too
/// little of each line, one is shown at a time; P goes to the other, to the lines that belong to the current one.
/// Ctrl+F finds, F3 goes on; for the other keys see SourcePane. A click or Enter selects the line (row = line, col =
/// pane).
class SourceView : public FigureView {
    Q_OBJECT
  public:
    explicit SourceView(QWidget* parent = nullptr);

    void setFigure(const lab::Figure& figure) override;
    void setCompared(std::optional<lab::Figure> pinned, const QString& pinnedName) override;
    void render(QPainter& painter, const QRectF& area) const override;
    FigureRoom room() const override { return {620, 440, 440, 440, 620}; }
    QSize pictureSize() const override;
    QList<QAction*> viewActions() override { return menu; }

    SourcePane* pane(int index) const { return index < paneCount ? panes[static_cast<size_t>(index)] : nullptr; }
    QString emptySentence() const; ///< why there is nothing to see; empty when there is something
    bool sideBySide() const;       ///< both panes are shown

  public slots:
    void openFind();
    void showOther(); ///< goes to the other pane, and there to what belongs to the current line
    void showPane(int index);
    void showSideBySide();

  protected:
    bool eventFilter(QObject* watched, QEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

  private:
    SourcePane* focusedPane() const; ///< the one with the focus, else the one used last
    void markPartners(SourcePane* from);
    void find(int step);
    void closeFind();
    bool roomForTwo() const;
    void arrange(); ///< which panes are seen
    void pin();     ///< the compared run's lines

    std::vector<SourcePane*> panes; ///< two; the second is hidden where there is but one
    int paneCount = 0;
    bool selectable = false;
    SourcePane* lastUsed;
    int alone = 0;              ///< the pane that is shown where there is room for one
    std::optional<bool> wanted; ///< side by side or not, as the user has said at this width
    std::optional<lab::Source> compared;
    QString comparedName;
    QWidget* tabs;
    std::vector<QToolButton*> tabButtons; ///< a pane each, then both
    QSplitter* splitter;
    QWidget* findBar;
    QLineEdit* findText;
    QLabel *findCount, *empty;
    QList<QAction*> menu;
};

} // namespace warplight::app
