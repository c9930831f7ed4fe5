// SPDX-License-Identifier: GPL-3.0-or-later
// Loads, stores and asynchronous copies (PTX ISA, 9.7.9.8 to 9.7.9.12, 9.7.9.25).
#include "gpu/virtual/ops/memory_access.h"
#include "gpu/virtual/ops/access.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gpu/virtual/ops/memory_access.cpp"
#define WARPLIGHT_WITH_AVX512
#include "gpu/virtual/ops/targets.h"
#include "hwy/foreach_target.h" // IWYU pragma: keep

#include "gpu/virtual/ops/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace warplight::vgpu::HWY_NAMESPACE {

using ptx::Space;

/// Compares the lanes with the pattern of the last time; only a new one is worked out.
HWY_INLINE const Pattern& classify(Warp& w, const Op* op, const uint64_t* address, int bytes, uint64_t& base,
                                   bool sectors) {
    base = address[std::countr_zero(w.mask)];
    Pattern& p = patternOf(w, op->access, base, sectors);
    uint64_t difference =
        (p.mask ^ w.mask) | ((p.low ^ static_cast<uint32_t>(base)) & (sectors ? 31 : 3)) | (p.kind == Pattern::Unknown);
    if (w.mask == fullMask) {
        for (int i = 0; i < warpSize; ++i)
            difference |= (address[i] - base) ^ static_cast<uint64_t>(p.delta[i]);
    } else {
        for (int i = 0; i < warpSize; ++i)
            difference |= ((address[i] - base) ^ static_cast<uint64_t>(p.delta[i])) &
                          (0 - static_cast<uint64_t>(w.mask >> i & 1));
    }
    if (difference != 0) {
        p.mask = w.mask;
        p.low = static_cast<uint32_t>(base);
        for (int i = 0; i < warpSize; ++i)
            p.delta[i] = has(w.mask, i) ? static_cast<int64_t>(address[i] - base) : 0;
        completePattern(p, base, bytes);
    }
    return p;
}

struct Access {
    alignas(64) uint64_t address[warpSize];
    int64_t offsets[warpSize];
};

template <class A>
HWY_INLINE void addresses(const Warp& w, Row row, int64_t offset, uint64_t* to) {
    const A* from = in<A>(w, row);
    for (int i = 0; i < warpSize; ++i)
        to[i] = static_cast<uint64_t>(static_cast<A>(from[i] + static_cast<A>(offset)));
}

template <Space space>
HWY_INLINE Place locate(Warp& w, const Op* op, Access& a, int bytes, AccessKind kind) {
    uint64_t base;
    if constexpr (space == Space::Global) {
        const Pattern& p = classify(w, op, a.address, bytes, base, true);
        return locateGlobal(w, op, p, a.address, base, bytes, kind, a.offsets);
    } else if constexpr (space == Space::Shared) {
        const Pattern& p = classify(w, op, a.address, bytes, base, false);
        return locateShared(w, op, p, a.address, base, bytes, kind);
    } else if constexpr (space == Space::Local) {
        return locateLocal(w, op, a.address, bytes, kind, a.offsets);
    } else if constexpr (space == Space::Parameter) {
        for (uint64_t& x : a.address)
            x += parameterWindow;
        return locateEachLane(w, op, a.address, bytes, kind, a.offsets);
    } else {
        // Generic: all lanes in one window is the rule.
        const uint64_t window = a.address[std::countr_zero(w.mask)] >> 32;
        bool same = true;
        for (int i = 0; i < warpSize; ++i)
            same = same && (!has(w.mask, i) ||
                            (a.address[i] >> 32 >= globalWindow >> 32 ? globalWindow >> 32 : a.address[i] >> 32) ==
                                (window >= globalWindow >> 32 ? globalWindow >> 32 : window));
        if (same && window >= globalWindow >> 32)
            return locate<Space::Global>(w, op, a, bytes, kind);
        if (same && (window == sharedWindow >> 32 || window == localWindow >> 32)) {
            for (uint64_t& x : a.address)
                x &= 0xffffffffu;
            return window == sharedWindow >> 32 ? locate<Space::Shared>(w, op, a, bytes, kind)
                                                : locate<Space::Local>(w, op, a, bytes, kind);
        }
        return locateEachLane(w, op, a.address, bytes, kind, a.offsets);
    }
}

