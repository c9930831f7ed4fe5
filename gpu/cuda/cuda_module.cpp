// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/cuda/cuda_module.h"

#include "gpu/error.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace warplight::cuda {
namespace {

constexpr size_t logBytes = 16384; ///< of the driver's compiler: its first errors are what counts

/// "ptxas application ptx input, line 12; error   : Unknown modifier '.foo'" becomes "flash.ptx:12: Unknown …".
std::string compilerSays(const std::string& file, const std::string& log) {
    constexpr std::string_view lineMark = "line ", errorMark = "error";
    const size_t line = log.find(lineMark), error = log.find(errorMark, line == std::string::npos ? 0 : line);
    if (line == std::string::npos || error == std::string::npos)
        return fmt::format("{}: {}", file, log.substr(0, log.find('\n')));
    const size_t text = log.find_first_not_of(" :", error + errorMark.size());
    const size_t number = line + lineMark.size();
    return fmt::format("{}:{}: {}", file, log.substr(number, log.find_first_not_of("0123456789", number) - number),
                       text == std::string::npos ? log : log.substr(text, log.find('\n', text) - text));
}

} // namespace

CudaKernel::CudaKernel(Context& c, Timing& t, FunctionHandle function, PtxKernel declared)
    : context(c), timing(t), handle(function) {
    about.name = std::move(declared.name);
    about.parameters = std::move(declared.parameters);
    const Driver& driver = context.driver();
    if (driver.functionGetParameter) { // the driver knows better than the text
        size_t offset = 0, bytes = 0, count = 0;
        for (; driver.functionGetParameter(handle, count, &offset, &bytes) == Result::Success; ++count) {
            if (count == about.parameters.size())
                about.parameters.push_back({fmt::format("{}", count + 1), fmt::format("{} bytes", bytes), 0});
            about.parameters[count].bytes = static_cast<int64_t>(bytes);
        }
        about.parameters.resize(count);
    }
    const auto attribute = [&](FunctionAttribute a) {
        int value = 0;
        context.check(driver.functionGetAttribute(&value, a, handle),
                      fmt::format("asking about kernel {}", about.name));
        return value;
    };
    about.sharedBytes = attribute(FunctionAttribute::SharedSizeBytes);
    about.maxThreads = attribute(FunctionAttribute::MaxThreadsPerBlock);
    usedRegisters = attribute(FunctionAttribute::NumRegs);
}

void CudaKernel::check(const gpu::LaunchConfig& config, std::span<const gpu::Argument> arguments) const {
    const gpu::Extent &grid = config.grid, &block = config.block;
    const Limits& most = context.limits();
    if (grid.count() == 0 || block.count() == 0)
        throw InputError(fmt::format("kernel {}: grid and block have at least one block and one thread", about.name));
    if (block.count() > static_cast<uint64_t>(about.maxThreads))
        throw InputError(fmt::format("kernel {} takes at most {} threads a block, {} were given", about.name,
                                     about.maxThreads, block.count()));
    if (block.x > most.blockX || block.y > most.blockY || block.z > most.blockZ)
        throw InputError(fmt::format("kernel {}: a block of {} × {} × {} is not within {} × {} × {}", about.name,
                                     block.x, block.y, block.z, most.blockX, most.blockY, most.blockZ));
    if (grid.x > most.gridX || grid.y > most.gridY || grid.z > most.gridZ)
        throw InputError(fmt::format("kernel {}: a grid of {} × {} × {} is not within {} × {} × {}", about.name, grid.x,
                                     grid.y, grid.z, most.gridX, most.gridY, most.gridZ));
    if (config.dynamicShared < 0 || about.sharedBytes + config.dynamicShared > most.sharedBytesOptIn)
        throw InputError(fmt::format("kernel {} needs {} bytes of shared memory; a block has at most {}", about.name,
                                     about.sharedBytes + config.dynamicShared, most.sharedBytesOptIn));
    if (arguments.size() != about.parameters.size())
        throw InputError(fmt::format("kernel {} takes {} arguments, {} were given", about.name, about.parameters.size(),
                                     arguments.size()));
    for (size_t i = 0; i < arguments.size(); ++i)
        if (const auto& p = about.parameters[i]; static_cast<int64_t>(arguments[i].data().size()) != p.bytes)
            throw InputError(fmt::format("argument {} of kernel {} ('{}') has {} bytes, {} were given", i + 1,
                                         about.name, p.name, p.bytes, arguments[i].data().size()));
}

