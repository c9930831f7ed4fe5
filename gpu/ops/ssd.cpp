// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/ops/ssd.h"

#include "gpu/error.h"
#include "gpu/host/memory_budget.h"
#include "gpu/ops/device_matrix.h"
#include "gpu/ops/kernel_problem.h"
#include "gpu/ops/linear_attention_launch.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace warplight::gpu {
namespace {

using number::Format;

constexpr SsdRungInfo rungs[] = {
    {SsdRung::Recurrent, "recurrent", "Step by step, the state in registers",
     "Nothing but the inputs and the output goes through memory; nothing is parallel over the sequence.", false},
    {SsdRung::Chunked, "chunked", "Chunks: states first, then all rows at once",
     "One kernel passes the state from chunk to chunk, another reads all rows in parallel, by products of tiles.",
     false},
    {SsdRung::ChunkedMma, "chunked-mma", "The same on tensor cores, f16 or bf16",
     "Products by mma.sync from swizzled shared memory without bank conflicts; states are kept in 16 bits.", true}};

/// SsdProblem<T> of gpu/kernels/ssd.cuh.
struct KernelArguments {
    uint64_t c = 0, b = 0, x = 0, decay = 0, y = 0, state = 0, initial = 0;
    int32_t queryLen = 0, keyLen = 0, headDim = 0, valueDim = 0, features = 0, heads = 0, groups = 0, unused = 0;
};
static_assert(sizeof(KernelArguments) == 88);

constexpr int64_t threads = 128, mmaTile = mmaRows * mmaRows * 2, decayTile = 32, decayThreads = 256;

int64_t chunksOf(const SsdShape& s) { return std::max<int64_t>(1, (s.length + s.chunk - 1) / s.chunk); }
int64_t rowsOf(SsdRung rung, const SsdShape& s) {
    return rung == SsdRung::ChunkedMma ? mmaRows : std::min<int64_t>(s.chunk, 32);
}
/// Numbers of a row of P or N columns in memory.
int64_t widthOf(int64_t columns, Format format) { return format == Format::F32 ? columns : wholeMultiple(columns, 8); }

/// The states of all heads with their two axes exchanged.
std::vector<float> exchanged(const std::vector<float>& from, int64_t rows, int64_t columns) {
    std::vector<float> to(from.size());
    const auto size = static_cast<size_t>(rows * columns);
    for (size_t at = 0; at < from.size(); at += size)
        for (size_t r = 0; r < static_cast<size_t>(rows); ++r)
            for (size_t c = 0; c < static_cast<size_t>(columns); ++c)
                to[at + c * static_cast<size_t>(rows) + r] = from[at + r * static_cast<size_t>(columns) + c];
    return to;
}

class Run {
  public:
    Run(KernelLibrary& library, SsdRung r, const SsdShape& shape, Format f, const LaunchOptions& o)
        : rung(r), s(shape), format(f), options(o), launcher(library, o) {}

    SsdRun run(const SsdTensors& t) {
        const int64_t steps = s.batch * s.length, heads = s.allHeads(), multiple = format == Format::F32 ? 1 : 8;
        DeviceMatrix x(device(), "X", steps * s.heads, s.headDim, format, multiple),
            a(device(), "A", steps, s.heads, Format::F32),
            b(device(), "B", steps * s.groups, s.stateDim, format, multiple),
            c(device(), "C", steps * s.groups, s.stateDim, format, multiple),
            y(device(), "Y", steps * s.heads, s.headDim, format, multiple),
            last(device(), "last-state", heads * s.stateDim, s.headDim, Format::F32, multiple);
        std::optional<DeviceMatrix> initial;
        x.upload(t.x, options.cancel);
        a.upload(t.a, options.cancel);
        b.upload(t.b, options.cancel);
        c.upload(t.c, options.cancel);
        if (s.begins) {
            initial.emplace(device(), "initial-state", heads * s.stateDim, s.headDim, format, multiple);
            const std::vector<float> given(t.initial, t.initial + heads * s.headDim * s.stateDim);
            initial->upload(exchanged(given, s.headDim, s.stateDim).data(), options.cancel);
        }
        const uint64_t decays = steps > 0 ? launcher.temporary(heads * s.length * 4, "decays").address() : 0;
        const auto int32 = [](int64_t n) { return static_cast<int32_t>(n); };
        at = {c.address(),
              b.address(),
              x.address(),
              decays,
              y.address(),
              last.address(),
              initial ? initial->address() : 0,
              int32(s.length),
              int32(s.length),
              int32(b.rowLength()),
              int32(x.rowLength()),
              int32(s.stateDim),
              int32(s.heads),
              int32(s.groups)};
        if (steps > 0)
            launcher.start("ssd", "ssd_decays",
                           {ceilDiv(s.length, decayTile), ceilDiv(s.heads, decayTile), static_cast<uint32_t>(s.batch)},
                           {decayThreads}, 0, {a.address(), decays, int32(s.length), int32(s.heads), int32(!s.begins)});
        if (heads > 0)
            launch();
        SsdRun result{launcher.finish(), {}, {}};
        result.y = y.download(options.cancel);
        result.last = exchanged(last.download(options.cancel), s.stateDim, s.headDim);
        return result;
    }

