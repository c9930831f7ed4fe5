// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <string>

namespace warplight::cuda {

/// What turns CUDA C++ into PTX on this machine; empty where there is none.
struct CudaCompilers {
    std::string nvcc;  ///< the program
    std::string nvrtc; ///< libnvrtc
    /// nvcc in $CUDA_HOME, /usr/local/cuda and $PATH; NVRTC as findNvrtc does. $WARPLIGHT_CUDA_COMPILER (nvcc or nvrtc)
    /// leaves one of them; throws InputError when it says something else.
    static CudaCompilers find();
};

inline constexpr const char* anyGpu = "sm_80"; ///< PTX for it runs on every GPU since 2020

/// PTX of a CUDA source file, with line numbers, for GPUs from `architecture` on: by nvcc where there is one, else by
/// NVRTC. Throws InputError when there is neither, or with what the compiler said, as FILE:LINE: MESSAGE; Cancelled.
std::string compileCuda(const std::string& source, const CudaCompilers& compilers = CudaCompilers::find(),
                        const std::string& architecture = anyGpu, const std::atomic<bool>* cancel = nullptr);

/// The same for a text that is not (yet) what the file holds; messages and line numbers name `file`.
std::string compileCudaText(const std::string& text, const std::string& file,
                            const CudaCompilers& compilers = CudaCompilers::find(),
                            const std::string& architecture = anyGpu, const std::atomic<bool>* cancel = nullptr);

/// What NVIDIA's compilers write as FILE(LINE): in the form that this program's own messages and editors have.
std::string withColons(const std::string& log);

} // namespace warplight::cuda
