// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace warplight::profiles {

/// What a profiler says around its tables: why there are none, or what went wrong.
class ProfilerWords {
  public:
    /// Takes a line of text outside of tables.
    void hear(std::string_view line);

    /// What it called an error, in its own words and, where we know, with what helps. At most three sentences.
    const std::vector<std::string>& errors() const { return said; }
    /// Errors, else warnings and reports that it skipped; empty if it said nothing of them.
    std::vector<std::string> reasons() const { return said.empty() ? skipped : said; }

  private:
    std::vector<std::string> said, skipped;
};

} // namespace warplight::profiles
