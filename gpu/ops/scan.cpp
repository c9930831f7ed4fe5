// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/ops/scan.h"

#include "gpu/error.h"
#include "gpu/host/memory_budget.h"
#include "gpu/number/format.h"
#include "gpu/ops/device_matrix.h"
#include "gpu/ops/kernel_problem.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <fmt/format.h>
#include <optional>
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

/// ScanRows and LookBack of gpu/kernels/scan.cu.
struct KernelRows {
    uint64_t a = 0, b = 0, h0 = 0, h = 0;
    int64_t stride = 0;
    int32_t channels = 0, length = 0;
};
static_assert(sizeof(KernelRows) == 48);
struct KernelLookBack {
    uint64_t tickets = 0, status = 0, pairs = 0, states = 0;
};

constexpr const char* family = "scan";
constexpr int64_t serialThreads = 128, mostTile = 512, mostTreeTile = 1024, group = 4, lookedAt = 32;

double real(int64_t x) { return static_cast<double>(x); }
int64_t chunksOf(const ScanShape& s) { return ceilDiv(s.length, scanChunkSteps); }

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
        saturatedProduct(s.channels, chunksOf(s)) > INT32_MAX)
        throw InputError(
            fmt::format("scan: {} channels of {} steps are too many for one launch", s.channels, s.length));
}

ScanRun scan(KernelLibrary& library, ScanRung rung, const ScanShape& s, const ScanTensors& tensors,
             const LaunchOptions& options) {
    checkShape(s);
    Launcher launcher(library, options);
    Device& device = launcher.device();
    const auto rowsOf = [&](const char* name) {
        return DeviceMatrix(device, name, s.channels, s.length, Format::F32, group);
    };
    DeviceMatrix a = rowsOf("A"), b = rowsOf("B"), h = rowsOf("H");
    std::optional<DeviceMatrix> h0;
    if (s.begins) {
        h0.emplace(device, "h0", 1, s.channels, Format::F32);
        h0->upload(tensors.h0, options.cancel);
    }
    a.upload(tensors.a, options.cancel);
    b.upload(tensors.b, options.cancel);
    if (s.channels > 0 && s.length > 0) {
        const KernelRows rows{a.address(),
                              b.address(),
                              h0 ? h0->address() : 0,
                              h.address(),
                              a.rowLength(),
                              static_cast<int32_t>(s.channels),
                              static_cast<int32_t>(s.length)};
        const auto channels = static_cast<uint32_t>(s.channels), tile = static_cast<uint32_t>(scanTile(rung, s.length)),
                   chunks = static_cast<uint32_t>(chunksOf(s));
        const auto chunkCount = static_cast<int32_t>(chunks);
        const auto start = [&](const char* kernel, uint32_t blocks, uint32_t threads, std::vector<Argument> arguments) {
            launcher.start(family, kernel, {blocks}, {threads}, 0, std::move(arguments));
        };
        const auto temporary = [&](const char* name, int64_t bytes) {
            return launcher.temporary(bytes, name).address();
        };
        switch (rung) {
        case ScanRung::Serial:
            start("scan_serial", ceilDiv(s.channels, serialThreads), serialThreads, {rows});
            break;
        case ScanRung::HillisSteele:
            start("scan_hillis_steele", channels, tile, {rows});
            break;
        case ScanRung::Sklansky:
            start("scan_sklansky", channels, tile, {rows});
            break;
        case ScanRung::Blelloch:
            start("scan_blelloch", channels, tile / 2, {rows});
            break;
        case ScanRung::Chunked: {
            uint64_t states = 0;
            if (chunks > 1) {
                const int64_t between = s.channels * (chunks - 1);
                const uint64_t pairs = temporary("pairs", 8 * between);
                states = temporary("states", 4 * between);
                start("scan_pairs", static_cast<uint32_t>(between), 256, {rows, pairs, chunkCount});
                start("scan_carry", channels, 256, {rows, pairs, states, chunkCount});
            }
            start("scan_states", channels * chunks, 256, {rows, states, chunkCount});
            break;
        }
        case ScanRung::LookBack: {
            const int64_t all = s.channels * chunks;
            const KernelLookBack told{temporary("tickets", 4), temporary("status", 4 * all),
                                      temporary("pairs", 8 * all), temporary("states", 4 * all)};
            start("scan_reset", ceilDiv(all, 256), 256, {told, static_cast<int32_t>(all)});
            start("scan_look_back", static_cast<uint32_t>(all), 256, {rows, told, chunkCount});
            break;
        }
        }
    }
    ScanRun run{launcher.finish(), {}};
    run.h = h.download(options.cancel);
    return run;
}

