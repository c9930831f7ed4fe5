// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/training/growing_curves.h"

#include "core/cpu/rounding.h"
#include "core/labs/training/curves.h"

#include <algorithm>
#include <utility>

namespace warplight::labs::training {

GrowingCurves::GrowingCurves(int64_t all) : steps(all), every(cpu::ceilDiv(all, static_cast<int64_t>(mostPoints))) {}

void GrowingCurves::add(const std::string& figure, lab::Curve like, double y, Keep keep) {
    auto found = std::find_if(curves.begin(), curves.end(),
                              [&](const Growing& g) { return g.figure == figure && g.fresh.id == like.id; });
    if (found == curves.end())
        found = curves.insert(curves.end(), Growing{figure, std::move(like), 0, 0, keep});
    found->value = keep == Keep::Mean ? found->value + y : y;
    ++found->count;
}

void GrowingCurves::endStep(int64_t step) {
    const bool whole = step % every == 0 || step == steps;
    for (Growing& g : curves) {
        if (g.count == 0 || (!whole && g.keep != Keep::Each))
            continue;
        g.fresh.x.push_back(static_cast<double>(step));
        g.fresh.y.push_back(g.keep == Keep::Mean ? g.value / static_cast<double>(g.count) : g.value);
        g.value = 0;
        g.count = 0;
    }
}

void GrowingCurves::show(lab::Run& run) {
    for (Growing& g : curves) {
        if (g.fresh.x.empty())
            continue;
        run.appendPoint(g.figure, g.fresh);
        g.fresh.x.clear();
        g.fresh.y.clear();
    }
}

} // namespace warplight::labs::training
