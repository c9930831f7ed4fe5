// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cli/kernel_command.h"

#include "core/cli/text.h"
#include "core/error.h"
#include "core/kernels/kernel_argument.h"
#include "core/kernels/kernel_file.h"
#include "gpu/virtual/gpu_profile.h"
#include "gpu/virtual/virtual_device.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace warplight::cli {
namespace {

struct KernelOptions {
    std::string file, entry, grid = "1", block = "32", gpu, format = "text";
    int64_t shared = 0;
    bool check = false;
    int threads = 0;
    std::vector<std::string> arguments;
};

using nlohmann::json;

json toJson(const gpu::LaunchStats& s) {
    json buffers = json::array(), lines = json::array(), findings = json::array();
    for (const auto& b : s.buffers)
        buffers.push_back({{"name", b.name},
                           {"readBytes", b.readBytes},
                           {"writtenBytes", b.writtenBytes},
                           {"atomicBytes", b.atomicBytes},
                           {"readSectors", b.readSectors},
                           {"writtenSectors", b.writtenSectors},
                           {"readRequests", b.readRequests},
                           {"writeRequests", b.writeRequests}});
    for (const auto& l : s.lines)
        lines.push_back({{"line", l.line},
                         {"text", l.text},
                         {"sourceFile", l.sourceFile},
                         {"sourceLine", l.sourceLine},
                         {"warps", l.warps},
                         {"threads", l.threads},
                         {"requests", l.requests},
                         {"bytes", l.bytes},
                         {"sectors", l.sectors},
                         {"wavefronts", l.wavefronts},
                         {"ideal", l.idealSectors + l.idealWavefronts}});
    for (const auto& f : s.findings)
        findings.push_back(
            {{"kind", f.kind}, {"message", f.message}, {"line", f.line}, {"count", f.count}, {"note", f.note}});
    json modelled;
    if (s.modelled) {
        const gpu::Modelled& m = *s.modelled;
        modelled = {{"provenance", "modelled"},
                    {"gpu", m.gpu},
                    {"seconds", m.seconds},
                    {"limit", m.limit},
                    {"parts", m.parts},
                    {"blocksPerMultiprocessor", m.blocksPerMultiprocessor},
                    {"occupancy", m.occupancy},
                    {"occupancyLimit", m.occupancyLimit},
                    {"l1Reads", m.l1Reads},
                    {"l1Hits", m.l1Hits},
                    {"l2Reads", m.l2Reads},
                    {"l2Hits", m.l2Hits},
                    {"l2Writes", m.l2Writes},
                    {"dramReadBytes", m.dramReadBytes},
                    {"dramWrittenBytes", m.dramWrittenBytes}};
    }
    return {{"provenance", "counted"},
            {"modelled", modelled},
            {"blocks", s.blocks},
            {"threads", s.threads},
            {"warpInstructions", s.warpInstructions},
            {"threadInstructions", s.threadInstructions},
            {"instructionsByClass", s.instructionsByClass},
            {"flops", s.flops},
            {"tensorFlops", s.tensorFlops},
            {"globalRequests", s.globalRequests},
            {"globalBytes", s.globalBytes},
            {"globalSectors", s.globalSectors},
            {"sharedRequests", s.sharedRequests},
            {"sharedBytes", s.sharedBytes},
            {"sharedWavefronts", s.sharedWavefronts},
            {"sharedIdealWavefronts", s.sharedIdealWavefronts},
            {"branches", s.branches},
            {"divergentBranches", s.divergentBranches},
            {"barriers", s.barriers},
            {"buffers", buffers},
            {"lines", lines},
            {"findings", findings},
            {"output", s.output}};
}

void printText(const gpu::LaunchStats& s, const std::string& kernel) {
    const auto percent = [](uint64_t part, uint64_t whole) {
        return whole ? 100.0 * static_cast<double>(part) / static_cast<double>(whole) : 100.0;
    };
    std::cout << fmt::format("{}: {} blocks, {} threads (counted on the virtual GPU)\n\n", kernel, s.blocks, s.threads);
    std::cout << fmt::format("  warp instructions     {:>16}\n", s.warpInstructions);
    std::cout << fmt::format(
        "  thread instructions   {:>16}   {:.1f} of 32 lanes active\n", s.threadInstructions,
        s.warpInstructions ? static_cast<double>(s.threadInstructions) / static_cast<double>(s.warpInstructions) : 0.0);
    for (const auto& [name, count] : s.instructionsByClass)
        std::cout << fmt::format("    {:<20}{:>16}\n", name, count);
    std::cout << fmt::format("  FLOP                  {:>16}   tensor cores {}\n", s.flops, s.tensorFlops);
    std::cout << fmt::format("  branches              {:>16}   {} divergent\n", s.branches, s.divergentBranches);
    std::cout << fmt::format("  barriers              {:>16}\n", s.barriers);
    std::cout << fmt::format(
        "  global memory         {:>16} B asked for, {} sectors of 32 B ({:.1f} % of their bytes used)\n",
        s.globalBytes, s.globalSectors, percent(s.globalBytes, 32 * s.globalSectors));
    std::cout << fmt::format("  shared memory         {:>16} B, {} wavefronts ({} without bank conflicts)\n\n",
                             s.sharedBytes, s.sharedWavefronts, s.sharedIdealWavefronts);
    std::cout << fmt::format("  {:<12}{:>16}{:>16}{:>16}{:>16}\n", "buffer", "read B", "written B", "read sectors",
                             "written sectors");
    for (const auto& b : s.buffers)
        std::cout << fmt::format("  {:<12}{:>16}{:>16}{:>16}{:>16}\n", b.name, b.readBytes, b.writtenBytes,
                                 b.readSectors, b.writtenSectors);
    if (s.modelled) {
        const gpu::Modelled& m = *s.modelled;
        std::cout << fmt::format(
            "\n  on {} (modelled): {:.4g} s, limited by {}; {} blocks a multiprocessor, {:.0f} % of its threads ({})\n",
            m.gpu, m.seconds, m.limit, m.blocksPerMultiprocessor, 100 * m.occupancy, m.occupancyLimit);
        std::cout << fmt::format("    L1 hits {:.1f} %, L2 hits {:.1f} %, DRAM {} B read, {} B written\n",
                                 percent(m.l1Hits, m.l1Reads), percent(m.l2Hits, m.l2Reads), m.dramReadBytes,
                                 m.dramWrittenBytes);
        for (const auto& [part, seconds] : m.parts)
            std::cout << fmt::format("    {:<22}{:>12.4g} s\n", part, seconds);
    }
    if (!s.output.empty())
        std::cout << "\nprinted by the kernel:\n" << s.output;
    for (const auto& f : s.findings)
        std::cout << fmt::format("\n{}{} ({} times)", f.note ? "note: " : "", f.message, f.count);
    if (!s.findings.empty())
        std::cout << '\n';
}

int runKernel(const KernelOptions& options) {
    const auto device = vgpu::makeVirtualDevice();
    const std::string text = kernels::readKernelFile(options.file).ptx;
    const auto module = device->load(text, options.file);
    const std::vector<std::string> kernels = module->kernels();
    if (options.entry.empty() && kernels.size() != 1)
        throw InputError(fmt::format("{}: --entry must name one of its {} kernels: {}", options.file, kernels.size(),
                                     fmt::join(kernels, ", ")));
    gpu::Kernel& kernel = module->kernel(options.entry.empty() ? kernels[0] : options.entry);
    if (kernel.info().parameters.size() != options.arguments.size()) {
        std::string expected;
        for (const auto& p : kernel.info().parameters)
            expected += fmt::format("{}{} ({})", expected.empty() ? "" : ", ", p.name, p.type);
        throw InputError(fmt::format("{}: {} takes {} arguments, {} were given with --arg; expected {}", options.file,
                                     kernel.info().name, kernel.info().parameters.size(), options.arguments.size(),
                                     expected.empty() ? "none" : expected));
    }
    gpu::LaunchConfig config;
    config.grid = kernels::readExtent("--grid", options.grid);
    config.block = kernels::readExtent("--block", options.block);
    config.dynamicShared = options.shared;
    config.checks = options.check;
    config.gpu = options.gpu;
    config.threads = options.threads;
    std::vector<kernels::KernelArgument> arguments;
    std::vector<gpu::Argument> values;
    for (const std::string& spec : options.arguments) {
        arguments.emplace_back(*device, "--arg", spec, "");
        values.push_back(arguments.back().value());
    }
    kernels::checkOutputsDiffer(arguments);
    gpu::LaunchStats stats;
    try {
        stats = kernel.launch(config, values);
    } catch (const gpu::KernelError& error) {
        std::cerr << "warplight-cli: " << error.what() << '\n';
        return 1;
    }
    for (kernels::KernelArgument& argument : arguments)
        argument.save();
    if (options.format == "json")
        std::cout << toJson(stats).dump(2, ' ', false, json::error_handler_t::replace) << '\n';
    else
        printText(stats, kernel.info().name);
    const bool good = std::all_of(stats.findings.begin(), stats.findings.end(), [](const auto& f) { return f.note; });
    return good ? 0 : 1;
}

} // namespace

