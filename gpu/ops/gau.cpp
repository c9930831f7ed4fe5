// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/ops/gau.h"

#include "gpu/error.h"
#include "gpu/host/memory_budget.h"
#include "gpu/ops/device_matrix.h"
#include "gpu/ops/kernel_problem.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <string>
#include <utility>

namespace warplight::gpu {
namespace {

using number::Format;

constexpr GauRungInfo rungs[] = {
    {GauRung::Tiled, "tiled", "Scores in the lanes that made them, tile by tile",
     "A tile of scores becomes weights and is used up before the next; gate and silu are applied where products are "
     "written, Z goes to memory as its views alone."},
    {GauRung::Chunked, "chunked", "Mixed chunk attention: quadratic in chunks, linear across",
     "What earlier chunks leave is an s × e state instead of pairs: all chunks make theirs at once, then these are "
     "added up."}};

/// GauMixing of gpu/kernels/gau.cuh.
struct KernelMixing {
    uint64_t views = 0, v = 0, u = 0, states = 0;
    int32_t batch = 0, length = 0, expanded = 0, shared = 0, chunk = 0, causal = 0, seenKeys = 0, unused = 0;
};
static_assert(sizeof(KernelMixing) == 64);

constexpr const char* family = "gau";
constexpr int64_t productTile = 64, mixRows = 32, mixKeys = 64, mixColumns = 256, mostGrid = 65535;
constexpr const char* functions[] = {"relu2", "relu2_su", "softmax", "laplace"};

double real(int64_t x) { return static_cast<double>(x); }
double tiles(int64_t length, int64_t size) { return real(ceilDiv(length, size)); }

/// States that a rung makes of a sequence: of every chunk, or causal of those that another follows.
int64_t statesOf(GauRung rung, const GauShape& s) {
    return rung == GauRung::Tiled || s.chunk == 0 ? 0 : int64_t{ceilDiv(s.length, s.chunk)} - (s.causal ? 1 : 0);
}

/// The tensors on the device, and the launches.
class Run {
  public:
    Run(KernelLibrary& library, const GauShape& shape, const LaunchOptions& o)
        : s(shape), options(o), launcher(library, o) {}

    GauRun run(GauRung rung, const GauTensors& t) {
        const auto sent = [&](const char* name, const float* from, int64_t height, int64_t width) {
            DeviceMatrix matrix(launcher.device(), name, height, width, Format::F32);
            matrix.upload(from, options.cancel);
            return matrix;
        };
        const DeviceMatrix x = sent("X", t.x, s.rows(), s.features), wu = sent("Wu", t.wu, s.features, s.expanded),
                           wv = sent("Wv", t.wv, s.features, s.expanded), wz = sent("Wz", t.wz, s.features, s.shared),
                           gamma = sent("gamma", t.gamma, s.views(), s.shared),
                           beta = sent("beta", t.beta, s.views(), s.shared),
                           wo = sent("Wo", t.wo, s.expanded, s.features),
                           y(launcher.device(), "Y", s.rows(), s.features, Format::F32);
        if (s.rows() > 0) {
            const KernelMixing m = mixing();
            product("gau_project_silu", {x.address(), wu.address(), m.u}, s.expanded, s.features);
            product("gau_project_silu", {x.address(), wv.address(), m.v}, s.expanded, s.features);
            product("gau_project_views", {x.address(), wz.address(), gamma.address(), beta.address(), m.views},
                    s.shared, s.features, s.views());
            mix(m, statesOf(rung, s));
            product("gau_product", {m.u, wo.address(), y.address()}, s.features, s.expanded);
        }
        GauRun result{launcher.finish(), {}};
        result.y = y.download(options.cancel);
        return result;
    }

  private:
    static int32_t int32(int64_t x) { return static_cast<int32_t>(x); }
    uint64_t temporary(const char* name, int64_t numbers) { return launcher.temporary(4 * numbers, name).address(); }

