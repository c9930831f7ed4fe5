// SPDX-License-Identifier: GPL-3.0-or-later
// Block-sparse attention, as an operator: the first that joined after attention itself.
#include "core/cpu/attention/block_sparse.h"
#include "core/error.h"
#include "core/labs/attention/attention_operator.h"
#include "core/labs/attention/inputs.h"
#include "core/tensor/random.h"
#include "core/workbench/arrange.h"
#include "core/workbench/knobs.h"
#include "gpu/ops/attention_sparse.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace warplight::labs::attention {
namespace {

using lab::Parameter;
using workbench::Implementation;
using workbench::Knob;
using workbench::Operator;
using workbench::Page;
using workbench::Problem;
using workbench::Tensors;
using workbench::TensorSpec;

enum Pattern : int64_t { Local, Strided, Random };
constexpr int64_t mostBlocks = 1 << 24; ///< of a pattern: made anew where it is asked about, in some 50 ms
constexpr uint64_t maskStream = 4;      ///< of the seed; Q, K, V and dO take those before

int64_t blocks(int64_t length, int64_t size) { return (length + size - 1) / size; }

/// Which blocks are visible, by the problem's knobs alone: the same for tensors, formulas and FLOPs.
std::vector<uint8_t> patternMask(const Problem& p) {
    const int64_t rows = p["queryBlocks"], columns = p["keyBlocks"], pattern = p["pattern"];
    const double density = p.real("density") / 100;
    std::vector<uint8_t> mask(static_cast<size_t>(p["maskHeads"] * rows * columns));
    const auto window = std::max<int64_t>(1, std::llround(density * static_cast<double>(columns)));
    const auto stride = std::max<int64_t>(1, std::llround(1 / density));
    std::vector<float> dice(pattern == Random ? mask.size() : 0);
    tensor::fillUniform(dice, 42, maskStream, 0, 1);
    for (size_t i = 0; i < mask.size(); ++i) {
        const int64_t column = static_cast<int64_t>(i) % columns, row = static_cast<int64_t>(i) / columns % rows,
                      diagonal = row * columns / rows, distance = diagonal - column;
        mask[i] = pattern == Local     ? 2 * std::abs(distance) < window + 1 - window % 2 + (distance >= 0)
                  : pattern == Strided ? distance == 0 || column % stride == stride - 1
                                       : distance == 0 || static_cast<double>(dice[i]) < density;
    }
    return mask;
}

/// The mask as kernels take it, of a tensor that may be a user's.
std::vector<uint8_t> maskOf(const Tensors& t) {
    const std::vector<float>& numbers = t.at("mask").values;
    std::vector<uint8_t> mask(numbers.size());
    std::transform(numbers.begin(), numbers.end(), mask.begin(), [](float x) { return x != 0; });
    return mask;
}

cpu::BlockSparseProblem cpuSparse(const Problem& p, Tensors* t, const std::vector<uint8_t>& mask) {
    return {cpuProblem(p, t), {p["blockSize"], p["maskHeads"], mask.data()}};
}

/// Without what is visible: for questions of shape and size.
gpu::BlockMask maskShape(const Problem& p) { return {p["blockSize"], p["maskHeads"], nullptr}; }

gpu::BlockMask gpuMask(const Problem& p, const std::vector<uint8_t>& mask) {
    return {p["blockSize"], p["maskHeads"], mask.data()};
}

void complete(Problem& p) {
    completeAttention(p);
    p.setDefault("blockSize", 64);
    if (p.has("block")) { // a choice, by position
        const int64_t index =
            std::clamp<int64_t>(p["block"], 0, static_cast<int64_t>(gpu::sparseBlockSizes.size()) - 1);
        p.set("blockSize", gpu::sparseBlockSizes[static_cast<size_t>(index)]);
    }
    p.setDefault("maskHeads", 1);
    p.setDefault("density", 25);
    p.setDefault("pattern", Local);
    p.set("queryBlocks", blocks(p["queryLen"], p["blockSize"]));
    p.set("keyBlocks", blocks(p["keyLen"], p["blockSize"]));
    const int64_t all = p["maskHeads"] * p["queryBlocks"] * p["keyBlocks"];
    if (!p.has("maskRows") && all > mostBlocks)
        throw InputError(fmt::format("{} has {} blocks of {}, expected at most {}; take larger blocks or a shorter "
                                     "sequence",
                                     attentionInWords(p), all, p["blockSize"], mostBlocks));
}

int colourOf(std::string_view id) { return id == "masked-dense" ? 1 : id == "block-sparse" ? 8 : 4; }

Implementation onCpu(const cpu::RungInfo<cpu::BlockSparseRung>& rung) {
    Implementation i = workbench::implementationOf(rung.name, rung.title, rung.improves, Implementation::Device::Cpu,
                                                   colourOf(rung.name));
    i.heldBytes = [id = rung.id](const Problem& p, int threads) {
        return cpu::extraBytesAtMost(id, cpuSparse(p, nullptr, {}), threads);
    };
    // If caches hold a tile: what is visible once, or, where a mask is all there is, everything.
    i.bytes = [dense = rung.id != cpu::BlockSparseRung::BlockSparse](const Problem& p) {
        std::vector<uint8_t> mask = patternMask(p);
        if (dense)
            std::fill(mask.begin(), mask.end(), uint8_t{1});
        return gpu::compulsoryTraffic(gpuShape(p), gpuMask(p, mask), number::Format::F32);
    };
    i.onCpu = [id = rung.id](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        const std::vector<uint8_t> mask = maskOf(t);
        return cpu::blockSparseForward(id, cpuSparse(p, &t, mask), how).extraBytes;
    };
    return i;
}

Implementation onGpu(gpu::BlockSparseRung rung, std::vector<number::Format> formats, const char* title,
                     const char* improves) {
    Implementation i = workbench::implementationOf(gpu::name(rung), title, improves, Implementation::Device::Gpu,
                                                   colourOf(gpu::name(rung)));
    i.formats = std::move(formats);
    i.whyNot = [rung](const Problem& p) {
        const std::string why = workbench::refusalOf([&] { gpu::checkShape(gpuShape(p), maskShape(p)); });
        return why.empty() ? gpu::whyNot(rung, maskShape(p), p.format) : why;
    };
    i.heldBytes = [rung](const Problem& p, int) { return gpu::deviceBytes(rung, gpuShape(p), maskShape(p), p.format); };
    i.bytes = [rung](const Problem& p) {
        const std::vector<uint8_t> mask = patternMask(p);
        return gpu::algorithmicTraffic(rung, gpuShape(p), gpuMask(p, mask), p.format);
    };
    i.onGpu = [rung](const Problem& p, Tensors& t, gpu::KernelLibrary& library,
                     const gpu::LaunchOptions& how) -> gpu::Launched {
        const std::vector<uint8_t> mask = maskOf(t);
        gpu::AttentionRun run =
            gpu::blockSparseForward(library, rung, gpuShape(p), gpuMask(p, mask), t.at("Q").values.data(),
                                    t.at("K").values.data(), t.at("V").values.data(), how, p.format);
        t.at("O").values = std::move(run.o);
        t.at("lse").values = std::move(run.lse);
        return gpu::Launched(std::move(run));
    };
    return i;
}

std::vector<Knob> knobs(Page page) {
    std::vector<Knob> all = attentionKnobs(page);
    Knob density =
        workbench::dimension("density", "density", "visible blocks, percent",
                             Parameter::integer("density", "Density", 25, 1, 100, "Blocks that are visible, about."),
                             Parameter::sweep("densities", "Densities", {5, 10, 25, 50, 75, 100}, 1, 100,
                                              "Percent of blocks that are visible, one a point."));
    density.scale = lab::Scale::Linear;
    density.single->unit = "%";
    all.push_back(density);
    all.push_back(
        workbench::option(Parameter::choice("pattern", "Pattern", "local",
                                            {{"local", "Local", "a band along the diagonal"},
                                             {"strided", "Strided", "the diagonal and every n-th column of blocks"},
                                             {"random", "Random", "the diagonal and blocks by chance"}},
                                            "Which blocks are visible.")));
    std::vector<Parameter::Option> sizes;
    for (const int64_t size : gpu::sparseBlockSizes)
        sizes.push_back({std::to_string(size), std::to_string(size), ""});
    all.push_back(workbench::option(Parameter::choice("block", "Block", "64", sizes, "Queries and keys of a block.")));
    return all;
}

/// Q, K, V as attention has them, and the mask [heads or none, blocks of queries, blocks of keys].
workbench::Arranged arrange(Tensors& given, const std::map<std::string, std::string>& origin,
                            const std::string& layout) {
    tensor::Tensor mask = std::move(given.at("mask"));
    workbench::Arranged arranged = attentionArrangement().in(given, origin, layout);
    if (mask.shape.size() == 2)
        mask.shape.insert(mask.shape.begin(), 1);
    if (mask.shape.size() != 3)
        workbench::refuseShape(origin, "mask", mask.shape,
                               "[blocks of queries, blocks of keys] or [heads, blocks of queries, blocks of keys]");
    arranged.problem.set("maskHeads", mask.shape[0]);
    arranged.problem.set("maskRows", mask.shape[1]);
    arranged.problem.set("maskColumns", mask.shape[2]);
    given["mask"] = std::move(mask);
    return arranged;
}

} // namespace

