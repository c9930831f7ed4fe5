// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/ops/ssd_backward.h"

#include "gpu/host/memory_budget.h"
#include "gpu/ops/device_matrix.h"
#include "gpu/ops/kernel_problem.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace warplight::gpu {
namespace {

using number::Format;

constexpr int64_t threads = 256, decayTile = 32;

/// SsdBackProblem of gpu/kernels/ssd_backward.cu.
struct KernelArguments {
    uint64_t x = 0, b = 0, c = 0, dy = 0, decay = 0, initial = 0, dx = 0, da = 0, dinitial = 0;
    uint64_t states = 0, gradients = 0, factors = 0, parts = 0;
    int32_t length = 0, heads = 0, groups = 0, headDim = 0, stateDim = 0, chunks = 0;
};
static_assert(sizeof(KernelArguments) == 128);

int64_t chunksOf(const SsdShape& s) { return (s.length + ssdBackSteps - 1) / ssdBackSteps; }
int64_t tilesOf(int64_t dim) { return (dim + ssdBackSteps - 1) / ssdBackSteps; }

} // namespace

SsdBackwardRun ssdBackward(KernelLibrary& library, const SsdShape& s, const SsdTensors& t, const float* dy,
                           const LaunchOptions& options) {
    checkShape(s);
    Launcher launcher(library, options);
    const int64_t steps = s.batch * s.length, heads = s.allHeads(), size = s.headDim * s.stateDim, chunks = chunksOf(s);
    const auto matrix = [&](const char* name, int64_t rows, int64_t columns) {
        return DeviceMatrix(launcher.device(), name, rows, columns, Format::F32);
    };
    const auto given = [&](const char* name, int64_t rows, int64_t columns, const float* from) {
        DeviceMatrix made = matrix(name, rows, columns);
        made.upload(from, options.cancel);
        return made;
    };
    const DeviceMatrix x = given("X", steps * s.heads, s.headDim, t.x), a = given("A", steps, s.heads, t.a),
                       b = given("B", steps * s.groups, s.stateDim, t.b),
                       c = given("C", steps * s.groups, s.stateDim, t.c),
                       dOut = given("dY", steps * s.heads, s.headDim, dy);
    const DeviceMatrix dx = matrix("dX", steps * s.heads, s.headDim), da = matrix("dA", steps, s.heads),
                       db = matrix("dB", steps * s.groups, s.stateDim), dc = matrix("dC", steps * s.groups, s.stateDim);
    std::optional<DeviceMatrix> initial, dinitial;
    if (s.begins) {
        initial.emplace(given("initial-state", heads, size, t.initial));
        dinitial.emplace(matrix("dinitial-state", heads, size));
    }
    const auto int32 = [](int64_t n) { return static_cast<int32_t>(n); };
    const auto room = [&](int64_t numbers, const char* name) {
        return steps > 0 ? launcher.temporary(numbers * 4, name).address() : 0;
    };
    const uint64_t decays = room(heads * s.length, "decays"), parts = room(2 * heads * s.length * s.stateDim, "parts");
    const KernelArguments at{x.address(),
                             b.address(),
                             c.address(),
                             dOut.address(),
                             decays,
                             initial ? initial->address() : 0,
                             dx.address(),
                             da.address(),
                             dinitial ? dinitial->address() : 0,
                             room(heads * chunks * size, "states"),
                             room(heads * chunks * size, "gradients"),
                             room(heads * chunks, "factors"),
                             parts,
                             int32(s.length),
                             int32(s.heads),
                             int32(s.groups),
                             int32(s.headDim),
                             int32(s.stateDim),
                             int32(chunks)};
    const Extent eachChunk{static_cast<uint32_t>(chunks), static_cast<uint32_t>(heads),
                           static_cast<uint32_t>(tilesOf(s.headDim) * tilesOf(s.stateDim))};
    if (steps > 0) {
        launcher.start("ssd", "ssd_decays",
                       {ceilDiv(s.length, decayTile), ceilDiv(s.heads, decayTile), static_cast<uint32_t>(s.batch)},
                       {threads}, 0, {a.address(), decays, int32(s.length), int32(s.heads), int32(!s.begins)});
        launcher.start("ssd_backward", "ssd_back_states", eachChunk, {threads}, 0, {at});
    }
    if (heads > 0 && (steps > 0 || s.begins))
        launcher.start("ssd_backward", "ssd_back_pass", {ceilDiv(size, threads), static_cast<uint32_t>(heads)},
                       {threads}, 0, {at});
    if (steps > 0) {
        launcher.start("ssd_backward", "ssd_back_chunks", {eachChunk.x, eachChunk.y}, {threads}, 0, {at});
        launcher.start(
            "ssd_backward", "ssd_back_sums",
            {ceilDiv(s.length * s.stateDim, threads), static_cast<uint32_t>(s.batch * s.groups), 2}, {threads}, 0,
            {parts, db.address(), dc.address(), int32(s.length), int32(s.heads), int32(s.groups), int32(s.stateDim)});
    }
    SsdBackwardRun result{launcher.finish(), {}, {}, {}, {}, {}};
    result.dx = dx.download(options.cancel);
    result.da = da.download(options.cancel);
    result.db = db.download(options.cancel);
    result.dc = dc.download(options.cancel);
    if (dinitial)
        result.dinitial = dinitial->download(options.cancel);
    return result;
}

