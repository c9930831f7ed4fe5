// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/views/source_layout.h"

#include <QWidget>
#include <vector>

namespace warplight::app {

/// All lines of a pane in the height of a scroll bar: how much of the current counter each part has, where remarks are,
/// and which part is in view. A click goes to the hottest line there.
class HeatStrip : public QWidget {
    Q_OBJECT
  public:
    explicit HeatStrip(QWidget* parent);

    void setLines(const PaneData& data, int counter); ///< keeps a summary, not the data
    void setVisibleLines(int first, int last);
    bool isOfUse() const { return useful; } ///< there are counts or remarks
    int lineAt(double y) const;             ///< -1: there is none

    static constexpr int stripWidth = 14;

  signals:
    void lineWanted(int line);

  protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;

  private:
    struct Line {
        float share; ///< of the hottest line's count
        lab::Source::Severity severity;
    };
    /// A pixel's worth of lines.
    struct Part {
        float share = 0;
        lab::Source::Severity severity = lab::Source::Severity::None;
        int line = 0; ///< the hottest of it
    };
    void fit();

    std::vector<Line> lines;
    std::vector<Part> parts; ///< one a pixel
    QColor colour;
    int firstVisible = 0, lastVisible = -1;
    bool useful = false;
};

} // namespace warplight::app
