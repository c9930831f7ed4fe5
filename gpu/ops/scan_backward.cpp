// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/ops/scan_backward.h"

#include "gpu/error.h"
#include "gpu/host/memory_budget.h"
#include "gpu/number/format.h"
#include "gpu/ops/device_matrix.h"
#include "gpu/ops/kernel_problem.h"
#include "gpu/ops/scan_chunks.h"

#include <cstdint>
#include <utility>

namespace warplight::gpu {
namespace {

using number::Format;

/// BackwardRows of gpu/kernels/scan_backward.cu.
struct KernelRows {
    uint64_t a = 0, dh = 0, h = 0, h0 = 0, da = 0, db = 0, dh0 = 0;
    int64_t stride = 0;
    int32_t channels = 0, length = 0;
};
static_assert(sizeof(KernelRows) == 72);
/// ScanRows of gpu/kernels/scan.cuh: nothing comes before the last step.
struct CarriedRows {
    uint64_t a = 0, b = 0, h0 = 0, h = 0;
    int64_t stride = 0;
    int32_t channels = 0, length = 0;
};

constexpr ScanRungInfo rungs[] = {
    {ScanRung::Serial, "serial", "A thread a row, from its last step to its first",
     "Nothing is done twice, but a row is as slow as its steps, and a warp's lanes read far apart."},
    {ScanRung::Chunked, "chunked", "Pairs of chunks, what goes between them, then the steps: three kernels",
     "Blocks share a row: decays and gradients are read twice, but by the whole GPU."},
    {ScanRung::LookBack, "look-back", "One pass: a chunk looks back, towards the end, for what reaches it",
     "Decays and gradients are read once; chunks tell each other what they do while they are in registers."}};

constexpr int64_t serialThreads = 128, group = 4, warpGroups = 32;

double real(int64_t x) { return static_cast<double>(x); }
ScanChunks chunksOf(const ScanBackwardShape& s) { return {s.channels, s.length, 4}; }

} // namespace

std::span<const ScanRungInfo> scanBackwardRungs() { return rungs; }

void checkShape(const ScanBackwardShape& s) { checkShape(ScanShape{s.channels, s.length, true}); }

ScanBackwardRun scanBackward(KernelLibrary& library, ScanRung rung, const ScanBackwardShape& s,
                             const ScanBackwardTensors& tensors, const LaunchOptions& options) {
    checkShape(s);
    if (scanTile(rung, s.length) > 0)
        throw InputError("scan backward: gradients are scanned serially or in chunks");
    Launcher launcher(library, options);
    Device& device = launcher.device();
    const auto rowsOf = [&](const char* name) {
        return DeviceMatrix(device, name, s.channels, s.length, Format::F32, group);
    };
    DeviceMatrix a = rowsOf("A"), h = rowsOf("H"), dh = rowsOf("dH"), da = rowsOf("dA"), db = rowsOf("dB"),
                 h0(device, "h0", 1, s.channels, Format::F32), dh0(device, "dh0", 1, s.channels, Format::F32);
    a.upload(tensors.a, options.cancel);
    h.upload(tensors.h, options.cancel);
    dh.upload(tensors.dh, options.cancel);
    h0.upload(tensors.h0, options.cancel);
    if (s.channels > 0 && s.length > 0) {
        const KernelRows rows{a.address(),
                              dh.address(),
                              h.address(),
                              h0.address(),
                              da.address(),
                              db.address(),
                              dh0.address(),
                              a.rowLength(),
                              static_cast<int32_t>(s.channels),
                              static_cast<int32_t>(s.length)};
        if (rung == ScanRung::Serial)
            launcher.start("scan_backward", "scan_backward_serial",
                           {static_cast<uint32_t>(ceilDiv(s.channels, serialThreads))}, {serialThreads}, 0, {rows});
        else
            startChunks(launcher, rung, {"scan_backward", "scan", rows, CarriedRows()}, chunksOf(s));
    } else {
        dh0.fill(0);
    }
    ScanBackwardRun run{launcher.finish(), {}, {}, {}};
    run.da = da.download(options.cancel);
    run.db = db.download(options.cancel);
    run.dh0 = dh0.download(options.cancel);
    return run;
}

TensorTraffic compulsoryTraffic(const ScanBackwardShape& s) {
    if (s.length == 0)
        return {};
    const double states = 4 * real(s.channels), rows = states * real(s.length);
    return withoutEmpty({{"A", {rows, 0}},
                         {"dH", {rows, 0}},
                         {"H", {rows - states, 0}},
                         {"h0", {states, 0}},
                         {"dA", {0, rows}},
                         {"dB", {0, rows}},
                         {"dh0", {0, states}}});
}

TensorTraffic algorithmicTraffic(ScanRung rung, const ScanBackwardShape& s) {
    if (rung == ScanRung::Serial || s.channels == 0 || s.length == 0)
        return compulsoryTraffic(s);
    const ScanChunks chunks = chunksOf(s);
    const int64_t groups = ceilDiv(s.length, group);
    const double states = 4 * real(s.channels), rows = 4 * states * real(groups),
                 twice = rung == ScanRung::Chunked ? real(chunks.between()) * 4 * real(scanChunkSteps) : 0;
    TensorTraffic traffic = trafficBetween(rung, chunks);
    traffic["A"] = traffic["dH"] = {rows + twice, 0};
    traffic["H"] = {rows + states * real(ceilDiv(groups, warpGroups) - 1),
                    0}; // last lanes read the state before theirs
    traffic["h0"] = {states, 0};
    traffic["dA"] = traffic["dB"] = {0, rows};
    traffic["dh0"] = {0, states};
    return withoutEmpty(std::move(traffic));
}

int64_t deviceBytes(ScanRung rung, const ScanBackwardShape& s) {
    const int64_t row = saturatedProduct(4, saturatedProduct(s.channels, wholeMultiple(s.length, group))),
                  bytes = saturatedSum(saturatedProduct(5, row), saturatedProduct(8, s.channels));
    return s.channels == 0 || s.length == 0 ? bytes : saturatedSum(bytes, bytesBetween(rung, chunksOf(s)));
}

} // namespace warplight::gpu
