// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <string>
#include <vector>

namespace warplight::kernels {

/// What a kernel takes, as a form asks for it.
struct KernelSignature {
    struct Parameter {
        std::string name, type; ///< "x", "const float*"; of PTX without C++ names "u64", "b32"
    };
    std::string name;
    std::vector<Parameter> parameters;
};

/// The kernels of CUDA C++ text: `__global__ void name(...)`, found without compiling. Templates have their plain name.
std::vector<KernelSignature> cudaSignatures(const std::string& text);
/// The kernels of a PTX text. Throws InputError naming `file` and the line.
std::vector<KernelSignature> ptxSignatures(const std::string& text, const std::string& file,
                                           const std::atomic<bool>* cancel = nullptr);

/// A specification for KernelArgument that fits the type, to begin with: "random:f32[65536]" for a const float*.
std::string argumentFor(const std::string& type);

/// The PTX kernel that a name stands for: itself, or the one whose C++ name without its parameters it is. Throws
/// InputError listing those there are.
std::string kernelNamed(const std::vector<std::string>& kernels, const std::string& name, const std::string& file);

} // namespace warplight::kernels
