#pragma once

#include "app/views/figure_view.h"

#include <QTimer>

class QLabel;
class QSlider;
class QToolButton;

namespace warplight::app {

/// Plays a recorded algorithm: space plays and pauses, the arrow keys step, Home and End jump.
class StepsView : public FigureView {
    Q_OBJECT
  public:
    explicit StepsView(QWidget* parent = nullptr);
    void setFigure(const lab::Figure& figure) override;
    void render(QPainter& painter, const QRectF& area) const override;

    int step() const { return current; } ///< from 0
    QString caption() const;
    /// The scene of the current step, without its words.
    void renderScene(QPainter& painter, const QRectF& area) const { paintScene(painter, area); }

  public slots:
    void showStep(int step);
    void togglePlay();

  protected:
    void keyPressEvent(QKeyEvent* event) override;

  private:
    void go(int step);
    void showCurrent();
    void paintScene(QPainter& painter, const QRectF& area) const;

    lab::Steps steps;
    int current = 0;
    bool touched = false; ///< somebody has chosen a step
    QWidget* canvas;
    QLabel *captionLabel, *facts, *position;
    QSlider* scrub;
    QToolButton* play;
    QTimer timer;
};

} // namespace warplight::app
