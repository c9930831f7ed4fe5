#include "core/cli/machine.h"

#include "core/cpu/machine.h"

#include <fmt/format.h>
#include <fstream>

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
    return {{"cpu", fmt::format("{}, {} cores", info.cpuName, info.cores),
             fmt::format("kernels for {}{}", info.instructionSet,
                         info.bf16Instructions ? "; the CPU has AVX-512 BF16" : ""),
             true},
            {"vgpu", "Virtual GPU", "runs the compiled GPU kernels on the CPU and counts every byte", true}};
}

} // namespace warplight::cli
