// SPDX-License-Identifier: GPL-3.0-or-later
// Recurrences step by step on the GPU (gpu/kernels/recurrences.cu), in f32.
#pragma once

#include "gpu/ops/launcher.h"
#include "gpu/ops/traffic.h"

#include <cstdint>
#include <string>
#include <vector>

namespace warplight::gpu {

/// Of LRU (whose numbers are complex: pairs) and of RWKV-4.
struct ChannelShape {
    int64_t batch = 1, length = 0, channels = 0;
};
/// Of RWKV-6.
struct Rwkv6Shape {
    int64_t batch = 1, length = 0, heads = 1, keyDim = 0, valueDim = 0;
    int64_t allHeads() const { return batch * heads; }
};
inline constexpr int64_t largestRwkv6KeyDim = 128; ///< whose columns fit the registers

/// Throw InputError for shapes that there are none of, or that cannot be launched.
void checkShape(const ChannelShape& shape);
void checkShape(const Rwkv6Shape& shape);
/// Why the kernel does not take a shape, as a clause; empty: it does.
std::string whyNot(const Rwkv6Shape& shape);

struct RecurrenceRun : Launched {
    std::vector<float> out;  ///< the states of LRU, o of RWKV
    std::vector<float> last; ///< of RWKV-6: the state after the last step, [batch, heads, keyDim, valueDim]
};

/// Copy the tensors to the device, run the kernel, copy the result back. Row-major and contiguous: u and the states
/// [batch, length, channels, 2]; lambda [channels, 4]: λ's parts, γ and a number that nobody looks at; k, v and o
/// [batch, length, channels], w and u [channels]. Buffers are called U, lambda and states; K, V, w, u and O; R and
/// last-state. Throw InputError, KernelError, Cancelled.
RecurrenceRun lru(KernelLibrary& library, const ChannelShape& shape, const float* u, const float* lambda,
                  const LaunchOptions& options = {});
RecurrenceRun rwkv4(KernelLibrary& library, const ChannelShape& shape, const float* k, const float* v, const float* w,
                    const float* u, const LaunchOptions& options = {});

/// r, k and w [batch, length, heads, keyDim], v and o [batch, length, heads, valueDim], u [heads, keyDim].
struct Rwkv6Tensors {
    const float *r = nullptr, *k = nullptr, *v = nullptr, *w = nullptr, *u = nullptr;
};
RecurrenceRun rwkv6(KernelLibrary& library, const Rwkv6Shape& shape, const Rwkv6Tensors& tensors,
                    const LaunchOptions& options = {});

/// What the kernels ask memory for, derived by hand: of LRU and RWKV-4 each tensor once, and the numbers of a channel
/// once a sequence.
TensorTraffic lruTraffic(const ChannelShape& shape);
TensorTraffic rwkv4Traffic(const ChannelShape& shape);
TensorTraffic rwkv6Traffic(const Rwkv6Shape& shape);

/// Device memory that they take; INT64_MAX when the size overflows.
int64_t lruBytes(const ChannelShape& shape);
int64_t rwkv4Bytes(const ChannelShape& shape);
int64_t rwkv6Bytes(const Rwkv6Shape& shape);

} // namespace warplight::gpu
