#include "gpu/ops/kernel_library.h"

#include "gpu/error.h"
#include "gpu/ops/embedded_ptx.h" // written by CMake from resources/ptx

#include <fmt/format.h>

namespace warplight::gpu {

std::string_view kernelText(std::string_view family) {
    for (const EmbeddedPtx& p : embeddedPtx)
        if (p.family == family)
            return {p.begin, static_cast<size_t>(p.end - p.begin)};
    throw InputError(fmt::format("there are no kernels '{}'", family));
}

std::vector<std::string_view> kernelFamilies() {
    std::vector<std::string_view> names;
    for (const EmbeddedPtx& p : embeddedPtx)
        names.push_back(p.family);
    return names;
}

Kernel& KernelLibrary::kernel(const std::string& family, const std::string& name) {
    std::unique_ptr<Module>& module = modules[family];
    if (!module)
        module = owner.load(std::string(kernelText(family)), family + ".ptx");
    return module->kernel(name);
}

} // namespace warplight::gpu
