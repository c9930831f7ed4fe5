// SPDX-License-Identifier: GPL-3.0-or-later
// Feature maps whose features are written to memory before linear attention takes them
// (gpu/kernels/linear_attention_features.cu).
#pragma once

#include "gpu/number/format.h"
#include "gpu/ops/launcher.h"
#include "gpu/ops/linear_attention.h"
#include "gpu/ops/traffic.h"

#include <cstdint>

namespace warplight::gpu {

/// Numbers of a row of features in memory: in f16 and bf16 padded with zeros to a multiple of 8.
int64_t featureRow(const LinearShape& shape, number::Format format);

/// Launches what writes phi of all queries, or of all keys, from rows of `rowLength` numbers in the format. `omega`: of
/// favor, ω transposed, [headDim, randomFeatures], in f32.
void launchFeatures(Launcher& launcher, const LinearShape& shape, number::Format format, bool keys, uint64_t from,
                    int64_t rowLength, uint64_t to, uint64_t omega);

/// What that asks memory for, of queries and keys together: Q, K, phiQ, phiK, and of favor omega, largest and shift.
TensorTraffic featureTraffic(const LinearShape& shape, number::Format format);

} // namespace warplight::gpu
