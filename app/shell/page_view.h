// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/record.h"

#include <QTimer>
#include <QWidget>
#include <cstdint>
#include <string>
#include <vector>

#include <map>

class QGridLayout;
class QLabel;

namespace warplight::app {

class FigureBoard;
class FigureCard;
class FigureView;

/// The figures of one run: headline numbers on top, the main figure large, supporting ones below.
class PageView : public QWidget {
    Q_OBJECT
  public:
    explicit PageView(QWidget* parent = nullptr);

    void setDescription(const QString& title, const QString& sentence);
    /// Shows a run from scratch; null shows the empty state. `key` is what its figures name it by in csvWanted.
    void showRecord(const lab::RunRecord* record, lab::RunId key = 0);
    /// The run shown has got more: updates what changed and adds what is new.
    void refresh();
    void setRemark(const QString& sentences); ///< above the figures: what they are, what became of a newer run
    void setPinned(const lab::RunRecord* record, const QString& name);
    /// In front of a room: one figure fills the page, at first the main one.
    void setPresenting(bool on);
    /// What a key does then, wherever the focus is: plays the figure, or shows another. False: nothing.
    bool takePresentationKey(int key, bool repeated);
    lab::RunId shownRun() const { return shownKey; }
    FigureView* view(const std::string& figure) const; ///< null if there is none
    void addTile(const lab::TilePut& tile);            ///< of a lazy heat map of this page

  signals:
    void tileWanted(const QString& figure, int level, qint64 tileRow, qint64 tileCol);
    void tilesDropped(const QString& figure);
    void probeWanted(const QString& figure, qint64 row, qint64 col);
    void selected(const QString& figure, qint64 row, qint64 col);
    void linkActivated(const warplight::lab::Link& link);
    /// Of that run: save the figure's numbers there, or copy them when no file is named.
    void csvWanted(warplight::lab::RunId run, const QString& figure, const QString& file);
    void traceWanted(warplight::lab::RunId run, const QString& figure, const QString& file);
    void statusText(const QString& text);
    void presentationEnded(); ///< somebody has clicked on the hint

  protected:
    void resizeEvent(QResizeEvent* event) override;
    void changeEvent(QEvent* event) override;
    bool event(QEvent* event) override;
    bool eventFilter(QObject* object, QEvent* event) override;

  private:
    void add(const lab::Figure& figure, uint64_t revision);
    bool update(const lab::RunRecord& record); ///< false: figures are still to be added
    void arrangeHeadlines();
    void fitToView();
    void showState();
    void showHead();
    void showOther(int step); ///< the figure after, or before, the one that fills the page

    QLabel *title, *sentence, *state, *hint;
    QGridLayout* headlines;
    FigureBoard* board;
    std::map<std::string, FigureView*> metrics;
    std::vector<FigureView*> headlineOrder;
    std::vector<FigureCard*> cards; ///< in order of appearance
    QString remark;
    const lab::RunRecord* shown = nullptr; ///< outlives its page
    lab::RunId shownKey = 0;
    QTimer more; ///< adds a figure a screen frame while a run streams in
    FigureCard* enlarged = nullptr;
    bool presenting = false;
    std::string presented; ///< the figure that fills the page; empty: the main one
};

} // namespace warplight::app
