#pragma once

#include "app/views/figure_view.h"

#include <QFrame>

class QLabel;

namespace warplight::app {

/// A figure in its panel: title, four quiet buttons (enlarge, copy, save, explain), the view.
class FigureCard : public QFrame {
    Q_OBJECT
  public:
    explicit FigureCard(const lab::Figure& figure, QWidget* parent = nullptr);
    void setFigure(const lab::Figure& figure);
    FigureView* view() const { return shown; }
    const lab::Figure& figure() const { return current; }

  signals:
    void enlargeWanted();
    void csvWanted(const QString& file); ///< save the figure's numbers there, or copy them when no file is named

  protected:
    void contextMenuEvent(QContextMenuEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

  private:
    void copyImage();
    void save();
    void saveTrace(); ///< of a timeline, for Perfetto
    void explain();
    void elide(); ///< a subtitle that does not fit ends in an ellipsis

    lab::Figure current;
    QLabel *title, *subtitle;
    FigureView* shown;
};

/// Saves a view as *.svg or *.png, in the light theme. Returns an empty text or why it failed.
QString savePicture(const FigureView& view, const QString& title, const QString& file);

} // namespace warplight::app
