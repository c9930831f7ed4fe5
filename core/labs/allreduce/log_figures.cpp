// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/allreduce/log_figures.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <fmt/format.h>
#include <utility>
#include <variant>

namespace warplight::labs::allreduce {

using namespace lab;

Figure timelineFigure(const std::vector<NamedLog>& logs, Provenance times) {
    Timeline timeline;
    timeline.x = {"time", "s", Scale::Linear, {}, {}, {}, false};
    for (const NamedLog& named : logs) {
        const auto base = static_cast<int64_t>(timeline.tracks.size());
        const auto schedule = scheduleOf(*named.job);
        for (int rank = 0; rank < named.log->ranks; ++rank)
            timeline.tracks.push_back({fmt::format("{}.{}", named.job->algorithm, rank), fmt::format("rank {}", rank),
                                       logs.size() > 1 ? named.name : ""});
        for (const auto& message : named.log->messages)
            timeline.spans.push_back(
                {base + message.destination, message.start, message.end, fmt::format("{}", message.source),
                 std::string(schedule->phase(message.step)), times,
                 fmt::format("step {}: rank {} to rank {}, {}{}", message.step + 1, message.source, message.destination,
                             bytesText(static_cast<double>(message.bytes)), message.reduce ? ", added there" : "")});
    }
    return {"timeline",
            "Timeline",
            "a lane a rank: messages it took in",
            "From when the sender (its number is in the bar) began to when the receiver had taken the message in. "
            "Saved as a trace by the "
            "figure's menu.",
            Figure::Place::Support,
            std::move(timeline)};
}

Figure linksFigure(const std::string& id, const NamedLog& named) {
    const int p = named.log->ranks;
    std::vector<double> bytes(static_cast<size_t>(p) * static_cast<size_t>(p));
    for (const auto& message : named.log->messages)
        bytes[static_cast<size_t>(message.source) * static_cast<size_t>(p) +
              static_cast<size_t>(message.destination)] += static_cast<double>(message.bytes);
    Heatmap map;
    map.rows = map.cols = p;
    map.x.title = "to rank";
    map.y.title = "from rank";
    map.valueTitle = "bytes";
    map.valueUnit = std::string("B");
    map.valueMinimum = 0;
    map.valueMaximum = std::max(1.0, *std::max_element(bytes.begin(), bytes.end()));
    map.cells.assign(bytes.begin(), bytes.end());
    return {id,
            "Bytes on each link",
            named.name,
            "Row: sender, column: receiver. **Counted** from the messages of the run.",
            Figure::Place::Support,
            std::move(map)};
}

TheoryBytes theoryOf(const CollectiveJob& job) {
    TheoryBytes theory;
    if (job.collective != collectives::Collective::Allreduce)
        return theory;
    const std::string& algorithm = job.algorithm;
    const int ranks = job.ranks;
    const double bytes = static_cast<double>(job.bytes());
    const double p = ranks, others = p - 1;
    const bool power = std::has_single_bit(static_cast<unsigned>(std::max(ranks, 1)));
    const double doublings = std::bit_width(static_cast<unsigned>(std::max(ranks, 1))) - 1;
    if (algorithm == "ring")
        theory = {2 * others * bytes, 2 * others / p * bytes, 2 * others};
    else if (algorithm == "halving-doubling" && power)
        theory = {2 * others * bytes, 2 * others / p * bytes, 2 * doublings};
    else if (algorithm == "recursive-doubling" && power)
        theory = {p * doublings * bytes, doublings * bytes, doublings};
    else if (algorithm == "parameter-server")
        theory = {2 * others * bytes, 2 * others / p * bytes, ranks > 1 ? 2.0 : 0.0};
    else if (algorithm == "naive")
        theory = {2 * others * bytes, std::max(others, ranks > 1 ? 1.0 : 0.0) * bytes, 2 * others};
    else if (algorithm == "tree" || algorithm == "double-tree")
        theory.all = 2 * others * bytes;
    return theory;
}

Figure theoryTable(const std::vector<NamedLog>& logs) {
    Table table;
    const auto counted = Provenance::Counted;
    const auto reference = Provenance::Reference;
    table.columns = {{"algorithm", "Algorithm", "", false, {}, ""},
                     {"steps", "Steps", "", true, counted, ""},
                     {"steps_theory", "in theory", "", true, reference, "{:.0f}"},
                     {"bytes", "Bytes, all ranks", "B", true, counted, ""},
                     {"bytes_theory", "in theory", "B", true, reference, ""},
                     {"busiest", "Busiest sender", "B", true, counted, ""},
                     {"busiest_theory", "in theory", "B", true, reference, ""}};
    const auto cell = [](const std::optional<double>& value) {
        return value ? Table::Cell(*value) : Table::Cell(std::monostate());
    };
    for (const NamedLog& named : logs) {
        int64_t steps = 0, all = 0;
        std::vector<int64_t> sent(static_cast<size_t>(named.log->ranks));
        for (const auto& message : named.log->messages) {
            steps = std::max(steps, message.step + 1);
            all += message.bytes;
            sent[static_cast<size_t>(message.source)] += message.bytes;
        }
        const TheoryBytes theory = theoryOf(*named.job);
        table.rows.push_back({named.name, steps, cell(theory.steps), all, cell(theory.all),
                              *std::max_element(sent.begin(), sent.end()), cell(theory.busiest)});
    }
    return {"theory",
            "Recorded and in theory",
            "",
            "**Counted** from the messages; **reference**: ring 2(p − 1)/p · n a rank in 2(p − 1) steps; halving and "
            "doubling the same bytes in 2 log₂ p steps; recursive doubling n · log₂ p in log₂ p steps; sharded "
            "parameter server 2(p − 1)/p · n in 2 steps; naive (p − 1) n at its root; trees 2(p − 1) n together.",
            Figure::Place::Support,
            std::move(table)};
}

} // namespace warplight::labs::allreduce
