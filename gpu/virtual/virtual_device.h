// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/device.h"

#include <memory>

namespace warplight::vgpu {

/// The virtual GPU: executes PTX on the host and counts what it does.
std::unique_ptr<gpu::Device> makeVirtualDevice();

} // namespace warplight::vgpu
