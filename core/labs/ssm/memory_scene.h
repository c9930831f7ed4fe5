// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"
#include "core/labs/ssm/memory_walk.h"
#include "core/labs/ssm/signals.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace warplight::labs::ssm {

/// The picture of the page Memory: the signal and what is remembered of it, coefficients, poles and errors, a scene
/// for each moment.
class MemoryScene {
  public:
    MemoryScene(const Signal& signal, const MemoryOptions& options);

    /// What does not change, without a step.
    lab::Steps frame(int64_t moments) const;
    /// The scene of one moment of all memories, told by their walks so far.
    lab::Steps::Step scene(std::span<const MemoryWalk> walks, std::span<const Moment> moments) const;

  private:
    void addTime(lab::Steps::Step& scene, std::span<const MemoryWalk> walks, double now) const;
    void addRecalled(lab::Steps::Step& scene, const MemoryKind& kind, const Moment& moment) const;
    void addErrors(lab::Steps::Step& scene, const MemoryWalk& walk) const;
    static void addPoles(lab::Steps::Step& scene, const MemoryKind& kind, const Moment& moment);
    static void addCoefficients(lab::Steps::Step& scene, const MemoryKind& kind, const Moment& moment);
    double across(double sample) const; ///< where a sample stands on the canvas

    const Signal& signal;
    MemoryOptions options;
    double last;         ///< how many samples there are
    double scale = 1e-6; ///< from the middle to the top
};

/// What the colour of a memory is called.
std::string colourKeyOf(const MemoryKind& kind);

} // namespace warplight::labs::ssm
