// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/collectives/rank_memory.h"

namespace warplight::collectives {

/// A rank: joins the others by MPI, then does what the program commands until it is told to quit. Returns the exit
/// code.
int workAsRank(RankMemory& memory, int rank);

} // namespace warplight::collectives
