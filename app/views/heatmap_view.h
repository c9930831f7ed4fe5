// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/views/figure_view.h"

#include <QCache>
#include <QSet>
#include <QTimer>
#include <cstdint>
#include <vector>

#include <array>

namespace warplight::app {

/// A matrix as colours, whole or lazy. A lazy map asks for just the tiles it shows, at the level it shows them, and
/// draws coarser ones until they come. Drag or arrow keys pan, wheel or + and - zoom, double click or 0 shows all,
/// a click or Return
/// (at the centre) selects the row.
class HeatmapView : public FigureView {
    Q_OBJECT
  public:
    explicit HeatmapView(QWidget* parent = nullptr);

    void setFigure(const lab::Figure& figure) override;
    void addTile(const lab::TilePut& tile) override;
    void setProbe(int64_t row, int64_t col, const QStringList& lines) override;
    void render(QPainter& painter, const QRectF& area) const override;
    QSize pictureSize() const override { return {720, 680}; }
    FigureRoom room() const override { return {240, 250, 400, 220}; }
    bool keepsShape() const override { return true; }
    int fullHeight(int width) const override;
    int fullWidth(int height) const override;
    bool canResetZoom() const override { return true; }
    void resetZoom() override;

    void zoomAt(QPointF at, double factor);
    int level() const; ///< that the current zoom shows

  protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void mouseDoubleClickEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void changeEvent(QEvent* event) override;

  private:
    struct Key {
        int level;
        int64_t row, col;
        bool operator==(const Key&) const = default;
        friend size_t qHash(const Key& key, size_t seed) { return qHashMulti(seed, key.level, key.row, key.col); }
    };
    struct Viewport { ///< centre in cells of level 0 and pixels a cell
        double row = 0, col = 0, scale = 1;
    };

    struct Margins {
        double left, top, right, bottom;
    };
    Margins margins() const; ///< around the cells: ticks, titles, the colour scale
    QString tickText(double position, const lab::Axis& axis) const;
    QString scaleText(int tick) const; ///< of five, from the least value to the greatest
    double shape() const;              ///< height over width
    QRectF mapArea(const QRectF& whole) const;
    Viewport wholeMap(const QRectF& area) const;
    QRectF wholeRect(const QRectF& area, const Viewport& at) const; ///< of the map, in pixels
    int levelOf(double scale) const;
    QPointF cellAt(QPointF at) const; ///< (column, row)
    void select(QPointF cell);
    void moved(); ///< the viewport has changed
    void requestVisible();
    QImage coloured(const std::vector<float>& cells, int64_t rows, int64_t cols) const;
    QRgb colourOf(float value) const;
    void fillPalette();
    void paintMap(QPainter& painter, const QRectF& area, const Viewport& view) const;
    void hatchInfinities(QPainter& painter, const lab::TilePut& tile, QPointF origin, QSizeF cell) const;
    void paintTicks(QPainter& painter, const QRectF& area, const Viewport& view) const;
    void paintScale(QPainter& painter, const QRectF& area, const Viewport& view) const;
    void paintOverview(QPainter& painter, const QRectF& area) const;
    void paintProbe(QPainter& painter) const;

    lab::Heatmap map;
    Viewport view;
    double stretch = 1; ///< height of a cell over its width
    bool fitted = true;
    QCache<Key, lab::TilePut> tiles; ///< numbers, for a change of theme or scale
    mutable QCache<Key, QImage> images;
    QSet<Key> asked;
    std::array<QRgb, 512> palette{};
    int64_t selectedRow = -1;
    QPointF pressed, hover{-1, -1};
    Viewport pressedView;
    bool dragged = false;
    QStringList probe;
    QTimer askTimer, probeTimer;
};

} // namespace warplight::app