/// The usual case: the lanes lie as they did the last time, aligned, in one allocation or in shared memory. Nothing has
/// to be worked out then. False: not so.
template <Space space, class A>
HWY_INLINE bool locateAgain(Warp& w, const Op* op, int bytes, AccessKind kind, Place& place) {
    const A* address = in<A>(w, op->a);
    const A first = address[std::countr_zero(w.mask)];
    uint64_t base = static_cast<A>(first + static_cast<A>(op->imm));
    const bool generic = space == Space::None;
    const bool shared = space == Space::Shared || (generic && base >> 32 == sharedWindow >> 32);
    if (!shared && !(space == Space::Global || (generic && base >= globalWindow)))
        return false;
    if (generic && shared)
        base &= 0xffffffffu;
    const Pattern& p = patternOf(w, op->access, base, !shared);
    if (p.mask != w.mask || p.kind == Pattern::Unknown || p.misaligned ||
        ((p.low ^ static_cast<uint32_t>(base)) & (shared ? 3 : 31)) != 0 || !fits<A>(p, address, first))
        return false;
    if (shared) {
        if (!insideShared(w, p, base, bytes))
            return false;
        place = placeShared(w, op, p, base, bytes, kind);
        return true;
    }
    const int index = allocationOf(w, p, base, bytes);
    if (index < 0)
        return false;
    place = placeGlobal(w, op, p, base, bytes, kind, index);
    return true;
}

template <Space space, class A>
HWY_NOINLINE Place locateAnew(Warp& w, const Op* op, Access& a, int bytes, AccessKind kind) {
    addresses<A>(w, op->a, op->imm, a.address);
    return locate<space>(w, op, a, bytes, kind);
}

template <Space space, class A, class Memory, class Register>
const Op* load(Warp& w, const Op* op) {
    Access a;
    const int count = op->count, bytes = static_cast<int>(sizeof(Memory)) * count;
    Place place;
    if (!locateAgain<space, A>(w, op, bytes, AccessKind::Read, place))
        place = locateAnew<space, A>(w, op, a, bytes, AccessKind::Read);
    const Row* rows = w.block->program->rows.data() + op->detail;
#if HWY_MAX_BYTES >= 32
    if constexpr (std::is_same_v<Memory, uint32_t> && std::is_same_v<Register, uint32_t>)
        if (count == 4 && w.mask == fullMask && std::find(rows, rows + 4, noRow) == rows + 4) {
            uint32_t* const to[] = {out<uint32_t>(w, rows[0]), out<uint32_t>(w, rows[1]), out<uint32_t>(w, rows[2]),
                                    out<uint32_t>(w, rows[3])};
            gatherQuads(place.host, place.offset, to);
            return op + 1;
        }
#endif
    for (int e = 0; e < count; ++e) {
        if (rows[e] == noRow)
            continue;
        Register* row = out<Register>(w, rows[e]);
        const std::byte* from = place.host + static_cast<size_t>(e) * sizeof(Memory);
        if (w.mask != fullMask) {
            for (int i = 0; i < warpSize; ++i)
                if (has(w.mask, i))
                    row[i] = static_cast<Register>(fetch<Memory>(from + place.offset[i]));
        } else if (place.kind == Pattern::Uniform) {
            const auto value = static_cast<Register>(fetch<Memory>(from));
            for (int i = 0; i < warpSize; ++i)
                row[i] = value;
        } else if (place.kind == Pattern::Consecutive && count == 1) {
            for (int i = 0; i < warpSize; ++i)
                row[i] = static_cast<Register>(fetch<Memory>(from + static_cast<size_t>(i) * sizeof(Memory)));
        } else {
            gather<Memory>(from, place.offset, row);
        }
    }
    return op + 1;
}

template <Space space, class A, class Memory, class Register>
const Op* store(Warp& w, const Op* op) {
    Access a;
    const int count = op->count, bytes = static_cast<int>(sizeof(Memory)) * count;
    Place place;
    if (!locateAgain<space, A>(w, op, bytes, AccessKind::Write, place))
        place = locateAnew<space, A>(w, op, a, bytes, AccessKind::Write);
    const Row* rows = w.block->program->rows.data() + op->detail;
#if HWY_MAX_BYTES >= 32
    if constexpr (std::is_same_v<Memory, uint32_t> && std::is_same_v<Register, uint32_t>)
        if (count == 4 && w.mask == fullMask) {
            const uint32_t* const from[] = {in<uint32_t>(w, rows[0]), in<uint32_t>(w, rows[1]),
                                            in<uint32_t>(w, rows[2]), in<uint32_t>(w, rows[3])};
            scatterQuads(from, place.host, place.offset);
            return op + 1;
        }
#endif
    for (int e = 0; e < count; ++e) {
        const Register* row = in<Register>(w, rows[e]);
        std::byte* to = place.host + static_cast<size_t>(e) * sizeof(Memory);
        if (w.mask != fullMask) {
            for (int i = 0; i < warpSize; ++i)
                if (has(w.mask, i)) {
                    const auto value = static_cast<Memory>(row[i]);
                    std::memcpy(to + place.offset[i], &value, sizeof(Memory));
                }
        } else if (place.kind == Pattern::Consecutive && count == 1) {
            for (int i = 0; i < warpSize; ++i) {
                const auto value = static_cast<Memory>(row[i]);
                std::memcpy(to + static_cast<size_t>(i) * sizeof(Memory), &value, sizeof(Memory));
            }
        } else {
            scatter<Register, Memory>(row, to, place.offset);
        }
    }
    return op + 1;
}

