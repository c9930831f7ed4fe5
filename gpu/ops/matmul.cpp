// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/ops/matmul.h"

#include "gpu/error.h"
#include "gpu/host/memory_budget.h"
#include "gpu/ops/cast.h"
#include "gpu/ops/device_matrix.h"
#include "gpu/ops/kernel_problem.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <optional>

namespace warplight::gpu {
namespace {

using number::Format;

constexpr int64_t mostBlocksDown = 65535;

struct Info {
    std::string_view name, family, kernel;
    std::vector<Format> formats;
    int64_t rows, columns; ///< of C, a block
    int64_t depth;         ///< k has to be a multiple, and the sides of C of a block's; 0: anything goes
    Extent block;
    std::optional<Format> copies{}; ///< what A and B are made first
};

const Info& infoOf(MatmulRung rung) {
    static const std::vector<Info> all{
        // in the enum's order
        {"naive", "matmul", "matmul_naive", {Format::F32}, 8, 32, 0, {32, 8}},
        {"tiled", "matmul", "matmul_tiled", {Format::F32}, 32, 32, 0, {32, 8}},
        {"half2", "matmul", "matmul_half2", {Format::F16}, 32, 64, 0, {32, 8}},
        {"mma", "matmul_mma", "matmul_mma", {Format::F16, Format::BF16}, 64, 64, 32, {128}},
        {"mma-f16", "matmul_mma", "matmul_mma_f16", {Format::F16}, 64, 64, 32, {128}},
        {"mma-tf32", "matmul_mma", "matmul_mma_tf32", {Format::F32}, 64, 64, 16, {128}},
        {"mma-e4m3", "matmul_f8", "matmul_mma_e4m3", {Format::F32}, 64, 64, 64, {128}, Format::E4M3},
        {"mma-e5m2", "matmul_f8", "matmul_mma_e5m2", {Format::F32}, 64, 64, 64, {128}, Format::E5M2},
        {"cublas", "", "", {Format::F32, Format::F16, Format::BF16}, 0, 0, 0, {}}};
    return all[static_cast<size_t>(rung)];
}

double real(int64_t x) { return static_cast<double>(x); }
double tiles(int64_t length, int64_t size) { return real(ceilDiv(length, size)); }

/// A and B so often each, C once.
TensorTraffic timesRead(const MatmulShape& s, Format format, double timesA, double timesB) {
    const double size = real(number::bytes(format)), m = real(s.m), n = real(s.n), k = real(s.k);
    return withoutEmpty({{"A", {m * k * size * timesA, 0}}, {"B", {k * n * size * timesB, 0}}, {"C", {0, m * n * 4}}});
}

/// Both are read for their scale and for their copies; of these each block reads its tiles.
TensorTraffic trafficOfCopies(const MatmulShape& s, const Info& info) {
    TensorTraffic t = timesRead(s, Format::F32, 2, 2);
    const double a = real(s.m) * real(s.k), b = real(s.k) * real(s.n);
    t["A8"] = {a * tiles(s.n, info.columns), a};
    t["B8"] = {b * tiles(s.m, info.rows), b};
    const double blocks = tiles(s.m, info.rows) * tiles(s.n, info.columns);
    t["amax"] = {4 * 2 * blocks, 0}; // one thread for each scale
    for (const int64_t count : {s.m * s.k, s.k * s.n}) {
        const Traffic found = amaxTraffic(count);
        t["amax"].read += found.read + scaleTraffic(count);
        t["amax"].written += found.written;
    }
    return withoutEmpty(t);
}

void multiplyByLibrary(Launcher& launcher, const MatmulShape& s, Format format, uint64_t a, uint64_t b, uint64_t c) {
    MatrixProduct product;
    product.x = a, product.y = b, product.z = c;
    product.rows = s.m, product.columns = s.n, product.inner = s.k;
    product.inputs = format;
    product.output = Format::F32;
    launcher.multiply(product, "A·B");
}

} // namespace

std::string_view name(MatmulRung rung) { return infoOf(rung).name; }
const std::vector<Format>& formatsOf(MatmulRung rung) { return infoOf(rung).formats; }
int architectureOf(MatmulRung rung) {
    const Info& info = infoOf(rung);
    const int compiled = info.family.empty() ? 0 : architectureOf(info.family);
    return compiled > oldestGpu ? compiled : 0;
}

std::string whyNot(MatmulRung rung, const MatmulShape& s) {
    const Info& info = infoOf(rung);
    if (std::min({s.m, s.n, s.k}) < 0 || std::max({s.m, s.n, s.k}) > INT32_MAX)
        return fmt::format("m, n and k are 0 to {} each", INT32_MAX);
    if (rung != MatmulRung::Cublas && s.m > info.rows * mostBlocksDown)
        return fmt::format("these are too many rows for one launch, expected at most {}", info.rows * mostBlocksDown);
    if (info.depth > 0 && (s.m % info.rows != 0 || s.n % info.columns != 0 || s.k % info.depth != 0 || s.k == 0))
        return fmt::format("it takes whole tiles, m and n multiples of {} and k of {}", info.rows, info.depth);
    return {};
}

std::string whyNot(Device& device, MatmulRung rung, const MatmulShape& s, Format format) {
    const Info& info = infoOf(rung);
    if (rung == MatmulRung::Cublas && !device.matrixLibrary())
        return fmt::format("matmul: cublas runs on an NVIDIA GPU beside which cuBLAS is found, not on {}",
                           device.name());
    if (std::find(info.formats.begin(), info.formats.end(), format) == info.formats.end()) {
        std::vector<std::string> taken;
        for (const Format f : info.formats)
            taken.push_back(number::name(f));
        return fmt::format("matmul: {} takes {}, not {}", info.name, fmt::join(taken, " or "), number::name(format));
    }
    if (const std::string why = whyNotOn(device.architecture(), architectureOf(rung), device.name()); !why.empty())
        return fmt::format("matmul: {}: {}", info.name, why);
    const std::string why = whyNot(rung, s);
    return why.empty() ? "" : fmt::format("matmul: {} of m = {}, n = {}, k = {}: {}", info.name, s.m, s.n, s.k, why);
}

void launchMatmul(Launcher& launcher, MatmulRung rung, const MatmulShape& s, Format format, uint64_t a, uint64_t b,
                  uint64_t c) {
    if (const std::string why = whyNot(launcher.device(), rung, s, format); !why.empty())
        throw InputError(why);
    if (s.m == 0 || s.n == 0)
        return;
    if (rung == MatmulRung::Cublas && s.k > 0)
        return multiplyByLibrary(launcher, s, format, a, b, c);
    // A sum of nothing no library is asked for.
    const Info& info = infoOf(rung == MatmulRung::Cublas ? MatmulRung::Naive : rung);
    std::vector<Argument> arguments{a, b, c};
    if (info.copies) {
        const uint64_t amax = launchAmax(launcher, {{a, s.m * s.k}, {b, s.k * s.n}});
        const uint64_t a8 = launcher.temporary(s.m * s.k, "A8").address(),
                       b8 = launcher.temporary(s.k * s.n, "B8").address();
        launchScaledCast(launcher, *info.copies, a, a8, amax, s.m * s.k);
        launchTransposedCast(launcher, *info.copies, b, b8, amax + sizeof(uint32_t), s.k, s.n);
        arguments = {a8, b8, c, amax};
    }
    for (const int64_t side : {s.m, s.n, s.k})
        arguments.emplace_back(static_cast<int32_t>(side));
    const std::string kernel = std::string(info.kernel) + (format == Format::BF16 ? "_bf16" : "");
    launcher.start(std::string(info.family), kernel, {ceilDiv(s.n, info.columns), ceilDiv(s.m, info.rows)}, info.block,
                   0, arguments);
}

MatmulRun matmul(KernelLibrary& library, MatmulRung rung, const MatmulShape& shape, Format format, const float* a,
                 const float* b, const LaunchOptions& options) {
    if (const std::string why = whyNot(library.device(), rung, shape, format); !why.empty())
        throw InputError(why);
    Launcher launcher(library, options);
    DeviceMatrix left(launcher.device(), "A", shape.m, shape.k, format),
        right(launcher.device(), "B", shape.k, shape.n, format),
        product(launcher.device(), "C", shape.m, shape.n, Format::F32);
    left.upload(a, options.cancel);
    right.upload(b, options.cancel);
    launchMatmul(launcher, rung, shape, format, left.address(), right.address(), product.address());
    MatmulRun run{launcher.finish(), {}};
    run.c = product.download(options.cancel);
    return run;
}

TensorTraffic compulsoryTraffic(const MatmulShape& shape, Format format) { return timesRead(shape, format, 1, 1); }

TensorTraffic algorithmicTraffic(MatmulRung rung, const MatmulShape& s, Format format) {
    const Info& info = infoOf(rung);
    if (info.copies)
        return trafficOfCopies(s, info);
    switch (rung) {
    case MatmulRung::Naive: // every thread reads its row and its column
        return timesRead(s, format, real(s.n), real(s.m));
    case MatmulRung::Cublas:
        return compulsoryTraffic(s, format);
    default: // an element serves the results of its tile's other side
        return timesRead(s, format, tiles(s.n, info.columns), tiles(s.m, info.rows));
    }
}

int64_t deviceBytes(MatmulRung rung, const MatmulShape& s, Format format) {
    const int64_t factors = saturatedSum(saturatedProduct(s.m, s.k), saturatedProduct(s.k, s.n));
    const Info& info = infoOf(rung);
    return saturatedSum(
        saturatedProduct(4, saturatedProduct(s.m, s.n)),
        saturatedProduct(number::bytes(format) + (info.copies ? number::bytes(*info.copies) : 0), factors));
}

} // namespace warplight::gpu
