// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/inspector/subject.h"

#include "core/error.h"
#include "core/kernels/kernel_argument.h"
#include "core/kernels/kernel_file.h"
#include "core/labs/inspector/embedded_examples.h" // written by CMake from resources/examples/kernels
#include "gpu/host/regular_file.h"
#include "gpu/virtual/virtual_device.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <fmt/format.h>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace warplight::labs::inspector {
namespace {

using lab::Parameter;

constexpr size_t mostEditable = 256 * 1024; ///< bytes of a text that the form carries

struct Example {
    const char *name, *title, *doc;
    const char *grid, *block;
    std::vector<std::pair<std::string, std::string>> arguments;
};

const std::vector<Example>& examples() {
    static const std::vector<Example> all = {
        {"uncoalesced",
         "Uncoalesced reads",
         "One thread a row of a matrix: every lane fetches a sector of its own.",
         "4",
         "256",
         {{"matrix", "random:f32[1024,256]"},
          {"sums", "zeros:f32[1024]"},
          {"rows", "i32:1024"},
          {"columns", "i32:256"}}},
        {"coalesced",
         "Coalesced reads",
         "The same sums with a warp a row.",
         "128",
         "256",
         {{"matrix", "random:f32[1024,256]"},
          {"sums", "zeros:f32[1024]"},
          {"rows", "i32:1024"},
          {"columns", "i32:256"}}},
        {"race",
         "A race",
         "A sum in shared memory where a barrier is missing.",
         "16",
         "256",
         {{"x", "random:f32[4096]"}, {"sums", "zeros:f32[16]"}}},
        {"out_of_bounds",
         "Out of bounds",
         "An average that reads behind the end of its array.",
         "4",
         "256",
         {{"x", "random:f32[1024]"}, {"y", "zeros:f32[1024]"}, {"n", "i32:1024"}}},
        {"bank_conflict",
         "Bank conflicts",
         "A transpose whose lanes meet in one bank.",
         "8,8",
         "32,8",
         {{"from", "random:f32[256,256]"}, {"to", "zeros:f32[256,256]"}, {"n", "i32:256"}}},
        {"divergence",
         "Divergence",
         "Every lane takes a number of rounds of its own.",
         "16",
         "256",
         {{"x", "random:f32[4096]"}, {"y", "zeros:f32[4096]"}, {"n", "i32:4096"}}}};
    return all;
}

std::string embedded(const std::string& name) {
    for (const EmbeddedFile& f : exampleFiles)
        if (f.name == name)
            return std::string(f.contents());
    throw InputError(fmt::format("there is no example '{}'", name));
}

std::string textOf(const std::map<std::string, lab::Value>& given, const std::string& id,
                   const std::string& otherwise) {
    const auto found = given.find(id);
    const auto* text = found == given.end() ? nullptr : std::get_if<std::string>(&found->second);
    return text && !text->empty() ? *text : otherwise;
}

std::vector<kernels::KernelSignature> signaturesOf(const Subject& subject, const std::string& text,
                                                   const std::atomic<bool>* cancel = nullptr) {
    return subject.isCuda() ? kernels::cudaSignatures(text) : kernels::ptxSignatures(text, subject.file, cancel);
}

const kernels::KernelSignature& find(const std::vector<kernels::KernelSignature>& all, std::string_view name,
                                     std::string_view file) {
    for (const auto& signature : all)
        if (signature.name == name)
            return signature;
    if (all.empty())
        throw InputError(fmt::format("{}: there is no kernel in it, expected {}", file,
                                     file.ends_with(".cu") ? "a function with __global__" : "an .entry"));
    return all.front();
}

} // namespace

std::vector<Parameter::Option> exampleKernels() {
    std::vector<Parameter::Option> options;
    for (const Example& e : examples())
        options.push_back({e.name, e.title, e.doc});
    return options;
}

Subject exampleSubject(const std::string& name) {
    for (const Example& e : examples())
        if (e.name == name) {
            Subject s;
            s.prefix = name + ".";
            s.file = name + ".cu";
            s.text = embedded(s.file);
            s.ptx = embedded(name + ".ptx");
            s.kernels = kernels::cudaSignatures(s.text);
            s.grid = e.grid;
            s.block = e.block;
            s.arguments = {e.arguments.begin(), e.arguments.end()};
            return s;
        }
    throw InputError(fmt::format("there is no example '{}'", name));
}

Subject fileSubject(const std::string& file) {
    Subject s;
    s.file = file;
    s.text = contentsOfFile(file, kernels::mostKernelBytes, "a .ptx or .cu");
    if (!s.isCuda())
        s.ptx = s.text;
    s.kernels = signaturesOf(s, s.text);
    return s;
}

