// SPDX-License-Identifier: GPL-3.0-or-later
// Buckets as in PyTorch's DistributedDataParallel [S. Li et al.: PyTorch Distributed: Experiences on Accelerating Data
// Parallel Training, VLDB 2020], which does not cut a parameter in two; layers here have many, so a bucket's
// border falls anywhere in them.
#include "core/collectives/simulate/overlap.h"

#include "core/error.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <map>

namespace warplight::collectives {
namespace {

constexpr int64_t mostBuckets = 1 << 20, mostBytes = int64_t{1} << 60;

void check(const std::vector<LayerCost>& layers, int64_t bucketBytes) {
    if (bucketBytes < 1)
        throw InputError(fmt::format("bucketBytes is {}, expected at least 1", bucketBytes));
    int64_t total = 0;
    for (size_t i = 0; i < layers.size(); ++i) {
        if (!std::isfinite(layers[i].seconds) || layers[i].seconds < 0)
            throw InputError(fmt::format("layer {}: seconds is {}, expected at least 0", i, layers[i].seconds));
        if (layers[i].gradientBytes < 0 || layers[i].gradientBytes > mostBytes - total)
            throw InputError(fmt::format("layer {}: gradientBytes is {}, expected 0 to {} for all layers together", i,
                                         layers[i].gradientBytes, mostBytes));
        total += layers[i].gradientBytes;
    }
    if (total / bucketBytes >= mostBuckets)
        throw InputError(fmt::format("bucketBytes is {}, expected more: {} bytes of gradients would fill over {} "
                                     "buckets",
                                     bucketBytes, total, mostBuckets));
}

} // namespace

OverlapResult overlapStep(const std::vector<LayerCost>& layers, int64_t bucketBytes,
                          const std::function<double(int64_t bytes)>& allreduceSeconds) {
    check(layers, bucketBytes);
    OverlapResult result;
    std::map<int64_t, double> known;
    std::vector<OverlapSpan> communication;
    double now = 0, streamFree = 0;
    const auto reduce = [&](int64_t bytes) {
        const auto [entry, isNew] = known.try_emplace(bytes, 0.0);
        if (isNew)
            entry->second = allreduceSeconds(bytes);
        const double seconds = entry->second;
        if (!std::isfinite(seconds) || seconds < 0)
            throw InputError(fmt::format("an allreduce of {} bytes takes {} s, expected at least 0", bytes, seconds));
        const double start = std::max(now, streamFree);
        streamFree = start + seconds;
        result.communicationSeconds += seconds;
        communication.push_back(
            {OverlapSpan::Stream::Communication, static_cast<int64_t>(communication.size()), bytes, start, streamFree});
    };

    int64_t filled = 0;
    for (size_t i = layers.size(); i-- > 0;) {
        const double start = now;
        now += layers[i].seconds;
        result.spans.push_back(
            {OverlapSpan::Stream::Compute, static_cast<int64_t>(i), layers[i].gradientBytes, start, now});
        for (filled += layers[i].gradientBytes; filled >= bucketBytes; filled -= bucketBytes)
            reduce(bucketBytes);
    }
    if (filled > 0)
        reduce(filled);
    result.spans.insert(result.spans.end(), communication.begin(), communication.end());
    result.computeSeconds = now;
    result.totalSeconds = std::max(now, streamFree);
    result.exposedSeconds = result.totalSeconds - now;
    result.withoutOverlapSeconds = now + result.communicationSeconds;
    return result;
}

} // namespace warplight::collectives
