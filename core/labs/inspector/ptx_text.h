// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <vector>

namespace warplight::labs::inspector {

/// A line of a kernel's PTX and where in the source it comes from.
struct PtxLine {
    int number = 0; ///< in the whole text, from 1
    std::string text;
    std::string sourceFile; ///< as .file has it; empty: not known
    int sourceLine = 0;
};

/// The lines of one kernel from its .entry to its closing brace, without line directives and empty lines.
std::vector<PtxLine> kernelLines(const std::string& ptx, const std::string& kernel);

} // namespace warplight::labs::inspector
