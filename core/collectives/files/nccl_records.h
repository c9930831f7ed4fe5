// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/collectives/files/nccl_fields.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::collectives {

struct NcclCell {
    NcclField field;
    std::string text;
};

/// One measurement that names its cells: a row of CSV, an object of JSON.
struct NcclRecord {
    NcclPrintedRow printed;
    NcclTest test = NcclTest::Unknown;
    std::string testName;     ///< of a test that is not known
    int ranks = 0, nodes = 0; ///< 0: not said
};

/// Empty when it has no size, time and bandwidth.
std::optional<NcclRecord> ncclRecordOf(std::span<const NcclCell> cells);

/// What a JSON text holds that is not the document of nccl-tests -J.
struct NcclJsonText {
    bool hasResults = false;         ///< it is that document
    bool hasDocuments = false;       ///< it holds several, in a list or by name
    std::vector<NcclRecord> records; ///< objects with a size, a time and a bandwidth, however deep
    std::vector<std::string> texts;  ///< strings of other objects: what a program printed, kept by a log collector
};
/// As far as the text is JSON.
NcclJsonText readNcclJsonText(std::string_view json);

} // namespace warplight::collectives
