// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/attention/tile_walk.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace warplight::labs::attention {
namespace {

constexpr double bytesPerFloat = 4;

} // namespace

std::map<std::string, std::pair<int64_t, int64_t>> TileWalk::movedUpTo(size_t step) const {
    std::map<std::string, std::pair<int64_t, int64_t>> sum;
    for (size_t i = 0; i <= step && i < steps.size(); ++i)
        for (const auto& [tensor, bytes] : steps[i].moved) {
            sum[tensor].first += bytes.first;
            sum[tensor].second += bytes.second;
        }
    return sum;
}

double TileWalk::bytesUpTo(size_t step) const {
    double bytes = 0;
    for (const auto& [tensor, moved] : movedUpTo(step))
        bytes += static_cast<double>(moved.first + moved.second);
    return bytes;
}

std::vector<std::pair<std::string, double>> standardBytes(const cpu::AttentionProblem& problem) {
    const double n = static_cast<double>(problem.queryLen), k = static_cast<double>(problem.keyLen),
                 d = static_cast<double>(problem.headDim);
    return {{"Q", bytesPerFloat * n * d}, {"K", bytesPerFloat * k * d},     {"V", bytesPerFloat * k * d},
            {"O", bytesPerFloat * n * d}, {"S", bytesPerFloat * 2 * n * k}, {"P", bytesPerFloat * 2 * n * k}};
}

double totalStandardBytes(const cpu::AttentionProblem& problem) {
    double sum = 0;
    for (const auto& [tensor, bytes] : standardBytes(problem))
        sum += bytes;
    return sum;
}

std::string shownNumber(double value) {
    if (std::isnan(value))
        return "NaN";
    if (std::isinf(value))
        return value > 0 ? "∞" : "−∞";
    const std::string text = fmt::format("{:.2f}", value);
    return text.starts_with('-') ? "−" + text.substr(1) : text;
}

TileSentence sentenceOf(const TileStep& step, std::span<const std::optional<gpu::TileVisit::Row>> before) {
    const std::string where = fmt::format("Keys {}–{}", step.keyBegin, step.keyEnd - 1),
                      whose = fmt::format("queries {}–{}", step.queryBegin, step.queryEnd - 1);
    if (step.skipped)
        return {fmt::format("{} are hidden from {}: nothing is read.", where, whose)};
    double least = 1, most = 0, largest = -INFINITY;
    size_t grown = 0;
    bool first = true;
    for (const auto& row : step.rows) {
        const auto& old = before[static_cast<size_t>(row.row)];
        first = first && !old;
        largest = std::max(largest, row.runningMax);
        if (!old || !(row.runningMax > old->runningMax))
            continue;
        ++grown;
        least = std::min(least, row.rescale);
        most = std::max(most, row.rescale);
    }
    if (first)
        return {fmt::format("{} meet {} for the first time: {} sums begin, the largest score is {}.", where, whose,
                            step.rows.size(), shownNumber(largest))};
    if (grown == 0)
        return {fmt::format("{} meet {}: none of {} rows finds a larger maximum, their sums only grow.", where, whose,
                            step.rows.size())};
    const std::string from = shownNumber(least), to = shownNumber(most);
    return {fmt::format("{} meet {}: {} of {} rows find{} a larger maximum, {} multiplied by {}.", where, whose, grown,
                        step.rows.size(), grown == 1 ? "s" : "", grown == 1 ? "its old sum is" : "their old sums are",
                        from == to ? from : fmt::format("{} to {}", from, to)),
            grown};
}

} // namespace warplight::labs::attention
