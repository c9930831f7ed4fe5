// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/collectives/schedule.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace warplight::collectives {

/// A schedule as a rank sees it that believes, from a step on, in one element more than there is.
class MiscountingSchedule : public Schedule {
  public:
    MiscountingSchedule(const Schedule& right, int64_t fromStep)
        : Schedule(right.ranks(), right.elements() + 1, right.collective()), right(right), fromStep(fromStep) {}

    int64_t steps() const override { return right.steps(); }
    std::string_view phase(int64_t index) const override { return right.phase(index); }
    std::vector<int64_t> chunkBorders() const override {
        std::vector<int64_t> borders = right.chunkBorders();
        borders.back() = elements();
        return borders;
    }
    void step(int rank, int64_t index, Step& out) const override {
        right.step(rank, index, out);
        if (index < fromStep)
            return;
        for (Step::Send& send : out.sends)
            stretch(send.range);
        for (Step::Receive& receive : out.receives)
            stretch(receive.range);
    }

  private:
    void stretch(Range& range) const {
        if (range.end == right.elements())
            range.end = elements();
    }

    const Schedule& right;
    int64_t fromStep;
};

} // namespace warplight::collectives