TensorTraffic compulsoryTraffic(const ScanShape& s) {
    const double rows = 4 * real(s.channels) * real(s.length);
    return withoutEmpty({{"A", {rows, 0}},
                         {"B", {rows, 0}},
                         {"h0", {s.begins && s.length > 0 ? 4 * real(s.channels) : 0, 0}},
                         {"H", {0, rows}}});
}

TensorTraffic algorithmicTraffic(ScanRung rung, const ScanShape& s) {
    if (s.channels == 0 || s.length == 0)
        return {};
    const double channels = real(s.channels), start = s.begins ? 4 * channels : 0;
    const int64_t chunks = chunksOf(s), threads = rung == ScanRung::Serial     ? 1
                                                  : rung == ScanRung::Blelloch ? scanTile(rung, s.length) / 2
                                                                               : scanTile(rung, s.length);
    if (rung != ScanRung::Chunked && rung != ScanRung::LookBack) {
        const double rows = 4 * channels * real(s.length);
        return withoutEmpty({{"A", {rows, 0}}, {"B", {rows, 0}}, {"h0", {start * real(threads), 0}}, {"H", {0, rows}}});
    }
    const double rows = 4 * channels * real(wholeMultiple(s.length, group)), between = channels * real(chunks - 1);
    if (rung == ScanRung::Chunked) {
        const double twice = rows + between * 4 * real(scanChunkSteps); // not the last chunks
        return withoutEmpty(
            {{"A", {twice, 0}},
             {"B", {twice, 0}},
             {"h0", {start * (chunks > 1 ? 512 : 256), 0}}, // by each thread of a carry and a first chunk
             {"pairs", {8 * between, 8 * between}},
             {"states", {4 * 256 * between, 4 * between}},
             {"H", {0, rows}}});
    }
    double looks = 0; // at statuses: up to 32 chunks before each
    for (int64_t chunk = 1; chunk < std::min(chunks, lookedAt + 1); ++chunk)
        looks += real(chunk);
    looks += real(std::max<int64_t>(chunks - 1 - lookedAt, 0)) * real(lookedAt);
    const double all = channels * real(chunks), middle = channels * real(std::max<int64_t>(chunks - 2, 0));
    return withoutEmpty({{"A", {rows, 0}},
                         {"B", {rows, 0}},
                         {"h0", {start * 32 * real(chunks), 0}}, // by each lane that looks back
                         {"pairs", {0, 8 * middle}},
                         {"states", {4 * 32 * between, 4 * between}},
                         {"status", {4 * channels * looks, 4 * (all + between + middle)}},
                         {"tickets", {4 * all, 4 + 4 * all}},
                         {"H", {0, rows}}});
}

int64_t deviceBytes(ScanRung rung, const ScanShape& s) {
    const int64_t row = saturatedProduct(4, saturatedProduct(s.channels, wholeMultiple(s.length, group)));
    int64_t bytes = saturatedSum(saturatedProduct(3, row), s.begins ? saturatedProduct(4, s.channels) : 0);
    if (s.channels == 0 || s.length == 0)
        return bytes;
    const int64_t chunks = chunksOf(s);
    if (rung == ScanRung::Chunked && chunks > 1)
        bytes = saturatedSum(bytes, saturatedProduct(12, saturatedProduct(s.channels, chunks - 1)));
    if (rung == ScanRung::LookBack)
        bytes = saturatedSum(bytes, saturatedSum(4, saturatedProduct(16, saturatedProduct(s.channels, chunks))));
    return bytes;
}

} // namespace warplight::gpu
