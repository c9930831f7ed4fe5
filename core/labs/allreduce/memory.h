// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/labs/allreduce/collective_job.h"

#include <cstdint>

namespace warplight::labs::allreduce {

/// The vectors of all ranks of a job, once.
int64_t vectorBytes(const CollectiveJob& job);

/// What one run of a job holds at most: its inputs, what each rank works on or hands back, what comes in before it may
/// be combined, and with `keepsLog` its messages. Throws InputError for an algorithm that cannot do the collective.
int64_t runBytes(const CollectiveJob& job, bool keepsLog = false);

/// Besides, what a simulated run of so many ranks holds.
int64_t simulationBytes(int64_t ranks);

/// What has to be reserved besides: the stacks of the ranks' threads and what they allocate from.
int64_t runAddressSpace(const CollectiveJob& job);

} // namespace warplight::labs::allreduce
