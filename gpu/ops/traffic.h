// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/ops/launcher.h"

#include <map>
#include <string>

namespace warplight::gpu {

struct Traffic {
    double read = 0, written = 0; ///< bytes
    double total() const { return read + written; }
    bool operator==(const Traffic&) const = default;
};

/// Bytes by tensor, under the names of the buffers.
using TensorTraffic = std::map<std::string, Traffic>;

/// What the kernels of a run asked for, counted: bytes that threads read and wrote, by buffer.
TensorTraffic countedTraffic(const Launched& run);

/// Bytes of all tensors together.
double totalBytes(const TensorTraffic& traffic);

/// Tensors that no byte goes to or from are left out, as a counter leaves them out.
TensorTraffic withoutEmpty(TensorTraffic traffic);

} // namespace warplight::gpu
