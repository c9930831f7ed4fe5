// SPDX-License-Identifier: GPL-3.0-or-later
// What there is to run on, what is missing and why, and what the virtual GPU can be.
#include "core/collectives/gpus/gpus.h"
#include "core/collectives/mpi_job.h"
#include "core/collectives/processes.h"
#include "core/cpu/machine.h"
#include "core/devices/gpus.h"
#include "core/error.h"
#include "core/labs/devices/devices_lab.h"
#include "core/labs/devices/peaks.h"
#include "gpu/cuda/cuda_compiler.h"
#include "gpu/cuda/cupti_library.h"
#include "gpu/cuda/device_list.h"
#include "gpu/cuda/shared_library.h"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <fmt/format.h>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::tools {
namespace {

using namespace lab;

/// A library or program that is looked for when it is needed.
struct Part {
    std::string name, purpose;
    std::string found; ///< where; empty: not
    std::string why;   ///< when it was not found: what that means
};

std::string opened(const char* variable, std::initializer_list<const char*> names) {
    std::vector<std::string> wanted;
    if (const char* given = std::getenv(variable))
        wanted.emplace_back(given);
    else
        wanted.assign(names.begin(), names.end());
    const auto library = cuda::SharedLibrary::open(wanted);
    return library ? library->path() : "";
}

std::vector<Part> parts() {
    std::vector<Part> all = {
        {"CUDA driver", "runs kernels on an NVIDIA GPU", opened("WARPLIGHT_LIBCUDA", {"libcuda.so.1"}),
         "no NVIDIA driver: the virtual GPU runs the same kernels"},
        {"NVML", "tells clocks and why they are held back", opened("WARPLIGHT_LIBNVML", {"libnvidia-ml.so.1"}),
         "times come without clocks"},
        {"cuBLAS", "the rung cublas", opened("WARPLIGHT_LIBCUBLAS", {"libcublas.so.13", "libcublas.so.12"}),
         "the rung cublas is left out"},
        {"cuFFT", "the rung cufft of S4", opened("WARPLIGHT_LIBCUFFT", {"libcufft.so.12", "libcufft.so.11"}),
         "the rung cufft is left out"},
        {"CUPTI", "the GPU's own traffic counters", "", ""},
        {"nvcc", "compiles .cu files", "", "NVRTC may do it, and .ptx files need neither"},
        {"NVRTC", "compiles .cu files where there is no nvcc", "", "nvcc may do it, and .ptx files need neither"},
        {"NCCL", "joins GPUs in the Allreduce lab", collectives::ncclName(), collectives::whyNoNccl()},
        {"MPI", "joins processes in the Allreduce lab", collectives::findMpirun().string(), ""}};
    if (const std::string why = collectives::whyNoMpi(); !why.empty())
        all.back() = {"MPI", all.back().purpose, "", why};
    try {
        all[4].found = cuda::CuptiLibrary().path();
    } catch (const InputError& error) {
        all[4].why = error.what();
    }
    try {
        const cuda::CudaCompilers compilers = cuda::CudaCompilers::find();
        all[5].found = compilers.nvcc;
        all[6].found = compilers.nvrtc;
    } catch (const InputError& error) {
        all[5].why = all[6].why = error.what();
    }
    return all;
}

class Devices : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "tools.devices";
        d.lab = "Tools";
        d.title = "Devices";
        d.sentence = "What there is to run on, what is missing and why, and which GPU is modelled.";
        d.question = "Which numbers of this machine are measured, and which GPU does the virtual one stand for?";
        d.about = "Libraries of NVIDIA's are looked for while the program runs and never needed: without them the "
                  "compiled GPU "
                  "kernels run on the virtual GPU, **counted** exactly and **modelled** for the chosen card. "
                  "Data-sheet numbers "
                  "are **reference**; peaks are **measured** when asked for.";
        d.devices = {"cpu"};
        d.colours = {{"profile.f32", 0}, {"profile.tensor", 2}};
        Parameter gpu = devices::gpuParameter();
        gpu.title = "Profile";
        d.parameters = {
            gpu,
            Parameter::flag("measure", "Measure peaks now", false,
                            "Runs copies and multiply-adds on the CPU and on each NVIDIA GPU: about a second each.")};
        return d;
    }

    double estimatedSeconds(const Settings& s) const override { return s.flag("measure") ? 3 : 0.3; }
    MemoryNeed neededMemory(const Settings& s, const std::string& /*device*/) const override {
        return {s.flag("measure") ? cpu::peakMeasurementBytes : 0, 0, "Measuring peaks", {}};
    }

    void run(const Settings& settings, Run& run) override {
        const cuda::DeviceList nvidia = cuda::deviceList();
        const cpu::MachineInfo machine = cpu::machineInfo();
        showDevices(run, machine, nvidia, settings.flag("measure"));
        showParts(run);
        showProfiles(run, vgpu::gpuProfile(settings.text("gpu")));
        Metric gpus;
        gpus.value = static_cast<double>(nvidia.gpus.size());
        gpus.format = "{:.0f}";
        gpus.caption = nvidia.gpus.empty() ? nvidia.whyNone : nvidia.gpus.front().name;
        run.put({"gpus", "NVIDIA GPUs", "", "Asked of the driver.", Figure::Place::Headline, gpus});
        Metric cores;
        cores.value = machine.cores;
        cores.format = "{:.0f}";
        cores.caption = fmt::format("threads of {}, kernels for {}", machine.cpuName, machine.instructionSet);
        run.put({"cores", "CPU", "", "Told by the operating system.", Figure::Place::Headline, cores});
    }

  private:
    static void showDevices(Run& run, const cpu::MachineInfo& machine, const cuda::DeviceList& nvidia, bool measure) {
        Table table;
        table.columns = {{"id", "Device", "", false, {}, ""},
                         {"name", "Name", "", false, {}, ""},
                         {"state", "What it is", "", false, {}, ""},
                         {"memory", "Memory", "B", true, {}, ""}};
        if (measure)
            for (const auto& [id, title, unit] :
                 {std::array{"f32", "f32 peak", "FLOP/s"}, std::array{"tensor", "Tensor peak", "FLOP/s"},
                  std::array{"bandwidth", "Bandwidth", "B/s"}})
                table.columns.push_back({id, title, unit, true, Provenance::Measured, ""});
        const auto row = [&](std::string id, std::string name, std::string state, int64_t memory) {
            std::vector<Table::Cell> cells{std::move(id), std::move(name), std::move(state),
                                           memory ? Table::Cell(memory) : Table::Cell()};
            cells.resize(table.columns.size());
            return cells;
        };
        table.rows.push_back(row("cpu", machine.cpuName,
                                 fmt::format("{} threads, {}{}", machine.cores, machine.instructionSet,
                                             machine.bf16Instructions ? ", bf16 instructions" : ""),
                                 machine.memoryBytes));
        table.rows.push_back(
            row("vgpu", "Virtual GPU", "runs the compiled GPU kernels on the CPU and counts every byte", 0));
        for (const cuda::GpuInfo& gpu : nvidia.gpus)
            table.rows.push_back(row(gpu.id, gpu.name, gpu.detail(), gpu.memoryBytes));
        if (nvidia.gpus.empty())
            table.rows.push_back(row("cuda", "NVIDIA GPU", nvidia.whyNone, 0));
        const auto put = [&] {
            run.put({"devices", "Devices", measure ? "peaks measured in this run" : "peaks: tick “Measure peaks now”",
                     "Peaks are **measured**: multiply-adds in registers, tensor-core products in registers, and a "
                     "copy of 256 MiB "
                     "(on the CPU a triad over more than the caches hold; bytes read and written).",
                     Figure::Place::Main, table});
        };
        put();
        if (!measure)
            return;
        run.progress(0, "CPU");
        const cpu::MachinePeaks peaks = cpu::measurePeaks(0, 0.6, run.cancelToken());
        table.rows[0][4] = peaks.fmaFlops;
        table.rows[0][6] = peaks.bandwidth;
        put();
        for (size_t i = 0; i < nvidia.gpus.size(); ++i) {
            run.checkCancelled();
            run.progress(static_cast<double>(i + 1) / static_cast<double>(nvidia.gpus.size() + 1), nvidia.gpus[i].name);
            const GpuPeaks gpu = measureGpuPeaks(nvidia.gpus[i].id, nvidia.gpus[i].multiprocessors, run.cancelToken());
            table.rows[2 + i][4] = gpu.f32Flops;
            table.rows[2 + i][5] = gpu.tensorFlops;
            table.rows[2 + i][6] = gpu.bandwidth;
            put();
        }
    }

    static void showParts(Run& run) {
        Table table;
        table.columns = {{"part", "Part", "", false, {}, ""},
                         {"purpose", "What it is for", "", false, {}, ""},
                         {"found", "Found", "", false, {}, ""}};
        for (const Part& p : parts())
            table.rows.push_back({p.name, p.purpose, p.found.empty() ? "not found: " + p.why : p.found});
        run.put({"parts", "Parts", "looked for while the program runs", "None of these is needed.",
                 Figure::Place::Support, std::move(table)});
    }

    static void showProfiles(Run& run, const vgpu::GpuProfile& chosen) {
        const auto f32 = [](const vgpu::GpuProfile& g) { return 2.0 * g.fp32Lanes * g.multiprocessors * g.clockHz; };
        const auto tensor = [](const vgpu::GpuProfile& g) {
            return g.tensorFlopsPerClock * g.multiprocessors * g.clockHz;
        };
        Series roofline;
        roofline.x = {"FLOP per byte of DRAM", "", Scale::Log10, {}, {}, {}, false};
        roofline.y = {"rate", "FLOP/s", Scale::Log10, {}, {}, {}, false};
        for (const vgpu::GpuProfile& g : vgpu::gpuProfiles())
            for (const bool cores : {false, true}) {
                if (&g != &chosen && !cores)
                    continue; // of the others, only the highest roof, to compare
                Curve c;
                const double peak = cores ? tensor(g) : f32(g), ridge = peak / g.dramBytesPerSecond;
                c.id = fmt::format("{}.{}", g.id, cores ? "tensor" : "f32");
                c.label =
                    &g != &chosen ? std::string(g.id) : fmt::format("{}, {}", g.id, cores ? "tensor cores" : "f32");
                c.colourKey = &g == &chosen ? (cores ? "profile.tensor" : "profile.f32") : "";
                c.provenance = Provenance::Reference;
                c.style = Curve::Style::Line;
                c.x = {0.1, ridge, 1e4};
                c.y = {0.1 * g.dramBytesPerSecond, peak, peak};
                roofline.curves.push_back(std::move(c));
            }
        run.put({"roofline", "Roofs of the profiles", fmt::format("{} in colour", chosen.name),
                 "Data-sheet peaks (**reference**): DRAM bandwidth as the slope, f16 tensor cores with f32 sums as the "
                 "roof, for the "
                 "chosen profile f32, too.",
                 Figure::Place::Support, std::move(roofline)});
        Table table;
        table.columns = {{"id", "Profile", "", false, {}, ""},
                         {"name", "GPU", "", false, {}, ""},
                         {"sms", "SMs", "", true, Provenance::Reference, ""},
                         {"clock", "Clock", "Hz", true, Provenance::Reference, ""},
                         {"f32", "f32", "FLOP/s", true, Provenance::Reference, ""},
                         {"tensor", "Tensor f16", "FLOP/s", true, Provenance::Reference, ""},
                         {"dram", "DRAM", "B/s", true, Provenance::Reference, ""},
                         {"l2", "L2", "B", true, Provenance::Reference, ""},
                         {"shared", "Shared an SM", "B", true, Provenance::Reference, ""},
                         {"source", "Source", "", false, {}, ""}};
        for (const vgpu::GpuProfile& g : vgpu::gpuProfiles())
            table.rows.push_back({std::string(g.id) + (&g == &chosen ? " ●" : ""), std::string(g.name),
                                  static_cast<int64_t>(g.multiprocessors), g.clockHz, f32(g), tensor(g),
                                  g.dramBytesPerSecond, g.l2Bytes, g.sharedBytes, std::string(g.source)});
        run.put({"profiles", "Profiles of the virtual GPU", "● is chosen",
                 "What the time and cache models know of each card.", Figure::Place::Support, std::move(table)});
    }
};

} // namespace

void registerLab(Registry& registry) { registry.add(std::make_unique<Devices>()); }

} // namespace warplight::labs::tools
