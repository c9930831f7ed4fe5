#pragma once

#include <string>

namespace warplight::cli {

/// PTX of a CUDA source file by the machine's nvcc ($CUDA_HOME, /usr/local/cuda, $PATH). Throws InputError when there
/// is none, or with what it said when it fails.
std::string compileCuda(const std::string& source);

} // namespace warplight::cli
