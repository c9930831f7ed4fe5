// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/ops/kernel_library.h"

#include "gpu/error.h"
// Written by CMake from resources/ptx, resources/cubin and gpu/kernels.
#include "gpu/ops/embedded_machine_code.h"
#include "gpu/ops/embedded_ptx.h"
#include "gpu/ops/embedded_resources.h"
#include "gpu/ops/embedded_sources.h"

#include <fmt/format.h>
#include <functional>
#include <memory>
#include <optional>
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

int architectureOf(std::string_view family) {
    constexpr std::string_view target = ".target sm_";
    const std::string_view text = kernelText(family);
    int architecture = 0;
    for (size_t at = text.find(target) + target.size(); text[at] >= '0' && text[at] <= '9'; ++at)
        architecture = architecture * 10 + (text[at] - '0');
    return architecture;
}

std::string whyNotOn(std::optional<int> architecture, int needed, std::string_view gpu) {
    if (!architecture || *architecture >= needed)
        return {};
    return fmt::format("it needs compute capability {}.{} or later, and {} has {}.{}", needed / 10, needed % 10, gpu,
                       *architecture / 10, *architecture % 10);
}

std::map<std::string, std::string> kernelSources() {
    std::map<std::string, std::string> sources;
    for (const EmbeddedFile& f : embeddedSources)
        sources["gpu/kernels/" + std::string(f.name)] = f.contents();
    return sources;
}

namespace {

struct KernelResources {
    std::string family;
    std::map<int, int> registers; ///< by architecture
};

/// What ptxas reported, by kernel: no two kernels of ours have one name.
const std::map<std::string, KernelResources, std::less<>>& resources() {
    static const auto all = [] {
        std::map<std::string, KernelResources, std::less<>> read;
        std::istringstream lines{std::string(embeddedResources[0].contents())};
        for (std::string line; std::getline(lines, line);) { // family sm_80 kernel registers shared spilled
            std::istringstream words(line);
            std::string family, architecture, name;
            if (int count = 0; words >> family >> architecture >> name >> count) {
                read[name].family = family;
                read[name].registers[std::stoi(architecture.substr(3))] = count;
            }
        }
        return read;
    }();
    return all;
}

} // namespace

std::string familyOf(std::string_view kernel) {
    if (const auto found = resources().find(kernel); found != resources().end())
        return found->second.family;
    throw InputError(fmt::format("there is no kernel '{}'", kernel));
}

std::map<int, int> kernelRegisters(std::string_view family, std::string_view kernel) {
    const auto found = resources().find(kernel);
    return found != resources().end() && found->second.family == family ? found->second.registers
                                                                        : std::map<int, int>();
}

Kernel& KernelLibrary::kernel(const std::string& family, const std::string& name) {
    std::unique_ptr<Module>& module = modules[family];
    if (!module)
        module = owner.load(std::string(kernelText(family)), family + ".ptx");
    return module->kernel(name);
}

} // namespace warplight::gpu
