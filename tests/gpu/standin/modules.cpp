// SPDX-License-Identifier: GPL-3.0-or-later
// The functions of libcuda that gpu/cuda looks up: modules and kernels.
#include "gpu/cuda/driver_types.h"
#include "gpu/error.h"
#include "tests/gpu/standin/state.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <vector>

using namespace standin;
using namespace warplight::cuda;

namespace {

/// Of the virtual GPU's sentence about `x.ptx:12: …` what ptxas would write into the driver's log.
std::string compilerLog(const std::string& sentence, const std::string& file) {
    const std::string start = file + ":";
    if (!sentence.starts_with(start))
        return "ptxas fatal   : " + sentence;
    const size_t colon = sentence.find(':', start.size());
    return "ptxas application ptx input, line " + sentence.substr(start.size(), colon - start.size()) +
           "; error   :" + sentence.substr(colon + 1) + "\nptxas fatal   : Ptx assembly aborted due to errors";
}

Result resultOf(const gpu::Finding& finding) {
    if (finding.kind == "out of bounds")
        return Result::IllegalAddress;
    if (finding.kind == "misaligned")
        return Result::MisalignedAddress;
    if (finding.kind == "assert")
        return Result::Assert;
    return Result::LaunchFailed;
}

Result runKernel(Gpu& gpu, standin::Function& function, const gpu::LaunchConfig& config,
                 const std::vector<gpu::Argument>& arguments) {
    State& s = state();
    ++s.counts.kernels;
    s.note("kernel " + function.kernel->info().name);
    if (s.kernelFaultIn > 0 && --s.kernelFaultIn == 0)
        return s.kernelFault;
    try {
        const gpu::LaunchStats stats = function.kernel->launch(config, arguments);
        for (const gpu::Finding& finding : stats.findings)
            if (s.counts.findings++ == 0)
                s.finding = finding.message;
        gpu.clock += s.duration(stats.modelled ? stats.modelled->seconds : stats.hostSeconds);
        return Result::Success;
    } catch (const gpu::KernelError& error) {
        return resultOf(error.finding);
    } catch (const std::exception&) {
        return Result::LaunchFailed;
    }
}

} // namespace

