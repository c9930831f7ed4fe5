// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/ops/traffic.h"

#include <utility>

namespace warplight::gpu {

TensorTraffic countedTraffic(const Launched& run) {
    TensorTraffic t;
    for (const LaunchRecord& launch : run.launches)
        for (const BufferTraffic& b : launch.stats.buffers) {
            t[b.name].read += static_cast<double>(b.readBytes + b.atomicBytes);
            t[b.name].written += static_cast<double>(b.writtenBytes + b.atomicBytes);
        }
    return t;
}

double totalBytes(const TensorTraffic& traffic) {
    double bytes = 0;
    for (const auto& [tensor, t] : traffic)
        bytes += t.total();
    return bytes;
}

TensorTraffic withoutEmpty(TensorTraffic traffic) {
    std::erase_if(traffic, [](const auto& entry) { return entry.second.total() == 0; });
    return traffic;
}

} // namespace warplight::gpu