  private:
    Device& device() { return launcher.device(); }

    void launch() {
        const auto heads = static_cast<uint32_t>(s.allHeads());
        if (rung == SsdRung::Recurrent) {
            launcher.start("ssd", fmt::format("ssd_recurrent_d{}", paddedDim(s.stateDim)),
                           {ceilDiv(s.headDim, recurrentColumns), heads}, {threads}, 0, {at});
            return;
        }
        const bool mma = rung == SsdRung::ChunkedMma;
        const std::string name = mma ? format == Format::F16 ? "_mma_f16" : "_mma_bf16" : "";
        const std::string family = mma ? "ssd_mma" : "ssd_chunked";
        const int64_t between = s.allHeads() * (chunksOf(s) - 1);
        const uint64_t states =
            between > 0
                ? launcher.temporary(between * s.stateDim * at.valueDim * number::bytes(format), "states").address()
                : 0;
        launcher.start(family, "ssd_states" + name,
                       {mma ? ceilDiv(s.stateDim, mmaRows) * ceilDiv(s.headDim, mmaRows)
                            : ceilDiv(s.stateDim, stateFeatures) * ceilDiv(s.headDim, stateColumns),
                        heads},
                       {threads}, mma ? 5 * mmaTile : 0, {at, states, static_cast<int32_t>(s.chunk)});
        if (s.length > 0) // on tensor cores: tiles of C, state, B and X, and where decays are worked out
            launcher.start(family, fmt::format("ssd_outputs{}_c{}", name, s.chunk),
                           {ceilDiv(s.length, rowsOf(rung, s)), heads}, {threads},
                           mma ? 2 * mmaTile + 2 * s.chunk * mmaRows * 2 + 4 * (3 * s.chunk + mmaRows * 24) : 0,
                           {at, states});
    }

    const SsdRung rung;
    const SsdShape& s;
    const Format format;
    const LaunchOptions& options;
    Launcher launcher;
    KernelArguments at;
};

} // namespace

std::span<const SsdRungInfo> ssdRungs() { return rungs; }
const SsdRungInfo& info(SsdRung rung) { return rungs[static_cast<size_t>(rung)]; }

void checkShape(const SsdShape& s) {
    if (s.batch < 0 || s.heads < 1 || s.groups < 1 || s.heads % s.groups != 0)
        throw InputError(fmt::format("SSD: batch {}, {} heads and {} groups, expected at least 0 and 1, and a divisor "
                                     "of the heads",
                                     s.batch, s.heads, s.groups));
    for (const auto& [called, dim] : {std::pair("headDim", s.headDim), std::pair("stateDim", s.stateDim)})
        if (dim < 1 || dim > largestSsdDim)
            throw InputError(fmt::format("SSD: {} is {}, expected 1 to {}", called, dim, largestSsdDim));
    if (s.chunk < 1)
        throw InputError(fmt::format("SSD: a chunk of {} steps, expected at least 1", s.chunk));
    if (s.length < 0 || s.length > INT32_MAX - 128 || s.allHeads() > 65535 || s.heads > INT16_MAX)
        throw InputError(fmt::format("SSD: {} heads of {} steps are too many for one launch", s.allHeads(), s.length));
}

std::string whyNot(SsdRung rung, const SsdShape& s, Format format) {
    const bool half = format == Format::F16 || format == Format::BF16;
    if (info(rung).halfInputs ? !half : format != Format::F32)
        return fmt::format("it takes {}, not {}", info(rung).halfInputs ? "f16 and bf16" : "f32", number::name(format));
    if (rung == SsdRung::Recurrent)
        return s.stateDim <= largestRecurrentStateDim
                   ? ""
                   : fmt::format("it keeps columns of up to {} numbers of a state in registers, not {}",
                                 largestRecurrentStateDim, s.stateDim);
    if (std::find(std::begin(ssdChunks), std::end(ssdChunks), s.chunk) == std::end(ssdChunks))
        return fmt::format("chunks of {} are not compiled, expected one of {}", s.chunk, fmt::join(ssdChunks, ", "));
    if (rung == SsdRung::ChunkedMma && s.chunk < mmaRows)
        return fmt::format("it takes chunks of 64 and 128, not {}", s.chunk);
    return {};
}

