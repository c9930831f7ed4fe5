// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/ops/scan.h"

#include "gpu/error.h"
#include "gpu/host/memory_budget.h"
#include "gpu/number/format.h"
#include "gpu/ops/device_matrix.h"
#include "gpu/ops/kernel_problem.h"
#include "gpu/ops/scan_chunks.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <fmt/format.h>
#include <optional>
#include <string>
#include <utility>

namespace warplight::gpu {
namespace {

using number::Format;

constexpr ScanRungInfo rungs[] = {
    {ScanRung::Serial, "serial", "A thread a row, one step after the other",
     "Nothing is done twice, but a row is as slow as its steps, and a warp's lanes read far apart."},
    {ScanRung::HillisSteele, "hillis-steele", "Log n steps: each element takes in the one 1, 2, 4 … before it",
     "All steps of a tile at once, for log n times the work and a barrier each time it doubles."},
    {ScanRung::Sklansky, "sklansky", "Log n steps: half a block takes in the last of the other half",
     "Half the work in the same number of steps, in place."},
    {ScanRung::Blelloch, "blelloch", "Up a tree and down again",
     "Work of 2 n for twice the barriers, most of whose threads have nothing to do."},
    {ScanRung::Chunked, "chunked", "Pairs of chunks, states between them, then the steps: three kernels",
     "Blocks share a row: rows are read twice, but by the whole GPU."},
    {ScanRung::LookBack, "look-back", "One pass: a chunk looks back for its state",
     "Rows are read once; chunks tell each other what they do while they are in registers."}};

/// ScanRows of gpu/kernels/scan.cuh.
struct KernelRows {
    uint64_t a = 0, b = 0, h0 = 0, h = 0;
    int64_t stride = 0;
    int32_t channels = 0, length = 0;
};
static_assert(sizeof(KernelRows) == 48);

constexpr int64_t serialThreads = 128, mostTile = 512, mostTreeTile = 1024, group = 4;

double real(int64_t x) { return static_cast<double>(x); }
int64_t numberBytes(const ScanShape& s) { return 4 * s.parts(); }
ScanChunks chunksOf(const ScanShape& s) { return {s.channels, s.length, numberBytes(s)}; }

} // namespace

std::span<const ScanRungInfo> scanRungs() { return rungs; }

int64_t scanTile(ScanRung rung, int64_t length) {
    const auto whole = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(std::max<int64_t>(length, 1))));
    switch (rung) {
    case ScanRung::HillisSteele:
    case ScanRung::Sklansky:
        return std::clamp<int64_t>(whole, 32, mostTile);
    case ScanRung::Blelloch:
        return std::clamp<int64_t>(whole, 64, mostTreeTile);
    default:
        return 0;
    }
}

void checkShape(const ScanShape& s) {
    if (s.channels < 0 || s.length < 0)
        throw InputError(
            fmt::format("scan: {} channels of {} steps, expected none to be negative", s.channels, s.length));
    if (s.channels > INT32_MAX || s.length > INT32_MAX - scanChunkSteps ||
        saturatedProduct(s.channels, chunksOf(s).chunks) > INT32_MAX)
        throw InputError(
            fmt::format("scan: {} channels of {} steps are too many for one launch", s.channels, s.length));
}

