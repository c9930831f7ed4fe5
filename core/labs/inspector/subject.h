// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/kernels/kernel_signature.h"
#include "core/lab/parameter.h"
#include "core/labs/inspector/inspection.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace warplight::labs::inspector {

/// A kernel that is opened rather than launched by one of Warplight's operators: an example, or somebody's file.
struct Subject {
    std::string prefix; ///< of the ids of its parameters: values of one kernel are not another's
    std::string file;   ///< its name; "…/saxpy.cu" is CUDA C++, everything else PTX
    std::string text;
    std::string ptx; ///< of `text`, where it is known without a compiler
    std::vector<kernels::KernelSignature> kernels;
    std::string grid = "64", block = "256";
    int64_t shared = 0;
    std::map<std::string, std::string> arguments; ///< by parameter name, where something better than a guess is known
    bool isCuda() const { return file.ends_with(".cu"); }
};

/// Examples as options of a parameter.
std::vector<lab::Parameter::Option> exampleKernels();
/// Throws InputError for a name that is none of them.
Subject exampleSubject(const std::string& name);
/// Reads a .cu or .ptx. Throws InputError naming the file.
Subject fileSubject(const std::string& file);

/// What a form asks before it can be launched: text, entry, grid, block, shared memory, and each argument of the entry.
std::vector<lab::Parameter> launchParameters(const Subject& subject, const std::map<std::string, lab::Value>& given);

/// Compiles if the text is another than the subject's own, launches and watches.
Inspection inspectSubject(const Subject& subject, const lab::Settings& settings, lab::Run& run);

} // namespace warplight::labs::inspector
