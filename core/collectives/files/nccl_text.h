#pragma once

#include "core/collectives/files/nccl_facts.h"
#include "core/collectives/files/nccl_tests.h"

namespace warplight::collectives {

/// Runs in what nccl-tests printed, and tables in markdown, line by line. No run where there is no table.
std::vector<NcclTests> readNcclText(profiles::ByteSource& source, const profiles::Reading& reading);

/// Runs in JSON that nccl-tests wrote (-J): one. Keeps what came before a cut. Throws InputError when it is no such
/// JSON.
NcclTests readNcclJson(profiles::ByteSource& source, const profiles::Reading& reading);

} // namespace warplight::collectives
