// SPDX-License-Identifier: GPL-3.0-or-later
// Atomic operations (PTX ISA, 9.7.13.5 and .6). Lanes act in ascending order. Blocks that run on several of the
// machine's threads at once use the host's atomics; kernels whose results depend on the order of blocks are run in it.
#include "gpu/virtual/ops/atomics.h"

#include "gpu/number/half.h"
#include "gpu/virtual/ops/access.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <type_traits>

namespace warplight::vgpu {
namespace {

using ptx::Space;

struct Add {
    template <class T>
    static T apply(T old, T x, T) {
        return static_cast<T>(old + x);
    }
    static int32_t apply(int32_t old, int32_t x, int32_t) {
        return static_cast<int32_t>(static_cast<uint32_t>(old) + static_cast<uint32_t>(x));
    }
    static int64_t apply(int64_t old, int64_t x, int64_t) {
        return static_cast<int64_t>(static_cast<uint64_t>(old) + static_cast<uint64_t>(x));
    }
};
struct Min {
    template <class T>
    static T apply(T old, T x, T) {
        return std::min(old, x);
    }
};
struct Max {
    template <class T>
    static T apply(T old, T x, T) {
        return std::max(old, x);
    }
};
struct And {
    template <class T>
    static T apply(T old, T x, T) {
        return old & x;
    }
};
struct Or {
    template <class T>
    static T apply(T old, T x, T) {
        return old | x;
    }
};
struct Xor {
    template <class T>
    static T apply(T old, T x, T) {
        return old ^ x;
    }
};
struct Exchange {
    template <class T>
    static T apply(T, T x, T) {
        return x;
    }
};
struct CompareSwap {
    template <class T>
    static T apply(T old, T x, T y) {
        return old == x ? y : old;
    }
};
struct Increment {
    static uint32_t apply(uint32_t old, uint32_t x, uint32_t) { return old >= x ? 0 : old + 1; }
};
struct Decrement {
    static uint32_t apply(uint32_t old, uint32_t x, uint32_t) { return old == 0 || old > x ? x : old - 1; }
};

uint16_t halfSum(uint16_t a, uint16_t b) { return number::floatToF16(number::f16ToFloat(a) + number::f16ToFloat(b)); }
uint16_t bfloatSum(uint16_t a, uint16_t b) {
    return number::floatToBf16(number::bf16ToFloat(a) + number::bf16ToFloat(b));
}

struct AddHalf {
    static uint16_t apply(uint16_t old, uint16_t x, uint16_t) { return halfSum(old, x); }
    static uint32_t apply(uint32_t old, uint32_t x, uint32_t) {
        return halfSum(static_cast<uint16_t>(old), static_cast<uint16_t>(x)) |
               static_cast<uint32_t>(halfSum(static_cast<uint16_t>(old >> 16), static_cast<uint16_t>(x >> 16))) << 16;
    }
};
struct AddBfloat {
    static uint16_t apply(uint16_t old, uint16_t x, uint16_t) { return bfloatSum(old, x); }
    static uint32_t apply(uint32_t old, uint32_t x, uint32_t) {
        return bfloatSum(static_cast<uint16_t>(old), static_cast<uint16_t>(x)) |
               static_cast<uint32_t>(bfloatSum(static_cast<uint16_t>(old >> 16), static_cast<uint16_t>(x >> 16))) << 16;
    }
};

template <class T>
using BitsOf = std::conditional_t<sizeof(T) == 2, uint16_t, std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>;

/// Replaces *at by F(*at) in one step and returns what was there.
template <class F, class T>
T update(std::byte* at, T x, T y) {
    using Bits = BitsOf<T>;
    std::atomic_ref<Bits> cell(*reinterpret_cast<Bits*>(at));
    Bits old = cell.load(std::memory_order_relaxed);
    for (;;) {
        const auto next = std::bit_cast<Bits>(F::apply(std::bit_cast<T>(old), x, y));
        if (cell.compare_exchange_weak(old, next))
            return std::bit_cast<T>(old);
    }
}

template <Space space, class A, class F, class T>
const Op* atomic(Warp& w, const Op* op) {
    uint64_t address[warpSize];
    int64_t offsets[warpSize];
    const A* row = in<A>(w, op->a);
    for (int i = 0; i < warpSize; ++i)
        address[i] = static_cast<uint64_t>(static_cast<A>(row[i] + static_cast<A>(op->imm)));
    bool shared = space == Space::Shared;
    bool global = space == Space::Global;
    if (space == Space::None) {
        shared = global = true;
        for (int i = 0; i < warpSize; ++i)
            if (has(w.mask, i)) {
                shared = shared && address[i] >> 32 == sharedWindow >> 32;
                global = global && address[i] >= globalWindow;
            }
        if (shared)
            for (uint64_t& x : address)
                x &= 0xffffffffu;
    }
    Place place;
    Pattern p;
    if (shared || global) {
        const uint64_t base = address[std::countr_zero(w.mask)];
        p.mask = w.mask;
        for (int i = 0; i < warpSize; ++i)
            p.delta[i] = has(w.mask, i) ? static_cast<int64_t>(address[i] - base) : 0;
        completePattern(p, base, sizeof(T));
        place = shared ? locateShared(w, op, p, address, base, sizeof(T), AccessKind::Atomic)
                       : locateGlobal(w, op, p, address, base, sizeof(T), AccessKind::Atomic, offsets);
    } else {
        place = locateEachLane(w, op, address, sizeof(T), AccessKind::Atomic, offsets);
    }
    const T* x = in<T>(w, op->b);
    const T* y = op->c == noRow ? x : in<T>(w, op->c);
    T* old = op->dst == noRow ? nullptr : out<T>(w, op->dst);
    for (int i = 0; i < warpSize; ++i)
        if (has(w.mask, i)) {
            const T before = update<F, T>(place.host + place.offset[i], x[i], y[i]);
            if (old)
                old[i] = before;
        }
    return op + 1;
}

template <Space space, class A>
Handler find(const std::string& name) {
    static const std::map<std::string, Handler> table = {{"add.u32", &atomic<space, A, Add, uint32_t>},
                                                         {"add.s32", &atomic<space, A, Add, int32_t>},
                                                         {"add.u64", &atomic<space, A, Add, uint64_t>},
                                                         {"add.s64", &atomic<space, A, Add, int64_t>},
                                                         {"add.f32", &atomic<space, A, Add, float>},
                                                         {"add.f64", &atomic<space, A, Add, double>},
                                                         {"add.f16", &atomic<space, A, AddHalf, uint16_t>},
                                                         {"add.f16x2", &atomic<space, A, AddHalf, uint32_t>},
                                                         {"add.bf16", &atomic<space, A, AddBfloat, uint16_t>},
                                                         {"add.bf16x2", &atomic<space, A, AddBfloat, uint32_t>},
                                                         {"min.u32", &atomic<space, A, Min, uint32_t>},
                                                         {"min.s32", &atomic<space, A, Min, int32_t>},
                                                         {"min.u64", &atomic<space, A, Min, uint64_t>},
                                                         {"min.s64", &atomic<space, A, Min, int64_t>},
                                                         {"max.u32", &atomic<space, A, Max, uint32_t>},
                                                         {"max.s32", &atomic<space, A, Max, int32_t>},
                                                         {"max.u64", &atomic<space, A, Max, uint64_t>},
                                                         {"max.s64", &atomic<space, A, Max, int64_t>},
                                                         {"and.b32", &atomic<space, A, And, uint32_t>},
                                                         {"and.b64", &atomic<space, A, And, uint64_t>},
                                                         {"or.b32", &atomic<space, A, Or, uint32_t>},
                                                         {"or.b64", &atomic<space, A, Or, uint64_t>},
                                                         {"xor.b32", &atomic<space, A, Xor, uint32_t>},
                                                         {"xor.b64", &atomic<space, A, Xor, uint64_t>},
                                                         {"exch.b32", &atomic<space, A, Exchange, uint32_t>},
                                                         {"exch.b64", &atomic<space, A, Exchange, uint64_t>},
                                                         {"cas.b16", &atomic<space, A, CompareSwap, uint16_t>},
                                                         {"cas.b32", &atomic<space, A, CompareSwap, uint32_t>},
                                                         {"cas.b64", &atomic<space, A, CompareSwap, uint64_t>},
                                                         {"inc.u32", &atomic<space, A, Increment, uint32_t>},
                                                         {"dec.u32", &atomic<space, A, Decrement, uint32_t>}};
    const auto found = table.find(name);
    return found == table.end() ? nullptr : found->second;
}

} // namespace

Handler atomicHandler(Space space, int addressBytes, const std::string& name) {
    if (space == Space::Shared)
        return addressBytes == 4 ? find<Space::Shared, uint32_t>(name) : find<Space::Shared, uint64_t>(name);
    return space == Space::Global ? find<Space::Global, uint64_t>(name) : find<Space::None, uint64_t>(name);
}

} // namespace warplight::vgpu
