#pragma once

#include "core/cpu/attention.h"
#include "core/lab/parameter.h"
#include "core/lab/run.h"
#include "gpu/ops/attention.h"

namespace warplight::labs {

/// Parameters of an experiment that also runs on the virtual GPU: which kernels, and whose caches and clocks are
/// modelled. They matter on that device only.
lab::Parameter kernelsParameter();
lab::Parameter gpuParameter();
/// Lets a parameter matter on one device only.
lab::Parameter onDevice(lab::Parameter parameter, const std::string& device);

gpu::AttentionShape gpuShape(const cpu::AttentionProblem& problem);

/// Race on the virtual GPU: modelled times of the compiled kernels, point by point.
void raceOnVirtualGpu(const lab::Settings& settings, lab::Run& run);

} // namespace warplight::labs