TensorTraffic backwardTraffic(const SsdShape& s) {
    const auto real = [](int64_t x) { return static_cast<double>(x); };
    const double element = 4, heads = real(s.allHeads()), t = real(s.length), p = real(s.headDim), n = real(s.stateDim),
                 chunks = real(chunksOf(s)), stateTiles = real(tilesOf(s.stateDim)),
                 headTiles = real(tilesOf(s.headDim));
    const double last = s.length > 0 ? t - (chunks - 1) * real(ssdBackSteps) : 0,
                 behind = t - last, // steps that something comes behind, and that something comes before
        before = s.begins ? t : t - real(std::min(s.length, ssdBackSteps)), chunksBehind = std::max(chunks - 1, 0.0),
                 chunksBefore = s.begins ? chunks : chunksBehind;
    TensorTraffic traffic{{"X", {t * p * (stateTiles + 1) + behind * p * stateTiles, 0}},
                          {"A", {t, 0}},
                          {"B", {t * n * (headTiles + 2) + behind * n * headTiles, 0}},
                          {"C", {t * n * (headTiles + 2), 0}},
                          {"dY", {t * p * (stateTiles + 2) + before * p * stateTiles, 0}},
                          {"initial-state", {s.begins ? n * p : 0, 0}},
                          {"dX", {0, t * p}},
                          {"dA", {0, t}},
                          {"dinitial-state", {0, s.begins ? n * p : 0}},
                          {"decays", {t * (stateTiles * headTiles + 1), t}},
                          {"states", {(chunks + chunksBefore) * n * p, 2 * chunks * n * p}},
                          {"gradients", {(chunks + 2 * chunksBehind) * n * p, 2 * chunks * n * p}},
                          {"factors", {2 * chunks * n * p, chunks}},
                          {"parts", {2 * t * n, 2 * t * n}}};
    for (auto& [name, moved] : traffic) {
        moved.read *= heads * element;
        moved.written *= heads * element;
    }
    traffic["dB"].written = traffic["dC"].written = real(s.batch * s.groups) * t * n * element;
    return withoutEmpty(traffic);
}

int64_t backwardDeviceBytes(const SsdShape& s) {
    const auto times = [](int64_t a, int64_t b) { return saturatedProduct(a, b); };
    const int64_t steps = times(s.batch, s.length), heads = s.allHeads(), size = s.headDim * s.stateDim;
    int64_t numbers = 0;
    const auto add = [&](int64_t count) { numbers = saturatedSum(numbers, count); };
    add(times(steps, 3 * s.heads * s.headDim + 4 * s.groups * s.stateDim));
    add(times(steps, s.heads * (3 + 2 * s.stateDim))); // A, dA, decays, parts
    add(s.begins ? times(heads, 2 * size) : 0);
    add(times(times(heads, chunksOf(s)), 2 * size + 1));
    return times(numbers, 4);
}

} // namespace warplight::gpu
