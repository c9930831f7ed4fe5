// SPDX-License-Identifier: GPL-3.0-or-later
// Sparse attention, as an operator: the kernels of block-sparse attention under any pattern of pairs.
#include "core/cpu/attention/block_sparse.h"
#include "core/error.h"
#include "core/labs/attention/attention_operator.h"
#include "core/labs/attention/inputs.h"
#include "core/labs/linear/sparse_lab.h"
#include "core/labs/linear/sparse_problem.h"
#include "core/workbench/arrange.h"
#include "core/workbench/knobs.h"
#include "gpu/ops/attention_sparse.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace warplight::labs::linear {
namespace {

using lab::Parameter;
using sparse::BlockedMask;
using workbench::Implementation;
using workbench::Knob;
using workbench::Operator;
using workbench::Page;
using workbench::Problem;
using workbench::Tensors;
using workbench::TensorSpec;

int colourOf(std::string_view id) { return id == "masked-dense" ? 1 : id == "block-sparse" ? 8 : 4; }

int64_t maskBytes(const Problem& p) {
    int64_t held = sparse::bytesAtMost(blockCounts(p), p["block"]);
    const int64_t inputs = saturatedProduct(p["batch"] * p["keyHeads"], p["keyLen"]);
    if (kindOf(p).id == sparse::Kind::TopK) // K transposed, and scores and their order a thread
        held = saturatedSum(held, saturatedProduct(saturatedProduct(inputs, p["headDim"]), 4) +
                                      saturatedProduct(1024, p["keyLen"]));
    if (kindOf(p).id == sparse::Kind::Lsh)
        held = saturatedSum(held, saturatedProduct(p["hashes"] * p["buckets"], inputs) / 4 +
                                      saturatedProduct(8 * p["hashes"] * p["batch"] * p["queryHeads"], p["queryLen"]));
    if (kindOf(p).needsMask)
        held = saturatedSum(held, saturatedProduct(p["queryLen"], p["keyLen"]) / 4);
    return held;
}

int64_t computeOnCpu(cpu::BlockSparseRung rung, const Problem& p, Tensors& t, const cpu::RunOptions& how) {
    const auto mask = blockedMask(p, t, how);
    return mask->bytes() + cpu::blockSparseForward(rung, {attention::cpuProblem(p, &t), mask->view()}, how).extraBytes;
}

/// Q, K, V and O once, if caches hold a tile.
gpu::TensorTraffic eachOnce(const Problem& p) {
    const double queries = 4 * p.real("batch") * p.real("queryHeads") * p.real("queryLen") * p.real("headDim"),
                 keys = 4 * p.real("batch") * p.real("keyHeads") * p.real("keyLen") * p.real("headDim");
    return {{"Q", {queries, 0}}, {"K", {keys, 0}}, {"V", {keys, 0}}, {"O", {0, queries}}};
}

Implementation onCpu(const cpu::RungInfo<cpu::BlockSparseRung>& rung) {
    Implementation i = workbench::implementationOf(rung.name, rung.title, rung.improves, Implementation::Device::Cpu,
                                                   colourOf(rung.name));
    if (rung.id == cpu::BlockSparseRung::BlockSparse)
        i.improves =
            "Visible blocks only, and in those that are seen in part no panel of keys that no query sees: time "
            "follows the blocks, not the pairs.";
    i.held = "the mask";
    i.heldBytes = [id = rung.id](const Problem& p, int threads) {
        return saturatedSum(maskBytes(p),
                            cpu::extraBytesAtMost(id, {attention::cpuProblem(p), {p["block"], 1, nullptr}}, threads));
    };
    i.bytes = eachOnce;
    i.onCpu = [id = rung.id](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        return computeOnCpu(id, p, t, how);
    };
    return i;
}

/// A mask, or its shape alone: for questions of size.
gpu::BlockMask gpuMask(const Problem& p, const BlockedMask& mask) {
    const bool hidesPairs = mask.parts > 0 || kindOf(p).needsInputs || kindOf(p).needsMask;
    return {mask.blockSize,  mask.heads, mask.visible.data(), mask.parts, hidesPairs ? mask.part.data() : nullptr,
            mask.bits.data()};
}
gpu::BlockMask maskShape(const Problem& p) {
    const bool each = kindOf(p).needsInputs;
    return {p["block"], each ? p["batch"] * p["queryHeads"] : 1, nullptr, blockCounts(p).parts};
}

Implementation onGpu(gpu::BlockSparseRung rung, std::vector<number::Format> formats, const char* title,
                     const char* improves) {
    Implementation i = workbench::implementationOf(gpu::name(rung), title, improves, Implementation::Device::Gpu,
                                                   colourOf(gpu::name(rung)));
    i.formats = std::move(formats);
    i.whyNot = [rung](const Problem& p) {
        const gpu::BlockMask shape = maskShape(p);
        const std::string why = workbench::refusalOf([&] { gpu::checkShape(attention::gpuShape(p), shape); });
        return why.empty() ? gpu::whyNot(rung, shape, p.format) : why;
    };
    i.heldBytes = [rung](const Problem& p, int) {
        return gpu::deviceBytes(rung, attention::gpuShape(p), maskShape(p), p.format);
    };
    i.bytes = [rung](const Problem& p) -> gpu::TensorTraffic {
        if (kindOf(p).needsInputs || kindOf(p).needsMask)
            return {}; // the numbers of Q and K say which blocks are read
        const auto mask = blockedMask(p, {}, {});
        return gpu::algorithmicTraffic(rung, attention::gpuShape(p), gpuMask(p, *mask), p.format);
    };
    i.onGpu = [rung](const Problem& p, Tensors& t, gpu::KernelLibrary& library,
                     const gpu::LaunchOptions& how) -> gpu::Launched {
        const auto mask = blockedMask(p, t, {how.threads, how.cancel});
        gpu::AttentionRun run =
            gpu::blockSparseForward(library, rung, attention::gpuShape(p), gpuMask(p, *mask), t.at("Q").values.data(),
                                    t.at("K").values.data(), t.at("V").values.data(), how, p.format);
        t.at("O").values = std::move(run.o);
        t.at("lse").values = std::move(run.lse);
        return gpu::Launched(std::move(run));
    };
    return i;
}

std::vector<Knob> knobs(Page page) {
    std::vector<Knob> all = attention::attentionKnobs(page);
    all.push_back(workbench::option(patternParameter(false)));
    for (const sparse::Field& field : sparse::fields()) {
        Knob knob = workbench::option(fieldParameter(field));
        knob.axis = field.id;
        if (std::string_view(field.id) == "window" || std::string_view(field.id) == "stride")
            knob.sweep =
                Parameter::sweep(fmt::format("{}s", field.id), fmt::format("{}s", field.title), {16, 32, 64, 128, 256},
                                 static_cast<double>(field.least), static_cast<double>(field.most),
                                 fmt::format("{}s, one a point.", field.title));
        all.push_back(knob);
    }
    return all;
}

/// Q, K, V as attention has them, and a mask [queries, keys] if there is one.
workbench::Arranged arrange(Tensors& given, const std::map<std::string, std::string>& origin,
                            const std::string& layout) {
    tensor::Tensor mask;
    if (given.contains("mask")) {
        mask = std::move(given.at("mask"));
        if (mask.shape.size() != 2)
            workbench::refuseShape(origin, "mask", mask.shape, "[queries, keys]");
    }
    workbench::Arranged arranged = attention::attentionArrangement().in(given, origin, layout);
    if (mask.shape.empty())
        return arranged;
    arranged.problem.set("maskRows", mask.shape[0]);
    arranged.problem.set("maskColumns", mask.shape[1]);
    given["mask"] = std::move(mask);
    return arranged;
}

std::string inWords(const Problem& p) {
    const sparse::KindInfo& kind = kindOf(p);
    std::string uses;
    for (const sparse::Field& field : sparse::fields())
        if (kind.usesParameter(field.id))
            uses += fmt::format("{}{} {}", uses.empty() ? " with " : ", ", field.id, p[field.id]);
    return fmt::format("{}, {}{}", attention::attentionInWords(p), kind.name, uses);
}

} // namespace

