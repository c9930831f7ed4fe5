#include "core/profiles/kernel_names.h"

#include "gpu/ops/kernel_library.h"

#include <algorithm>
#include <cctype>
#include <map>

namespace warplight::profiles {
namespace {

bool isWord(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$'; }

/// Where the template arguments or parameters of the function begin: the first `<` or `(` that does not belong to an
/// "(anonymous namespace)" or to template arguments of a namespace's class.
size_t endOfName(std::string_view text) {
    constexpr std::string_view anonymous = "(anonymous namespace)";
    int depth = 0;
    size_t candidate = std::string_view::npos;
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '(' && text.substr(i).starts_with(anonymous)) {
            i += anonymous.size() - 1;
            continue;
        }
        if (text[i] == '<') {
            if (depth++ == 0)
                candidate = i;
        } else if (text[i] == '>') {
            depth = std::max(depth - 1, 0);
            if (depth == 0 && text.substr(i + 1).starts_with("::"))
                candidate = std::string_view::npos; // a class: the function's name follows
        } else if (text[i] == '(' && depth == 0) {
            return std::min(candidate, i);
        }
    }
    return std::min(candidate, text.size());
}

std::string_view lastWord(std::string_view text) {
    size_t end = text.size();
    while (end > 0 && !isWord(text[end - 1]))
        --end;
    size_t begin = end;
    while (begin > 0 && isWord(text[begin - 1]))
        --begin;
    return text.substr(begin, end - begin);
}

/// "CUDAFunctor_add" of "<4, at::native::CUDAFunctor_add<float>, ...>"; empty if no functor is named.
std::string_view functorOf(std::string_view arguments) {
    for (const std::string_view mark : {"Functor", "_kernel_cuda", "Ops<", "Op<"})
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

bool hasAny(std::string_view text, std::initializer_list<std::string_view> words) {
    return std::any_of(words.begin(), words.end(), [&](std::string_view word) { return text.find(word) != text.npos; });
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
                if (hasAny(kernel.name, {"_bf16"}))
                    kernel.format = "bf16";
                else if (hasAny(kernel.name, {"_f16"}))
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
    const std::string_view base = lastWord(kernel.substr(0, endOfName(kernel)));
    return base.empty() ? kernel : base;
}

std::string shortName(std::string_view kernel, size_t longest) {
    if (kernel.starts_with('[') || kernel.starts_with("Memcpy") || kernel.starts_with("Memset"))
        return std::string(
            kernel.substr(0, longest)); // "[CUDA memcpy Host-to-Device]", "Memcpy HtoD (Pageable -> Device)"
    std::string name(baseName(kernel));
    const size_t end = endOfName(kernel);
    if (end < kernel.size() && kernel[end] == '<')
        if (const std::string_view functor = functorOf(kernel.substr(end)); !functor.empty() && functor != name)
            name += '<' + std::string(functor) + '>';
    if (name.size() > longest) {
        const size_t half = (longest - 1) / 2;
        name = name.substr(0, longest - 1 - half) + "…" + name.substr(name.size() - half);
    }
    return name;
}

KernelClass classOf(std::string_view kernel) {
    std::string name(kernel.substr(0, 2000));
    for (char& c : name)
        c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (hasAny(name, {"nccl", "rccl", "allreduce", "all_reduce", "allgather", "reduce_scatter", "nvshmem"}))
        return KernelClass::Collective;
    if (const auto our = ourKernel(kernel)) {
        if (our->family.starts_with("attention"))
            return KernelClass::Attention;
        if (our->family == "matmul")
            return KernelClass::MatrixProduct;
        if (our->family == "softmax")
            return KernelClass::Softmax;
        if (our->name == "stream_copy")
            return KernelClass::Copy;
        return KernelClass::Other;
    }
    if (hasAny(name, {"flash", "fmha", "attention", "attn", "sdpa", "_mha_"}))
        return KernelClass::Attention;
    if (hasAny(name, {"softmax"}))
        return KernelClass::Softmax;
    if (hasAny(name, {"gemm", "gemv", "matmul", "cutlass", "nvjet", "splitk", "wgmma", "_mm_", "cublas", "xmma"}))
        return KernelClass::MatrixProduct;
    if (hasAny(name, {"memcpy", "memset", "copy", "fillfunctor", "catarray", "_fill_"}))
        return KernelClass::Copy;
    return KernelClass::Other;
}

std::string_view title(KernelClass kind) {
    switch (kind) {
    case KernelClass::Attention:
        return "attention";
    case KernelClass::MatrixProduct:
        return "matrix product";
    case KernelClass::Softmax:
        return "separate softmax";
    case KernelClass::Copy:
        return "copy";
    case KernelClass::Collective:
        return "collective";
    case KernelClass::Other:
        break;
    }
    return "elementwise and other";
}

std::optional<OurKernel> ourKernel(std::string_view kernel) {
    const auto found = ours().find(baseName(kernel));
    return found == ours().end() ? std::nullopt : std::optional(found->second);
}

} // namespace warplight::profiles
