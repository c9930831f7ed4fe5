// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lab/scene_names.h"

#include <algorithm>

namespace warplight::lab {

std::string rowNameOf(const Steps::Step& scene, const Steps::Bars& bars, int64_t row) {
    const auto index = static_cast<size_t>(row);
    if (!bars.rowNames.empty())
        return bars.rowNames.at(index);
    const auto beside = std::find_if(scene.matrices.begin(), scene.matrices.end(), [&](const Steps::Matrix& matrix) {
        return matrix.y == bars.y && matrix.height == bars.height && matrix.rows == bars.rows &&
               !matrix.rowNames.empty();
    });
    return beside == scene.matrices.end() ? std::string() : beside->rowNames.at(index);
}

bool isPart(const Steps::Bars& bars, const Steps::Bars::Bar& bar) {
    return std::count_if(bars.bars.begin(), bars.bars.end(), [&](const auto& b) { return b.row == bar.row; }) > 1;
}

double positionOf(const Steps::Trace& trace, size_t point) {
    if (!trace.xs.empty())
        return static_cast<double>(trace.xs.at(point));
    const size_t last = trace.ys.size() - 1;
    return last == 0 ? trace.left
                     : trace.left + (trace.right - trace.left) * static_cast<double>(point) / static_cast<double>(last);
}

} // namespace warplight::lab
