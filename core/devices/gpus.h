// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/parameter.h"
#include "gpu/device.h"
#include "gpu/virtual/gpu_profile.h"

#include <memory>
#include <string>

namespace warplight::devices {

/// The GPU of a run: the virtual one ("vgpu"), or an NVIDIA one ("cuda:N"). Throws InputError when it is not there.
std::unique_ptr<gpu::Device> openGpu(const std::string& device);

/// The profile that models a GPU: the one whose name is in the GPU's own, else that of the settings.
const vgpu::GpuProfile& profileOf(const gpu::Device& device, const lab::Settings& settings);

/// "gpu": whose clocks, caches and memory are modelled.
lab::Parameter gpuParameter();

/// Lets a parameter matter on one device only ("cuda": on any NVIDIA GPU), or on all others.
lab::Parameter onDevice(lab::Parameter parameter, const std::string& device);
lab::Parameter notOnDevice(lab::Parameter parameter, const std::string& device);

} // namespace warplight::devices