SsdRun ssd(KernelLibrary& library, SsdRung rung, const SsdShape& s, const SsdTensors& t, Format format,
           const LaunchOptions& options) {
    checkShape(s);
    if (const std::string why = whyNot(rung, s, format); !why.empty())
        throw InputError(fmt::format("SSD: {}: {}", info(rung).name, why));
    return Run(library, rung, s, format, options).run(t);
}

TensorTraffic compulsoryTraffic(const SsdShape& s, Format format) {
    const double element = static_cast<double>(number::bytes(format)), steps = static_cast<double>(s.batch * s.length),
                 p = static_cast<double>(widthOf(s.headDim, format)),
                 n = static_cast<double>(widthOf(s.stateDim, format)), heads = static_cast<double>(s.heads),
                 groups = static_cast<double>(s.groups), state = static_cast<double>(s.allHeads() * s.stateDim) * p;
    return withoutEmpty({{"X", {steps * heads * p * element, 0}},
                         {"A", {steps * heads * 4, 0}},
                         {"B", {steps * groups * n * element, 0}},
                         {"C", {steps * groups * n * element, 0}},
                         {"Y", {0, steps * heads * p * element}},
                         {"initial-state", {s.begins ? state * element : 0, 0}},
                         {"last-state", {0, state * 4}}});
}

TensorTraffic algorithmicTraffic(SsdRung rung, const SsdShape& s, Format format) {
    const auto tiles = [](int64_t a, int64_t b) { return static_cast<double>((a + b - 1) / b); };
    const auto real = [](int64_t x) { return static_cast<double>(x); };
    const double element = real(number::bytes(format)), heads = real(s.allHeads()), steps = heads * real(s.length),
                 p = real(widthOf(s.headDim, format)), n = real(widthOf(s.stateDim, format)),
                 state = real(s.stateDim) * p;
    TensorTraffic t{{"A", {steps * 4, 0}}, {"decays", {0, steps * 4}}, {"Y", {0, steps * p * element}}};
    t["last-state"].written = heads * state * 4;
    t["initial-state"].read = s.begins ? heads * state * element : 0;
    if (rung == SsdRung::Recurrent) {
        const double columnTiles = tiles(s.headDim, recurrentColumns); // each goes through all of B and C
        t["B"].read = t["C"].read = columnTiles * steps * n * element;
        t["decays"].read = columnTiles * steps * 4;
        t["X"].read = steps * p * element;
        return withoutEmpty(t);
    }
    const bool mma = rung == SsdRung::ChunkedMma;
    const double featureTiles = tiles(s.stateDim, mma ? mmaRows : stateFeatures),
                 columnTiles = tiles(s.headDim, mma ? mmaRows : stateColumns);
    t["B"].read = columnTiles * steps * n * element;
    t["X"].read = featureTiles * steps * p * element;
    t["decays"].read = featureTiles * columnTiles * steps * 4;
    t["states"].written = heads * real(chunksOf(s) - 1) * state * element;
    const int64_t rows = rowsOf(rung, s);
    for (int64_t first = 0; first < s.length; first += rows) { // a block each
        const double count = real(std::min(rows, s.length - first)), seen = real(first % s.chunk) + count;
        const bool within = first < s.chunk, reads = !within || s.begins;
        // On tensor cores C of one tile of features stays in shared memory.
        const double again = !reads || (mma && featureTiles == 1) ? 0 : columnTiles;
        t["C"].read += heads * count * n * (1 + again) * element;
        t["B"].read += heads * seen * n * element;
        t["X"].read += heads * seen * p * element;
        t["decays"].read += heads * seen * 4;
        t[within ? "initial-state" : "states"].read += reads ? heads * state * element : 0;
    }
    return withoutEmpty(t);
}

int64_t deviceBytes(SsdRung rung, const SsdShape& s, Format format) {
    const auto times = [](int64_t a, int64_t b) { return saturatedProduct(a, b); };
    const int64_t element = number::bytes(format), p = widthOf(s.headDim, format), n = widthOf(s.stateDim, format),
                  steps = times(s.batch, s.length);
    int64_t bytes = 0;
    const auto add = [&](int64_t numbers, int64_t size) { bytes = saturatedSum(bytes, times(numbers, size)); };
    add(times(steps, 2 * s.heads * p + 2 * s.groups * n), element);
    add(times(steps, 2 * s.heads), 4); // A and its decays
    const int64_t state = times(s.allHeads(), s.stateDim * p);
    add(state, 4);
    add(s.begins ? state : 0, element);
    if (rung != SsdRung::Recurrent)
        add(times(chunksOf(s) - 1, state), element);
    return bytes;
}

} // namespace warplight::gpu
