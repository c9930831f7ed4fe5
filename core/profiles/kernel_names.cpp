// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/profiles/kernel_names.h"

#include "core/profiles/name_parts.h"
#include "core/profiles/text.h"
#include "gpu/ops/kernel_library.h"

#include <map>

namespace warplight::profiles {
namespace {

/// How much a word among template arguments tells of what an elementwise kernel does: a functor's name most, then
/// the function of PyTorch that a lambda stands in.
int tellingOf(std::string_view word, bool isTemplate) {
    const auto has = [&](std::string_view part) { return word.find(part) != word.npos; };
    if (has("Functor") || has("_functor"))
        return 4;
    if (word.starts_with("gpu_kernel")) // PyTorch's own way to start any of them
        return 0;
    if (word.ends_with("_kernel_cuda") || word.ends_with("_cuda_out"))
        return 3;
    if (word.ends_with("Ops") && isTemplate)
        return 2;
    return (word.ends_with("Op") && isTemplate) || word.ends_with("_kernel") || word.ends_with("_kernel_impl");
}

/// "CUDAFunctor_add" of "<4, at::native::CUDAFunctor_add<float>, ...>", "silu_kernel" of "<4,
/// at::native::silu_kernel(at::TensorIteratorBase&)::{lambda()#1}...>"; empty if none is named.
std::string_view functorOf(std::string_view arguments) {
    std::string_view best;
    int tells = 0;
    forEachWord(arguments, [&](std::string_view word, bool isTemplate) {
        if (const int of = tellingOf(word, isTemplate); of > tells) {
            best = word;
            tells = of;
        }
    });
    return best;
}

/// "gemvx::kernel" of "internal::gemvx::kernel".
std::string_view withNamespace(std::string_view path) {
    const size_t last = path.rfind("::");
    const size_t before = last == path.npos || last == 0 ? path.npos : path.rfind("::", last - 1);
    return before == path.npos ? path : path.substr(before + 2);
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
    const std::string_view number = kernel.substr(withoutNumber(kernel).size());
    if (parts.wrapper)
        return withoutMiddle(std::string(parts.runs).append(number), longest);
    std::string name(parts.base.empty() ? kernel : parts.base);
    if (name == "kernel" && parts.path.find("::") != parts.path.npos && parts.path.find('<') == parts.path.npos)
        name = withNamespace(parts.path); // of cuBLAS
    if (const std::string_view functor = functorOf(parts.arguments); !functor.empty() && functor != name)
        name += '<' + std::string(functor) + '>';
    return withoutMiddle(name.append(number), longest);
}

std::optional<OurKernel> ourKernel(std::string_view kernel) {
    const auto found = ours().find(baseName(kernel));
    return found == ours().end() ? std::nullopt : std::optional(found->second);
}

} // namespace warplight::profiles
