// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/ssm/selective_scan.h"

#include <cstdint>
#include <span>

namespace warplight::cpu {

/// Gradients of Σ dY ∘ Y: dy like y, the others like what they are gradients of; dd, dz and dbias are null where D, z
/// and bias are.
template <class T>
struct SelectiveGradients {
    const T* dy = nullptr;
    T *du = nullptr, *ddelta = nullptr, *da = nullptr, *db = nullptr, *dc = nullptr;
    T *dd = nullptr, *dz = nullptr, *dbias = nullptr;
};

std::span<const RungInfo<SelectiveRung>> selectiveBackwardRungs();

/// Gradients of selectiveScan's y from its inputs alone: `y` and `last` of `tensors` are not looked at. States are kept
/// at the beginnings of chunks and computed again within. Bits, memory and errors as selectiveScan's; throws InputError
/// for a rung that has no backward pass.
RunCost selectiveScanBackward(SelectiveRung rung, const SelectiveShape& shape, const SelectiveTensors<float>& tensors,
                              const SelectiveGradients<float>& gradients, const RunOptions& options = {});
/// In double precision throughout.
RunCost selectiveScanBackward(const SelectiveShape& shape, const SelectiveTensors<double>& tensors,
                              const SelectiveGradients<double>& gradients, const RunOptions& options = {});

int64_t backwardBytesAtMost(SelectiveRung rung, const SelectiveShape& shape, int threads = 0);
/// 20 operations a state and step: 5 that compute states again, 15 that go back.
double backwardFlopsOf(const SelectiveShape& shape);

} // namespace warplight::cpu
