// SPDX-License-Identifier: GPL-3.0-or-later
// Matrices of 8 × 8 16-bit elements: ldmatrix, stmatrix and movmatrix (PTX ISA, 9.7.15.5).
#include "gpu/virtual/ops/access.h"
#include "gpu/virtual/ops/tensor.h"

#include <bit>
#include <cstdint>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gpu/virtual/ops/matrix_access.cpp"
#define WARPLIGHT_WITH_AVX512
#include "gpu/virtual/ops/targets.h"
#include "hwy/foreach_target.h" // IWYU pragma: keep

#include "gpu/virtual/ops/rows-inl.h"
#include "gpu/virtual/ops/transpose-inl.h"

HWY_BEFORE_NAMESPACE();
namespace warplight::vgpu::HWY_NAMESPACE {

HWY_INLINE void wholeWarp(Warp& w, const Op* op) {
    if (w.mask != fullMask)
        w.block->fault(w, op, std::countr_zero(w.mask), "divergence",
                       "a matrix instruction that not all lanes of the warp execute,");
}

/// The rows of the matrices, worked out anew: lane 8·j + r has the address of row r of matrix j.
template <class A>
HWY_NOINLINE Place locateRowsAnew(Warp& w, const Op* op, Pattern& p, uint32_t mask, AccessKind kind) {
    uint64_t address[warpSize];
    for (int i = 0; i < warpSize; ++i) {
        address[i] = static_cast<A>(in<A>(w, op->a)[i] + static_cast<A>(op->imm));
        if (address[i] >> 32 == sharedWindow >> 32)
            address[i] &= 0xffffffffu;
    }
    const uint64_t base = address[0];
    p.mask = mask;
    p.low = static_cast<uint32_t>(base);
    for (int i = 0; i < warpSize; ++i)
        p.delta[i] = has(mask, i) ? static_cast<int64_t>(address[i] - base) : 0;
    completePattern(p, base, 16);
    const uint32_t all = w.mask;
    w.setMask(mask);
    const Place place = locateShared(w, op, p, address, base, 16, kind);
    w.setMask(all);
    return place;
}

template <class A>
HWY_INLINE Place locateRows(Warp& w, const Op* op, AccessKind kind) {
    const uint32_t mask = op->count >= 4 ? fullMask : (1u << (8 * op->count)) - 1;
    Pattern& p = patternOf(w, op->access, 0, false);
    const A* address = in<A>(w, op->a);
    uint64_t base = static_cast<A>(address[0] + static_cast<A>(op->imm));
    if (base >> 32 == sharedWindow >> 32)
        base &= 0xffffffffu;
    if (p.mask != mask || p.kind == Pattern::Unknown || p.misaligned || ((p.low ^ static_cast<uint32_t>(base)) & 15) ||
        !fits<A>(p, address, address[0]) || !insideShared(w, p, base, 16))
        return locateRowsAnew<A>(w, op, p, mask, kind);
    const uint32_t all = w.mask;
    w.setMask(mask);
    const Place place = placeShared(w, op, p, base, 16, kind);
    w.setMask(all);
    return place;
}

HWY_INLINE Place locateMatrices(Warp& w, const Op* op, AccessKind kind) {
    return op->bytes == 8 ? locateRows<uint64_t>(w, op, kind) : locateRows<uint32_t>(w, op, kind);
}

const Op* loadMatrix(Warp& w, const Op* op) {
    wholeWarp(w, op);
    const Place place = locateMatrices(w, op, AccessKind::Read);
    const Row* rows = w.block->program->rows.data() + op->detail;
    for (int j = 0; j < op->count; ++j) {
        auto* to = out<uint16_t>(w, rows[j]); // 8 × 8 elements, row-major
        const auto row = [&](int r) { return reinterpret_cast<const uint16_t*>(place.host + place.offset[8 * j + r]); };
        if (op->negated)
            transpose(row, [&](int column) { return to + 8 * column; });
        else
            for (int r = 0; r < 8; ++r)
                std::memcpy(to + 8 * r, row(r), 16);
    }
    return op + 1;
}

const Op* storeMatrix(Warp& w, const Op* op) {
    wholeWarp(w, op);
    const Place place = locateMatrices(w, op, AccessKind::Write);
    const Row* rows = w.block->program->rows.data() + op->detail;
    for (int j = 0; j < op->count; ++j) {
        const auto* from = in<uint16_t>(w, rows[j]);
        const auto row = [&](int r) { return reinterpret_cast<uint16_t*>(place.host + place.offset[8 * j + r]); };
        if (op->negated)
            transpose([&](int r) { return from + 8 * r; }, row);
        else
            for (int r = 0; r < 8; ++r)
                std::memcpy(row(r), from + 8 * r, 16);
    }
    return op + 1;
}

const Op* moveMatrix(Warp& w, const Op* op) {
    wholeWarp(w, op);
    const auto* from = in<uint16_t>(w, op->a);
    auto* to = out<uint16_t>(w, op->dst);
    transpose([&](int r) { return from + 8 * r; }, [&](int column) { return to + 8 * column; });
    return op + 1;
}

Handler loadMatrixOf() { return &loadMatrix; }
Handler storeMatrixOf() { return &storeMatrix; }
Handler moveMatrixOf() { return &moveMatrix; }

} // namespace warplight::vgpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace warplight::vgpu {
HWY_EXPORT(loadMatrixOf);
HWY_EXPORT(storeMatrixOf);
HWY_EXPORT(moveMatrixOf);

Handler loadMatrixHandler() { return HWY_DYNAMIC_DISPATCH(loadMatrixOf)(); }
Handler storeMatrixHandler() { return HWY_DYNAMIC_DISPATCH(storeMatrixOf)(); }
Handler moveMatrixHandler() { return HWY_DYNAMIC_DISPATCH(moveMatrixOf)(); }
} // namespace warplight::vgpu
#endif