Operator sparseAttentionOperator() {
    using number::Format;
    Operator op;
    op.id = "sparse-attention";
    op.lab = "Linear attention";
    op.title = "Sparse attention";
    op.page = "Sparse";
    op.formula = "O = softmax(scale · Q Kᵀ + pattern) V";
    op.flopsText = "4·d for each pair of query and key that the pattern keeps; for LSH as buckets by chance would";
    op.questions = {
        {Page::Race, "Which patterns save time, and which only hide scores that have been computed anyway?"}};
    op.knobs = knobs;
    op.complete = completeSparse;
    op.tensors = attention::attentionTensors();
    TensorSpec mask{"mask", TensorSpec::Role::Input, {"maskRows", "maskColumns"}, 8, "", "0 where a pair is hidden",
                    false};
    mask.fixed = Format::U8;
    op.tensors.push_back(mask);
    op.tensors.push_back({"starts", TensorSpec::Role::Between, {}, 8, "mask"});
    for (const char* list : {"blocks", "places", "bits"})
        op.tensors.push_back({list, TensorSpec::Role::Between, {}, 8, "mask"});
    op.inputKinds = attention::inputKinds();
    op.options = attention::attentionOptions();
    op.options.push_back(patternParameter(true));
    for (const sparse::Field& field : sparse::fields())
        op.options.push_back(fieldParameter(field));
    op.fill = [](const Problem& p, const std::string& kind, uint64_t seed, Tensors& t,
                 const std::atomic<bool>* cancel) {
        attention::fillInputs(attention::cpuProblem(p), kind, seed, t.at("Q").values, t.at("K").values,
                              t.at("V").values, cancel);
    };
    op.reference = [](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        computeOnCpu(cpu::BlockSparseRung::Reference, p, t, how);
    };
    op.usefulFlops = [](const Problem& p) { return 4 * p.real("headDim") * pairsOf(p); };
    op.inWords = inWords;
    op.lower = "seqLen, heads, headDim or batch";
    for (const auto& rung : cpu::blockSparseRungs())
        op.ladder.push_back(onCpu(rung));
    op.ladder.push_back(onGpu(gpu::BlockSparseRung::MaskedDense, {Format::F32}, "All scores, hidden afterwards",
                              "A mask alone saves nothing: every block of K and V is read and multiplied."));
    op.ladder.push_back(onGpu(gpu::BlockSparseRung::BlockSparse, {Format::F32, Format::F16, Format::BF16},
                              "Visible blocks only",
                              "Each block of queries has a list of the keys it sees; what is hidden is not read. In "
                              "f32 a block that is seen in part has a bit for each pair."));
    op.baseline = "masked-dense";
    op.frugal = "block-sparse";
    op.arrangement = attention::attentionArrangement();
    op.arrangement->in = arrange;
    return op;
}

} // namespace warplight::labs::linear
