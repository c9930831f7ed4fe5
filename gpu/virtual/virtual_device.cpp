// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/virtual/virtual_device.h"

#include "gpu/error.h"
#include "gpu/virtual/decode/decoder.h"
#include "gpu/virtual/launch.h"
#include "gpu/virtual/memory.h"
#include "gpu/virtual/time_model.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <fmt/format.h>
#include <iterator>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace warplight::vgpu {
namespace {

constexpr int64_t mostShared = 227 * 1024; ///< a block's, on an H100

std::string typeName(const Parameter& p) {
    if (p.array)
        return fmt::format("{} bytes", p.bytes);
    return fmt::format("{}{}", p.type.kind, p.type.bits);
}

gpu::Finding shown(const Finding& f) { return {f.kind, f.message, f.line, f.source.line, f.count, f.note}; }

class VirtualKernel final : public gpu::Kernel {
  public:
    VirtualKernel(Program p, GlobalMemory& m) : program(std::move(p)), memory(m) {
        about.name = program.kernel;
        for (const Parameter& parameter : program.parameters)
            about.parameters.push_back({parameter.name, typeName(parameter), parameter.bytes});
        about.sharedBytes = program.sharedBytes;
        about.maxThreads = program.maxThreads;
    }

    const gpu::KernelInfo& info() const override { return about; }

    gpu::LaunchStats launch(const gpu::LaunchConfig& config, std::span<const gpu::Argument> arguments) override {
        Launch l;
        l.program = &program;
        l.memory = &memory;
        l.grid = {config.grid.x, config.grid.y, config.grid.z};
        l.block = {config.block.x, config.block.y, config.block.z};
        l.dynamicShared = config.dynamicShared;
        l.sharedBytes = program.sharedBytes + config.dynamicShared;
        l.checks = config.checks;
        l.cancel = config.cancel;
        l.gpu = config.gpu.empty() ? nullptr : &gpuProfile(config.gpu);
        l.registers = registersOn(l.gpu, config.registers);
        l.observer = config.observer ? &config.observer : nullptr;
        l.phases = config.phases ? &config.phases : nullptr;
        l.phaseBlocks = config.phaseBlocks;
        check(l);
        l.parameters.resize(static_cast<size_t>(program.parameterBytes));
        if (arguments.size() != program.parameters.size())
            throw InputError(fmt::format("kernel {} takes {} arguments, {} were given", program.kernel,
                                         program.parameters.size(), arguments.size()));
        for (size_t i = 0; i < arguments.size(); ++i) {
            const Parameter& p = program.parameters[i];
            const auto bytes = arguments[i].data();
            if (static_cast<int64_t>(bytes.size()) != p.bytes)
                throw InputError(fmt::format("argument {} of kernel {} ('{}') has {} bytes, {} were given", i + 1,
                                             program.kernel, p.name, p.bytes, bytes.size()));
            std::memcpy(l.parameters.data() + p.offset, bytes.data(), bytes.size());
        }
        const auto begin = std::chrono::steady_clock::now();
        try {
            const LaunchResult result = runGrid(l, config.threads);
            gpu::LaunchStats stats = summary(l, result);
            stats.hostSeconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
            return stats;
        } catch (const KernelFault& fault) {
            throw gpu::KernelError(shown(fault.finding));
        }
    }

  private:
    /// Of the newest architecture up to the GPU's own, or of the oldest there is.
    int registersOn(const GpuProfile* gpu, const std::map<int, int>& known) const {
        if (known.empty() || !gpu)
            return estimatedRegisters(program);
        const auto above = known.upper_bound(gpu->architecture);
        return above == known.begin() ? above->second : std::prev(above)->second;
    }

    void check(const Launch& l) const {
        if (l.grid.count() == 0 || l.block.count() == 0)
            throw InputError(
                fmt::format("kernel {}: grid and block have at least one block and one thread", program.kernel));
        if (l.block.count() > static_cast<uint64_t>(program.maxThreads))
            throw InputError(fmt::format("kernel {} takes at most {} threads a block, {} were given", program.kernel,
                                         program.maxThreads, l.block.count()));
        if (l.dynamicShared < 0 || l.sharedBytes > mostShared)
            throw InputError(fmt::format("kernel {} needs {} bytes of shared memory; a block has at most {}",
                                         program.kernel, l.sharedBytes, mostShared));
    }

