// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace warplight::app {

/// Numbers that are the same for a seed on every machine (SplitMix64: Steele, Lea, Flood, "Fast splittable
/// pseudorandom number generators", 2014). Each event has dice of its own, so that what happens in one changes no
/// other.
class Dice {
  public:
    Dice(uint64_t seed, uint64_t event) : state(mixed(seed) ^ (event * golden)) {}

    uint64_t next() { return mixed(state += golden); }
    size_t below(size_t count) { return static_cast<size_t>(next() % count); } ///< 0 <= result < count, count > 0
    int between(int least, int most) { return least + static_cast<int>(below(static_cast<size_t>(most - least + 1))); }
    double share() { return static_cast<double>(next() >> 11) * 0x1p-53; } ///< 0 <= result < 1
    bool chance(double probability) { return share() < probability; }
    template <class List>
    const auto& of(const List& list) {
        return list[below(std::size(list))];
    }
    /// An index, each as often as its weight says.
    size_t weighted(std::span<const double> weights) {
        double total = 0;
        for (const double weight : weights)
            total += weight;
        double left = share() * total;
        for (size_t i = 0; i < weights.size(); ++i)
            if ((left -= weights[i]) < 0)
                return i;
        return weights.size() - 1;
    }

  private:
    static constexpr uint64_t golden = 0x9e3779b97f4a7c15;
    static uint64_t mixed(uint64_t z) {
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }
    uint64_t state;
};

} // namespace warplight::app
