// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/ops/matmul.h"

#include "gpu/error.h"
#include "gpu/host/memory_budget.h"
#include "gpu/ops/device_matrix.h"
#include "gpu/ops/kernel_problem.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>

namespace warplight::gpu {
namespace {

using number::Format;

constexpr int64_t tile = 32, mmaTile = 64, mmaDepth = 32; // of matmul_tiled and matmul_mma
constexpr int64_t naiveRows = 8, mostBlocksDown = 65535;

int64_t rowsPerBlock(MatmulRung rung) {
    return rung == MatmulRung::Naive ? naiveRows : rung == MatmulRung::Tiled ? tile : mmaTile;
}

/// A and B so often each, C once.
TensorTraffic timesRead(const MatmulShape& s, Format format, double timesA, double timesB) {
    const double size = static_cast<double>(number::bytes(format)), m = static_cast<double>(s.m),
                 n = static_cast<double>(s.n), k = static_cast<double>(s.k);
    return withoutEmpty({{"A", {m * k * size * timesA, 0}}, {"B", {k * n * size * timesB, 0}}, {"C", {0, m * n * 4}}});
}

} // namespace

std::string_view name(MatmulRung rung) {
    switch (rung) {
    case MatmulRung::Naive:
        return "naive";
    case MatmulRung::Tiled:
        return "tiled";
    case MatmulRung::Mma:
        return "mma";
    case MatmulRung::Cublas:
        break;
    }
    return "cublas";
}

std::string whyNot(Device& device, MatmulRung rung, const MatmulShape& s, Format format) {
    const bool f32 = format == Format::F32, half = format == Format::F16 || format == Format::BF16;
    if (std::min({s.m, s.n, s.k}) < 0 || std::max({s.m, s.n, s.k}) > INT32_MAX)
        return fmt::format("matmul: m {}, n {}, k {}, expected 0 to {} each", s.m, s.n, s.k, INT32_MAX);
    if (rung == MatmulRung::Cublas) {
        if (!device.matrixLibrary())
            return fmt::format("matmul: cublas runs on an NVIDIA GPU beside which cuBLAS is found, not on {}",
                               device.name());
        return f32 || half ? "" : fmt::format("matmul: cublas takes f32, f16 or bf16, not {}", number::name(format));
    }
    if (s.m > rowsPerBlock(rung) * mostBlocksDown)
        return fmt::format("matmul: {} rows are too many for one launch of {}, expected at most {}", s.m, name(rung),
                           rowsPerBlock(rung) * mostBlocksDown);
    if (rung != MatmulRung::Mma)
        return f32 ? "" : fmt::format("matmul: {} takes f32, not {}", name(rung), number::name(format));
    if (format != Format::F16)
        return fmt::format("matmul: mma takes f16, not {}", number::name(format));
    if (s.m % mmaTile != 0 || s.n % mmaTile != 0 || s.k % mmaDepth != 0 || s.k == 0)
        return fmt::format("matmul: mma takes whole tiles, m and n multiples of {} and k of {}, not {}, {} and {}",
                           mmaTile, mmaDepth, s.m, s.n, s.k);
    return {};
}

void launchMatmul(Launcher& launcher, MatmulRung rung, const MatmulShape& s, Format format, uint64_t a, uint64_t b,
                  uint64_t c) {
    if (const std::string why = whyNot(launcher.device(), rung, s, format); !why.empty())
        throw InputError(why);
    if (s.m == 0 || s.n == 0)
        return;
    if (rung == MatmulRung::Cublas && s.k > 0) {
        MatrixProduct product;
        product.x = a, product.y = b, product.z = c;
        product.rows = s.m, product.columns = s.n, product.inner = s.k;
        product.inputs = format;
        product.output = Format::F32;
        launcher.multiply(product, "A·B");
        return;
    }
    const std::vector<Argument> arguments{
        a, b, c, static_cast<int32_t>(s.m), static_cast<int32_t>(s.n), static_cast<int32_t>(s.k)};
    if (rung == MatmulRung::Mma)
        launcher.start("matmul", "matmul_mma", {ceilDiv(s.n, mmaTile), ceilDiv(s.m, mmaTile)}, {128}, 0, arguments);
    else if (rung == MatmulRung::Tiled)
        launcher.start("matmul", "matmul_tiled", {ceilDiv(s.n, tile), ceilDiv(s.m, tile)}, {32, 8}, 0, arguments);
    else // also a sum of nothing, which no library is asked for
        launcher.start("matmul", "matmul_naive", {ceilDiv(s.n, 32), ceilDiv(s.m, naiveRows)}, {32, 8}, 0, arguments);
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
    const auto tiles = [](int64_t length, int64_t size) { return static_cast<double>(ceilDiv(length, size)); };
    switch (rung) {
    case MatmulRung::Naive: // every thread reads its row and its column
        return timesRead(s, format, static_cast<double>(s.n), static_cast<double>(s.m));
    case MatmulRung::Tiled: // an element serves the results of its tile's other side
        return timesRead(s, format, tiles(s.n, tile), tiles(s.m, tile));
    case MatmulRung::Mma:
        return timesRead(s, format, tiles(s.n, mmaTile), tiles(s.m, mmaTile));
    case MatmulRung::Cublas:
        break;
    }
    return compulsoryTraffic(s, format);
}

int64_t deviceBytes(const MatmulShape& s, Format format) {
    return saturatedSum(
        saturatedProduct(4, saturatedProduct(s.m, s.n)),
        saturatedProduct(number::bytes(format), saturatedSum(saturatedProduct(s.m, s.k), saturatedProduct(s.k, s.n))));
}

} // namespace warplight::gpu
