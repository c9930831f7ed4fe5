// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/device.h"

#include <string>
#include <vector>

namespace warplight::cuda {

/// A kernel as PTX text declares it: what drivers before 12.4 do not tell.
struct PtxKernel {
    std::string name;
    std::vector<gpu::KernelInfo::Parameter> parameters; ///< types as on the virtual GPU: "u64", "72 bytes"
};

/// The kernels (.entry) that have a body, in the order of the text. What is no kernel is passed over: errors are for
/// the driver's compiler to find.
std::vector<PtxKernel> kernelsOf(const std::string& ptx);

/// PTX carries the version of the compiler that wrote it, and a driver refuses what is newer than itself even if
/// nothing new is in it. The text with its version lowered to what a driver for CUDA `version` (12040) knows; lines
/// stay where they are. If something newer is in it, the driver's compiler names it.
std::string ptxForDriver(std::string ptx, int version);

} // namespace warplight::cuda
