// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

namespace warplight::cuda {

/// NVIDIA's compiler library: $WARPLIGHT_NVRTC, or libnvrtc.so.13 or .12 where the loader, $CUDA_HOME and
/// /usr/local/cuda have it. Empty when there is none.
std::string findNvrtc();

/// PTX of CUDA C++ text, with line numbers, in C++17, for GPUs from `architecture` ("sm_80") on. `file` is what
/// messages and line numbers name; headers are looked for beside it and in the toolkit, where there is one. Unlike
/// nvcc, NVRTC knows no headers of the host: of these, <stdint.h>, <cstdint>, <stddef.h> and <cstddef> are supplied
/// here. Throws InputError with what NVRTC said, as FILE:LINE: MESSAGE.
std::string compileWithNvrtc(const std::string& source, const std::string& file,
                             const std::string& architecture = "sm_80", const std::string& library = findNvrtc());

} // namespace warplight::cuda
