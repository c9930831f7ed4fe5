// SPDX-License-Identifier: GPL-3.0-or-later
// The matrix product, as an operator.
#include "core/cpu/matmul/matmul.h"
#include "core/error.h"
#include "core/labs/blocks/blocks_lab.h"
#include "core/tensor/random.h"
#include "core/workbench/knobs.h"
#include "gpu/ops/matmul.h"

#include <atomic>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace warplight::labs::blocks {
namespace {

using lab::Parameter;
using workbench::Implementation;
using workbench::Knob;
using workbench::Operator;
using workbench::Page;
using workbench::Problem;
using workbench::Tensors;
using workbench::TensorSpec;

enum Stream : uint64_t { aStream, bStream };

int colourOf(std::string_view id) {
    static const std::map<std::string, int, std::less<>> slots{
        {"reference", 4}, {"naive", 10},  {"tiled", 1},     {"blocked", 5},   {"packed", 3},   {"half2", 9},
        {"mma", 2},       {"mma-f16", 0}, {"mma-tf32", 12}, {"mma-e4m3", 11}, {"mma-e5m2", 6}, {"cublas", 8}};
    const auto found = slots.find(id);
    return found == slots.end() ? 7 : found->second;
}

gpu::MatmulShape shapeOf(const Problem& p) { return {p["m"], p["n"], p["k"]}; }

cpu::MatmulProblem problemOf(const Problem& p, Tensors* t) {
    cpu::MatmulProblem problem{p["m"], p["n"], p["k"]};
    if (t) {
        problem.a = t->at("A").values.data();
        problem.b = t->at("B").values.data();
        problem.c = t->at("C").values.data();
    }
    return problem;
}

Implementation onCpu(const cpu::RungInfo<cpu::MatmulRung>& rung) {
    Implementation i = workbench::implementationOf(rung.name, rung.title, rung.improves, Implementation::Device::Cpu,
                                                   colourOf(rung.name));
    i.heldBytes = [id = rung.id](const Problem& p, int threads) {
        return cpu::extraBytesAtMost(id, problemOf(p, nullptr), threads);
    };
    if (rung.id != cpu::MatmulRung::Naive) // which reads B anew for each row, or not, as caches have it
        i.bytes = [](const Problem& p) { return gpu::compulsoryTraffic(shapeOf(p), number::Format::F32); };
    i.onCpu = [id = rung.id](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        return cpu::matmul(id, problemOf(p, &t), how).extraBytes;
    };
    return i;
}

/// How far a rung's own rounding puts it off at most, in sums of |products|: that of both factors, or that of a sum, k
/// times or once for each 16 products of a tensor core. It grows a little with what has been rounded before.
double roundoff(gpu::MatmulRung rung, double k) {
    constexpr double eleven = 0x1p-11, four = 0x1p-4, three = 0x1p-3; // half a unit of so many bits
    constexpr double lostBelow = 0x1p-12; // what is too small for e4m3, if no factor is 28 times the mean one
    const auto ofFactors = [](double unit) { return 2 * unit + unit * unit; };
    const auto ofSums = [](double roundings) { return std::expm1(roundings * std::log1p(eleven)); };
    switch (rung) {
    case gpu::MatmulRung::Half2:
        return ofSums(k);
    case gpu::MatmulRung::MmaF16:
        return ofSums(std::ceil(k / 16));
    case gpu::MatmulRung::MmaTf32:
        return ofFactors(eleven);
    case gpu::MatmulRung::MmaE4M3:
        return ofFactors(four) + lostBelow;
    case gpu::MatmulRung::MmaE5M2:
        return ofFactors(three);
    default:
        return 0;
    }
}

Implementation onGpu(gpu::MatmulRung rung, const char* title, const char* improves, bool chosen = true) {
    Implementation i = workbench::implementationOf(gpu::name(rung), title, improves, Implementation::Device::Gpu,
                                                   colourOf(gpu::name(rung)));
    i.formats = gpu::formatsOf(rung);
    i.library = rung == gpu::MatmulRung::Cublas;
    i.chosen = chosen;
    i.judged = true;
    i.architecture = gpu::architectureOf(rung);
    i.whyNot = [rung](const Problem& p) { return gpu::whyNot(rung, shapeOf(p)); };
    if (roundoff(rung, 1) > 0)
        i.roundoff = [rung](const Problem& p) { return roundoff(rung, p.real("k")); };
    if (rung == gpu::MatmulRung::Half2 || rung == gpu::MatmulRung::MmaF16)
        i.breaksOn["wide"] = "sums beyond 65504 are infinite in f16";
    i.heldBytes = [rung](const Problem& p, int) { return gpu::deviceBytes(rung, shapeOf(p), p.format); };
    i.bytes = [rung](const Problem& p) { return gpu::algorithmicTraffic(rung, shapeOf(p), p.format); };
    i.onGpu = [rung](const Problem& p, Tensors& t, gpu::KernelLibrary& library,
                     const gpu::LaunchOptions& how) -> gpu::Launched {
        gpu::MatmulRun run =
            gpu::matmul(library, rung, shapeOf(p), p.format, t.at("A").values.data(), t.at("B").values.data(), how);
        t.at("C").values = std::move(run.c);
        return gpu::Launched(std::move(run));
    };
    return i;
}

/// Square by one knob, or each side by its own.
std::vector<Knob> knobs(Page page) {
    const bool race = page == Page::Race;
    const double most = race ? 1 << 15 : 4096;
    std::vector<Knob> all{workbench::dimension(
        "size", "size", "rows and columns",
        Parameter::integer("size", "Size", 256, 0, most, "Rows and columns of both matrices; 0: by m, n and k."),
        Parameter::sweep("sizes", "Sizes",
                         race ? std::vector<int64_t>{128, 256, 512, 1024, 2048} : std::vector<int64_t>{64, 128, 256}, 1,
                         most, "Rows and columns of both matrices, one a point."),
        128)};
    for (const auto& [id, axis] :
         {std::pair("m", "rows of A"), std::pair("n", "columns of B"), std::pair("k", "columns of A, rows of B")})
        all.push_back(workbench::dimension(
            id, id, axis, Parameter::integer(id, id, 0, 0, most, fmt::format("{}; 0: as size says.", axis)),
            Parameter::sweep(fmt::format("{}s", id), id, {64, 128, 256, 512}, 1, most,
                             fmt::format("{}, one a point.", axis)),
            128));
    return all;
}

void complete(Problem& p) {
    for (const char* side : {"m", "n", "k"}) {
        if (!p.has(side) || (p[side] == 0 && p.has("size")))
            p.numbers[side] = p.has("size") ? p.real("size") : 0;
        if (p.has("size") && p[side] == 0)
            throw InputError(fmt::format("{} is 0, expected a size", side));
    }
}

void fill(const Problem& p, const std::string& kind, uint64_t seed, Tensors& t, const std::atomic<bool>* cancel) {
    tensor::fillGaussian(t.at("A").values, seed, aStream, 1, cancel);
    tensor::fillGaussian(t.at("B").values, seed, bStream, 1, cancel);
    const auto k = static_cast<float>(p["k"]);
    for (const char* name : {"A", "B"})
        for (float& x : t.at(name).values)
            x = kind == "positive" ? std::fabs(x) : kind == "wide" ? x * std::exp2(8 * x) / std::sqrt(k) : x;
}

} // namespace