void addKernelCommand(Command app) {
    const auto given = std::make_shared<KernelOptions>();
    KernelOptions& options = *given;
    const Command kernel = app.command("kernel", "Kernels of your own");
    kernel.needsCommand();
    const Command run = kernel.command("run", "Runs a kernel of a PTX file on the virtual GPU and counts what it does");
    run.option("file", &options.file, "FILE.ptx, or FILE.cu where nvcc or NVRTC is found").required();
    run.option("--entry", &options.entry, "The kernel; may be left out if there is only one");
    run.option("--grid", &options.grid, "Blocks: X[,Y[,Z]]");
    run.option("--block", &options.block, "Threads of a block: X[,Y[,Z]]");
    run.option("--shared", &options.shared, "Bytes of dynamic shared memory");
    std::string gpus;
    for (const vgpu::GpuProfile& gpu : vgpu::gpuProfiles())
        gpus += fmt::format("{}{}", gpus.empty() ? "" : ", ", gpu.id);
    run.option("--gpu", &options.gpu, fmt::format("Model the caches and the time of one of {}", gpus));
    run.flag("--check", options.check, "Look for races and reads of memory that nobody wrote");
    run.option("--threads", &options.threads, "Of this machine; 0 = all").between(int64_t{0}, mostThreads);
    run.option("--format", &options.format, "text or json").oneOf({"text", "json"});
    run.option("--arg", &options.arguments,
               "In the kernel's order: in:FILE.npy, out:f32[1024,64]:FILE.npy, inout:FILE.npy:FILE2.npy, "
               "random:f32[1024], zeros:, iota:, i32:1024, u32:, i64:, u64:, f16:, f32:0.125, f64:, ptr:0");
    run.does([given] { return runKernel(*given); });
}

} // namespace warplight::cli
