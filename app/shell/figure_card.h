// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/views/figure_view.h"

#include <QFrame>
#include <cstdint>

class QHBoxLayout;
class QLabel;

namespace warplight::app {

/// A figure in its panel: title, four quiet buttons (enlarge, copy, save, explain), the view. A subtitle that has no
/// room beside the title stands below it, in as many lines as it needs.
class FigureCard : public QFrame {
    Q_OBJECT
  public:
    FigureCard(const lab::Figure& figure, uint64_t revision, QWidget* parent = nullptr);
    /// Shows this state of the figure, if it is another than that shown: returns whether it was.
    bool showRevision(const lab::Figure& figure, uint64_t revision);
    FigureView* view() const { return shown; }
    /// What it is called, where it belongs and of which kind it is; its content is empty: the view has it.
    const lab::Figure& figure() const { return current; }
    /// The page shows something else now. Goes, but not before the menu or dialog that is open on it has closed.
    void retire();
    static constexpr int frameWidth = 26; ///< of the card beside its view, both sides together
    int frameHeight(int width) const;     ///< of the card above and below its view, at this width of the card

  signals:
    void enlargeWanted();
    void csvWanted(const QString& file);   ///< save the figure's numbers there, or copy them when no file is named
    void traceWanted(const QString& file); ///< save the timeline there, for Perfetto

  protected:
    void contextMenuEvent(QContextMenuEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void childEvent(QChildEvent* event) override;

  private:
    void copyImage();
    void save();
    void askForTrace();
    void showHead(); ///< title and subtitle
    void explain();
    bool subtitleFits(int width) const; ///< beside the title
    void placeSubtitle();
    void goIfNothingIsOpen();

    lab::Figure current;
    uint64_t revision;
    bool retired = false;             ///< before the children, whose arrival asks for it
    QLabel *title, *subtitle, *below; ///< of the subtitle one is shown, where there is one
    QHBoxLayout* head;
    FigureView* shown;
};

/// Saves a view as *.svg or *.png, in the light theme. Returns an empty text or why it failed.
QString savePicture(const FigureView& view, const QString& title, const QString& file);

} // namespace warplight::app
