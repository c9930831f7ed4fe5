// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

namespace warplight::cpu {

/// One step of a state S [rows, columns] that takes a key and a value and is read by a query.
struct StateStep {
    float* state;
    int64_t rows, columns;    ///< columns: a multiple of RecurrenceKernels::lanes
    float factor;             ///< that the state decays by
    const float *key, *query; ///< [rows]
    const float* value;       ///< [columns]
    float* out;               ///< [columns]
};

/// The inner loops of recurrences, compiled once per instruction set.
struct RecurrenceKernels {
    int64_t lanes; ///< floats a vector
    /// S = factor · S + key valueᵀ, out = Sᵀ query.
    void (*stepState)(const StateStep& step);
};

/// The best for this machine, or what useTarget() chose.
const RecurrenceKernels& recurrenceKernels();

} // namespace warplight::cpu
