// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/ssm/rwkv.h"
#include "core/workbench/operator.h"
#include "gpu/ops/recurrences.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What LRU, RWKV-4 and RWKV-6 have in common as operators.
namespace warplight::labs::ssm {

/// An operator with these texts, and nothing else yet.
workbench::Operator recurrence(const char* id, const char* title, const char* formula, const char* flopsText);

/// Slot of the palette.
int recurrenceColour(std::string_view rung);

/// The rung of a GPU, without its functions.
workbench::Implementation recurrentOnGpu(const char* title);

/// Of recurrences whose channels know nothing of one another: batch, seqLen, channels.
std::vector<workbench::Knob> channelKnobs(workbench::Page page);
void setChannels(workbench::Problem& problem); ///< those that were not given
std::string channelsInWords(const workbench::Problem& problem);
gpu::ChannelShape channelShape(const workbench::Problem& problem);

/// The rungs of the CPU, the reference, and FLOPs. `shapeOf` makes a shape of a problem; `run(rung, problem, tensors,
/// options)` computes and returns what it cost.
template <class ShapeOf, class Run>
void addCpuRungs(workbench::Operator& op, const ShapeOf& shapeOf, const Run& run) {
    for (const auto& rung : cpu::recurrenceRungs()) {
        workbench::Implementation i = workbench::implementationOf(
            rung.name, rung.title, rung.improves, workbench::Implementation::Device::Cpu, recurrenceColour(rung.name));
        i.chosen = rung.id != cpu::RecurrenceRung::Reference;
        i.held = "states of channels";
        i.heldBytes = [id = rung.id, shapeOf](const workbench::Problem& p, int threads) {
            return cpu::extraBytesAtMost(id, shapeOf(p), threads);
        };
        i.bytes = [specs = op.tensors](const workbench::Problem& p) { return workbench::compulsoryTraffic(specs, p); };
        i.onCpu = [id = rung.id, run](const workbench::Problem& p, workbench::Tensors& t, const cpu::RunOptions& how) {
            return run(id, p, t, how).extraBytes;
        };
        op.ladder.push_back(std::move(i));
    }
    op.reference = [run](const workbench::Problem& p, workbench::Tensors& t, const cpu::RunOptions& how) {
        run(cpu::RecurrenceRung::Reference, p, t, how);
    };
    op.usefulFlops = [shapeOf](const workbench::Problem& p) { return cpu::flopsOf(shapeOf(p)); };
    op.baseline = "plain";
    op.frugal = "vectors";
}

} // namespace warplight::labs::ssm