ScanRun scan(KernelLibrary& library, ScanRung rung, const ScanShape& s, const ScanTensors& tensors,
             const LaunchOptions& options) {
    checkShape(s);
    Launcher launcher(library, options);
    Device& device = launcher.device();
    const auto rowsOf = [&](const char* name) {
        return DeviceMatrix(device, name, s.channels, s.parts() * s.length, Format::F32, group);
    };
    DeviceMatrix a = rowsOf("A"), b = rowsOf("B"), h = rowsOf("H");
    std::optional<DeviceMatrix> h0;
    if (s.begins) {
        h0.emplace(device, "h0", 1, s.parts() * s.channels, Format::F32);
        h0->upload(tensors.h0, options.cancel);
    }
    a.upload(tensors.a, options.cancel);
    b.upload(tensors.b, options.cancel);
    if (s.channels > 0 && s.length > 0) {
        const KernelRows rows{a.address(),
                              b.address(),
                              h0 ? h0->address() : 0,
                              h.address(),
                              a.rowLength() / s.parts(),
                              static_cast<int32_t>(s.channels),
                              static_cast<int32_t>(s.length)};
        const std::string family = s.complex ? "scan_complex" : "scan";
        const auto channels = static_cast<uint32_t>(s.channels), tile = static_cast<uint32_t>(scanTile(rung, s.length));
        const auto start = [&](const char* kernel, uint32_t blocks, uint32_t threads) {
            launcher.start(family, family + kernel, {blocks}, {threads}, 0, {rows});
        };
        switch (rung) {
        case ScanRung::Serial:
            start("_serial", ceilDiv(s.channels, serialThreads), serialThreads);
            break;
        case ScanRung::HillisSteele:
            start("_hillis_steele", channels, tile);
            break;
        case ScanRung::Sklansky:
            start("_sklansky", channels, tile);
            break;
        case ScanRung::Blelloch:
            start("_blelloch", channels, tile / 2);
            break;
        case ScanRung::Chunked:
        case ScanRung::LookBack:
            startChunks(launcher, rung, {family, family, rows, rows}, chunksOf(s));
            break;
        }
    }
    ScanRun run{launcher.finish(), {}};
    run.h = h.download(options.cancel);
    return run;
}

TensorTraffic compulsoryTraffic(const ScanShape& s) {
    const double number = real(numberBytes(s)), rows = number * real(s.channels) * real(s.length);
    return withoutEmpty({{"A", {rows, 0}},
                         {"B", {rows, 0}},
                         {"h0", {s.begins && s.length > 0 ? number * real(s.channels) : 0, 0}},
                         {"H", {0, rows}}});
}

TensorTraffic algorithmicTraffic(ScanRung rung, const ScanShape& s) {
    if (s.channels == 0 || s.length == 0)
        return {};
    const double channels = real(s.channels), start = s.begins ? real(numberBytes(s)) * channels : 0;
    if (rung != ScanRung::Chunked && rung != ScanRung::LookBack) {
        const int64_t threads = rung == ScanRung::Serial     ? 1
                                : rung == ScanRung::Blelloch ? scanTile(rung, s.length) / 2
                                                             : scanTile(rung, s.length);
        const double rows = real(numberBytes(s)) * channels * real(s.length);
        return withoutEmpty({{"A", {rows, 0}}, {"B", {rows, 0}}, {"h0", {start * real(threads), 0}}, {"H", {0, rows}}});
    }
    const ScanChunks chunks = chunksOf(s);
    const bool twice = rung == ScanRung::Chunked; // not the last chunks
    const double rows = 4 * channels * real(wholeMultiple(s.parts() * s.length, group)),
                 read = rows + (twice ? real(chunks.between()) * 4 * real(scanChunkSteps) : 0),
                 starters = twice ? (chunks.chunks > 1 ? 512 : 256) // each thread of a carry and a first chunk
                                  : 32 * real(chunks.chunks);       // each lane that looks back
    TensorTraffic traffic = trafficBetween(rung, chunks);
    traffic["A"] = traffic["B"] = {read, 0};
    traffic["h0"] = {start * starters, 0};
    traffic["H"] = {0, rows};
    return withoutEmpty(std::move(traffic));
}

int64_t deviceBytes(ScanRung rung, const ScanShape& s) {
    const int64_t columns = wholeMultiple(saturatedProduct(s.parts(), s.length), group),
                  row = saturatedProduct(4, saturatedProduct(s.channels, columns)),
                  bytes = saturatedSum(saturatedProduct(3, row),
                                       s.begins ? saturatedProduct(numberBytes(s), s.channels) : 0);
    return s.channels == 0 || s.length == 0 ? bytes : saturatedSum(bytes, bytesBetween(rung, chunksOf(s)));
}

} // namespace warplight::gpu
