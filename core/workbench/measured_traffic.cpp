// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/workbench/measured_traffic.h"

#include "gpu/cuda/cuda_device.h"
#include "gpu/cuda/cupti_profiler.h"
#include "gpu/ops/kernel_library.h"

#include <functional>

namespace warplight::workbench {

struct MeasuredTraffic::Counters {
    explicit Counters(const std::string& id) : gpu(cuda::deviceNumber(id)), kernels(gpu) {}
    cuda::CudaDevice gpu;
    gpu::KernelLibrary kernels;
    std::unique_ptr<cuda::CuptiLibrary> cupti;
    std::unique_ptr<cuda::CuptiProfiler> profiler;
};

MeasuredTraffic::MeasuredTraffic(const std::string& device) : counters(std::make_unique<Counters>(device)) {
    try {
        counters->cupti = std::make_unique<cuda::CuptiLibrary>();
        counters->profiler = std::make_unique<cuda::CuptiProfiler>(*counters->cupti, counters->gpu.cuda().handle(),
                                                                   static_cast<int>(counters->gpu.cuda().device()));
    } catch (const cuda::CountersUnavailable& error) {
        why = error.what();
    }
}

MeasuredTraffic::~MeasuredTraffic() = default;

const gpu::Device& MeasuredTraffic::device() const { return counters->gpu; }

std::optional<MeasuredBytes> MeasuredTraffic::measure(const Contestant& contestant, const Problem& problem,
                                                      Tensors& tensors, gpu::LaunchOptions options) {
    if (!why.empty())
        return std::nullopt;
    MeasuredBytes all;
    all.dram = 0;
    options.around = [&](const std::function<void()>& launch) {
        const cuda::TrafficMeasured m = counters->profiler->measure(launch);
        if (m.dramReadBytes && m.dramWrittenBytes && all.dram)
            all.dram = *all.dram + static_cast<double>(*m.dramReadBytes + *m.dramWrittenBytes);
        else
            all.dram.reset();
        all.l2 += static_cast<double>(m.l2ReadBytes + m.l2WrittenBytes);
        all.l1 += static_cast<double>(m.l1Bytes);
        all.seconds += m.seconds;
    };
    try {
        contestant.implementation->onGpu(problem, tensors, counters->kernels, options);
    } catch (const cuda::CountersUnavailable& error) {
        why = error.what();
        return std::nullopt;
    }
    return all;
}

} // namespace warplight::workbench
