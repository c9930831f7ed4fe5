// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cli/machine.h"

#include "core/cpu/cpu_name.h"
#include "core/cpu/machine.h"
#include "gpu/cuda/device_list.h"

#include <fmt/format.h>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::cli {
namespace {

std::string systemName() {
    std::ifstream release("/etc/os-release");
    constexpr std::string_view key = "PRETTY_NAME=\"";
    for (std::string line; std::getline(release, line);)
        if (line.starts_with(key))
            return line.substr(key.size(), line.size() - key.size() - 1);
    return "Linux";
}

} // namespace

lab::Machine thisMachine() {
    const cpu::MachineInfo info = cpu::machineInfo();
    return {info.cpuName, info.cores, info.memoryBytes, info.instructionSet, systemName(), WARPLIGHT_VERSION};
}

std::vector<lab::DeviceInfo> devices() {
    const cpu::MachineInfo info = cpu::machineInfo();
    std::vector<lab::DeviceInfo> all{
        {"cpu", fmt::format("{}, {} cores", cpu::plainCpuName(info.cpuName), info.cores),
         fmt::format("kernels for {}{}", info.instructionSet,
                     info.bf16Instructions ? "; the CPU has AVX-512 BF16" : ""),
         true},
        {"vgpu", "Virtual GPU", "runs the compiled GPU kernels on the CPU and counts every byte", true}};
    const cuda::DeviceList nvidia = cuda::deviceList();
    for (const cuda::GpuInfo& gpu : nvidia.gpus)
        all.push_back({gpu.id, gpu.name, gpu.detail(), true});
    if (nvidia.gpus.empty())
        all.push_back({"cuda:0", "NVIDIA GPU", nvidia.whyNone, false});
    return all;
}

} // namespace warplight::cli