    KernelMixing mixing() {
        KernelMixing m;
        m.u = temporary("U", s.rows() * s.expanded);
        m.v = temporary("V", s.rows() * s.expanded);
        m.views = temporary("views", s.views() * s.rows() * s.shared);
        m.batch = int32(s.batch), m.length = int32(s.length);
        m.expanded = int32(s.expanded), m.shared = int32(s.shared);
        m.chunk = int32(s.chunk), m.causal = s.causal, m.seenKeys = s.seenKeys;
        return m;
    }

    /// `views`: one more argument of the kernel that writes them.
    void product(const char* kernel, std::vector<Argument> arguments, int64_t columns, int64_t inner,
                 int64_t views = 0) {
        for (const int64_t size : {s.rows(), columns, inner})
            arguments.emplace_back(int32(size));
        if (views > 0)
            arguments.emplace_back(int32(views));
        launcher.start(family, kernel, {ceilDiv(columns, productTile), ceilDiv(s.rows(), productTile)}, {256}, 0,
                       std::move(arguments));
    }

    void mix(KernelMixing m, int64_t states) {
        const auto batch = static_cast<uint32_t>(s.batch);
        if (states > 0) {
            const int64_t numbers = s.shared * s.expanded;
            m.states = temporary("state", s.batch * states * numbers);
            launcher.start(family, "gau_states",
                           {ceilDiv(s.shared, productTile) * ceilDiv(s.expanded, productTile),
                            static_cast<uint32_t>(states), batch},
                           {256}, 0, {m, m.states});
            if (states > 1)
                launcher.start(family, "gau_sum_states", {ceilDiv(numbers, 256), batch}, {256}, 0,
                               {m.states, numbers, int32(states), int32_t{s.causal}});
        }
        const uint32_t segments = ceilDiv(s.length, s.segment());
        launcher.start("gau_mix", fmt::format("gau_mix_{}", functions[static_cast<size_t>(s.function)]),
                       {segments * ceilDiv(s.segment(), mixRows), ceilDiv(s.expanded, mixColumns), batch}, {256}, 0,
                       {m});
    }

