// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/profiles/kernel_names.h"

#include "core/profiles/name_parts.h"
#include "core/profiles/text.h"
#include "gpu/ops/kernel_library.h"

#include <map>

namespace warplight::profiles {
namespace {

/// "CUDAFunctor_add" of "<4, at::native::CUDAFunctor_add<float>, ...>"; empty if no functor is named.
std::string_view functorOf(std::string_view arguments) {
    for (const std::string_view mark : {"Functor", "_functor", "_kernel_cuda", "Ops<", "Op<"})
        if (const size_t at = arguments.find(mark); at != arguments.npos) {
            size_t begin = at, end = at;
            while (begin > 0 && isWord(arguments[begin - 1]))
                --begin;
            while (end < arguments.size() && isWord(arguments[end]))
                ++end;
            return arguments.substr(begin, end - begin);
        }
    return {};
}

/// The entries of the PTX that is part of the program, by name.
const std::map<std::string, OurKernel, std::less<>>& ours() {
    static const auto list = [] {
        std::map<std::string, OurKernel, std::less<>> kernels;
        constexpr std::string_view entry = ".entry ";
        for (const std::string_view family : gpu::kernelFamilies()) {
            const std::string_view text = gpu::kernelText(family);
            for (size_t at = text.find(entry); at != text.npos; at = text.find(entry, at + 1)) {
                const size_t from = at + entry.size();
                size_t to = from;
                while (to < text.size() && isWord(text[to]))
                    ++to;
                OurKernel kernel{std::string(text.substr(from, to - from)), std::string(family), 0, "f32"};
                if (const size_t d = kernel.name.rfind("_d"); d != std::string::npos)
                    for (const char c : kernel.name.substr(d + 2)) {
                        if (c < '0' || c > '9') {
                            kernel.headDim = 0;
                            break;
                        }
                        kernel.headDim = kernel.headDim * 10 + (c - '0');
                    }
                if (kernel.name.find("_bf16") != std::string::npos)
                    kernel.format = "bf16";
                else if (kernel.name.find("_f16") != std::string::npos)
                    kernel.format = "f16";
                kernels.emplace(kernel.name, kernel);
            }
        }
        return kernels;
    }();
    return list;
}

} // namespace

std::string_view baseName(std::string_view kernel) {
    const std::string_view base = partsOf(kernel).base;
    return base.empty() ? kernel : base;
}

std::string shortName(std::string_view kernel, size_t longest) {
    if (trimmed(kernel).empty())
        return "(no name)";
    if (kernel.starts_with('[') || kernel.starts_with("Memcpy") || kernel.starts_with("Memset"))
        return shortened(kernel, longest); // "[CUDA memcpy Host-to-Device]", "Memcpy HtoD (Pageable -> Device)"
    const NameParts parts = partsOf(kernel);
    if (parts.wrapper)
        return withoutMiddle(parts.runs, longest);
    std::string name(parts.base.empty() ? kernel : parts.base);
    if (const std::string_view functor = functorOf(parts.arguments); !functor.empty() && functor != name)
        name += '<' + std::string(functor) + '>';
    return withoutMiddle(name, longest);
}

std::optional<OurKernel> ourKernel(std::string_view kernel) {
    const auto found = ours().find(baseName(kernel));
    return found == ours().end() ? std::nullopt : std::optional(found->second);
}

} // namespace warplight::profiles
