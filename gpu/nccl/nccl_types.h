// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/cuda/driver_types.h"

/// What of NCCL's interface is used here, under names of our own: nccl.h need not be there to build. Source: NCCL user
/// guide 2.28, "NCCL API"; a test compares everything with nccl.h where that is found.
namespace warplight::nccl {

using CommHandle = struct CommObject*;

/// ncclResult_t
enum class Result : int {
    Success = 0,
    UnhandledCudaError = 1,
    SystemError = 2,
    InternalError = 3,
    InvalidArgument = 4,
    InvalidUsage = 5,
    RemoteError = 6, ///< since 2.13
    InProgress = 7   ///< since 2.14
};

/// ncclDataType_t
enum class DataType : int { F16 = 6, F32 = 7, F64 = 8, BF16 = 9 };

/// ncclRedOp_t
enum class Operation : int { Sum = 0, Max = 2, Average = 4 };

/// ncclUniqueId
struct UniqueId {
    char internal[128];
};

} // namespace warplight::nccl
