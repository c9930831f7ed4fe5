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

/// C [rows, columns] (+)= A [rows, depth] · B [depth, columns]; columns: a multiple of SsdBackKernels::lanes.
struct SsdProduct {
    const float* a;
    int64_t rowStep, columnStep; ///< of A
    const float* b;
    int64_t bStride;
    float* c;
    int64_t cStride;
    int64_t rows, depth, columns;
    bool add;
};

/// A row of pairs of one step with those before it and itself. All but s are changed, in whole vectors.
struct SsdPairs {
    int64_t row;
    float factor;   ///< the decay of the step
    const float* s; ///< c · b
    float* fading;  ///< in: products of the decays behind a step up to the row before; out: up to this row
    float* w;       ///< in: dy · x; out: what pairs add to the loss, w times `scores`
    float* scores;  ///< out: s, faded
    float* weights; ///< w, faded, is added
};

struct SsdBackKernels {
    int64_t lanes;
    void (*again)(const SsdAgain& step); ///< H = factor · H + b xᵀ
    void (*back)(SsdBack& step);         ///< G = factor · G + c dyᵀ
    void (*multiply)(const SsdProduct& product);
    void (*weigh)(const SsdPairs& pairs);
    /// sums [columns] += pairs [columns]; returns Σ sums. Columns beyond are not touched.
    float (*sumPairs)(const float* pairs, int64_t columns, float* sums);
    /// to += weight · row, unless `to` is null; returns Σ row ∘ by. count: a multiple of lanes.
    float (*addRow)(const float* row, float weight, const float* by, int64_t count, float* to);
};

/// The best for this machine, or what useTarget() chose.
const SsdBackKernels& ssdBackKernels();

} // namespace warplight::cpu
