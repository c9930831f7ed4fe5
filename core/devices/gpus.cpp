// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/devices/gpus.h"

#include "gpu/cuda/cuda_device.h"
#include "gpu/virtual/virtual_device.h"

#include <vector>

namespace warplight::devices {

std::unique_ptr<gpu::Device> openGpu(const std::string& device) {
    if (device == "vgpu")
        return vgpu::makeVirtualDevice();
    return std::make_unique<cuda::CudaDevice>(cuda::deviceNumber(device));
}

const vgpu::GpuProfile& profileOf(const gpu::Device& device, const lab::Settings& settings) {
    if (const vgpu::GpuProfile* own = vgpu::gpuProfileOfCard(device.name()))
        return *own;
    return vgpu::gpuProfile(settings.text("gpu"));
}

lab::Parameter gpuParameter() {
    std::vector<lab::Parameter::Option> gpus;
    for (const vgpu::GpuProfile& gpu : vgpu::gpuProfiles())
        gpus.push_back({std::string(gpu.id), std::string(gpu.name), std::string(gpu.source)});
    return lab::Parameter::choice("gpu", "Modelled GPU", "A100", gpus, "Whose clocks, caches and memory are modelled.");
}

lab::Parameter onDevice(lab::Parameter parameter, const std::string& device) {
    parameter.shownWhen = {lab::when("device", {device})};
    return parameter;
}

lab::Parameter notOnDevice(lab::Parameter parameter, const std::string& device) {
    parameter.shownWhen = {lab::unless("device", {device})};
    return parameter;
}

} // namespace warplight::devices