    gpu::LaunchStats summary(const Launch& l, const LaunchResult& result) const {
        gpu::LaunchStats stats;
        stats.blocks = l.grid.count();
        stats.threads = stats.blocks * l.block.count();
        std::map<uint32_t, gpu::LineCount> lines; // by instruction
        for (size_t i = 0; i < program.ops.size(); ++i) {
            const OpOrigin& origin = program.origins[i];
            const OpCount& count = result.counts.ops[i];
            if (origin.kind == OpClass::Join)
                continue;
            const Program::Instruction& instruction = program.instructions[origin.instruction];
            gpu::LineCount& line = lines[origin.instruction];
            line.line = instruction.line;
            line.text = instruction.text;
            line.sourceLine = instruction.source.line;
            if (instruction.source.line > 0 && static_cast<size_t>(instruction.source.file) < program.files.size())
                line.sourceFile = program.files[static_cast<size_t>(instruction.source.file)];
            // An instruction that was taken apart counts once.
            if (count.warps >= line.warps) {
                line.warps = count.warps;
                line.threads = std::max(line.threads, count.threads);
            }
            if (origin.kind == OpClass::Tensor)
                stats.tensorFlops += origin.flops * count.warps;
            else
                stats.flops += origin.flops * count.threads;
            addAccess(stats, line, program.ops[i], origin.kind, result.counts);
        }
        std::vector<OpClass> kinds(program.instructions.size(), OpClass::Other);
        for (size_t i = 0; i < program.ops.size(); ++i) // the last operation of an instruction is what it is about
            if (program.origins[i].kind != OpClass::Join)
                kinds[program.origins[i].instruction] = program.origins[i].kind;
        for (auto& [instruction, line] : lines) {
            stats.warpInstructions += line.warps;
            stats.threadInstructions += line.threads;
            stats.instructionsByClass[opClassName(kinds[instruction])] += line.warps;
            stats.lines.push_back(std::move(line));
        }
        stats.branches = result.counts.branches;
        stats.divergentBranches = result.counts.divergentBranches;
        stats.barriers = result.counts.barriers;
        if (l.gpu)
            stats.modelled = modelled(l, result);
        for (size_t i = 0; i < result.counts.buffers.size(); ++i) {
            const BufferCount& b = result.counts.buffers[i];
            if (b.readRequests + b.writeRequests + b.atomicRequests > 0)
                stats.buffers.push_back({memory.all()[i].name, b.readBytes, b.writtenBytes, b.atomicBytes,
                                         b.readSectors, b.writtenSectors, b.readRequests, b.writeRequests,
                                         l.gpu ? 32 * result.caches.readOf[i] : 0,
                                         l.gpu ? 32 * result.caches.writtenOf[i] : 0});
        }
        for (const Finding& f : result.findings)
            stats.findings.push_back(shown(f));
        stats.output = result.output;
        return stats;
    }

    static gpu::Modelled modelled(const Launch& l, const LaunchResult& result) {
        const ModelledTime time = modelTime(*l.gpu, l, result.counts, result.caches);
        const CacheCounts& c = result.caches;
        return {std::string(l.gpu->id),
                time.seconds,
                time.limit,
                time.parts,
                l.registers,
                time.occupancy.blocks,
                time.occupancy.share,
                std::string(time.occupancy.limit),
                c.l1Reads,
                c.l1Hits,
                c.l2Reads,
                c.l2Hits,
                c.l2Writes,
                32 * c.dramReads,
                32 * c.dramWrites};
    }

    static void addAccess(gpu::LaunchStats& stats, gpu::LineCount& line, const Op& op, OpClass kind,
                          const LaunchCounts& counts) {
        const bool memory = kind == OpClass::Global || kind == OpClass::Shared || kind == OpClass::Local ||
                            kind == OpClass::Constant || kind == OpClass::Atomic || kind == OpClass::AsyncCopy ||
                            kind == OpClass::Matrix;
        if (!memory || op.access >= counts.accesses.size() || (kind == OpClass::AsyncCopy && op.bytes == 0))
            return;
        for (uint32_t number = op.access; number <= op.access + (kind == OpClass::AsyncCopy ? 1 : 0); ++number) {
            const AccessCount& a = counts.accesses[number];
            line.requests += a.requests;
            line.bytes += a.bytes;
            line.sectors += a.sectors;
            line.wavefronts += a.wavefronts;
            (a.wavefronts > 0 ? line.idealWavefronts : line.idealSectors) += a.ideal;
            if (a.wavefronts > 0) {
                stats.sharedRequests += a.requests;
                stats.sharedBytes += a.bytes;
                stats.sharedWavefronts += a.wavefronts;
                stats.sharedIdealWavefronts += a.ideal;
            } else if (kind != OpClass::Local) {
                stats.globalRequests += a.requests;
                stats.globalBytes += a.bytes;
                stats.globalSectors += a.sectors;
                stats.globalIdealSectors += a.ideal;
            }
        }
    }

