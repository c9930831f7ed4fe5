// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/kernels/kernel_signature.h"

#include "core/error.h"
#include "core/kernels/kernel_file.h"
#include "gpu/virtual/ptx/syntax.h"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cstddef>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <utility>

namespace warplight::kernels {
namespace {

bool inWord(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

std::string trimmed(const std::string& text) {
    const size_t first = text.find_first_not_of(" \t\r\n"), last = text.find_last_not_of(" \t\r\n");
    return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}

/// Comments become spaces, so that no word in them is taken for code.
std::string withoutComments(std::string text) {
    for (size_t at = 0; (at = text.find('/', at)) != std::string::npos; ++at) {
        const bool line = text.compare(at, 2, "//") == 0, block = text.compare(at, 2, "/*") == 0;
        if (!line && !block)
            continue;
        const size_t end = line ? text.find('\n', at) : text.find("*/", at + 2);
        const size_t stop = end == std::string::npos ? text.size() : end + (block ? 2 : 0);
        std::fill(text.begin() + static_cast<std::ptrdiff_t>(at), text.begin() + static_cast<std::ptrdiff_t>(stop),
                  ' ');
    }
    return text;
}

/// Where the parenthesis at `open` closes; npos when it does not.
size_t closing(const std::string& text, size_t open) {
    int depth = 0;
    for (size_t i = open; i < text.size(); ++i) {
        depth += text[i] == '(' ? 1 : text[i] == ')' ? -1 : 0;
        if (depth == 0)
            return i;
    }
    return std::string::npos;
}

/// "const float* __restrict__ x" is x, a const float*.
KernelSignature::Parameter parameter(std::string declaration) {
    for (const char* word : {"__restrict__", "__restrict", "__grid_constant__"})
        for (size_t at; (at = declaration.find(word)) != std::string::npos;)
            declaration.erase(at, std::string(word).size());
    declaration = trimmed(declaration);
    size_t begin = declaration.size();
    while (begin > 0 && inWord(declaration[begin - 1]))
        --begin;
    std::string type = trimmed(declaration.substr(0, begin));
    while (type.find(" *") != std::string::npos)
        type.erase(type.find(" *"), 1);
    return {declaration.substr(begin), type};
}

/// `name<int>(float*, int)` without what follows the plain name.
std::string plainName(const std::string& kernel) {
    const std::string name = demangled(kernel);
    const std::string head = name.substr(0, std::min(name.find('('), name.find('<')));
    const size_t space = head.rfind(' ');
    return space == std::string::npos ? head : head.substr(space + 1);
}

} // namespace

std::vector<KernelSignature> cudaSignatures(const std::string& source) {
    const std::string text = withoutComments(source);
    std::vector<KernelSignature> all;
    for (size_t at = 0; (at = text.find("__global__", at)) != std::string::npos;) {
        at += 10;
        // Attributes such as __launch_bounds__(128) may stand before the name.
        size_t open = text.find('(', at);
        std::string name;
        while (open != std::string::npos) {
            size_t end = open;
            while (end > at && std::isspace(static_cast<unsigned char>(text[end - 1])))
                --end;
            size_t begin = end;
            while (begin > at && inWord(text[begin - 1]))
                --begin;
            name = text.substr(begin, end - begin);
            if (name != "__launch_bounds__" && name != "__attribute__" && name != "__cluster_dims__")
                break;
            const size_t close = closing(text, open);
            open = close == std::string::npos ? close : text.find('(', close);
        }
        const size_t close = open == std::string::npos ? open : closing(text, open);
        if (name.empty() || close == std::string::npos)
            continue;
        KernelSignature kernel{name, {}};
        int depth = 0;
        std::string declaration;
        for (size_t i = open + 1; i <= close; ++i) {
            depth += text[i] == '<' || text[i] == '(' ? 1 : text[i] == '>' || text[i] == ')' ? -1 : 0;
            if (i == close || (text[i] == ',' && depth == 0)) {
                if (const std::string d = trimmed(declaration); !d.empty() && d != "void")
                    kernel.parameters.push_back(parameter(d));
                declaration.clear();
            } else {
                declaration += text[i];
            }
        }
        all.push_back(std::move(kernel));
        at = close;
    }
    return all;
}

std::vector<KernelSignature> ptxSignatures(const std::string& text, const std::string& file,
                                           const std::atomic<bool>* cancel) {
    std::vector<KernelSignature> all;
    for (const ptx::Function& f : ptx::parse(text, file, cancel).functions) {
        if (!f.kernel || !f.defined)
            continue;
        KernelSignature kernel{f.name, {}};
        const std::vector<std::string> types = parameterTypes(f.name);
        for (size_t i = 0; i < f.parameters.size(); ++i) {
            const auto& p = f.parameters[i];
            const std::string plain = p.bytes * 8 > p.type.bits ? fmt::format("{} bytes", p.bytes)
                                                                : fmt::format("{}{}", p.type.kind, p.type.bits);
            kernel.parameters.push_back({p.name, types.size() == f.parameters.size() ? types[i] : plain});
        }
        all.push_back(std::move(kernel));
    }
    return all;
}

std::string argumentFor(const std::string& type) {
    const auto has = [&](const char* word) { return type.find(word) != std::string::npos; };
    const bool pointer = has("*");
    const bool wide = has("long") || has("int64") || has("size_t") || has("64");
    const bool isUnsigned = has("unsigned") || has("uint") || has("size_t") || type.starts_with("u");
    const std::string element = has("double") || has("f64")              ? "f64"
                                : has("bfloat16")                        ? "bf16"
                                : has("half") || has("f16")              ? "f16"
                                : has("float") || has("f32")             ? "f32"
                                : has("char") || has("int8")             ? (isUnsigned ? "u8" : "i8")
                                : has("short") || has("int16")           ? (isUnsigned ? "u16" : "i16")
                                : wide && (pointer || !has("b64"))       ? (isUnsigned ? "u64" : "i64")
                                : has("int") || has("bool") || has("32") ? (isUnsigned ? "u32" : "i32")
                                                                         : "";
    if (pointer)
        return fmt::format("{}:{}[65536]", has("const") ? "random" : "zeros", element.empty() ? "f32" : element);
    if (type == "u64" || type == "b64" || type == "s64") // of PTX: most likely a pointer
        return "random:f32[65536]";
    if (element == "f32" || element == "f64" || element == "f16")
        return element + ":1";
    return (element == "i64" || element == "u64" || element == "u32" ? element : "i32") + ":1024";
}

std::string kernelNamed(const std::vector<std::string>& kernels, const std::string& name, const std::string& file) {
    if (kernels.empty())
        throw InputError(fmt::format("{}: there is no kernel in it", file));
    if (name.empty() && kernels.size() == 1)
        return kernels[0];
    for (const std::string& kernel : kernels)
        if (kernel == name)
            return kernel;
    std::vector<std::string> fitting, known;
    for (const std::string& kernel : kernels) {
        known.push_back(plainName(kernel));
        if (known.back() == name)
            fitting.push_back(kernel);
    }
    if (fitting.empty() && known.empty())
        throw InputError(fmt::format("{}: holds no kernel, expected a __global__ function or an .entry", file));
    if (fitting.empty())
        throw InputError(fmt::format("{}: entry {}: expected one of {}", file, name.empty() ? "is empty" : name,
                                     fmt::join(known, ", ")));
    return fitting[0];
}

} // namespace warplight::kernels
