// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/virtual/program.h"

#include <cstdint>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <vector>

namespace warplight::vgpu {

/// An instruction that reads rows and writes one: its name with those modifiers that change what it does
/// ("fma.ftz.f32", "setp.lt.s32", "cvt.rzi.s32.f32"), its handler and the types of its operands.
struct LaneOperation {
    Handler run = nullptr;
    ptx::Type dst;
    std::vector<ptx::Type> sources;
    OpClass kind = OpClass::Integer;
    uint32_t flops = 0;
};

using HandlerTable = std::unordered_map<std::string, LaneOperation>;

/// All lane operations for the best instruction set of this machine. Thread-safe; built once for each set.
const HandlerTable& laneOperations();

/// The handlers that move whole rows to and from memory, by (elements, bytes of one, bytes of a register, sign).
struct MemoryHandlers {
    Handler load(ptx::Space space, int elements, int bytes, int registerBytes, bool isSigned) const;
    Handler store(ptx::Space space, int elements, int bytes, int registerBytes) const;
};

/// A type tag for a predicate's row.
struct Predicate {
    uint32_t mask;
};

template <class T>
constexpr ptx::Type typeOf() {
    if constexpr (std::is_same_v<T, Predicate>)
        return {'p', 1};
    else if constexpr (std::is_floating_point_v<T>)
        return {'f', static_cast<int>(sizeof(T) * 8)};
    else
        return {std::is_signed_v<T> ? 's' : 'u', static_cast<int>(sizeof(T) * 8)};
}

} // namespace warplight::vgpu
