// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace warplight::test {

/// An output between sentinels that must survive.
class Guarded {
  public:
    explicit Guarded(int64_t count) : all(static_cast<size_t>(count) + 2 * guard, sentinel) {}
    float* data() { return all.data() + guard; }
    size_t size() const { return all.size() - 2 * guard; }
    float operator[](size_t i) const { return all[guard + i]; }
    bool intact() const {
        for (size_t i = 0; i < guard; ++i)
            if (all[i] != sentinel || all[all.size() - 1 - i] != sentinel)
                return false;
        return true;
    }
    bool operator==(const Guarded&) const = default; ///< by value: no use for NaN

  private:
    static constexpr size_t guard = 64;
    static constexpr float sentinel = 12345.678f;
    std::vector<float> all;
};

} // namespace warplight::test
