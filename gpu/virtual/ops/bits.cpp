// SPDX-License-Identifier: GPL-3.0-or-later
// Bit fields, counts and permutations of bits and bytes (PTX ISA, 9.7.1, 9.7.9).
#include "gpu/virtual/ops/families.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string>
#include <tuple>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gpu/virtual/ops/bits.cpp"
#include "gpu/virtual/ops/targets.h"
#include "hwy/foreach_target.h" // IWYU pragma: keep

#include "gpu/virtual/ops/integer-inl.h"

HWY_BEFORE_NAMESPACE();
namespace warplight::vgpu::HWY_NAMESPACE {

struct Popc {
    template <class T>
    static HWY_INLINE uint32_t apply(T a) {
        return static_cast<uint32_t>(std::popcount(a));
    }
};
struct Clz {
    template <class T>
    static HWY_INLINE uint32_t apply(T a) {
        return static_cast<uint32_t>(std::countl_zero(a));
    }
};
template <bool shift>
struct Bfind {
    template <class T>
    static HWY_INLINE uint32_t apply(T a) {
        Unsigned<T> bits = static_cast<Unsigned<T>>(a);
        if (std::is_signed_v<T> && a < 0)
            bits = static_cast<Unsigned<T>>(~bits);
        if (bits == 0)
            return fullMask;
        const auto zeros = static_cast<uint32_t>(std::countl_zero(bits));
        return shift ? zeros : bitsIn<T> - 1 - zeros;
    }
};
struct Brev {
    static HWY_INLINE uint32_t apply(uint32_t x) {
        x = (x >> 1 & 0x55555555u) | (x & 0x55555555u) << 1;
        x = (x >> 2 & 0x33333333u) | (x & 0x33333333u) << 2;
        x = (x >> 4 & 0x0f0f0f0fu) | (x & 0x0f0f0f0fu) << 4;
        x = (x >> 8 & 0x00ff00ffu) | (x & 0x00ff00ffu) << 8;
        return x >> 16 | x << 16;
    }
    static HWY_INLINE uint64_t apply(uint64_t x) {
        return static_cast<uint64_t>(apply(static_cast<uint32_t>(x))) << 32 | apply(static_cast<uint32_t>(x >> 32));
    }
};
struct Bfe {
    template <class T>
    static HWY_INLINE T apply(T a, uint32_t position, uint32_t length) {
        const int bits = bitsIn<T>;
        position &= 0xff;
        length &= 0xff;
        if (length == 0)
            return 0;
        const bool negative = std::is_signed_v<T> && (a >> std::min<uint32_t>(position + length - 1, bits - 1) & 1);
        Unsigned<T> field = position >= static_cast<uint32_t>(bits) ? 0 : static_cast<Unsigned<T>>(a) >> position;
        if (length < static_cast<uint32_t>(bits)) {
            const Unsigned<T> keep = (Unsigned<T>(1) << length) - 1;
            field = (field & keep) | (negative ? static_cast<Unsigned<T>>(~keep) : 0);
        }
        if (negative && position + length > static_cast<uint32_t>(bits)) { // bits beyond the end are the sign
            const uint32_t valid = position >= static_cast<uint32_t>(bits) ? 0 : bits - position;
            field |= valid == 0 ? static_cast<Unsigned<T>>(~Unsigned<T>(0))
                                : static_cast<Unsigned<T>>(~((Unsigned<T>(1) << valid) - 1));
        }
        return static_cast<T>(field);
    }
};
struct Bfi {
    template <class T>
    static HWY_INLINE T apply(T a, T b, uint32_t position, uint32_t length) {
        const auto bits = static_cast<uint32_t>(bitsIn<T>);
        position &= 0xff;
        length &= 0xff;
        if (position >= bits || length == 0)
            return b;
        T keep = length >= bits ? ~T(0) : (T(1) << length) - 1;
        keep <<= position;
        return (b & ~keep) | (a << position & keep);
    }
};
struct Prmt {
    static HWY_INLINE uint32_t pick(uint64_t bytes, uint32_t selector) {
        const auto byte = static_cast<uint32_t>(bytes >> (8 * (selector & 7)) & 0xff);
        return selector & 8 ? (byte & 0x80 ? 0xffu : 0u) : byte;
    }
    static HWY_INLINE uint32_t apply(uint32_t a, uint32_t b, uint32_t selector) {
        const uint64_t bytes = static_cast<uint64_t>(b) << 32 | a;
        return pick(bytes, selector) | pick(bytes, selector >> 4) << 8 | pick(bytes, selector >> 8) << 16 |
               pick(bytes, selector >> 12) << 24;
    }
};
/// prmt with a mode: which byte comes to place `to`, by the two lowest bits of the selector.
struct Forward { ///< f4e: an unaligned word that begins at the selected byte
    static constexpr uint32_t byte(uint32_t to, uint32_t c) { return c + to; }
};
struct Backward { ///< b4e: the same downwards, round the eight bytes
    static constexpr uint32_t byte(uint32_t to, uint32_t c) { return (c - to) & 7; }
};
struct Replicate8 {
    static constexpr uint32_t byte(uint32_t, uint32_t c) { return c; }
};
struct EdgeClampLeft {
    static constexpr uint32_t byte(uint32_t to, uint32_t c) { return to > c ? to : c; }
};
struct EdgeClampRight {
    static constexpr uint32_t byte(uint32_t to, uint32_t c) { return to < c ? to : c; }
};
struct Replicate16 {
    static constexpr uint32_t byte(uint32_t to, uint32_t c) { return 2 * (c & 1) + (to & 1); }
};
template <class Mode>
struct PrmtMode {
    static HWY_INLINE uint32_t apply(uint32_t a, uint32_t b, uint32_t selector) {
        const uint64_t bytes = static_cast<uint64_t>(b) << 32 | a;
        uint32_t result = 0;
        for (uint32_t to = 0; to < 4; ++to)
            result |= static_cast<uint32_t>(bytes >> (8 * Mode::byte(to, selector & 3)) & 0xff) << (8 * to);
        return result;
    }
};
template <bool clamp>
struct Bmsk {
    static HWY_INLINE uint32_t apply(uint32_t position, uint32_t width) {
        if (clamp ? position >= 32 : false)
            return 0;
        position &= 31;
        width = clamp ? (width > 32 ? 32 : width) : width & 31;
        return static_cast<uint32_t>(((uint64_t(1) << width) - 1) << position);
    }
};
template <class T, bool clamp>
struct Szext {
    static HWY_INLINE T apply(T a, uint32_t n) {
        n = clamp ? (n > 32 ? 32 : n) : n & 31;
        if (n == 0)
            return 0;
        return static_cast<T>(static_cast<T>(static_cast<uint32_t>(a) << (32 - n)) >> (32 - n));
    }
};
/// fns: the n-th set bit from `base` on, upwards for n > 0, downwards for n < 0 (PTX ISA, 9.7.1.16).
struct Fns {
    static HWY_INLINE uint32_t apply(uint32_t mask, uint32_t base, int32_t offset) {
        if (offset == 0)
            return base < 32 && (mask >> base & 1) ? base : fullMask;
        int position = static_cast<int>(base & 31);
        const int step = offset > 0 ? 1 : -1;
        int count = offset > 0 ? offset - 1 : -offset - 1;
        for (; position >= 0 && position < 32; position += step)
            if (mask >> position & 1) {
                if (count == 0)
                    return static_cast<uint32_t>(position);
                --count;
            }
        return fullMask;
    }
};

void addBitFields(HandlerTable& t) {
    const OpClass kind = OpClass::Integer;
    forEachInteger([&]<class T>(T, const std::string& type) {
        if constexpr (sizeof(T) >= 4) {
            add<Bfind<false>, uint32_t, T>(t, "bfind." + type, kind);
            add<Bfind<true>, uint32_t, T>(t, "bfind.shiftamt." + type, kind);
            add<Bfe, T, T, uint32_t, uint32_t>(t, "bfe." + type, kind);
        }
    });
    forEachBits([&]<class T>(T, const std::string& type) {
        if constexpr (sizeof(T) >= 4) {
            add<Popc, uint32_t, T>(t, "popc." + type, kind);
            add<Clz, uint32_t, T>(t, "clz." + type, kind);
            add<Brev, T, T>(t, "brev." + type, kind);
            add<Bfi, T, T, T, uint32_t, uint32_t>(t, "bfi." + type, kind);
        }
    });
    add<Prmt, uint32_t, uint32_t, uint32_t, uint32_t>(t, "prmt.b32", kind);
    add<PrmtMode<Forward>, uint32_t, uint32_t, uint32_t, uint32_t>(t, "prmt.b32.f4e", kind);
    add<PrmtMode<Backward>, uint32_t, uint32_t, uint32_t, uint32_t>(t, "prmt.b32.b4e", kind);
    add<PrmtMode<Replicate8>, uint32_t, uint32_t, uint32_t, uint32_t>(t, "prmt.b32.rc8", kind);
    add<PrmtMode<EdgeClampLeft>, uint32_t, uint32_t, uint32_t, uint32_t>(t, "prmt.b32.ecl", kind);
    add<PrmtMode<EdgeClampRight>, uint32_t, uint32_t, uint32_t, uint32_t>(t, "prmt.b32.ecr", kind);
    add<PrmtMode<Replicate16>, uint32_t, uint32_t, uint32_t, uint32_t>(t, "prmt.b32.rc16", kind);
    add<Bmsk<true>, uint32_t, uint32_t, uint32_t>(t, "bmsk.clamp.b32", kind);
    add<Bmsk<false>, uint32_t, uint32_t, uint32_t>(t, "bmsk.wrap.b32", kind);
    add<Szext<int32_t, true>, int32_t, int32_t, uint32_t>(t, "szext.clamp.s32", kind);
    add<Szext<uint32_t, true>, uint32_t, uint32_t, uint32_t>(t, "szext.clamp.u32", kind);
    add<Szext<int32_t, false>, int32_t, int32_t, uint32_t>(t, "szext.wrap.s32", kind);
    add<Szext<uint32_t, false>, uint32_t, uint32_t, uint32_t>(t, "szext.wrap.u32", kind);
    add<Fns, uint32_t, uint32_t, uint32_t, int32_t>(t, "fns.b32", kind);
}

} // namespace warplight::vgpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace warplight::vgpu {
HWY_EXPORT(addBitFields);
void addBitOperations(HandlerTable& table) { HWY_DYNAMIC_DISPATCH(addBitFields)(table); }
} // namespace warplight::vgpu
#endif
