// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/allreduce/steps_scene.h"

#include "core/text/counted.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <string_view>
#include <utility>
#include <vector>

namespace warplight::labs::allreduce {
namespace {

using lab::Steps;

constexpr int mostChips = 8, mostColumnsWithValues = 12, mostRowsWithValues = 6, leastRows = 3;
constexpr double labelWidth = 0.75, header = 0.45, cardWidth = 0.8, cardHeight = 0.8;
constexpr int mostNamed = 4; // messages that a caption lists one by one

int chunksOf(const collectives::MessageLog& log) { return static_cast<int>(log.chunkBorders.size()) - 1; }

/// Chunks [first, last) that a message carries.
std::pair<int, int> chunksOf(const collectives::MessageLog& log, const collectives::Range& range) {
    const auto& borders = log.chunkBorders;
    const auto at = [&](int64_t element) {
        return static_cast<int>(std::lower_bound(borders.begin(), borders.end(), element) - borders.begin());
    };
    const int first = at(range.begin);
    return {first, std::max(at(range.end), std::min(first + 1, chunksOf(log)))};
}

std::string chunkText(std::pair<int, int> chunks) {
    return chunks.second - chunks.first == 1 ? fmt::format("chunk {}", chunks.first)
                                             : fmt::format("chunks {} to {}", chunks.first, chunks.second - 1);
}

void addCard(Steps::Step& scene, const ScenePlan& plan, const ShownRun& run, int64_t step, int rank, int chunk,
             double x, double y, bool touched) {
    const auto& log = *run.log;
    const std::vector<int> ranks = run.contributions->at(step, rank, chunk);
    Steps::Cell card;
    card.x = x;
    card.y = y;
    card.width = cardWidth;
    card.height = cardHeight;
    card.state = touched ? Steps::CellState::Marked : Steps::CellState::Card;
    if (!plan.chips)
        card.value = static_cast<double>(ranks.size()) / log.ranks;
    scene.cells.push_back(card);
    const bool shallow = !plan.values;
    if (plan.chips)
        for (int i = 0; i < log.ranks; ++i) {
            Steps::Cell chip;
            const double step = (cardWidth - 0.12) / std::max(log.ranks, 4);
            chip.x = x + 0.06 + i * step;
            chip.width = step * 0.8;
            chip.y = y + (shallow ? 0.2 : 0.12);
            chip.height = shallow ? cardHeight - 0.4 : 0.22;
            if (std::binary_search(ranks.begin(), ranks.end(), i))
                chip.colourKey = fmt::format("rank {}", i);
            scene.cells.push_back(std::move(chip));
        }
    const int64_t first = log.chunkBorders[static_cast<size_t>(chunk)];
    const bool empty = first == log.chunkBorders[static_cast<size_t>(chunk) + 1];
    if (plan.values)
        scene.labels.push_back({x + 0.06, y + (plan.chips ? 0.56 : cardHeight / 2),
                                empty ? "no element" : fmt::format("{:.4g}", run.replay->element(rank, first)),
                                Steps::Label::Align::Left, true, true});
    if (plan.counts)
        scene.labels.push_back({x + cardWidth - 0.05, y + 0.56, fmt::format("{} of {}", ranks.size(), log.ranks),
                                Steps::Label::Align::Right, false, false});
}

void addArrow(Steps::Step& scene, const collectives::Message& message, double left, double row) {
    const double from = left + message.source, to = left + message.destination, middle = row + cardHeight / 2;
    if (std::abs(message.source - message.destination) == 1) { // across the gap
        const bool right = to > from;
        scene.arrows.push_back(
            {from + (right ? cardWidth : 0), middle, to + (right ? 0 : cardWidth), middle, "", right ? 0.12 : -0.12});
    } else { // above the cards between
        const bool right = to > from;
        scene.arrows.push_back({from + cardWidth / 2, row + 0.02, to + cardWidth / 2, row + 0.02, "",
                                (right ? 1 : -1) * (0.12 + 0.02 * std::fabs(to - from))});
    }
}

std::string capitalised(std::string text) {
    if (!text.empty())
        text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
    return text;
}

std::string captionOf(const ShownRun& run, int64_t step) {
    const auto messages = run.replay->messages(step);
    const std::string_view phase = run.schedule->phase(step);
    std::string text = fmt::format("{}: ", phase);
    if (messages.empty())
        return text + "nothing is sent";
    if (messages.size() > mostNamed) {
        int64_t bytes = 0;
        for (const auto* message : messages)
            bytes += message->bytes;
        return text + fmt::format("{} messages carry {}", messages.size(), bytesText(static_cast<double>(bytes)));
    }
    std::vector<const collectives::Message*> ordered(messages);
    std::sort(ordered.begin(), ordered.end(), [](auto* a, auto* b) { return a->source < b->source; });
    for (size_t i = 0; i < ordered.size(); ++i)
        text += fmt::format("{}{} → {} {}{}", i ? ", " : "", ordered[i]->source, ordered[i]->destination,
                            chunkText(chunksOf(*run.log, ordered[i]->range)), ordered[i]->reduce ? " (added)" : "");
    return text;
}

} // namespace

ScenePlan::ScenePlan(const std::vector<ShownRun>& runs) {
    width = 0;
    int columns = 0, rows = 1, mostRanks = 0;
    for (const ShownRun& run : runs) {
        left.push_back(width + labelWidth);
        width += labelWidth + run.log->ranks + 0.1;
        columns += run.log->ranks;
        rows = std::max(rows, chunksOf(*run.log));
        mostRanks = std::max(mostRanks, run.log->ranks);
    }
    height = header + std::max(rows, leastRows) + (runs.size() > 1 ? 0.4 : 0);
    chips = mostRanks <= mostChips && rows <= 2 * mostRowsWithValues;
    values = columns <= mostColumnsWithValues && rows <= mostRowsWithValues;
    counts = values && chips && columns <= 5;
}

Steps::Step sceneAt(const ScenePlan& plan, std::vector<ShownRun>& runs, int64_t step) {
    Steps::Step scene;
    for (size_t g = 0; g < runs.size(); ++g) {
        ShownRun& run = runs[g];
        while (run.replay->step() < step && run.replay->next()) {
        }
        const int64_t last = run.replay->steps() - 1, now = std::min(step, last);
        const auto& log = *run.log;
        const double left = plan.left[g], top = header + (runs.size() > 1 ? 0.4 : 0);
        if (runs.size() > 1)
            scene.labels.push_back({left - labelWidth + 0.1, 0.2,
                                    fmt::format("{}, {}{}", titleOf(run.job->algorithm),
                                                step > last ? "done after " : "", counted(last + 1, "step")),
                                    Steps::Label::Align::Left, true, false});
        for (int rank = 0; rank < log.ranks; ++rank)
            scene.labels.push_back({left + rank + cardWidth / 2, top - 0.2, fmt::format("rank {}", rank),
                                    Steps::Label::Align::Centre, plan.chips, false});
        const auto messages =
            step >= 0 && step <= last ? run.replay->messages(step) : std::vector<const collectives::Message*>();
        for (int chunk = 0; chunk < chunksOf(log); ++chunk) {
            scene.labels.push_back({left - 0.12, top + chunk + cardHeight / 2, fmt::format("chunk {}", chunk),
                                    Steps::Label::Align::Right, false, false});
            for (int rank = 0; rank < log.ranks; ++rank) {
                const bool touched = std::any_of(messages.begin(), messages.end(), [&](const auto* message) {
                    const auto [first, end] = chunksOf(log, message->range);
                    return message->destination == rank && chunk >= first && chunk < end;
                });
                addCard(scene, plan, run, now, rank, chunk, left + rank, top + chunk, touched);
            }
        }
        for (const auto* message : messages) {
            const auto [first, end] = chunksOf(log, message->range);
            addArrow(scene, *message, left, top + (first + end - 1) / 2.0);
        }
        const std::string words = step < 0      ? std::string("every rank holds its own elements")
                                  : step > last ? std::string("done")
                                                : captionOf(run, step);
        scene.caption += runs.size() > 1 ? fmt::format("{}{}, {}", g ? ". " : "", titleOf(run.job->algorithm), words)
                         : step < 0      ? fmt::format("Start: {}", words)
                                         : capitalised(words);
    }
    scene.caption += ".";
    return scene;
}

} // namespace warplight::labs::allreduce
