// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/views/pen_stroke.h"

#include "app/views/theme.h"
#include "core/lab/scene_names.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <string>
#include <utility>
#include <vector>

namespace warplight::app {
namespace {

constexpr int columns = 240; ///< values of a drawn line: about one every four pixels

/// The trace's values at evenly spaced positions; 0 where it has none.
std::vector<float> evenly(const lab::Steps::Trace& trace) {
    std::vector<float> values(columns, 0.0f);
    size_t next = 0;
    for (int c = 0; c < columns && !trace.ys.empty(); ++c) {
        const double x = trace.left + (trace.right - trace.left) * c / (columns - 1);
        while (next + 1 < trace.ys.size() && lab::positionOf(trace, next) < x)
            ++next;
        values[static_cast<size_t>(c)] = std::isfinite(trace.ys[next]) ? trace.ys[next] : 0.0f;
    }
    return values;
}

} // namespace

PenStroke::PenStroke(DrawingSheet on, const QPointF& at) : sheet(std::move(on)), last(at) {
    sheet.trace.ys = evenly(sheet.trace);
    sheet.trace.xs.clear();
    sheet.trace.provenance = lab::Provenance::Measured; // as broad as what is remembered
}

int PenStroke::columnAt(double x) const {
    const double share = (x - sheet.box.left()) / std::max(1.0, sheet.box.width());
    return static_cast<int>(std::lround(std::clamp(share, 0.0, 1.0) * (columns - 1)));
}

float PenStroke::valueAt(double y) const {
    const double share = std::clamp((sheet.box.bottom() - y) / std::max(1.0, sheet.box.height()), 0.0, 1.0);
    return static_cast<float>(sheet.trace.bottom + share * (sheet.trace.top - sheet.trace.bottom));
}

void PenStroke::moveTo(const QPointF& at) {
    const int from = columnAt(last.x()), to = columnAt(at.x()), step = to < from ? -1 : 1;
    for (int c = from; c != to + step; c += step) {
        const double share = from == to ? 1 : static_cast<double>(c - from) / (to - from);
        sheet.trace.ys[static_cast<size_t>(c)] = valueAt(last.y() + share * (at.y() - last.y()));
    }
    way += std::hypot(at.x() - last.x(), at.y() - last.y());
    last = at;
}

lab::Link PenStroke::link() const {
    lab::Link result = sheet.link;
    std::string text;
    for (const float y : sheet.trace.ys)
        text += fmt::format("{}{:.4g}", text.empty() ? "" : ",", y);
    result.settings[sheet.trace.draws] = text;
    return result;
}

void PenStroke::paint(QPainter& painter) const {
    QColor ground = Theme::current().panel;
    ground.setAlphaF(0.6f); // what was there steps back
    painter.fillRect(sheet.box, ground);
    paintTrace(painter, sheet.box, sheet.trace, SceneType{uiScale()});
}

} // namespace warplight::app