Operator blockSparseOperator() {
    using number::Format;
    Operator op;
    op.id = "block-sparse-attention";
    op.lab = "Attention";
    op.title = "Block-sparse attention";
    op.page = "Sparse";
    op.formula = "O = softmax(scale · Q Kᵀ + mask of blocks) V";
    op.flopsText = "4·d for each visible pair of query and key";
    op.questions = {{Page::Race, "What does a mask save: nothing by itself, or all that is hidden?"}};
    op.knobs = knobs;
    op.complete = [](Problem& p) {
        complete(p);
        for (const auto& [given, expected] :
             {std::pair("maskRows", "queryBlocks"), std::pair("maskColumns", "keyBlocks")})
            if (p.has(given) && p[given] != p[expected])
                throw InputError(fmt::format("--mask: {} blocks of {}, expected {} (block size {})", p[given],
                                             given == std::string("maskRows") ? "queries" : "keys", p[expected],
                                             p["blockSize"]));
    };
    op.tensors = attentionTensors();
    TensorSpec mask{"mask",
                    TensorSpec::Role::Input,
                    {"maskHeads", "queryBlocks", "keyBlocks"},
                    8,
                    "",
                    "1 where a block of scores is visible, 0 where it is not"};
    mask.fixed = Format::U8;
    op.tensors.push_back(mask);
    op.tensors.push_back({"starts", TensorSpec::Role::Between, {}, 8, "mask"});
    op.tensors.push_back({"blocks", TensorSpec::Role::Between, {}, 8, "mask"});
    op.inputKinds = inputKinds();
    op.options = attentionOptions();
    op.options.push_back(Parameter::integer("blockSize", "Block size", 64, 1, 4096, "Queries and keys of a block"));
    op.fill = [](const Problem& p, const std::string& kind, uint64_t seed, Tensors& t,
                 const std::atomic<bool>* cancel) {
        fillInputs(cpuProblem(p), kind, seed, t.at("Q").values, t.at("K").values, t.at("V").values, cancel);
        const std::vector<uint8_t> mask = patternMask(p);
        t.at("mask").values.assign(mask.begin(), mask.end());
    };
    op.reference = [](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        const std::vector<uint8_t> mask = maskOf(t);
        cpu::blockSparseForward(cpu::BlockSparseRung::Reference, cpuSparse(p, &t, mask), how);
    };
    op.usefulFlops = [](const Problem& p) {
        const std::vector<uint8_t> mask = patternMask(p);
        return cpu::usefulFlops(cpuSparse(p, nullptr, mask));
    };
    op.compulsoryBytes = [](const Problem& p) {
        const std::vector<uint8_t> mask = patternMask(p);
        return gpu::compulsoryTraffic(gpuShape(p), gpuMask(p, mask), p.format);
    };
    op.inWords = [](const Problem& p) {
        return fmt::format("{}, {} % of blocks of {}", attentionInWords(p), p["density"], p["blockSize"]);
    };
    op.lower = "seqLen, heads, headDim or batch";
    for (const auto& rung : cpu::blockSparseRungs())
        op.ladder.push_back(onCpu(rung));
    op.ladder.push_back(onGpu(gpu::BlockSparseRung::MaskedDense, {Format::F32}, "All scores, hidden afterwards",
                              "A mask alone saves nothing: every block of K and V is read and multiplied."));
    op.ladder.push_back(onGpu(gpu::BlockSparseRung::BlockSparse, {Format::F32, Format::F16, Format::BF16},
                              "Visible blocks only",
                              "Each block of queries has a list of the keys it sees; what is hidden is not read."));
    op.baseline = "masked-dense";
    op.frugal = "block-sparse";
    op.trafficRatios = {{"denseOverSparse", "masked-dense", "block-sparse"}};
    op.arrangement = attentionArrangement();
    op.arrangement->in = arrange;
    return op;
}

} // namespace warplight::labs::attention
