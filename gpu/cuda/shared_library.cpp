// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/cuda/shared_library.h"

#include <dlfcn.h>
#include <link.h>

namespace warplight::cuda {

std::optional<SharedLibrary> SharedLibrary::open(std::span<const std::string> names) {
    for (const std::string& name : names) {
        if (name.empty())
            continue;
        // Symbols stay the library's own: two libraries of different versions may be open at one time.
        void* handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
        if (!handle)
            continue;
        link_map* map = nullptr;
        const bool known = dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 && map && map->l_name && *map->l_name;
        return SharedLibrary(handle, known ? map->l_name : name);
    }
    return std::nullopt;
}

void* SharedLibrary::symbol(const char* name) const { return dlsym(handle, name); }

} // namespace warplight::cuda