    const GauShape& s;
    const LaunchOptions& options;
    Launcher launcher;
};

} // namespace

std::span<const GauRungInfo> gauRungs() { return rungs; }

void checkShape(const GauShape& s) {
    if (s.batch < 0 || s.length < 0 || std::min({s.features, s.expanded, s.shared}) < 1)
        throw InputError(
            fmt::format("gau: batch {}, {} tokens, d {}, e {} and s {}, expected at least 0, 0, 1, 1 and 1", s.batch,
                        s.length, s.features, s.expanded, s.shared));
    if (s.chunk < 0 || s.chunk > std::max<int64_t>(s.length, 0))
        throw InputError(fmt::format("gau: chunk {}, expected 0 to {}", s.chunk, s.length));
    if (s.batch > mostGrid || saturatedProduct(s.batch, s.length) > productTile * mostGrid)
        throw InputError(fmt::format("gau: {} sequences of {} tokens are too many for one launch", s.batch, s.length));
    if (std::max({s.features, s.expanded, s.shared}) > INT16_MAX)
        throw InputError(
            fmt::format("gau: d {}, e {} and s {}, expected at most {}", s.features, s.expanded, s.shared, INT16_MAX));
    if (s.chunk > 0 && s.length / s.chunk >= mostGrid)
        throw InputError(fmt::format("gau: chunks of {} of {} tokens are too many for one launch", s.chunk, s.length));
}

GauRun gau(KernelLibrary& library, GauRung rung, const GauShape& s, const GauTensors& t, const LaunchOptions& options) {
    checkShape(s);
    return Run(library, s, options).run(rung, t);
}

TensorTraffic compulsoryTraffic(const GauShape& s) {
    const auto size = [](int64_t a, int64_t b) { return 4 * real(a) * real(b); };
    const double x = size(s.rows(), s.features), wide = size(s.features, s.expanded), views = size(s.views(), s.shared);
    return withoutEmpty({{"X", {x, 0}},
                         {"Wu", {wide, 0}},
                         {"Wv", {wide, 0}},
                         {"Wz", {size(s.features, s.shared), 0}},
                         {"gamma", {views, 0}},
                         {"beta", {views, 0}},
                         {"Wo", {wide, 0}},
                         {"Y", {0, x}}});
}

TensorTraffic algorithmicTraffic(GauRung rung, const GauShape& s) {
    if (s.rows() == 0)
        return {};
    const double rows = real(s.rows()), d = real(s.features), e = real(s.expanded), shared = real(s.shared),
                 views = real(s.views()), rowTiles = tiles(s.rows(), productTile),
                 columnTiles = tiles(s.expanded, mixColumns), batch = real(s.batch);
    TensorTraffic t;
    // Projections: X for each tile of columns, weights, gamma and beta for each tile of rows.
    t["X"].read = rows * d * (2 * tiles(s.expanded, productTile) + tiles(s.shared, productTile));
    t["Wu"].read = t["Wv"].read = rowTiles * d * e;
    t["Wz"].read = rowTiles * d * shared;
    t["gamma"].read = t["beta"].read = rowTiles * views * shared;
    t["views"].written = rows * views * shared;
    t["U"].written = t["V"].written = rows * e;
    // U ∘ A V: each tile of rows goes through the keys that it sees.
    double queries = 0, keys = 0,
           linear = 0; // rows of tiles times tiles of keys; keys of tiles; rows that read a state
    const auto visit = [&](int64_t tileRows, int64_t count) {
        queries += real(tileRows) * tiles(count, mixKeys);
        keys += real(count);
    };
    for (int64_t begin = 0; begin < s.length; begin += s.segment())
        for (int64_t first = begin, end = std::min(s.length, begin + s.segment()); first < end; first += mixRows) {
            const int64_t last = std::min(end, first + mixRows), before = s.causal ? begin : s.length;
            visit(last - first, (s.causal ? last : end) - begin);
            if (s.chunk == 0 || before == 0)
                continue;
            if (rung == GauRung::Tiled)
                visit(last - first, before);
            else {
                linear += 1;
                t["views"].read += batch * columnTiles * real(last - first) * shared;
            }
        }
    t["views"].read += batch * columnTiles * shared * (queries + keys);
    t["V"].read = batch * e * keys;
    if (const double states = real(statesOf(rung, s)); states > 0) {
        const double joined = s.causal ? states * real(s.chunk) : real(s.length), all = batch * shared * e;
        t["views"].read += batch * joined * shared * tiles(s.expanded, productTile);
        t["V"].read += batch * joined * e * tiles(s.shared, productTile);
        const double sums = states > 1 ? states : 0;
        t["state"] = {all * (sums + linear), all * (states + (s.causal ? sums : sums > 0))};
    }
    t["U"].read = t["U"].written;
    t["U"].written += rows * e;
    // Y
    t["U"].read += rows * e * tiles(s.features, productTile);
    t["Wo"].read = rowTiles * e * d;
    t["Y"].written = rows * d;
    for (auto& [tensor, bytes] : t)
        bytes = {4 * bytes.read, 4 * bytes.written};
    return withoutEmpty(t);
}

int64_t deviceBytes(GauRung rung, const GauShape& s) {
    int64_t numbers = 0;
    const auto add = [&](int64_t rows, int64_t columns) {
        numbers = saturatedSum(numbers, saturatedProduct(rows, columns));
    };
    add(2 * s.rows(), s.features + s.expanded);
    add(s.rows(), s.views() * s.shared);
    add(s.features, 3 * s.expanded + s.shared);
    add(2 * s.views(), s.shared);
    if (s.rows() > 0)
        add(s.batch * statesOf(rung, s), s.shared * s.expanded);
    return saturatedProduct(4, numbers);
}

} // namespace warplight::gpu
