// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

namespace warplight::cpu {

/// All memory a rung needs beyond its inputs and outputs comes from here, so that what it held at most is known.
/// Not for use from several threads at once: buffers are taken before the work is spread.
class Workspace {
  public:
    Workspace() = default;
    Workspace(const Workspace&) = delete;
    Workspace& operator=(const Workspace&) = delete;
    ~Workspace() {
        for (void* block : blocks)
            ::operator delete(block, alignment);
    }

    /// `count` elements, aligned to a cache line, not initialised. Lives as long as the workspace.
    template <class T>
    T* take(int64_t count) {
        const size_t bytes = std::max<size_t>(sizeof(T) * static_cast<size_t>(count), 1);
        blocks.reserve(blocks.size() + 1);
        void* block = ::operator new(bytes, alignment);
        blocks.push_back(block);
        taken += static_cast<int64_t>(bytes);
        return static_cast<T*>(block);
    }

    int64_t bytes() const { return taken; }

  private:
    static constexpr std::align_val_t alignment{64};
    std::vector<void*> blocks;
    int64_t taken = 0;
};

} // namespace warplight::cpu
