// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/virtual/program.h"
#include "gpu/virtual/waiting.h"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace warplight::vgpu {

struct Block;

/// Lanes that run together from `pc` on until `join`, where they wait for the lanes of the entry below.
struct Path {
    const Op* pc;
    uint32_t mask;
    const Op* join;    ///< null: until they exit or return
    int call = -1;     ///< index into Warp::frames of the frame that ends when this entry is reached again
    uint32_t turn = 0; ///< when it last let others go ahead (Warp::lastTurn); 0: never
    bool operator==(const Path&) const = default;
};

/// The frame of a calling function, kept while the called one runs.
struct Frame {
    uint32_t registers; ///< offset into Warp::registers
    uint32_t local;     ///< offset of its variables in a thread's local memory
    uint32_t function;
    const Op* call;
    bool operator==(const Frame&) const = default;
};

/// When a warp's polling loop is looked at next: it was no use the last times.
struct PollLoop {
    int32_t left = 0; ///< passes until then
    int32_t pause = 0;
};

/// An outstanding cp.async: bytes read when it was issued, written to shared memory when waited for.
struct AsyncCopy {
    uint32_t mask;
    uint8_t bytes;
    uint32_t to[warpSize];
    std::byte data[warpSize][16];
};

enum class WarpState : uint8_t { Ready, AtBarrier, Waiting, Ended };

struct Warp {
    std::byte* rows[2];  ///< the current frame's registers, the constants
    uint32_t mask = 0;   ///< active lanes
    uint32_t active = 0; ///< how many
    Block* block = nullptr;
    int index = 0; ///< in the block
    WarpState state = WarpState::Ready;
    const Op* pc = nullptr;   ///< where to go on when not running
    const Op* join = nullptr; ///< of the current path
    uint32_t exited = 0;      ///< lanes that are no more (or never were)
    int64_t budget = 0;       ///< backward branches until the loop is looked at: does it only wait?
    int64_t stride = 0;       ///< the budget of the next time
    int32_t pollLoop = -1;    ///< whose branch wants to be looked at
    bool watched = false;     ///< while it is
    bool insists = false;     ///< nobody else can go on: what it waits for is looked at and found missing
    std::vector<PollLoop> pollLoops;
    uint32_t lastTurn = 0;    ///< of a path that let others go ahead
    uint32_t aheads = 0;      ///< such turns since `aheadsSince`
    uint64_t aheadsSince = 0; ///< Worker::progress
    Wait wait;
    std::vector<uint32_t> fenced, seen; ///< clocks: of its last fence; of what it has read and no fence followed yet
    std::vector<Path> stack;            ///< waiting paths, the innermost last
    Bytes registers;
    uint32_t frameAt = 0, localAt = 0, function = 0;
    std::vector<Frame> frames;
    std::byte* local = nullptr;                 ///< [lane][localBytes]
    std::vector<std::vector<AsyncCopy>> copies; ///< groups, the oldest first; behind the open one only empty ones
    size_t open = 0;                            ///< the group that is not committed yet
    int barrier = -1;
    const Op* waitsAt = nullptr;

    void setMask(uint32_t lanes) {
        mask = lanes;
        active = lanes == fullMask ? warpSize : static_cast<uint32_t>(std::popcount(lanes)); // a call on the baseline
    }
};

template <class T>
inline const T* in(const Warp& w, Row row) {
    return reinterpret_cast<const T*>(w.rows[row & 1] + (row & ~1u));
}
template <class T>
inline T* out(const Warp& w, Row row) {
    return reinterpret_cast<T*>(w.rows[0] + row);
}

inline bool has(uint32_t mask, int lane) { return mask >> lane & 1; }

} // namespace warplight::vgpu
