// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/training/curves.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace warplight::labs::training {

lab::Curve thinned(lab::Curve curve, size_t most) {
    const size_t count = curve.x.size();
    if (count <= most)
        return curve;
    std::vector<double> x, y;
    const size_t stretches = std::max<size_t>(most / 3, 1);
    for (size_t s = 0; s < stretches; ++s) {
        const size_t begin = count * s / stretches, end = count * (s + 1) / stretches;
        const auto [least, largest] = std::minmax_element(curve.y.begin() + static_cast<std::ptrdiff_t>(begin),
                                                          curve.y.begin() + static_cast<std::ptrdiff_t>(end));
        std::vector<size_t> kept{begin, static_cast<size_t>(least - curve.y.begin()),
                                 static_cast<size_t>(largest - curve.y.begin())};
        if (s + 1 == stretches)
            kept.push_back(count - 1);
        std::sort(kept.begin(), kept.end());
        kept.erase(std::unique(kept.begin(), kept.end()), kept.end());
        for (const size_t i : kept) {
            x.push_back(curve.x[i]);
            y.push_back(curve.y[i]);
        }
    }
    curve.x = std::move(x);
    curve.y = std::move(y);
    return curve;
}

lab::Curve stairs(std::span<const double> values, double firstStep) {
    lab::Curve curve;
    for (size_t i = 0; i < values.size();) {
        size_t end = i;
        while (end < values.size() && values[end] == values[i])
            ++end;
        curve.x.push_back(firstStep + static_cast<double>(i) - 0.5);
        curve.x.push_back(firstStep + static_cast<double>(end) - 0.5001); // corners do not lie on each other
        curve.y.insert(curve.y.end(), 2, values[i]);
        i = end;
    }
    return curve;
}

lab::Curve named(lab::Curve curve, std::string id, std::string label, std::string colourKey, lab::Curve::Style style,
                 lab::Provenance provenance) {
    curve.id = std::move(id);
    curve.label = std::move(label);
    curve.colourKey = std::move(colourKey);
    curve.style = style;
    curve.provenance = provenance;
    return curve;
}

} // namespace warplight::labs::training
