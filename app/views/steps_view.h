// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/views/figure_view.h"

#include <QTimer>
#include <QVariantAnimation>

class QBoxLayout;
class QLabel;
class QSlider;
class QToolButton;

namespace warplight::app {

/// Plays a recorded algorithm: space plays and pauses, the arrow keys (and a clicker's page keys) step, Home and End
/// jump. From a step to its neighbour things are seen moving, unless somebody scrubs or wants no motion.
class StepsView : public FigureView {
    Q_OBJECT
  public:
    explicit StepsView(QWidget* parent = nullptr);
    void setFigure(const lab::Figure& figure) override;
    void render(QPainter& painter, const QRectF& area) const override;
    FigureRoom room() const override { return {620, 290, 470, 290, 620}; }
    int fullHeight(int width) const override;

    int step() const { return current; } ///< from 0
    QString caption() const;
    /// The scene of the current step, without its words, at any size.
    void renderScene(QPainter& painter, const QRectF& area) const;

  public slots:
    void showStep(int step);
    void togglePlay();

  public:
    /// What a key does to the player; false: nothing.
    bool takeKey(int key, bool repeated = false);
    bool isMoving() const { return motion.state() == QAbstractAnimation::Running; }

  protected:
    void keyPressEvent(QKeyEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

  private:
    int last() const;
    const lab::Steps::Step& currentStep() const;
    void go(int step, bool moves = false);
    void showCurrent();
    void reserveCaption();
    int captionHeight(int width) const; ///< of the longest sentence
    void showFacts(const lab::Steps::Step& step);
    void paintCurrent(QPainter& painter, const QRectF& area, double leastType) const;

    lab::Steps steps;
    int current = 0, before = 0; ///< `before`: where the motion that is going on has begun
    QVariantAnimation motion;
    bool touched = false; ///< somebody has chosen a step
    QWidget* canvas;
    QBoxLayout* middle;
    QLabel *captionLabel, *facts, *position;
    QWidget* player; ///< buttons and slider
    QSlider* scrub;
    QToolButton* play;
    QTimer timer;
};

} // namespace warplight::app
