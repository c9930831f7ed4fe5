// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/collectives/files/nccl_facts.h"

#include "core/text/counted.h"

#include <cstdint>
#include <fmt/format.h>
#include <string>

namespace warplight::collectives {
namespace {

/// The greatest deviation that versions before 2.13 let pass, for one element: that of a sum's rounding, by type.
double allowedError(const NcclRow& row) {
    if (row.redop.empty() || row.redop == "none")
        return 1e-200;
    return row.type == "half" || row.type == "bfloat16" ? 5e-2
           : row.type == "float"                        ? 1e-5
           : row.type == "double"                       ? 1e-12
                                                        : 1e-200;
}

} // namespace

void checkNcclValues(NcclTests& run) {
    int64_t wrong = 0, results = 0;
    bool cpuTime = false;
    std::string first;
    for (NcclRow& row : run.rows)
        for (auto* half : {&row.outOfPlace, &row.inPlace}) {
            if (!*half)
                continue;
            ++results;
            NcclTiming& timing = **half;
            cpuTime = cpuTime || timing.cpuTime;
            timing.valuesWrong = timing.wrong.value_or(0) > 0 || timing.error.value_or(0) > allowedError(row);
            if (!timing.valuesWrong || wrong++ > 0)
                continue;
            first = fmt::format(
                "{} {}, {}", ncclSizeText(row.bytes), half == &row.inPlace ? "in place" : "out of place",
                timing.wrong ? counted(*timing.wrong, "wrong element") : fmt::format("off by {:g}", *timing.error));
        }
    if (wrong > 0)
        run.warnings.push_back(
            fmt::format("Values are wrong in {} of {}, the first is {}.", wrong, counted(results, "result"), first));
    else if (run.failed || run.outOfBounds.value_or(0) > 0)
        run.warnings.push_back(
            fmt::format("The run says that its values are wrong: {} out of bounds.",
                        run.outOfBounds ? counted(*run.outOfBounds, "result") : std::string("some are")));
    if (run.bitwiseMismatches > 0)
        run.warnings.push_back(fmt::format("The run says that it found {}.",
                                           counted(run.bitwiseMismatches, "bitwise mismatch", "bitwise mismatches")));
    if (cpuTime)
        run.warnings.push_back("Times are those of the host's calls (-C), not of the operation.");
    if (run.bandwidthLow)
        run.warnings.push_back("The run says that its average bus bandwidth is below what it was to reach.");
}

} // namespace warplight::collectives
