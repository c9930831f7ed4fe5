// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/ops/scan_chunks.h"

#include "gpu/host/memory_budget.h"
#include "gpu/ops/kernel_problem.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace warplight::gpu {
namespace {

/// LookBack of gpu/kernels/scan.cuh.
struct KernelLookBack {
    uint64_t tickets = 0, status = 0, pairs = 0, states = 0;
};

constexpr uint32_t threads = 256;
constexpr int64_t lookedAt = 32;

double real(int64_t x) { return static_cast<double>(x); }

} // namespace

ScanChunks::ScanChunks(int64_t rowCount, int64_t length, int64_t numberBytes) : rows(rowCount), number(numberBytes) {
    chunks = std::max<int64_t>(1, ceilDiv(length, steps()));
}

void startChunks(Launcher& launcher, ScanRung rung, const ScanChunkKernels& kernels, const ScanChunks& c) {
    const auto start = [&](const std::string& family, const char* kernel, int64_t blocks,
                           std::vector<Argument> arguments) {
        launcher.start(family, family + kernel, {static_cast<uint32_t>(blocks)}, {threads}, 0, std::move(arguments));
    };
    const auto temporary = [&](const char* name, int64_t bytes) { return launcher.temporary(bytes, name).address(); };
    const auto chunkCount = static_cast<int32_t>(c.chunks);
    if (rung == ScanRung::LookBack) {
        const KernelLookBack told{temporary("tickets", 4), temporary("status", 4 * c.all()),
                                  temporary("pairs", 2 * c.number * c.all()), temporary("states", c.number * c.all())};
        start("scan", "_reset", ceilDiv(c.all(), threads), {told, static_cast<int32_t>(c.all())});
        start(kernels.family, "_look_back", c.all(), {kernels.rows, told, chunkCount});
        return;
    }
    uint64_t states = 0;
    if (c.chunks > 1) {
        const uint64_t pairs = temporary("pairs", 2 * c.number * c.between());
        states = temporary("states", c.number * c.between());
        start(kernels.family, "_pairs", c.between(), {kernels.rows, pairs, chunkCount});
        start(kernels.carryFamily, "_carry", c.rows, {kernels.carried, pairs, states, chunkCount});
    }
    start(kernels.family, "_states", c.all(), {kernels.rows, states, chunkCount});
}

TensorTraffic trafficBetween(ScanRung rung, const ScanChunks& c) {
    const double between = real(c.between()), number = real(c.number);
    if (rung == ScanRung::Chunked) // states: all threads of a chunk read the one before it
        return {{"pairs", {2 * number * between, 2 * number * between}},
                {"states", {number * threads * between, number * between}}};
    if (rung != ScanRung::LookBack)
        return {};
    double looks = 0; // at statuses: up to 32 chunks before each
    for (int64_t chunk = 1; chunk < std::min(c.chunks, lookedAt + 1); ++chunk)
        looks += real(chunk);
    looks += real(std::max<int64_t>(c.chunks - 1 - lookedAt, 0)) * real(lookedAt);
    const double all = real(c.all()), middle = real(c.rows) * real(std::max<int64_t>(c.chunks - 2, 0));
    return {{"pairs", {0, 2 * number * middle}},
            {"states", {number * 32 * between, number * between}}, // by each lane that looks back
            {"status", {4 * real(c.rows) * looks, 4 * (all + between + middle)}},
            {"tickets", {4 * all, 4 + 4 * all}}};
}

int64_t bytesBetween(ScanRung rung, const ScanChunks& c) {
    if (rung == ScanRung::Chunked)
        return saturatedProduct(3 * c.number, saturatedProduct(c.rows, c.chunks - 1));
    if (rung == ScanRung::LookBack)
        return saturatedSum(4, saturatedProduct(4 + 3 * c.number, saturatedProduct(c.rows, c.chunks)));
    return 0;
}

} // namespace warplight::gpu