    Program program;
    GlobalMemory& memory;
    gpu::KernelInfo about;
};

class VirtualModule final : public gpu::Module {
  public:
    VirtualModule(ptx::Module m, std::string name, GlobalMemory& g, const std::atomic<bool>* c)
        : module(std::move(m)), file(std::move(name)), memory(g), cancel(c) {
        for (const ptx::Variable& v : module.variables)
            if (v.space == ptx::Space::Global || v.space == ptx::Space::Constant)
                addresses[v.name] = memory.allocate(v.bytes, v.name);
        for (const ptx::Variable& v : module.variables)
            if (addresses.count(v.name))
                initialise(v);
    }
    ~VirtualModule() override {
        for (const auto& [name, address] : addresses)
            memory.release(address);
    }

    std::vector<std::string> kernels() const override {
        std::vector<std::string> names;
        for (const ptx::Function& f : module.functions)
            if (f.kernel && f.defined)
                names.push_back(f.name);
        return names;
    }

    gpu::Kernel& kernel(const std::string& name) override {
        auto& known = decoded[name];
        if (!known)
            known = std::make_unique<VirtualKernel>(
                decodeKernel(
                    module, file, name, [this](const std::string& symbol) { return address(symbol); }, cancel),
                memory);
        return *known;
    }

  private:
    uint64_t address(const std::string& symbol) const {
        const auto found = addresses.find(symbol);
        return found == addresses.end() ? 0 : found->second;
    }

    void initialise(const ptx::Variable& v) {
        const uint64_t at = addresses.at(v.name);
        std::vector<uint8_t> bytes = v.initial; // the rest stays zero
        for (const ptx::Variable::Relocation& r : v.relocations) {
            const int function = module.functionNumber(r.symbol);
            const uint64_t target =
                function >= 0 ? functionAddress(function) : address(r.symbol) + static_cast<uint64_t>(r.addend);
            if (address(r.symbol) == 0 && function < 0)
                throw InputError(fmt::format("{}:{}: '{}' is initialised with '{}', which is not declared", file,
                                             v.line, v.name, r.symbol));
            std::memcpy(bytes.data() + r.at, &target, static_cast<size_t>(r.bytes));
        }
        std::memcpy(memory.host(at), bytes.data(), bytes.size());
        memory.markWritten(at, v.bytes);
    }

    ptx::Module module;
    std::string file;
    GlobalMemory& memory;
    const std::atomic<bool>* cancel;
    std::map<std::string, uint64_t> addresses;
    std::map<std::string, std::unique_ptr<VirtualKernel>> decoded;
};

class VirtualDevice final : public gpu::Device {
  public:
    std::string name() const override { return "Virtual GPU"; }
    uint64_t allocate(int64_t bytes, const std::string& name) override { return memory.allocate(bytes, name); }
    void release(uint64_t address) override { memory.release(address); }
    std::vector<std::string> held() const override {
        std::vector<std::string> names;
        for (const Allocation& a : memory.all())
            if (a.live)
                names.push_back(a.name);
        return names;
    }
    void upload(uint64_t to, const void* from, int64_t bytes) override {
        within(to, bytes);
        if (bytes == 0)
            return;
        std::memcpy(memory.host(to), from, static_cast<size_t>(bytes));
        memory.markWritten(to, bytes);
    }
    void download(void* to, uint64_t from, int64_t bytes) override {
        within(from, bytes);
        if (bytes == 0)
            return;
        std::memcpy(to, memory.host(from), static_cast<size_t>(bytes));
    }
    std::unique_ptr<gpu::Module> load(const std::string& text, const std::string& file,
                                      const std::atomic<bool>* cancel) override {
        return std::make_unique<VirtualModule>(ptx::parse(text, file, cancel), file, memory, cancel);
    }

  private:
    void within(uint64_t address, int64_t bytes) const {
        if (memory.find(address, bytes) < 0)
            throw InputError(fmt::format("a copy of {} bytes at {:#x} is not inside a buffer", bytes, address));
    }
    GlobalMemory memory;
};

} // namespace

std::unique_ptr<gpu::Device> makeVirtualDevice() { return std::make_unique<VirtualDevice>(); }

} // namespace warplight::vgpu
