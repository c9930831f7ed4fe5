// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/views/figure_view.h"

#include <QSet>
#include <QTimer>
#include <optional>
#include <vector>

class QCustomPlot;
class QCPBars;
class QCPRange;
class QCPItemText;
class QCPItemStraightLine;

namespace warplight::app {

class Legend;
struct LegendEntry;

/// Curves on shared axes: zoom with the wheel, pan by dragging, double click to reset; each axis
/// linear or logarithmic; a legend that hides curves; a crosshair with every curve's value, and the ratio to a compared
/// run.
class SeriesView : public FigureView {
    Q_OBJECT
  public:
    explicit SeriesView(QWidget* parent = nullptr);
    ~SeriesView() override;

    void setFigure(const lab::Figure& figure) override;
    void setCompared(std::optional<lab::Figure> pinned, const QString& pinnedName) override;
    void render(QPainter& painter, const QRectF& area) const override;
    bool canResetZoom() const override { return true; }
    void resetZoom() override;

    QList<QAction*> viewActions() override { return {logX, logY}; }
    void setLogarithmic(Qt::Orientation axis, bool logarithmic); ///< horizontal: x

    void setHidden(const QString& curve, bool hidden); ///< by curve id
    /// What the crosshair says at this x: one line a curve, "flash: 1.2 ms (2.1× of pinned)".
    QStringList readingsAt(double x) const;

    int moreHeight(int width) const override;

  protected:
    void changeEvent(QEvent* event) override;
    void leaveEvent(QEvent* event) override;

  private:
    void rebuild();
    void applyScales();
    void draw(QCustomPlot& plot, bool fit) const;
    void addCurve(QCustomPlot& plot, const lab::Curve& curve, bool pinned) const;
    QCPBars* addBars(QCustomPlot& plot, const lab::Curve& curve, QCPBars* below) const;
    bool anyPoint() const;
    bool allZero() const;
    QCPRange everyX() const;
    bool allWhole(std::vector<double> lab::Curve::*coordinate) const;
    QString legendNote() const;
    std::vector<LegendEntry> legendEntries() const;
    void moveCrosshair(const QPoint& at);

    lab::Series series; ///< with the chosen scales
    std::optional<lab::Scale> chosenX, chosenY;
    QAction *logX, *logY;
    std::optional<lab::Series> compared;
    QString comparedName;
    QSet<QString> hidden;
    QCustomPlot* plot;
    Legend* legend;
    QTimer redraw;
    bool userZoomed = false;
    QCPItemStraightLine* crosshair = nullptr; ///< owned by the plot
    QCPItemText* reading = nullptr;
};

} // namespace warplight::app
