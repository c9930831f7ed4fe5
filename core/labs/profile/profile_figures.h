// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"
#include "core/labs/profile/own_kernels.h"
#include "core/profiles/kernel_summary.h"
#include "gpu/virtual/gpu_profile.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace warplight::labs::profile {

/// A profile with what all its figures need: names as they are shown, sums by kernel.
struct ReadProfile {
    explicit ReadProfile(profiles::Profile read);

    profiles::Profile profile;
    std::vector<std::string> shortNames; ///< by name index
    std::vector<std::string> classes;    ///< by name index: "attention"
    std::vector<profiles::KernelSummary> kernels, copies;
    std::vector<profiles::CollectiveSummary> collectives;
    profiles::Overlap overlap;
    int64_t kernelTime = 0, launches = 0; ///< ns, of all kernels
    int64_t timedLaunches = 0;            ///< of kernels: those whose duration is known
    bool timed = false;                   ///< at least one launch has a start and a duration
};

/// Every number of these figures is measured, since a profiler's file says so; ceilings are references. Times, shares
/// and rates are of launches whose duration was measured; where none was, there are no such columns and figures.
std::vector<lab::Figure> headlineFigures(const ReadProfile& read);
lab::Figure kernelTable(const ReadProfile& read, const std::string& contains, int64_t mostRows);
/// Dots of kernels whose bytes and FLOPs are known; unset if there are none.
std::optional<lab::Figure> rooflineFigure(const ReadProfile& read, const vgpu::GpuProfile* gpu);
/// Bandwidth against duration of kernels whose bytes are known; unset if there are none.
std::optional<lab::Figure> bandwidthFigure(const ReadProfile& read, const vgpu::GpuProfile* gpu);
/// Durations of single launches by class, in bins of equal ratio; unset without single launches.
std::optional<lab::Figure> durationHistogram(const ReadProfile& read);
std::optional<lab::Figure> copyTable(const ReadProfile& read);
std::optional<lab::Figure> collectiveTable(const ReadProfile& read);
/// Launches that carry names of this program's own kernels. `model`: what the virtual GPU makes of each, where it can
/// tell.
using ModelOfOwn = std::function<std::optional<OwnModel>(const profiles::OurKernel&, const profiles::Extent& grid)>;
std::optional<lab::Figure> ownKernelTable(const ReadProfile& read, const ModelOfOwn& model = {});

/// Streams of all devices over time. Spans come by `timelineSpans`: the longest `most` of them.
lab::Figure timelineFigure(const ReadProfile& read, size_t most);
std::vector<lab::Timeline::Span> timelineSpans(const ReadProfile& read, size_t most);

} // namespace warplight::labs::profile
