#pragma once

#include "core/cpu/attention/attention.h"
#include "core/lab/parameter.h"
#include "core/lab/run.h"
#include "gpu/ops/attention.h"
#include "gpu/virtual/gpu_profile.h"

#include <cstdint>
#include <memory>
#include <string>

namespace warplight::labs {

/// Parameters of an experiment that also runs on the virtual GPU: which kernels, and whose caches and clocks are
/// modelled. They matter on that device only.
lab::Parameter kernelsParameter();
lab::Parameter gpuParameter();
/// Lets a parameter matter on one device only ("cuda": on any NVIDIA GPU), or on all others.
lab::Parameter onDevice(lab::Parameter parameter, const std::string& device);
lab::Parameter notOnDevice(lab::Parameter parameter, const std::string& device);

gpu::AttentionShape gpuShape(const cpu::AttentionProblem& problem);

/// Whether a kernel keeps S and P, which grow with the square of the sequence.
bool keepsScores(const std::string& kernel);
/// What this machine holds while the virtual GPU runs a kernel, besides the inputs: its memory, with a mark for each
/// byte that was written, and the results.
int64_t virtualBytes(const std::string& kernel, const cpu::AttentionProblem& problem);

/// The GPU of a run: the virtual one, or an NVIDIA one ("cuda:N"). Throws InputError when it is not there.
std::unique_ptr<gpu::Device> openGpu(const std::string& device);
/// The profile that models a GPU: the one whose name is in the GPU's own, else that of the settings.
const vgpu::GpuProfile& profileOf(const gpu::Device& device, const lab::Settings& settings);

/// Race of the compiled kernels, point by point: on the virtual GPU in modelled time, on an NVIDIA GPU in measured time
/// with the modelled one beside it.
void raceOnGpu(const lab::Settings& settings, lab::Run& run);

} // namespace warplight::labs
