#include "gpu/ops/kernel_library.h"

#include "gpu/error.h"
// Written by CMake from resources/ptx, resources/cubin and gpu/kernels.
#include "gpu/ops/embedded_machine_code.h"
#include "gpu/ops/embedded_ptx.h"
#include "gpu/ops/embedded_resources.h"
#include "gpu/ops/embedded_sources.h"

#include <fmt/format.h>
#include <memory>
#include <span>
#include <sstream>

namespace warplight::gpu {

namespace {

std::string_view contents(std::span<const EmbeddedFile> all, std::string_view family, const char* ending) {
    for (const EmbeddedFile& f : all)
        if (f.name.substr(0, f.name.find('.')) == family)
            return f.contents();
    throw InputError(fmt::format("there are no kernels '{}{}'", family, ending));
}

} // namespace

std::string_view kernelText(std::string_view family) { return contents(embeddedPtx, family, ".ptx"); }

std::string_view kernelMachineCode(std::string_view family) { return contents(embeddedMachineCode, family, ".fatbin"); }

std::vector<std::string_view> kernelFamilies() {
    std::vector<std::string_view> names;
    for (const EmbeddedFile& f : embeddedPtx)
        names.push_back(f.name.substr(0, f.name.find('.')));
    return names;
}

std::map<std::string, std::string> kernelSources() {
    std::map<std::string, std::string> sources;
    for (const EmbeddedFile& f : embeddedSources)
        sources["gpu/kernels/" + std::string(f.name)] = f.contents();
    return sources;
}

std::string familyOf(std::string_view kernel) {
    std::istringstream lines{std::string(embeddedResources[0].contents())};
    for (std::string line; std::getline(lines, line);) { // family sm_80 kernel registers shared spilled
        std::istringstream words(line);
        std::string family, architecture, name;
        if (words >> family >> architecture >> name && name == kernel)
            return family;
    }
    throw InputError(fmt::format("there is no kernel '{}'", kernel));
}

std::map<int, int> kernelRegisters(std::string_view family, std::string_view kernel) {
    std::map<int, int> registers;
    std::istringstream lines{std::string(embeddedResources[0].contents())};
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
