// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/device.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::gpu {

/// The PTX of gpu/kernels, part of the program: "attention_flash" is resources/ptx/attention_flash.ptx.
std::string_view kernelText(std::string_view family);
/// The same compiled to machine code of sm_80, 86, 89, 90, 100 and 120, of those that it is for: a fat binary, as
/// drivers load it.
std::string_view kernelMachineCode(std::string_view family);
std::vector<std::string_view> kernelFamilies();

/// What all kernels but those of newer hardware are compiled for: compute capability 8.0.
constexpr int oldestGpu = 80;
/// The least compute capability that a family's kernels run on, 89: 8.9.
int architectureOf(std::string_view family);
/// Why kernels that need a compute capability do not run on a GPU of this one and this name, as a clause; empty: they
/// do. A GPU of none runs all.
std::string whyNotOn(std::optional<int> architecture, int needed, std::string_view gpu);

/// The sources of gpu/kernels by the names that the PTX's line numbers give them: "gpu/kernels/softmax.cu".
std::map<std::string, std::string> kernelSources();
/// The family of a kernel of ours; throws InputError when there is none of that name.
std::string familyOf(std::string_view kernel);

/// Registers a thread of a kernel of ours, by architecture (80: sm_80), as ptxas reported; empty for a kernel it has
/// not compiled.
std::map<int, int> kernelRegisters(std::string_view family, std::string_view kernel);

/// The modules of a device, each loaded when it is first asked for.
class KernelLibrary {
  public:
    explicit KernelLibrary(Device& d) : owner(d) {}
    Kernel& kernel(const std::string& family, const std::string& name);
    Device& device() { return owner; }

  private:
    Device& owner;
    std::map<std::string, std::unique_ptr<Module>> modules;
};

} // namespace warplight::gpu
