// SPDX-License-Identifier: GPL-3.0-or-later
// Exchange between the lanes of a warp (PTX ISA, 9.7.9.5 to 9.7.9.6, 9.7.13).
#include "gpu/virtual/block.h"
#include "gpu/virtual/ops/control.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

namespace warplight::vgpu {

namespace {

/// Where lane i takes its value from by the distance (or number) and the control word that it was given, itself where
/// that lies outside its segment.
template <Shuffle kind>
inline int shuffleSource(int i, uint32_t lane, uint32_t control, bool& inside) {
    const int clamp = static_cast<int>(control & 31), segment = static_cast<int>(control >> 8 & 31);
    const int by = static_cast<int>(lane & 31), edge = (i & segment) | (clamp & ~segment);
    const int from = kind == Shuffle::Up     ? i - by
                     : kind == Shuffle::Down ? i + by
                     : kind == Shuffle::Bfly ? i ^ by
                                             : (i & segment) | (by & ~segment);
    inside = kind == Shuffle::Up ? from >= edge : from <= edge;
    return inside ? from & 31 : i;
}

template <Shuffle kind>
const Op* shuffleLanes(Warp& w, const Op* op) {
    const uint32_t* value = in<uint32_t>(w, op->a);
    const uint32_t* lane = in<uint32_t>(w, op->b);
    const uint32_t* control = in<uint32_t>(w, op->c);
    alignas(64) uint32_t result[warpSize];
    uint32_t valid = fullMask;
    if (kind == Shuffle::Bfly && (op->b & op->c & 1) && (*control & 0x1f1f) == 0x1f) { // constants, the whole warp
        const uint32_t by = *lane & 31;
        for (uint32_t i = 0; i < warpSize; ++i)
            result[i] = value[i ^ by];
    } else {
        valid = 0;
        for (int i = 0; i < warpSize; ++i) {
            bool inside;
            result[i] = value[shuffleSource<kind>(i, lane[i], control[i], inside)];
            valid |= static_cast<uint32_t>(inside) << i;
        }
    }
    uint32_t* row = out<uint32_t>(w, op->dst);
    if (w.mask == fullMask)
        std::memcpy(row, result, sizeof(result));
    else
        for (int i = 0; i < warpSize; ++i)
            row[i] = has(w.mask, i) ? result[i] : row[i];
    if (op->d != noRow) {
        uint32_t* p = out<uint32_t>(w, op->d);
        *p = (*p & ~w.mask) | (valid & w.mask);
    }
    return op + 1;
}

} // namespace

const Op* shuffle(Warp& w, const Op* op) {
    switch (static_cast<Shuffle>(op->imm)) {
    case Shuffle::Up:
        return shuffleLanes<Shuffle::Up>(w, op);
    case Shuffle::Down:
        return shuffleLanes<Shuffle::Down>(w, op);
    case Shuffle::Bfly:
        return shuffleLanes<Shuffle::Bfly>(w, op);
    default:
        return shuffleLanes<Shuffle::Idx>(w, op);
    }
}

const Op* vote(Warp& w, const Op* op) {
    const uint32_t holds = (*in<uint32_t>(w, op->a) ^ (op->negated ? fullMask : 0)) & w.mask;
    const auto kind = static_cast<Vote>(op->imm);
    if (kind == Vote::Ballot) {
        uint32_t* row = out<uint32_t>(w, op->dst);
        for (int i = 0; i < warpSize; ++i)
            row[i] = has(w.mask, i) ? holds : row[i];
        return op + 1;
    }
    const bool result = kind == Vote::All   ? holds == w.mask
                        : kind == Vote::Any ? holds != 0
                                            : holds == 0 || holds == w.mask;
    uint32_t* row = out<uint32_t>(w, op->dst);
    *row = (*row & ~w.mask) | (result ? w.mask : 0);
    return op + 1;
}

namespace {

template <class T>
const Op* matchLanes(Warp& w, const Op* op) {
    const T* value = in<T>(w, op->a);
    uint32_t result[warpSize] = {}, all = 0;
    for (int i = 0; i < warpSize; ++i) {
        if (!has(w.mask, i))
            continue;
        for (int j = 0; j < warpSize; ++j)
            if (has(w.mask, j) && value[j] == value[i])
                result[i] |= 1u << j;
        if (result[i] == w.mask)
            all |= 1u << i;
    }
    uint32_t* row = out<uint32_t>(w, op->dst);
    for (int i = 0; i < warpSize; ++i)
        if (has(w.mask, i))
            row[i] = op->imm ? (has(all, i) ? w.mask : 0) : result[i];
    if (op->d != noRow) {
        uint32_t* p = out<uint32_t>(w, op->d);
        *p = (*p & ~w.mask) | (all & w.mask);
    }
    return op + 1;
}

} // namespace

const Op* match(Warp& w, const Op* op) {
    return op->bytes == 8 ? matchLanes<uint64_t>(w, op) : matchLanes<uint32_t>(w, op);
}

const Op* reduce(Warp& w, const Op* op) {
    const uint32_t* value = in<uint32_t>(w, op->a);
    const auto kind = static_cast<Reduce>(op->imm);
    bool first = true;
    uint32_t total = 0;
    for (int i = 0; i < warpSize; ++i) {
        if (!has(w.mask, i))
            continue;
        const uint32_t x = value[i];
        if (first) {
            total = x;
            first = false;
            continue;
        }
        switch (kind) {
        case Reduce::Add:
            total += x;
            break;
        case Reduce::And:
            total &= x;
            break;
        case Reduce::Or:
            total |= x;
            break;
        case Reduce::Xor:
            total ^= x;
            break;
        case Reduce::MinU:
            total = std::min(total, x);
            break;
        case Reduce::MaxU:
            total = std::max(total, x);
            break;
        case Reduce::Min:
            total = static_cast<uint32_t>(std::min(static_cast<int32_t>(total), static_cast<int32_t>(x)));
            break;
        case Reduce::Max:
            total = static_cast<uint32_t>(std::max(static_cast<int32_t>(total), static_cast<int32_t>(x)));
            break;
        }
    }
    uint32_t* row = out<uint32_t>(w, op->dst);
    for (int i = 0; i < warpSize; ++i)
        row[i] = has(w.mask, i) ? total : row[i];
    return op + 1;
}

const Op* activeMask(Warp& w, const Op* op) {
    uint32_t* row = out<uint32_t>(w, op->dst);
    for (int i = 0; i < warpSize; ++i)
        row[i] = has(w.mask, i) ? w.mask : row[i];
    return op + 1;
}

const Op* elect(Warp& w, const Op* op) {
    const int leader = std::countr_zero(w.mask);
    if (op->dst != noRow) {
        uint32_t* row = out<uint32_t>(w, op->dst);
        for (int i = 0; i < warpSize; ++i)
            row[i] = has(w.mask, i) ? static_cast<uint32_t>(leader) : row[i];
    }
    uint32_t* p = out<uint32_t>(w, op->d);
    *p = (*p & ~w.mask) | 1u << leader;
    return op + 1;
}

} // namespace warplight::vgpu
