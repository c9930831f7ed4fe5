// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/collectives/files/nccl_facts.h"
#include "core/collectives/files/nccl_records.h"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace warplight::collectives {

/// Gathers what the lines of a text tell of a run, and says where the next run begins.
class NcclRunBuilder {
  public:
    explicit NcclRunBuilder(std::string file) : name(std::move(file)) {}

    NcclTests& run() { return current; }
    /// What comes belongs to a run of this form: the next one, when this one has its rows.
    void begin(NcclTests::Form form);
    void finish();
    /// A run that is whole.
    void add(NcclTests whole) { runs.push_back(std::move(whole)); }
    std::vector<NcclTests> take() { return std::move(runs); }

    void keep(NcclPrintedRow printed, const std::string& where);
    /// Records hold one half each in some formats: those of a size, type, operation and root become one row.
    void keep(NcclRecord record, const std::string& where);
    void broken(int64_t count, int64_t firstLine);
    /// What lines tell that are no rows, wherever in a line it stands.
    void facts(std::string_view text, std::span<const std::string_view> words);

    std::function<void()> beforeFinish; ///< hands over what a table still holds
    bool unitsNamed = true;             ///< the table says what its times are in
    int64_t tableLine = 0;              ///< of the table that is open; 0: none
    int64_t emptyTable = 0;             ///< line of a table without rows; 0: there is none

  private:
    void conclude();
    void rank(std::string_view text, std::span<const std::string_view> words);
    void command(std::string_view word);
    void version(std::span<const std::string_view> words);
    void bench(std::span<const std::string_view> words);

    std::string name, benchDevice;
    std::vector<NcclTests> runs;
    NcclTests current;
    RankCount ranks;
    BandwidthCheck check;
    int64_t brokenLines = 0, firstBroken = 0;
    bool concluded = false;
};

} // namespace warplight::collectives
