// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/cuda/nvrtc.h"

#include "gpu/cuda/cuda_compiler.h"
#include "gpu/cuda/shared_library.h"
#include "gpu/error.h"

#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <iterator>
#include <system_error>
#include <vector>

namespace warplight::cuda {
namespace {

namespace fs = std::filesystem;

/// Of nvrtc.h, whose types are pointers and integers only.
using Program = struct NvrtcProgram*;
struct Functions {
    const char* (*errorString)(int) = nullptr;
    int (*create)(Program*, const char* source, const char* name, int headers, const char* const* texts,
                  const char* const* names) = nullptr;
    int (*destroy)(Program*) = nullptr;
    int (*compile)(Program, int options, const char* const*) = nullptr;
    int (*ptxSize)(Program, size_t*) = nullptr;
    int (*ptx)(Program, char*) = nullptr;
    int (*logSize)(Program, size_t*) = nullptr;
    int (*log)(Program, char*) = nullptr;
};

const std::vector<std::string>& candidates() {
    static const std::vector<std::string> all = [] {
        if (const char* own = std::getenv("WARPLIGHT_NVRTC"))
            return std::vector<std::string>{own};
        std::vector<std::string> folders = {""}, names; // "": wherever the loader looks
        if (const char* home = std::getenv("CUDA_HOME"))
            folders.push_back(std::string(home) + "/lib64/");
        folders.emplace_back("/usr/local/cuda/lib64/");
        for (const std::string& folder : folders)
            for (const char* name : {"libnvrtc.so.13", "libnvrtc.so.12"})
                names.push_back(folder + name);
        return names;
    }();
    return all;
}

Functions load(const SharedLibrary& library) {
    Functions f;
    const auto find = [&]<class F>(F& function, const char* name) {
        function = library.function<F>(name);
        if (!function)
            throw InputError(fmt::format("{} has no {}; expected the NVRTC of CUDA 12 or 13", library.path(), name));
    };
    find(f.errorString, "nvrtcGetErrorString");
    find(f.create, "nvrtcCreateProgram");
    find(f.destroy, "nvrtcDestroyProgram");
    find(f.compile, "nvrtcCompileProgram");
    find(f.ptxSize, "nvrtcGetPTXSize");
    find(f.ptx, "nvrtcGetPTX");
    find(f.logSize, "nvrtcGetProgramLogSize");
    find(f.log, "nvrtcGetProgramLog");
    return f;
}

/// Folders of the toolkit's headers: beside the library, or where a toolkit usually is. A driver's or a Python
/// package's NVRTC may come without.
std::vector<std::string> toolkitHeaders(const std::string& library) {
    std::vector<fs::path> roots = {fs::path(library).parent_path().parent_path()};
    if (const char* home = std::getenv("CUDA_HOME"))
        roots.emplace_back(home);
    roots.emplace_back("/usr/local/cuda");
    for (const fs::path& root : roots)
        for (const char* place : {"include", "targets/x86_64-linux/include"}) {
            std::error_code ignored;
            if (!fs::exists(root / place / "cuda_fp16.h", ignored))
                continue;
            std::vector<std::string> found = {root / place};
            if (fs::exists(root / place / "cccl", ignored)) // <cuda/std/…> since CUDA 13
                found.push_back(root / place / "cccl");
            return found;
        }
    return {};
}

/// Stand for the host's headers that kernels use most. 64 bits are long long, as in the toolkit's <cuda/std/cstdint>,
/// so that a kernel may include both.
constexpr const char integerHeader[] = R"(#pragma once
typedef signed char int8_t;
typedef unsigned char uint8_t;
typedef short int16_t;
typedef unsigned short uint16_t;
typedef int int32_t;
typedef unsigned int uint32_t;
typedef long long int64_t;
typedef unsigned long long uint64_t;
typedef long long intptr_t;
typedef unsigned long long uintptr_t;
namespace std {
using ::int8_t; using ::uint8_t; using ::int16_t; using ::uint16_t; using ::int32_t; using ::uint32_t;
using ::int64_t; using ::uint64_t; using ::intptr_t; using ::uintptr_t;
}
)";
constexpr const char sizeHeader[] = R"(#pragma once
typedef unsigned long size_t;
typedef long ptrdiff_t;
namespace std { using ::size_t; using ::ptrdiff_t; }
)";

} // namespace

std::string findNvrtc() {
    const auto library = SharedLibrary::open(candidates());
    return library ? library->path() : "";
}

std::string compileWithNvrtc(const std::string& source, const std::string& file, const std::string& architecture,
                             const std::string& libraryFile) {
    const std::string names[] = {libraryFile};
    const auto library = SharedLibrary::open(names);
    if (!library)
        throw InputError(fmt::format("{}: NVRTC ({}) could not be opened", file,
                                     libraryFile.empty() ? "libnvrtc.so.13 or .12" : libraryFile));
    if (!architecture.starts_with("sm_"))
        throw InputError(fmt::format("architecture '{}': expected one such as sm_80", architecture));
    if (source.find('\0') != std::string::npos)
        throw InputError(fmt::format("{}: expected text of CUDA C++, found a zero byte", file));
    const Functions f = load(*library);
    const auto check = [&](int result, const char* what) {
        if (result != 0)
            throw InputError(
                fmt::format("{}: {} of {} answered {}", file, what, library->path(), f.errorString(result)));
    };

    // printf and the functions of <cmath> are built in.
    static const char* headerNames[] = {"stdint.h", "cstdint", "stddef.h", "cstddef",
                                        "stdio.h",  "cstdio",  "math.h",   "cmath"};
    static const char* headers[] = {integerHeader, integerHeader, sizeHeader, sizeHeader, "", "", "", ""};
    static_assert(std::size(headers) == std::size(headerNames));
    struct Owner {
        const Functions& f;
        Program program = nullptr;
        ~Owner() {
            if (program)
                f.destroy(&program);
        }
    } owner{f};
    check(f.create(&owner.program, source.c_str(), file.c_str(), std::size(headers), headers, headerNames),
          "nvrtcCreateProgram");

    // PTX is for the virtual architecture, which is what nvcc -ptx -arch=sm_80 makes of it too.
    std::vector<std::string> options = {"--gpu-architecture=compute_" + architecture.substr(3), "--std=c++17",
                                        "-lineinfo"};
    std::string folder = fs::path(file).parent_path();
    options.push_back("--include-path=" + (folder.empty() ? "." : folder));
    for (const std::string& path : toolkitHeaders(library->path()))
        options.push_back("--include-path=" + path);
    std::vector<const char*> words;
    for (const std::string& option : options)
        words.push_back(option.c_str());
    const int result = f.compile(owner.program, static_cast<int>(words.size()), words.data());

    size_t bytes = 0;
    if (result != 0) {
        std::string log;
        if (f.logSize(owner.program, &bytes) == 0 && bytes > 1) {
            log.resize(bytes);
            if (f.log(owner.program, log.data()) != 0)
                log.clear();
            log = log.c_str(); // up to the terminating zero
        }
        throw InputError(
            fmt::format("{}: NVRTC says\n{}", file, log.empty() ? f.errorString(result) : withColons(log)));
    }
    check(f.ptxSize(owner.program, &bytes), "nvrtcGetPTXSize");
    std::string ptx(bytes, '\0');
    check(f.ptx(owner.program, ptx.data()), "nvrtcGetPTX");
    ptx.resize(bytes > 0 ? bytes - 1 : 0); // without the terminating zero
    return ptx;
}

} // namespace warplight::cuda
