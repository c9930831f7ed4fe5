// SPDX-License-Identifier: GPL-3.0-or-later
// Copies, collectives and this program's own kernels of a profile.
#include "core/labs/profile/profile_figures.h"
#include "core/profiles/kernel_names.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::profile {

using namespace lab;
using namespace profiles;

namespace {

constexpr double ns = 1e-9;

Table::Column measured(std::string id, std::string title, std::string unit, std::string format = {}) {
    return {std::move(id), std::move(title), std::move(unit), true, Provenance::Measured, std::move(format)};
}
Table::Column label(std::string id, std::string title) { return {std::move(id), std::move(title), "", false, {}, ""}; }
Table::Cell cellOf(const std::optional<double>& value) { return value ? Table::Cell(*value) : Table::Cell(); }
Table::Cell seconds(const std::optional<double>& value) { return value ? Table::Cell(*value * ns) : Table::Cell(); }
Table::Cell knownOnly(int64_t value) { return value >= 0 ? Table::Cell(value) : Table::Cell(); }

std::string extentText(const Extent& e) {
    return e == Extent{} ? std::string() : fmt::format("{} × {} × {}", e[0], e[1], e[2]);
}

} // namespace

std::optional<Figure> copyTable(const ReadProfile& read) {
    if (read.copies.empty())
        return {};
    Table table;
    table.columns = {label("copy", "Copy"),
                     measured("count", "Count", ""),
                     measured("total", "Total", "s"),
                     measured("mean", "Mean", "s"),
                     measured("max", "Most", "s"),
                     measured("bytes", "Bytes in all", "B"),
                     measured("bandwidth", "Bandwidth", "B/s")};
    for (const KernelSummary& copy : read.copies)
        table.rows.push_back({read.shortNames[copy.name], copy.launches,
                              copy.timed ? Table::Cell(static_cast<double>(copy.total) * ns) : Table::Cell(),
                              seconds(copy.mean), seconds(copy.maximum),
                              copy.measured ? Table::Cell(copy.bytes) : Table::Cell(), cellOf(copy.bandwidth.value())});
    return Figure{"copies",
                  "Copies and fills",
                  "the most time first",
                  "Memory copies and fills on GPUs, **measured** by the profiler: bytes over the time they took. "
                  "Copies shorter than the profiler's clock (0 s) have bytes, but no part in the bandwidth.",
                  Figure::Place::Support,
                  std::move(table)};
}

std::optional<Figure> collectiveTable(const ReadProfile& read) {
    if (read.collectives.empty())
        return {};
    Table table;
    table.columns = {label("collective", "Collective"),
                     label("dtype", "Type"),
                     measured("ranks", "Ranks", ""),
                     measured("elements", "Elements", ""),
                     measured("bytes", "Bytes", "B"),
                     measured("calls", "Calls", ""),
                     measured("total", "Total", "s"),
                     measured("median", "Median", "s"),
                     measured("min", "Least", "s"),
                     measured("algbw", "Algorithm bandwidth", "B/s"),
                     measured("busbw", "Bus bandwidth", "B/s")};
    for (const CollectiveSummary& c : read.collectives)
        table.rows.push_back({c.name, c.dtype, knownOnly(c.ranks), knownOnly(c.elements), cellOf(c.bytes), c.calls,
                              c.total ? Table::Cell(static_cast<double>(*c.total) * ns) : Table::Cell(),
                              seconds(c.median), seconds(c.minimum), cellOf(c.algorithmBandwidth),
                              cellOf(c.busBandwidth)});
    return Figure{
        "collectives",
        "Collectives",
        "the most time first",
        "Algorithm bandwidth is S / t, with S the larger of what goes in and comes out and t the **least** "
        "time: a kernel's time includes waiting for other ranks, the fastest call waited least. Bus bandwidth "
        "is that × 2(n−1)/n for all-reduce, × (n−1)/n for reduce-scatter, all-gather and all-to-all, × 1 for "
        "broadcast, reduce, send and receive, as nccl-tests defines it. Times are **measured** by the profiler.",
        Figure::Place::Support,
        std::move(table)};
}

