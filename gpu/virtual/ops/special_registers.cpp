// SPDX-License-Identifier: GPL-3.0-or-later
// Special registers (PTX ISA, 10), parameters, and addresses of local variables.
#include "gpu/virtual/block.h"
#include "gpu/virtual/ops/control.h"
#include "gpu/virtual/time_model.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>

namespace warplight::vgpu {

SpecialRegister specialByName(const std::string& name) {
    using R = SpecialRegister;
    static const std::map<std::string, R> names = {{"%tid.x", R::TidX},
                                                   {"%tid.y", R::TidY},
                                                   {"%tid.z", R::TidZ},
                                                   {"%ntid.x", R::NtidX},
                                                   {"%ntid.y", R::NtidY},
                                                   {"%ntid.z", R::NtidZ},
                                                   {"%ctaid.x", R::CtaidX},
                                                   {"%ctaid.y", R::CtaidY},
                                                   {"%ctaid.z", R::CtaidZ},
                                                   {"%nctaid.x", R::NctaidX},
                                                   {"%nctaid.y", R::NctaidY},
                                                   {"%nctaid.z", R::NctaidZ},
                                                   {"%laneid", R::LaneId},
                                                   {"%warpid", R::WarpId},
                                                   {"%nwarpid", R::NWarpId},
                                                   {"%smid", R::SmId},
                                                   {"%nsmid", R::NSmId},
                                                   {"%gridid", R::GridId},
                                                   {"%lanemask_eq", R::LaneMaskEq},
                                                   {"%lanemask_le", R::LaneMaskLe},
                                                   {"%lanemask_lt", R::LaneMaskLt},
                                                   {"%lanemask_ge", R::LaneMaskGe},
                                                   {"%lanemask_gt", R::LaneMaskGt},
                                                   {"%clock", R::Clock},
                                                   {"%clock_hi", R::ClockHi},
                                                   {"%clock64", R::Clock64},
                                                   {"%globaltimer", R::GlobalTimer},
                                                   {"%globaltimer_lo", R::GlobalTimerLo},
                                                   {"%globaltimer_hi", R::GlobalTimerHi},
                                                   {"%dynamic_smem_size", R::DynamicShared},
                                                   {"%total_smem_size", R::TotalShared},
                                                   {"%aggr_smem_size", R::TotalShared},
                                                   // Nothing of shared memory is kept for the system.
                                                   {"%reserved_smem_offset_begin", R::Zero},
                                                   {"%reserved_smem_offset_end", R::Zero},
                                                   {"%reserved_smem_offset_cap", R::Zero},
                                                   {"%reserved_smem_offset_0", R::Zero},
                                                   {"%reserved_smem_offset_1", R::Zero},
                                                   // A block is a cluster of its own.
                                                   {"%cluster_ctaid.x", R::Zero},
                                                   {"%cluster_ctaid.y", R::Zero},
                                                   {"%cluster_ctaid.z", R::Zero},
                                                   {"%cluster_ctarank", R::Zero},
                                                   {"%cluster_nctaid.x", R::One},
                                                   {"%cluster_nctaid.y", R::One},
                                                   {"%cluster_nctaid.z", R::One},
                                                   {"%cluster_nctarank", R::One},
                                                   {"%clusterid.x", R::CtaidX},
                                                   {"%clusterid.y", R::CtaidY},
                                                   {"%clusterid.z", R::CtaidZ},
                                                   {"%nclusterid.x", R::NctaidX},
                                                   {"%nclusterid.y", R::NctaidY},
                                                   {"%nclusterid.z", R::NctaidZ}};
    const auto found = names.find(name);
    return found == names.end() ? R::None : found->second;
}

bool isWide(SpecialRegister r) {
    return r == SpecialRegister::GridId || r == SpecialRegister::Clock64 || r == SpecialRegister::GlobalTimer;
}

namespace {

uint64_t nanoseconds(const Block& block) {
    return static_cast<uint64_t>(static_cast<double>(block.elapsedClocks()) * 1e9 / timedGpu(*block.launch).clockHz);
}

/// Of a register that is the same for all lanes of a warp.
uint64_t warpValue(const Warp& w, SpecialRegister r) {
    using R = SpecialRegister;
    const Launch& l = *w.block->launch;
    const int multiprocessors = l.gpu ? l.gpu->multiprocessors : 1;
    switch (r) {
    case R::NtidX:
        return l.block.x;
    case R::NtidY:
        return l.block.y;
    case R::NtidZ:
        return l.block.z;
    case R::CtaidX:
        return w.block->at.x;
    case R::CtaidY:
        return w.block->at.y;
    case R::CtaidZ:
        return w.block->at.z;
    case R::NctaidX:
        return l.grid.x;
    case R::NctaidY:
        return l.grid.y;
    case R::NctaidZ:
        return l.grid.z;
    case R::WarpId:
        return static_cast<uint64_t>(w.index);
    case R::NWarpId:
        return w.block->warps.size();
    case R::SmId:
        return w.block->number % static_cast<uint64_t>(multiprocessors);
    case R::NSmId:
        return static_cast<uint64_t>(multiprocessors);
    case R::Clock:
    case R::Clock64:
        return w.block->elapsedClocks();
    case R::ClockHi:
        return w.block->elapsedClocks() >> 32;
    case R::GlobalTimer:
    case R::GlobalTimerLo:
        return nanoseconds(*w.block);
    case R::GlobalTimerHi:
        return nanoseconds(*w.block) >> 32;
    case R::DynamicShared:
        return static_cast<uint64_t>(l.dynamicShared);
    case R::TotalShared:
        return static_cast<uint64_t>(l.sharedBytes);
    case R::One:
        return 1;
    default:
        return 0;
    }
}

/// Of %tid.x, .y or .z, one after the other: a division for each lane would cost more than most instructions.
void threadIndices(const Warp& w, SpecialRegister r, uint32_t* value) {
    const Dim3& extent = w.block->launch->block;
    const auto first = static_cast<uint32_t>(w.index * warpSize);
    uint32_t x = first % extent.x, y = first / extent.x % extent.y, z = first / extent.x / extent.y;
    for (int i = 0; i < warpSize; ++i) {
        value[i] = r == SpecialRegister::TidX ? x : r == SpecialRegister::TidY ? y : z;
        if (++x == extent.x) {
            x = 0;
            if (++y == extent.y) {
                y = 0;
                ++z;
            }
        }
    }
}

uint32_t laneValue(SpecialRegister r, int lane) {
    const uint32_t bit = 1u << lane;
    switch (r) {
    case SpecialRegister::LaneMaskEq:
        return bit;
    case SpecialRegister::LaneMaskLe:
        return bit | (bit - 1);
    case SpecialRegister::LaneMaskLt:
        return bit - 1;
    case SpecialRegister::LaneMaskGe:
        return ~(bit - 1);
    case SpecialRegister::LaneMaskGt:
        return ~(bit | (bit - 1));
    default:
        return static_cast<uint32_t>(lane);
    }
}

template <class T, class V>
void writeActive(const Warp& w, Row row, V valueOf) {
    T* to = out<T>(w, row);
    for (int i = 0; i < warpSize; ++i)
        to[i] = has(w.mask, i) ? static_cast<T>(valueOf(i)) : to[i];
}

} // namespace

const Op* readSpecial(Warp& w, const Op* op) {
    using R = SpecialRegister;
    const auto r = static_cast<R>(op->imm);
    const bool perLane = r <= R::TidZ || r == R::LaneId || (r >= R::LaneMaskEq && r <= R::LaneMaskGt);
    if (!perLane) {
        const uint64_t value = warpValue(w, r);
        if (op->bytes == 8)
            writeActive<uint64_t>(w, op->dst, [&](int) { return value; });
        else
            writeActive<uint32_t>(w, op->dst, [&](int) { return value; });
        return op + 1;
    }
    uint32_t value[warpSize];
    if (r <= R::TidZ)
        threadIndices(w, r, value);
    else
        for (int i = 0; i < warpSize; ++i)
            value[i] = laneValue(r, i);
    if (op->bytes == 8)
        writeActive<uint64_t>(w, op->dst, [&](int i) { return value[i]; });
    else
        writeActive<uint32_t>(w, op->dst, [&](int i) { return value[i]; });
    return op + 1;
}

const Op* localAddress(Warp& w, const Op* op) {
    const uint64_t offset = w.localAt + static_cast<uint64_t>(op->imm);
    if (op->bytes == 8)
        writeActive<uint64_t>(w, op->dst, [&](int) { return offset; });
    else
        writeActive<uint32_t>(w, op->dst, [&](int) { return offset; });
    return op + 1;
}

namespace {

template <class T>
void broadcast(Warp& w, Row row, const std::byte* from) {
    T value;
    std::memcpy(&value, from, sizeof(T));
    writeActive<T>(w, row, [&](int) { return value; });
}

} // namespace

const Op* loadParameter(Warp& w, const Op* op) {
    const std::byte* from = w.block->launch->parameters.data() + op->imm;
    switch (op->bytes) {
    case 2:
        broadcast<uint16_t>(w, op->dst, from);
        break;
    case 4:
        broadcast<uint32_t>(w, op->dst, from);
        break;
    default:
        broadcast<uint64_t>(w, op->dst, from);
        break;
    }
    return op + 1;
}

/// A lane's bytes: op->bytes of them at imm of a slot that begins at `detail` and has `count` bytes a lane.
const Op* loadSlot(Warp& w, const Op* op) {
    const std::byte* slot = w.rows[0] + op->detail;
    const int width = static_cast<int>(op->access); // of the register
    for (int i = 0; i < warpSize; ++i)
        if (has(w.mask, i)) {
            uint64_t value = 0;
            std::memcpy(&value, slot + i * op->count + op->imm, op->bytes);
            if (op->negated && op->bytes < 8) // signed: spread the sign
                value =
                    static_cast<uint64_t>(static_cast<int64_t>(value << (64 - 8 * op->bytes)) >> (64 - 8 * op->bytes));
            std::memcpy(w.rows[0] + op->dst + i * width, &value, static_cast<size_t>(width));
        }
    return op + 1;
}

const Op* storeSlot(Warp& w, const Op* op) {
    std::byte* slot = w.rows[0] + op->detail;
    const int width = static_cast<int>(op->access);
    const std::byte* row = w.rows[op->a & 1] + (op->a & ~1u);
    for (int i = 0; i < warpSize; ++i)
        if (has(w.mask, i))
            std::memcpy(slot + i * op->count + op->imm, row + i * width, op->bytes);
    return op + 1;
}

} // namespace warplight::vgpu