std::vector<Parameter> launchParameters(const Subject& s, const std::map<std::string, lab::Value>& given) {
    std::vector<Parameter> all;
    std::string text = s.text;
    if (s.text.size() <= mostEditable) {
        Parameter code = Parameter::text(s.prefix + "code", "Code", s.text,
                                         s.isCuda() ? "Edit it and run again; a changed text needs nvcc or NVRTC."
                                                    : "Edit it and run again.");
        code.multiline = true;
        all.push_back(code);
        text = textOf(given, code.id, s.text);
    }
    const std::vector<kernels::KernelSignature> kernels = text == s.text ? s.kernels : signaturesOf(s, text);
    std::vector<Parameter::Option> entries;
    for (const auto& k : kernels)
        entries.push_back({k.name, kernels::demangled(k.name), ""});
    const std::string first = find(kernels, "", s.file).name;
    if (entries.size() > 1)
        all.push_back(
            Parameter::choice(s.prefix + "entry", "Kernel", first, entries, "Which kernel of the file runs."));
    const kernels::KernelSignature& kernel = find(kernels, textOf(given, s.prefix + "entry", first), s.file);
    all.push_back(Parameter::text(s.prefix + "grid", "Blocks", s.grid, "X, X,Y or X,Y,Z."));
    all.push_back(Parameter::text(s.prefix + "block", "Threads a block", s.block, "X, X,Y or X,Y,Z."));
    all.push_back(Parameter::integer(s.prefix + "shared", "Dynamic shared memory", static_cast<int64_t>(s.shared), 0,
                                     227 * 1024, "Bytes, besides what the kernel declares."));
    all.back().unit = std::string("B"); // not a literal: g++ 12 warns of an overlap that is none
    for (size_t i = 0; i < kernel.parameters.size(); ++i) {
        const auto& p = kernel.parameters[i];
        const auto known = s.arguments.find(p.name);
        const char* made = known == s.arguments.end() ? "Made up from its type until you write what it is: " : "";
        all.push_back(Parameter::text(fmt::format("{}{}.{}", s.prefix, kernel.name, i),
                                      fmt::format("{}: {}", p.name, p.type),
                                      known == s.arguments.end() ? kernels::argumentFor(p.type) : known->second,
                                      fmt::format("{}random:f32[1024], zeros:, iota:, in:FILE.npy, "
                                                  "out:f32[1024]:FILE.npy, inout:FILE.npy:FILE2.npy, i32:1024, "
                                                  "f32:0.5, ptr:0.",
                                                  made)));
    }
    return all;
}

Inspection inspectSubject(const Subject& s, const lab::Settings& settings, lab::Run& run) {
    const auto& values = settings.values();
    const std::string text = textOf(values, s.prefix + "code", s.text);
    run.progress(0, s.isCuda() && (text != s.text || s.ptx.empty()) ? "compiling" : "reading");
    kernels::KernelFile file{s.file, s.ptx, {{s.file, text}}};
    if (text != s.text || s.ptx.empty())
        file = kernels::readKernelText(s.file, text, run.cancelToken());
    else if (!s.isCuda())
        file = kernels::readKernelFile(s.file, run.cancelToken());
    run.checkCancelled();
    const auto kernels = s.text == text ? s.kernels : signaturesOf(s, text, run.cancelToken());
    const kernels::KernelSignature& signature =
        find(kernels, textOf(values, s.prefix + "entry", find(kernels, "", s.file).name), s.file);
    const auto device = vgpu::makeVirtualDevice();
    const std::string ptxName = s.isCuda() ? s.file.substr(0, s.file.size() - 3) + ".ptx" : s.file;
    const auto module = device->load(file.ptx, ptxName, run.cancelToken());
    gpu::Kernel& kernel = module->kernel(kernels::kernelNamed(module->kernels(), signature.name, s.file));
    std::vector<kernels::KernelArgument> arguments;
    std::vector<gpu::Argument> given;
    Inspection result;
    for (size_t i = 0; i < signature.parameters.size(); ++i) {
        const std::string& name = signature.parameters[i].name;
        const std::string written = settings.text(fmt::format("{}{}.{}", s.prefix, signature.name, i));
        if (!s.arguments.contains(name) && written == kernels::argumentFor(signature.parameters[i].type))
            result.madeUp.push_back(fmt::format("{} = {}", name, written));
        arguments.emplace_back(*device, name, written, name, run.cancelToken());
        given.push_back(arguments.back().value());
    }
    kernels::checkOutputsDiffer(arguments);
    gpu::LaunchConfig config;
    config.grid = kernels::readExtent("Blocks", settings.text(s.prefix + "grid"));
    config.block = kernels::readExtent("Threads a block", settings.text(s.prefix + "block"));
    config.dynamicShared = settings.integer(s.prefix + "shared");
    result.kernel = kernel.info().name;
    result.sharedBytes = config.dynamicShared + kernel.info().sharedBytes;
    result.ptxName = ptxName.substr(ptxName.rfind('/') + 1);
    result.ptx = file.ptx;
    result.sources = file.sources;
    result.title = fmt::format("{}, {} blocks of {} threads", kernels::demangled(result.kernel), config.grid.count(),
                               config.block.count());
    Watch(run).inspect(
        [&](const std::function<void(gpu::LaunchConfig&)>& prepare) {
            for (kernels::KernelArgument& a : arguments)
                a.restore();
            gpu::LaunchConfig prepared = config;
            prepare(prepared);
            return kernel.launch(prepared, given);
        },
        settings.text("gpu"), result);
    if (!result.fault)
        for (kernels::KernelArgument& a : arguments)
            a.save();
    return result;
}

} // namespace warplight::labs::inspector
