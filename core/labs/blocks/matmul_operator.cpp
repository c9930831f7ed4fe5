// SPDX-License-Identifier: GPL-3.0-or-later
// The matrix product, as an operator.
#include "core/cpu/matmul/matmul.h"
#include "core/error.h"
#include "core/labs/blocks/blocks_lab.h"
#include "core/tensor/random.h"
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
        {"reference", 4}, {"naive", 10}, {"tiled", 1}, {"blocked", 5}, {"packed", 3}, {"mma", 2}, {"cublas", 8}};
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

Implementation onGpu(gpu::MatmulRung rung, std::vector<number::Format> formats, const char* title,
                     const char* improves) {
    Implementation i = workbench::implementationOf(gpu::name(rung), title, improves, Implementation::Device::Gpu,
                                                   colourOf(gpu::name(rung)));
    i.formats = std::move(formats);
    i.library = rung == gpu::MatmulRung::Cublas;
    if (rung == gpu::MatmulRung::Mma)
        i.whyNot = [](const Problem& p) -> std::string {
            return p["m"] % 64 || p["n"] % 64 || p["k"] % 32 ? "mma takes whole tiles: m and n multiples of 64, k of 32"
                                                             : "";
        };
    i.heldBytes = [](const Problem& p, int) { return gpu::deviceBytes(shapeOf(p), p.format); };
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
    Knob size;
    size.id = "size";
    size.symbol = "n";
    size.axis = "rows and columns";
    size.single =
        Parameter::integer("size", "Size", 256, 0, most, "Rows and columns of both matrices; 0: by m, n and k.");
    size.sweep = Parameter::sweep(
        "sizes", "Sizes", race ? std::vector<int64_t>{128, 256, 512, 1024, 2048} : std::vector<int64_t>{64, 128, 256},
        1, most, "Rows and columns of both matrices, one a point.");
    size.probe = 128;
    std::vector<Knob> all{size};
    for (const auto& [id, axis] :
         {std::pair("m", "rows of A"), std::pair("n", "columns of B"), std::pair("k", "columns of A, rows of B")}) {
        Knob side;
        side.id = id;
        side.symbol = id;
        side.axis = axis;
        side.single = Parameter::integer(id, id, 0, 0, most, fmt::format("{}; 0: as size says.", axis));
        side.sweep = Parameter::sweep(fmt::format("{}s", id), id, {64, 128, 256, 512}, 1, most,
                                      fmt::format("{}, one a point.", axis));
        side.probe = 128;
        all.push_back(side);
    }
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
    if (kind != "gaussian" && kind != "positive" && kind != "wide")
        throw InputError(fmt::format("input '{}' is not known, expected one of the kinds that describe lists", kind));
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
    op.questions = {{Page::Race, "What do tiles, registers and tensor cores make of the same product?"}};
    op.knobs = knobs;
    op.complete = complete;
    // C is f32 whatever A and B are.
    TensorSpec c{"C", TensorSpec::Role::Output, {"m", "n"}, 3, "", "Where the product goes"};
    c.fixed = Format::F32;
    op.tensors = {{"A", TensorSpec::Role::Input, {"m", "k"}, 0}, {"B", TensorSpec::Role::Input, {"k", "n"}, 5}, c};
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
    op.ladder.push_back(onGpu(gpu::MatmulRung::Naive, {Format::F32}, "One thread an element",
                              "Every operand from memory, as the formula says."));
    op.ladder.push_back(onGpu(gpu::MatmulRung::Tiled, {Format::F32}, "Tiles of 32 × 32 in shared memory",
                              "An element that a block has loaded serves 32 results."));
    op.ladder.push_back(onGpu(gpu::MatmulRung::Mma, {Format::F16}, "Tensor cores, f16 with f32 sums",
                              "Tiles of 64 × 64 by mma.sync, fetched two ahead by cp.async without bank conflicts."));
    op.ladder.push_back(onGpu(gpu::MatmulRung::Cublas, {Format::F32, Format::F16, Format::BF16}, "By cuBLAS",
                              "NVIDIA's own library: what there is to reach."));
    op.baseline = "naive";
    op.trafficRatios = {{"naiveOverTiled", "naive", "tiled"}, {"tiledOverMma", "tiled", "mma"}};
    return op;
}

} // namespace warplight::labs::blocks