void CudaKernel::start(const gpu::LaunchConfig& config, std::span<void*> arguments) {
    const gpu::Extent &grid = config.grid, &block = config.block;
    const Result result = context.driver().launchKernel(handle, grid.x, grid.y, grid.z, block.x, block.y, block.z,
                                                        static_cast<unsigned>(config.dynamicShared), context.stream(),
                                                        arguments.data(), nullptr);
    if (result == Result::LaunchOutOfResources)
        throw InputError(fmt::format("kernel {} needs {} registers a thread: a block of {} threads does not fit on {}",
                                     about.name, usedRegisters, block.count(), context.name()));
    context.check(result, fmt::format("kernel {}", about.name));
}

gpu::LaunchStats CudaKernel::launch(const gpu::LaunchConfig& config, std::span<const gpu::Argument> arguments) {
    context.enter();
    check(config, arguments);
    if (config.cancel && *config.cancel)
        throw Cancelled();
    if (config.dynamicShared > dynamicShared &&
        about.sharedBytes + config.dynamicShared > context.limits().sharedBytes) {
        context.check(context.driver().functionSetAttribute(handle, FunctionAttribute::MaxDynamicSharedSizeBytes,
                                                            static_cast<int>(config.dynamicShared)),
                      fmt::format("{} bytes of shared memory for kernel {}", config.dynamicShared, about.name));
        dynamicShared = config.dynamicShared;
    }
    std::vector<void*> values;
    for (const gpu::Argument& argument : arguments)
        values.push_back(const_cast<std::byte*>(argument.data().data())); // the driver only reads them
    gpu::LaunchStats stats;
    stats.blocks = config.grid.count();
    stats.threads = stats.blocks * config.block.count();
    const auto begin = std::chrono::steady_clock::now();
    if (timing.running())
        start(config, values);
    else
        stats.measured = timing.measure(
            config.repeat, [&] { start(config, values); }, config.cancel, fmt::format("kernel {}", about.name));
    stats.hostSeconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return stats;
}

CudaModule::CudaModule(Context& c, Timing& t, const std::string& ptx, std::string name)
    : context(c), timing(t), file(std::move(name)) {
    context.enter();
    const std::string text = ptxForDriver(ptx, context.driver().version());
    std::vector<char> log(logBytes);
    std::array options{JitOption::ErrorLogBuffer, JitOption::ErrorLogBufferSizeBytes};
    std::array<void*, 2> values{log.data(), reinterpret_cast<void*>(logBytes)};
    const Result result =
        context.driver().moduleLoadData(&handle, text.c_str(), options.size(), options.data(), values.data());
    log.back() = 0;
    if (log.front() != 0 && result != Result::Success && !isSticky(result))
        throw InputError(compilerSays(file, log.data()));
    if (result == Result::InvalidPtx || result == Result::NoBinaryForGpu || result == Result::UnsupportedPtxVersion)
        throw InputError(fmt::format("{}: {} cannot load it: {}", file, context.name(), context.driver().text(result)));
    context.check(result, fmt::format("loading {}", file));
    declared = kernelsOf(ptx);
}

CudaModule::~CudaModule() {
    if (context.lost())
        return;
    context.note(context.driver().contextSetCurrent(context.handle()), "the GPU's context");
    context.note(context.driver().moduleUnload(handle), "unloading kernels");
}

std::vector<std::string> CudaModule::kernels() const {
    std::vector<std::string> names;
    for (const PtxKernel& kernel : declared)
        names.push_back(kernel.name);
    return names;
}

gpu::Kernel& CudaModule::kernel(const std::string& name) {
    context.enter();
    std::unique_ptr<CudaKernel>& known = found[name];
    if (known)
        return *known;
    FunctionHandle function = nullptr;
    const auto text =
        std::find_if(declared.begin(), declared.end(), [&](const PtxKernel& k) { return k.name == name; });
    const Result result = context.driver().moduleGetFunction(&function, handle, name.c_str());
    if (result == Result::NotFound || text == declared.end())
        throw InputError(
            fmt::format("{}: there is no kernel '{}'; there are {}", file, name, fmt::join(kernels(), ", ")));
    context.check(result, fmt::format("looking for kernel {}", name));
    known = std::make_unique<CudaKernel>(context, timing, function, *text);
    return *known;
}

} // namespace warplight::cuda
