// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/collectives/files/nccl_facts.h"
#include "core/collectives/files/nccl_tests.h"

#include <vector>

namespace warplight::collectives {

/// Runs in text, line by line: what nccl-tests printed, tables in markdown and CSV, and JSON between lines of others.
/// Throws InputError where there is none.
std::vector<NcclTests> readNcclText(profiles::ByteSource& source, const profiles::Reading& reading);

/// Runs in JSON that nccl-tests wrote (-J): one. Keeps what came before a cut. Throws InputError when it is no such
/// JSON.
NcclTests readNcclJson(profiles::ByteSource& source, const profiles::Reading& reading);

} // namespace warplight::collectives
