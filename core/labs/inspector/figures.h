// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/labs/inspector/findings.h"

#include <cstdint>
#include <vector>

namespace warplight::labs::inspector {

/// Source and PTX side by side with what each line did. Of a kernel that stopped: the texts and where it stopped.
lab::Figure sourceFigure(const Inspection& inspection, const std::vector<Remark>& remarks);
/// The PTX lines that a line of the source figure stands for, most accesses first. `pane` 0 is the source if there is
/// one.
std::vector<int> ptxLines(const lab::Source& source, int64_t pane, int64_t row);

/// The lanes of one instruction's accesses: addresses, and sectors or banks. An empty figure says that it has none.
lab::Figure accessFigure(const Inspection& inspection, int ptxLine);
/// The PTX line whose accesses are worth a look first: that with most sectors and passes beyond the ideal.
int worstAccess(const Inspection& inspection);

/// Blocks on the first multiprocessors, phase by phase.
lab::Figure blocksFigure(const Inspection& inspection, const vgpu::GpuProfile& gpu);
/// The launch under the GPU's roofs, by the bytes of DRAM, L2 and L1.
lab::Figure rooflineFigure(const Inspection& inspection, const vgpu::GpuProfile& gpu);
lab::Figure findingsFigure(const std::vector<Remark>& remarks);
lab::Figure buffersFigure(const Inspection& inspection);

} // namespace warplight::labs::inspector
