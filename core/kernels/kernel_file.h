// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace warplight::kernels {

/// Somebody's kernels: PTX, and the source texts that its line numbers speak of, as far as they can be read.
struct KernelFile {
    std::string name; ///< as in messages
    std::string ptx;
    std::map<std::string, std::string> sources; ///< by the name that .file gives them
};

inline constexpr int64_t mostKernelBytes = 64 << 20; ///< of a file: libraries print some 10 MB of PTX

/// Reads a .ptx, or compiles a .cu (nvcc, else NVRTC). Throws InputError naming the file, or with what the compiler
/// said; Cancelled.
KernelFile readKernelFile(const std::string& file, const std::atomic<bool>* cancel = nullptr);

/// The same for a text that is not in a file (yet): `file` tells the language by its ending, and where headers are.
KernelFile readKernelText(const std::string& file, const std::string& text, const std::atomic<bool>* cancel = nullptr);

/// The C++ name of a kernel with its parameters' types: "saxpy(int, float, float const*)"; itself when it is not
/// mangled.
std::string demangled(const std::string& kernel);

/// C++ names of parameters' types, in order, from a mangled kernel name: "float const*", "int"; empty when the name
/// does not tell (extern "C").
std::vector<std::string> parameterTypes(const std::string& kernel);

} // namespace warplight::kernels
