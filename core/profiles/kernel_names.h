// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace warplight::profiles {

/// The function's own name: no return type, namespaces, template arguments or parameters. "flash2_d64". Also of a
/// mangled name ("_Z9my_kernelPfi").
std::string_view baseName(std::string_view kernel);

/// What fits in a table: the base name, with the functor that tells element-wise kernels apart
/// ("vectorized_elementwise_kernel<CUDAFunctor_add>"); of a wrapper that any kernel may run in (cutlass::Kernel2<...>)
/// the name of what it runs; the number of one that was cut like others ("gemm (2)"); "(no name)" of an empty one. At
/// most `longest` characters with the middle left out.
std::string shortName(std::string_view kernel, size_t longest = 72);

/// What kind of work a kernel does, guessed from its name.
enum class KernelClass { Attention, MatrixProduct, Softmax, Copy, Collective, Other };
KernelClass classOf(std::string_view kernel);
/// "matrix product". These are colour keys too: the theme gives each of the six a colour of its own.
std::string_view title(KernelClass kind);

/// One of the kernels of gpu/kernels.
struct OurKernel {
    std::string name;   ///< "flash2_mma_f16_d64"
    std::string family; ///< the file of resources/ptx that holds it: "attention_mma"
    int headDim = 0;    ///< that it is compiled for; 0 = any
    std::string format; ///< "f16", "bf16", else "f32"
    bool operator==(const OurKernel&) const = default;
};
/// By name alone: somebody else's kernel of the same name is taken for ours.
std::optional<OurKernel> ourKernel(std::string_view kernel);

} // namespace warplight::profiles
