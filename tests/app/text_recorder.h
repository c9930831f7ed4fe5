// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QPaintDevice>
#include <QPaintEngine>
#include <QPainter>
#include <QRectF>
#include <QString>
#include <algorithm>
#include <cmath>
#include <vector>

namespace warplight::test {

/// A piece of text where it was drawn.
struct Written {
    QString text;
    QRectF box;    ///< of its letters, in the device's pixels
    double pixels; ///< of the font
};

/// A sheet that takes down what is written on it, and draws nothing.
class TextRecorder : public QPaintDevice {
  public:
    TextRecorder() : engine(*this) {}
    QPaintEngine* paintEngine() const override { return &engine; }
    const std::vector<Written>& written() const { return all; }

  protected:
    int metric(PaintDeviceMetric which) const override {
        switch (which) {
        case PdmDpiX:
        case PdmDpiY:
        case PdmPhysicalDpiX:
        case PdmPhysicalDpiY:
            return 96;
        case PdmDevicePixelRatio:
            return 1;
        case PdmDevicePixelRatioScaled:
            return static_cast<int>(devicePixelRatioFScale());
        case PdmDepth:
            return 32;
        default:
            return 4000;
        }
    }

  private:
    class Engine : public QPaintEngine {
      public:
        explicit Engine(TextRecorder& to) : QPaintEngine(AllFeatures), to(to) {}
        bool begin(QPaintDevice*) override { return true; }
        bool end() override { return true; }
        Type type() const override { return User; }
        void updateState(const QPaintEngineState& state) override {
            if (state.state() & DirtyTransform)
                transform = state.transform();
        }
        void drawTextItem(const QPointF& at, const QTextItem& item) override {
            const QRectF box(at.x(), at.y() - item.ascent(), item.width(), item.ascent() + item.descent());
            to.all.push_back({item.text(), transform.mapRect(box),
                              item.font().pixelSize() * std::sqrt(std::fabs(transform.determinant()))});
        }
        void drawPixmap(const QRectF&, const QPixmap&, const QRectF&) override {}
        void drawPath(const QPainterPath&) override {}
        void drawPolygon(const QPointF*, int, PolygonDrawMode) override {}
        void drawRects(const QRectF*, int) override {}

      private:
        TextRecorder& to;
        QTransform transform;
    };

    mutable Engine engine;
    std::vector<Written> all;
};

} // namespace warplight::test
