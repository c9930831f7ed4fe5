// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/kernels/kernel_file.h"

#include "core/error.h"
#include "gpu/cuda/cuda_compiler.h"
#include "gpu/host/regular_file.h"

#include <cstdlib>
#include <cxxabi.h>
#include <filesystem>
#include <fmt/format.h>
#include <memory>
#include <sstream>
#include <system_error>

namespace warplight::kernels {
namespace {

namespace fs = std::filesystem;

constexpr int64_t mostSourceBytes = 4 << 20; ///< longer files are not shown beside the PTX

bool isCuda(const std::string& file) { return file.ends_with(".cu"); }

/// The files of a PTX's .file directives that are there: `.file 1 "/home/me/saxpy.cu"`.
std::map<std::string, std::string> sourcesOf(const std::string& ptx, const fs::path& folder) {
    std::map<std::string, std::string> sources;
    std::istringstream lines(ptx);
    for (std::string line; std::getline(lines, line);) {
        const size_t directive = line.find_first_not_of(" \t");
        if (directive == std::string::npos || line.compare(directive, 5, ".file") != 0)
            continue;
        const size_t open = line.find('"'), close = line.find('"', open + 1);
        if (open == std::string::npos || close == std::string::npos)
            continue;
        const std::string name = line.substr(open + 1, close - open - 1);
        for (const fs::path& path : {fs::path(name), folder / name, folder / fs::path(name).filename()}) {
            std::error_code failed;
            if (!fs::is_regular_file(path, failed) || fs::file_size(path, failed) > uintmax_t{mostSourceBytes})
                continue;
            sources[name] = contentsOfFile(path.string(), mostSourceBytes, "source text");
            break;
        }
    }
    return sources;
}

} // namespace

KernelFile readKernelFile(const std::string& file, const std::atomic<bool>* cancel) {
    KernelFile result;
    result.name = file;
    result.ptx = isCuda(file) ? cuda::compileCuda(file, cuda::CudaCompilers::find(), cuda::anyGpu, cancel)
                              : contentsOfFile(file, mostKernelBytes, "a .ptx", cancel);
    result.sources = sourcesOf(result.ptx, fs::path(file).parent_path());
    return result;
}

KernelFile readKernelText(const std::string& file, const std::string& text, const std::atomic<bool>* cancel) {
    if (!isCuda(file))
        return {file, text, sourcesOf(text, fs::path(file).parent_path())};
    KernelFile result{file, cuda::compileCudaText(text, file, cuda::CudaCompilers::find(), cuda::anyGpu, cancel), {}};
    result.sources = sourcesOf(result.ptx, fs::path(file).parent_path());
    for (auto& [name, source] : result.sources)
        if (fs::path(name).filename() == fs::path(file).filename())
            source = text;
    result.sources.try_emplace(file, text);
    return result;
}

std::string demangled(const std::string& kernel) {
    int status = 0;
    const std::unique_ptr<char, void (*)(void*)> name(abi::__cxa_demangle(kernel.c_str(), nullptr, nullptr, &status),
                                                      std::free);
    return status == 0 && name ? name.get() : kernel;
}

std::vector<std::string> parameterTypes(const std::string& kernel) {
    std::vector<std::string> types;
    const std::string text = demangled(kernel);
    if (text == kernel)
        return types;
    const size_t close = text.rfind(')');
    int depth = 0;
    size_t open = close;
    while (open != std::string::npos && open > 0) { // back to the parenthesis that this one closes
        depth += text[open] == ')' ? 1 : text[open] == '(' ? -1 : 0;
        if (depth == 0)
            break;
        --open;
    }
    if (close == std::string::npos || depth != 0)
        return types;
    std::string type;
    for (size_t i = open + 1; i <= close; ++i) {
        depth += text[i] == '<' || text[i] == '(' ? 1 : text[i] == '>' || (text[i] == ')' && i != close) ? -1 : 0;
        if (i == close || (text[i] == ',' && depth == 0)) {
            if (!type.empty() && type != "void")
                types.push_back(type);
            type.clear();
        } else if (text[i] != ' ' || !type.empty()) {
            type += text[i];
        }
    }
    return types;
}

} // namespace warplight::kernels