extern "C" {

STANDIN_EXPORT Result cuModuleLoadDataEx(ModuleHandle* handle, const void* image, unsigned count, JitOption* options,
                                         void** values) {
    return inContext("cuModuleLoadDataEx", [&](Gpu& gpu) {
        char* log = nullptr;
        size_t logBytes = 0;
        for (unsigned i = 0; i < count; ++i) {
            if (options[i] == JitOption::ErrorLogBuffer)
                log = static_cast<char*>(values[i]);
            if (options[i] == JitOption::ErrorLogBufferSizeBytes)
                logBytes = reinterpret_cast<size_t>(values[i]);
        }
        const auto say = [&](const std::string& text) {
            if (log && logBytes > 0) {
                std::strncpy(log, text.c_str(), logBytes - 1);
                log[logBytes - 1] = 0;
            }
        };
        const std::string text = static_cast<const char*>(image), file = "input.ptx";
        // CUDA 13.0 takes PTX 9.0, 12.2 takes 8.2, 11.8 takes 7.8.
        const int newest = state().driver >= 13000   ? 90
                           : state().driver >= 12000 ? 80 + state().driver % 1000 / 10
                                                     : 70 + state().driver % 1000 / 10;
        const size_t version = text.find(".version ");
        if (version != std::string::npos && (text[version + 9] - '0') * 10 + (text[version + 11] - '0') > newest) {
            say("ptxas fatal   : Unsupported .version " + text.substr(version + 9, 3));
            return Result::UnsupportedPtxVersion;
        }
        auto module = std::make_unique<standin::Module>();
        try {
            module->module = gpu.virtualGpu().load(text, file);
            for (const std::string& name : module->module->kernels()) { // a driver compiles all
                gpu::Kernel& kernel = module->module->kernel(name);
                module->functions[name] = {&kernel, sharedBytes - kernel.info().sharedBytes};
            }
        } catch (const InputError& error) {
            say(compilerLog(error.what(), file));
            return Result::InvalidPtx;
        }
        gpu.modules.insert(module.get());
        ++state().counts.modules;
        *handle = reinterpret_cast<ModuleHandle>(module.release());
        return Result::Success;
    });
}
STANDIN_EXPORT Result cuModuleUnload(ModuleHandle handle) {
    return waitInContext("cuModuleUnload", [&](Gpu& gpu) {
        auto* module = reinterpret_cast<standin::Module*>(handle);
        if (gpu.run() == Result::NotReady)
            return Result::NotReady;
        if (gpu.modules.erase(module) == 0)
            return Result::InvalidHandle;
        delete module;
        --state().counts.modules;
        return Result::Success;
    });
}
STANDIN_EXPORT Result cuModuleGetFunction(FunctionHandle* function, ModuleHandle handle, const char* name) {
    return inContext("cuModuleGetFunction", [&](Gpu&) {
        auto& functions = reinterpret_cast<standin::Module*>(handle)->functions;
        const auto found = functions.find(name);
        if (found == functions.end())
            return Result::NotFound;
        *function = reinterpret_cast<FunctionHandle>(&found->second);
        return Result::Success;
    });
}
STANDIN_EXPORT Result cuFuncGetAttribute(int* value, FunctionAttribute a, FunctionHandle handle) {
    return inContext("cuFuncGetAttribute", [&](Gpu&) {
        const gpu::KernelInfo& info = reinterpret_cast<standin::Function*>(handle)->kernel->info();
        switch (a) {
        case FunctionAttribute::MaxThreadsPerBlock:
            *value = info.maxThreads;
            return Result::Success;
        case FunctionAttribute::SharedSizeBytes:
            *value = static_cast<int>(info.sharedBytes);
            return Result::Success;
        case FunctionAttribute::NumRegs:
            *value = 32;
            return Result::Success;
        case FunctionAttribute::MaxDynamicSharedSizeBytes:
            *value = static_cast<int>(reinterpret_cast<standin::Function*>(handle)->dynamicShared);
            return Result::Success;
        }
        return Result::InvalidValue;
    });
}
STANDIN_EXPORT Result cuFuncSetAttribute(FunctionHandle handle, FunctionAttribute a, int value) {
    return inContext("cuFuncSetAttribute", [&](Gpu&) {
        auto* function = reinterpret_cast<standin::Function*>(handle);
        if (a != FunctionAttribute::MaxDynamicSharedSizeBytes || value < 0 ||
            value + function->kernel->info().sharedBytes > sharedBytesOptIn)
            return Result::InvalidValue;
        function->dynamicShared = value;
        return Result::Success;
    });
}
STANDIN_EXPORT Result cuLaunchKernel(FunctionHandle handle, unsigned gridX, unsigned gridY, unsigned gridZ,
                                     unsigned blockX, unsigned blockY, unsigned blockZ, unsigned shared, StreamHandle,
                                     void** parameters, void** extra) {
    return inContext("cuLaunchKernel", [&](Gpu& gpu) {
        auto* function = reinterpret_cast<standin::Function*>(handle);
        const gpu::KernelInfo& info = function->kernel->info();
        const uint64_t threads = uint64_t(blockX) * blockY * blockZ;
        if (extra || uint64_t(gridX) * gridY * gridZ == 0 || threads == 0 ||
            threads > static_cast<uint64_t>(info.maxThreads) || gridY > 65535 || gridZ > 65535 || blockZ > 64)
            return Result::InvalidValue;
        // More shared memory than every block gets has to be asked for first.
        if (shared > function->dynamicShared)
            return Result::InvalidValue;
        std::vector<gpu::Argument> arguments;
        for (size_t i = 0; i < info.parameters.size(); ++i)
            arguments.push_back(gpu::Argument::ofBytes(
                {static_cast<const std::byte*>(parameters[i]), static_cast<size_t>(info.parameters[i].bytes)}));
        gpu::LaunchConfig config;
        config.grid = {gridX, gridY, gridZ};
        config.block = {blockX, blockY, blockZ};
        config.dynamicShared = shared;
        config.checks = true;
        config.gpu = state().model;
        gpu.queue.push_back(
            [&gpu, function, config, arguments] { return runKernel(gpu, *function, config, arguments); });
        return Result::Success;
    });
}
}
