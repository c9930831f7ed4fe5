// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"
#include "core/labs/allreduce/collective_job.h"

#include <optional>
#include <string>
#include <vector>

namespace warplight::labs::allreduce {

struct NamedLog {
    std::string name;
    const CollectiveJob* job;
    const collectives::MessageLog* log;
};

/// A track a rank: the messages it took in, from the sender's start to when it had them.
lab::Figure timelineFigure(const std::vector<NamedLog>& logs, lab::Provenance times);

/// Bytes from rank (row) to rank (column).
lab::Figure linksFigure(const std::string& id, const NamedLog& log);

/// What was recorded, with what the formulas say beside it.
lab::Figure theoryTable(const std::vector<NamedLog>& logs);

/// Bytes that an allreduce sends in theory for p ranks and n bytes each: all ranks together, and the busiest one.
/// Sources: Thakur, Rabenseifner, Gropp 2005; Patarasuk, Yuan 2009. Unset where no closed form holds (p is no power of
/// two, a hierarchy), and for other collectives.
struct TheoryBytes {
    std::optional<double> all, busiest, steps;
};
TheoryBytes theoryOf(const CollectiveJob& job);

} // namespace warplight::labs::allreduce