std::optional<Figure> ownKernelTable(const ReadProfile& read, const ModelOfOwn& model) {
    // One row a launch shape.
    struct Own {
        OurKernel kernel;
        Extent grid, block;
        int64_t launches = 0, timed = 0, total = 0;
        double dram = 0, globalSectors = 0, conflicts = 0;
        int64_t dramKnown = 0, sectorsKnown = 0, conflictsKnown = 0;
    };
    std::vector<Own> rows;
    std::vector<std::optional<OurKernel>> own;
    for (const std::string& name : read.profile.names)
        own.push_back(ourKernel(name));
    for (const KernelRecord& record : read.profile.records) {
        if (record.kind != KernelRecord::Kind::Kernel || !own[record.name])
            continue;
        auto row = std::find_if(rows.begin(), rows.end(), [&](const Own& o) {
            return o.kernel == *own[record.name] && o.grid == record.grid && o.block == record.block;
        });
        if (row == rows.end())
            row = rows.insert(rows.end(), Own{*own[record.name], record.grid, record.block});
        ++row->launches;
        if (record.lasts()) {
            ++row->timed;
            row->total += record.duration;
        }
        const Figures* figures = read.profile.figuresOf(record);
        if (!figures)
            continue;
        if (const auto bytes = figures->dramTotal()) {
            row->dram += *bytes;
            ++row->dramKnown;
        }
        if (figures->globalSectorsRead && figures->globalSectorsWritten) {
            row->globalSectors += *figures->globalSectorsRead + *figures->globalSectorsWritten;
            ++row->sectorsKnown;
        }
        if (figures->bankConflicts) {
            row->conflicts += *figures->bankConflicts;
            ++row->conflictsKnown;
        }
    }
    if (rows.empty())
        return {};
    const auto mean = [](double sum, int64_t count) {
        return count ? Table::Cell(sum / static_cast<double>(count)) : Table::Cell();
    };
    Table table;
    table.columns = {label("kernel", "Kernel"),
                     label("family", "File"),
                     label("format", "Type"),
                     {"head_dim", "d", "", true, {}, ""},
                     label("grid", "Grid"),
                     label("block", "Block"),
                     measured("launches", "Launches", ""),
                     measured("mean", "Mean", "s"),
                     measured("dram", "DRAM", "B"),
                     measured("sectors", "In 32 B sectors", "B"),
                     measured("conflicts", "Bank conflicts", "")};
    if (model)
        for (Table::Column column : {Table::Column{"seq_len", "N by the grid", "", true, {}, ""},
                                     {"asked", "Asked for", "B", true, Provenance::Counted, ""},
                                     {"dram_modelled", "DRAM, modelled", "B", true, Provenance::Modelled, ""},
                                     {"time_modelled", "Time, modelled", "s", true, Provenance::Modelled, ""}})
            table.columns.push_back(std::move(column));
    for (const Own& row : rows) {
        table.rows.push_back({row.kernel.name, row.kernel.family, row.kernel.format,
                              row.kernel.headDim ? Table::Cell(int64_t{row.kernel.headDim}) : Table::Cell(),
                              extentText(row.grid), extentText(row.block), row.launches,
                              mean(static_cast<double>(row.total) * ns, row.timed), mean(row.dram, row.dramKnown),
                              mean(32 * row.globalSectors, row.sectorsKnown), mean(row.conflicts, row.conflictsKnown)});
        if (!model)
            continue;
        std::vector<Table::Cell>& cells = table.rows.back();
        if (const auto m = model(row.kernel, row.grid))
            cells.insert(cells.end(), {m->seqLen, m->askedBytes, m->dramBytes, m->seconds});
        else
            cells.resize(table.columns.size());
    }
    return Figure{
        "own",
        "Warplight's own kernels",
        "by shape of launch",
        "Launches that carry names of this program's kernels, with means **measured** by the profiler. Sectors "
        "are those that global loads and stores asked L1 for, which the Traffic page counts. Behind them, what the "
        "virtual GPU **counts** and **models** for a launch of the same grid, taken as square and without a mask; "
        "kernels whose "
        "grid does not tell their shape have none.",
        Figure::Place::Support,
        std::move(table)};
}

} // namespace warplight::labs::profile
