// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"
#include "core/lab/run.h"

#include <cstdint>
#include <string>
#include <vector>

namespace warplight::labs::training {

/// Curves over the steps of a training that grow while it goes on. Of a run of more steps than a screen shows apart, a
/// point stands for some steps.
class GrowingCurves {
  public:
    enum class Keep {
        Mean, ///< of the steps that a point stands for
        Last, ///< of them
        Each  ///< a point a step: for what is rare
    };

    explicit GrowingCurves(int64_t steps);

    /// The value of this step; `like` has id, label, colour, style and provenance.
    void add(const std::string& figure, lab::Curve like, double y, Keep keep = Keep::Mean);
    void endStep(int64_t step); ///< counted from 1
    /// Appends what has come since.
    void show(lab::Run& run);

  private:
    struct Growing {
        std::string figure;
        lab::Curve fresh; ///< points that are not shown yet
        double value = 0;
        int64_t count = 0; ///< steps that are in `value`
        Keep keep;
    };
    const int64_t steps, every;
    std::vector<Growing> curves; ///< in the order in which they first came
};

} // namespace warplight::labs::training
