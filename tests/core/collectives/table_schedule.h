// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/collectives/schedule.h"

#include <algorithm>
#include <cstdint>
#include <random>
#include <string_view>
#include <utility>
#include <vector>

namespace warplight::test {

/// A schedule written down: [steps, ranks].
class TableSchedule : public collectives::Schedule {
  public:
    TableSchedule(int ranks, int64_t elements, std::vector<std::vector<collectives::Step>> table)
        : Schedule(ranks, elements), table(std::move(table)) {}
    int64_t steps() const override { return static_cast<int64_t>(table.size()); }
    void step(int rank, int64_t index, collectives::Step& out) const override {
        out = table[static_cast<size_t>(index)][static_cast<size_t>(rank)];
    }
    std::string_view phase(int64_t) const override { return "reduce"; }
    std::vector<int64_t> chunkBorders() const override {
        std::vector<int64_t> borders{0, elements()};
        for (const auto& ranks : table)
            for (const collectives::Step& step : ranks)
                for (const auto& send : step.sends)
                    borders.insert(borders.end(), {send.range.begin, send.range.end});
        std::sort(borders.begin(), borders.end());
        borders.erase(std::unique(borders.begin(), borders.end()), borders.end());
        return borders;
    }

  private:
    std::vector<std::vector<collectives::Step>> table;
};

/// Random messages between random ranks; sends and receives of a step in random orders of their own.
inline TableSchedule randomSchedule(std::mt19937& random, int ranks, int steps) {
    const auto below = [&](int64_t n) { return std::uniform_int_distribution<int64_t>(0, n - 1)(random); };
    constexpr int64_t elements = 100'000;
    std::vector<std::vector<collectives::Step>> table(static_cast<size_t>(steps));
    for (auto& step : table) {
        step.resize(static_cast<size_t>(ranks));
        for (int source = 0; source < ranks; ++source)
            for (int to = 0; to < ranks; ++to) {
                if (source == to || below(3) != 0)
                    continue;
                int64_t begin = below(elements), end = below(elements);
                const collectives::Range range{std::min(begin, end), std::max(begin, end)};
                step[static_cast<size_t>(source)].sends.push_back({to, range});
                step[static_cast<size_t>(to)].receives.push_back({source, range, below(2) == 0});
            }
        for (auto& rank : step) {
            std::shuffle(rank.sends.begin(), rank.sends.end(), random);
            std::shuffle(rank.receives.begin(), rank.receives.end(), random);
        }
    }
    return TableSchedule(ranks, elements, std::move(table));
}

} // namespace warplight::test