/// The bytes are read now and written when they are waited for: who does not wait sees what was there before.
const Op* asyncCopy(Warp& w, const Op* op) {
    Access to, from;
    const Row shared = w.block->program->rows[op->detail];
    const auto sharedOffset = static_cast<int32_t>(w.block->program->rows[op->detail + 1]);
    if (op->negated) // a 64-bit address
        addresses<uint64_t>(w, shared, sharedOffset, to.address);
    else
        addresses<uint32_t>(w, shared, sharedOffset, to.address);
    addresses<uint64_t>(w, op->b, op->imm, from.address);
    AsyncCopy& copy = w.copies[w.open].emplace_back();
    copy.bytes = op->bytes;
    copy.mask = w.mask;
    const uint32_t* length = op->c == noRow ? nullptr : in<uint32_t>(w, op->c);
    uint32_t reading = w.mask;
    for (int i = 0; i < warpSize; ++i) {
        if (has(w.mask, i) && length && length[i] == 0)
            reading &= ~(1u << i);
        copy.to[i] = static_cast<uint32_t>(to.address[i]);
    }
    const uint32_t all = w.mask;
    if (reading != 0) {
        w.setMask(reading);
        uint64_t base;
        const Pattern& p = classify(w, op, from.address, op->bytes, base, true);
        const Place source = locateGlobal(w, op, p, from.address, base, op->bytes, AccessKind::Read, from.offsets);
        for (int i = 0; i < warpSize; ++i)
            if (has(reading, i)) {
                const std::byte* bytes = source.host + source.offset[i];
                if (!length && op->bytes == 16) {
                    std::memcpy(copy.data[i], bytes, 16);
                    continue;
                }
                const uint32_t valid = length && length[i] < op->bytes ? length[i] : op->bytes;
                if (valid == 16) {
                    std::memcpy(copy.data[i], bytes, 16);
                } else {
                    std::memset(copy.data[i], 0, sizeof(copy.data[i]));
                    std::memcpy(copy.data[i], bytes, valid);
                }
            }
        w.setMask(all);
    }
    for (int i = 0; i < warpSize; ++i)
        if (has(all & ~reading, i))
            std::memset(copy.data[i], 0, sizeof(copy.data[i]));
    // The write's place in shared memory is counted as an operation of its own, the next number.
    Op write = *op;
    write.access = op->access + 1;
    uint64_t base;
    const Pattern& p = classify(w, &write, to.address, op->bytes, base, false);
    locateShared(w, &write, p, to.address, base, op->bytes, AccessKind::Write);
    return op + 1;
}

Handler asyncCopyOf() { return &asyncCopy; }

template <Space space, class A, class Memory>
Handler loadInto(int registerBytes) {
    switch (registerBytes) {
    case 2:
        return &load<space, A, Memory, uint16_t>;
    case 4:
        return &load<space, A, Memory, uint32_t>;
    case 8:
        return &load<space, A, Memory, uint64_t>;
    default:
        return nullptr;
    }
}
template <Space space, class A>
Handler loadOf(int bytes, int registerBytes, bool isSigned) {
    switch (isSigned && bytes < registerBytes ? -bytes : bytes) {
    case 1:
        return loadInto<space, A, uint8_t>(registerBytes);
    case -1:
        return loadInto<space, A, int8_t>(registerBytes);
    case 2:
        return loadInto<space, A, uint16_t>(registerBytes);
    case -2:
        return loadInto<space, A, int16_t>(registerBytes);
    case 4:
        return registerBytes == 4   ? &load<space, A, uint32_t, uint32_t>
               : registerBytes == 8 ? &load<space, A, uint32_t, uint64_t>
                                    : nullptr;
    case -4:
        return &load<space, A, int32_t, uint64_t>;
    case 8:
        return registerBytes == 8 ? &load<space, A, uint64_t, uint64_t> : nullptr;
    default:
        return nullptr;
    }
}
template <Space space, class A, class Register>
Handler storeFrom(int bytes) {
    switch (bytes) {
    case 1:
        return &store<space, A, uint8_t, Register>;
    case 2:
        return &store<space, A, uint16_t, Register>;
    case 4:
        return sizeof(Register) >= 4 ? &store<space, A, uint32_t, Register> : nullptr;
    case 8:
        return sizeof(Register) >= 8 ? &store<space, A, uint64_t, Register> : nullptr;
    default:
        return nullptr;
    }
}
template <Space space, class A>
Handler storeOf(int bytes, int registerBytes) {
    switch (registerBytes) {
    case 2:
        return storeFrom<space, A, uint16_t>(bytes);
    case 4:
        return storeFrom<space, A, uint32_t>(bytes);
    case 8:
        return storeFrom<space, A, uint64_t>(bytes);
    default:
        return nullptr;
    }
}

