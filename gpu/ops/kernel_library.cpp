#include "gpu/ops/kernel_library.h"

#include "gpu/error.h"
#include "gpu/ops/embedded_kernels.h" // written by CMake from resources/ptx and resources/cubin

#include <fmt/format.h>
#include <span>
#include <sstream>

namespace warplight::gpu {

namespace {

std::string_view contents(std::span<const EmbeddedKernels> all, std::string_view family) {
    for (const EmbeddedKernels& k : all)
        if (k.family == family)
            return {k.begin, static_cast<size_t>(k.end - k.begin)};
    throw InputError(fmt::format("there are no kernels '{}'", family));
}

} // namespace

std::string_view kernelText(std::string_view family) { return contents(embeddedPtx, family); }

std::string_view kernelMachineCode(std::string_view family) { return contents(embeddedMachineCode, family); }

std::vector<std::string_view> kernelFamilies() {
    std::vector<std::string_view> names;
    for (const EmbeddedKernels& p : embeddedPtx)
        names.push_back(p.family);
    return names;
}

std::map<int, int> kernelRegisters(std::string_view family, std::string_view kernel) {
    std::map<int, int> registers;
    std::istringstream lines{std::string(kernelResources())};
    for (std::string line; std::getline(lines, line);) { // family sm_80 kernel registers shared spilled
        std::istringstream words(line);
        std::string of, architecture, name;
        int count = 0;
        if (words >> of >> architecture >> name >> count && of == family && name == kernel)
            registers[std::stoi(architecture.substr(3))] = count;
    }
    return registers;
}

Kernel& KernelLibrary::kernel(const std::string& family, const std::string& name) {
    std::unique_ptr<Module>& module = modules[family];
    if (!module)
        module = owner.load(std::string(kernelText(family)), family + ".ptx");
    return module->kernel(name);
}

} // namespace warplight::gpu
