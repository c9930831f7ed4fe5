// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/collectives/files/nccl_columns.h"
#include "core/collectives/files/nccl_run.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::collectives {

/// Tables whose cells are parted by bars, commas, semicolons or tabs; their rows go to the run.
class NcclCellTable {
  public:
    explicit NcclCellTable(NcclRunBuilder& r) : run(&r) {}

    /// Takes a line of such a table, its names too; false where it is none.
    bool line(const std::string& text, int64_t number);
    /// What comes is no row of the table any more.
    void end();

  private:
    bool begin(bool bars, std::string_view bare, int64_t number);
    bool benchRow(int64_t number);

    NcclRunBuilder* run;
    std::vector<std::string> cells;   ///< of the line
    std::vector<NcclField> fields;    ///< of the columns; empty: no table is open
    std::optional<NcclColumns> bench; ///< of the table in markdown that is open
    char delimiter = 0;
};

} // namespace warplight::collectives
