#pragma once

#include "gpu/device.h"

#include <string>
#include <string_view>
#include <vector>

namespace warplight::gpu {

/// The PTX of gpu/kernels, part of the program: "attention_flash" is resources/ptx/attention_flash.ptx.
std::string_view kernelText(std::string_view family);
std::vector<std::string_view> kernelFamilies();

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