Operator matmulOperator() {
    using number::Format;
    Operator op;
    op.id = "matmul";
    op.lab = "Building blocks";
    op.title = "Matrix product";
    op.page = "Matmul";
    op.formula = "C = A · B";
    op.flopsText = "2·m·n·k";
    op.questions = {{Page::Race, "What do tiles, tensor cores and fewer bits make of the same product?"}};
    op.knobs = knobs;
    op.complete = complete;
    // C is f32 whatever A and B are.
    TensorSpec c{"C", TensorSpec::Role::Output, {"m", "n"}, 3, "", "Where the product goes"};
    c.fixed = Format::F32;
    op.tensors = {{"A", TensorSpec::Role::Input, {"m", "k"}, 0},
                  {"B", TensorSpec::Role::Input, {"k", "n"}, 5},
                  c,
                  {"A8", TensorSpec::Role::Between, {}, 8, "8-bit copies"},
                  {"B8", TensorSpec::Role::Between, {}, 8, "8-bit copies"},
                  {"amax", TensorSpec::Role::Between, {}, 9, "largest |x|"}};
    op.inputKinds = {{"gaussian", "Gaussian", "independent normal numbers"},
                     {"positive", "Positive", "nothing cancels: sums grow with k"},
                     {"wide", "Wide range", "numbers over many powers of two"}};
    op.fill = fill;
    op.reference = [](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        cpu::matmul(cpu::MatmulRung::Reference, problemOf(p, &t), how);
    };
    op.usefulFlops = [](const Problem& p) { return cpu::usefulFlops(problemOf(p, nullptr)); };
    op.inWords = [](const Problem& p) { return fmt::format("[{}, {}] · [{}, {}]", p["m"], p["k"], p["k"], p["n"]); };
    op.lower = "size, m, n or k";
    for (const auto& rung : cpu::matmulRungs())
        op.ladder.push_back(onCpu(rung));
    using gpu::MatmulRung;
    op.ladder.push_back(
        onGpu(MatmulRung::Naive, "One thread an element", "Every operand from memory, as the formula says."));
    op.ladder.push_back(onGpu(MatmulRung::Tiled, "Tiles of 32 × 32 in shared memory",
                              "An element that a block has loaded serves 32 results."));
    op.ladder.push_back(onGpu(MatmulRung::Half2, "CUDA cores, f16 with f16 sums",
                              "Two columns an instruction, half the bytes; each step of a sum rounds to 11 bits.",
                              false));
    op.ladder.push_back(onGpu(MatmulRung::Mma, "Tensor cores, f16 or bf16 with f32 sums",
                              "Tiles of 64 × 64 by mma.sync, fetched two ahead by cp.async without bank conflicts."));
    op.ladder.push_back(onGpu(MatmulRung::MmaF16, "Tensor cores, f16 with f16 sums",
                              "Half the registers for sums, and twice the rate on GeForce cards; a sum rounds to 11 "
                              "bits after each 16 products.",
                              false));
    op.ladder.push_back(onGpu(MatmulRung::MmaTf32, "Tensor cores, f32 rounded to tf32, f32 sums",
                              "Tensor cores for f32: they take 11 bits of each factor, at half the rate of f16."));
    op.ladder.push_back(onGpu(MatmulRung::MmaE4M3, "Tensor cores, 8 bits (E4M3) with f32 sums",
                              "A and B are scaled by a power of two each and cast to 4 bits of precision first; twice "
                              "the rate of f16.",
                              false));
    op.ladder.push_back(onGpu(MatmulRung::MmaE5M2, "Tensor cores, 8 bits (E5M2) with f32 sums",
                              "The same with 3 bits of precision and the range of f16.", false));
    op.ladder.push_back(onGpu(MatmulRung::Cublas, "By cuBLAS", "NVIDIA's own library: what there is to reach."));
    op.baseline = "naive";
    op.trafficRatios = {{"naiveOverTiled", "naive", "tiled"}, {"tiledOverMma", "tiled", "mma"}};
    return op;
}

} // namespace warplight::labs::blocks
