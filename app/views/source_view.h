#pragma once

#include "app/views/figure_view.h"

#include <vector>

class QLabel;
class QLineEdit;
class QSplitter;

namespace warplight::app {

class SourcePane;

/// Lines of code with counters beside them, in one pane or in two that belong together: what belongs to the line under
/// the mouse, or to the current one, is marked in the other pane and scrolled into view. Ctrl+F finds, F3 goes on; for
/// the other keys see SourcePane. A click or Enter selects the line (row = line, col = pane).
class SourceView : public FigureView {
    Q_OBJECT
  public:
    explicit SourceView(QWidget* parent = nullptr);

    void setFigure(const lab::Figure& figure) override;
    void render(QPainter& painter, const QRectF& area) const override;
    FigureRoom room() const override { return {620, 440, 440, 440, 620}; }
    QSize pictureSize() const override;
    QList<QAction*> viewActions() override { return menu; }

    SourcePane* pane(int index) const { return index < paneCount ? panes[static_cast<size_t>(index)] : nullptr; }
    QString emptySentence() const; ///< why there is nothing to see; empty when there is something

  public slots:
    void openFind();

  protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

  private:
    SourcePane* focusedPane() const; ///< the one with the focus, else the one used last
    void markPartners(SourcePane* from);
    void find(int step);
    void closeFind();

    std::vector<SourcePane*> panes; ///< two; the second is hidden where there is but one
    int paneCount = 0;
    bool selectable = false;
    SourcePane* lastUsed;
    QSplitter* splitter;
    QWidget* findBar;
    QLineEdit* findText;
    QLabel *findCount, *empty;
    QList<QAction*> menu;
};

} // namespace warplight::app
