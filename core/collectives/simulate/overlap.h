// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace warplight::collectives {

struct LayerCost {
    double seconds = 0;        ///< of its backward pass
    int64_t gradientBytes = 0; ///< known when its backward pass ends
};

struct OverlapSpan {
    enum class Stream { Compute, Communication } stream;
    int64_t index = 0; ///< of the layer, or of the bucket in the order in which they are filled
    int64_t bytes = 0;
    double start = 0, end = 0; ///< seconds since the backward pass began
    bool operator==(const OverlapSpan&) const = default;
};

struct OverlapResult {
    std::vector<OverlapSpan> spans; ///< compute, then communication, each in order of time
    double totalSeconds = 0;
    double computeSeconds = 0, communicationSeconds = 0; ///< each stream on its own
    double exposedSeconds = 0;        ///< communication that nothing is computed beside: total - compute
    double withoutOverlapSeconds = 0; ///< all buckets after the backward pass: compute + communication
};

/// The backward pass of data-parallel training, one rank's view: layers go from the last to the first, their gradients
/// fill buckets of `bucketBytes` in that order (a large layer fills several, the last bucket may be smaller), and a
/// full bucket is allreduced on a stream of its own, one bucket at a time, while the backward pass goes on. Computing
/// is taken to be no slower meanwhile. `allreduceSeconds(bytes)` is asked once for each different size. Throws
/// InputError for negative or infinite figures and for more than 2^20 buckets.
OverlapResult overlapStep(const std::vector<LayerCost>& layers, int64_t bucketBytes,
                          const std::function<double(int64_t bytes)>& allreduceSeconds);

} // namespace warplight::collectives
