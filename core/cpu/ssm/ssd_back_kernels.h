// SPDX-License-Identifier: GPL-3.0-or-later
// What the gradients of SSD are made of, compiled for each instruction set.
#pragma once

#include <cstdint>

namespace warplight::cpu {

/// A step forwards again: H [rows, columns], from `before` to `after`, which may be one.
struct SsdAgain {
    const float* before;
    float* after;
    int64_t rows, columns; ///< columns: a multiple of SsdBackKernels::lanes
    float factor;
    const float* b;      ///< [rows]
    const float *x, *dy; ///< [columns]; dy may be null with dc
    float* dc = nullptr; ///< [rows]: H dy
};

/// A step back of the gradient G of H.
struct SsdBack {
    float* gradient;
    int64_t rows, columns;
    float factor;        ///< of the step behind this one, that G is of so far
    const float *b, *c;  ///< [rows]
    const float *x, *dy; ///< [columns]
    const float* before; ///< H before the step
    float* dx;           ///< [columns]: Gᵀ b
    float* db;           ///< [rows]: G x
    float inner;         ///< out: Σ G ∘ before
};

struct SsdBackKernels {
    int64_t lanes;
    void (*again)(const SsdAgain& step); ///< H = factor · H + b xᵀ
    void (*back)(SsdBack& step);         ///< G = factor · G + c dyᵀ
};

/// The best for this machine, or what useTarget() chose.
const SsdBackKernels& ssdBackKernels();

} // namespace warplight::cpu
