// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"
#include "core/labs/inspector/inspection.h"
#include "gpu/virtual/gpu_profile.h"

#include <string>
#include <vector>

namespace warplight::labs::inspector {

/// Something worth saying about a launch, in words, with the numbers that it rests on.
struct Remark {
    lab::Source::Severity severity;
    std::string text;
    int line = 0; ///< of the PTX; 0: of the whole launch
};

/// What a reader of the counters would notice: errors first, then what costs most.
std::vector<Remark> remarks(const Inspection& inspection, const vgpu::GpuProfile& gpu);

/// How the lanes of an access lie, in words: "lanes stride by 256 B", "all lanes read the same 4 B", "lanes are
/// scattered".
std::string laneWords(const gpu::MemoryAccess& access);

} // namespace warplight::labs::inspector