Handler loadIn(Space space, int addressBytes, int bytes, int registerBytes, bool isSigned) {
    const bool narrow = addressBytes == 4;
    switch (space) {
    case Space::Constant:
    case Space::Global:
        return loadOf<Space::Global, uint64_t>(bytes, registerBytes, isSigned);
    case Space::Shared:
        return narrow ? loadOf<Space::Shared, uint32_t>(bytes, registerBytes, isSigned)
                      : loadOf<Space::Shared, uint64_t>(bytes, registerBytes, isSigned);
    case Space::Local:
        return narrow ? loadOf<Space::Local, uint32_t>(bytes, registerBytes, isSigned)
                      : loadOf<Space::Local, uint64_t>(bytes, registerBytes, isSigned);
    case Space::Parameter:
        return loadOf<Space::Parameter, uint64_t>(bytes, registerBytes, isSigned);
    case Space::None:
        return loadOf<Space::None, uint64_t>(bytes, registerBytes, isSigned);
    default:
        return nullptr;
    }
}
Handler storeIn(Space space, int addressBytes, int bytes, int registerBytes) {
    const bool narrow = addressBytes == 4;
    switch (space) {
    case Space::Global:
        return storeOf<Space::Global, uint64_t>(bytes, registerBytes);
    case Space::Shared:
        return narrow ? storeOf<Space::Shared, uint32_t>(bytes, registerBytes)
                      : storeOf<Space::Shared, uint64_t>(bytes, registerBytes);
    case Space::Local:
        return narrow ? storeOf<Space::Local, uint32_t>(bytes, registerBytes)
                      : storeOf<Space::Local, uint64_t>(bytes, registerBytes);
    case Space::None:
        return storeOf<Space::None, uint64_t>(bytes, registerBytes);
    default:
        return nullptr;
    }
}

} // namespace warplight::vgpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace warplight::vgpu {
HWY_EXPORT(loadIn);
HWY_EXPORT(storeIn);
HWY_EXPORT(asyncCopyOf);

Handler loadHandler(ptx::Space space, int addressBytes, int bytes, int registerBytes, bool isSigned) {
    return HWY_DYNAMIC_DISPATCH(loadIn)(space, addressBytes, bytes, registerBytes, isSigned);
}
Handler storeHandler(ptx::Space space, int addressBytes, int bytes, int registerBytes) {
    return HWY_DYNAMIC_DISPATCH(storeIn)(space, addressBytes, bytes, registerBytes);
}
Handler asyncCopyHandler() { return HWY_DYNAMIC_DISPATCH(asyncCopyOf)(); }

const Op* commitAsync(Warp& w, const Op* op) {
    if (++w.open == w.copies.size())
        w.copies.emplace_back();
    return op + 1;
}

const Op* waitAsync(Warp& w, const Op* op) {
    // The last group is still open: it counts only for cp.async.wait_all (imm < 0).
    const size_t closed = w.open;
    const size_t keep = op->imm < 0 ? 0 : static_cast<size_t>(op->imm);
    const size_t done = op->imm < 0 ? closed + 1 : closed > keep ? closed - keep : 0;
    for (size_t group = 0; group < done; ++group)
        for (const AsyncCopy& copy : w.copies[group])
            for (int i = 0; i < warpSize; ++i)
                if (has(copy.mask, i)) {
                    std::byte* to = w.block->shared.data() + copy.to[i];
                    if (copy.bytes == 16)
                        std::memcpy(to, copy.data[i], 16);
                    else
                        std::memcpy(to, copy.data[i], copy.bytes);
                    if (w.block->launch->checks)
                        finishCopy(w, copy.to[i], copy.bytes);
                }
    // Emptied groups go to the end, with the memory that they hold.
    for (size_t group = 0; group < done; ++group)
        w.copies[group].clear();
    std::rotate(w.copies.begin(), w.copies.begin() + static_cast<std::ptrdiff_t>(std::min(done, closed)),
                w.copies.end());
    w.open = closed - std::min(done, closed);
    return op + 1;
}

} // namespace warplight::vgpu
#endif
