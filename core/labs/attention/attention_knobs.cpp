// SPDX-License-Identifier: GPL-3.0-or-later
// What attention and its relatives have in common: knobs, tensors, the user's tensors.
#include "core/labs/attention/attention_operator.h"
#include "core/labs/attention/inputs.h"
#include "core/labs/attention/tensors.h"
#include "core/workbench/knobs.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::attention {
namespace {

using lab::Parameter;
using workbench::dimension;
using workbench::Knob;
using workbench::Page;

Knob length(int64_t most, std::vector<int64_t> swept) {
    constexpr double probe = 256; // tells about how fast an implementation is before a long one is begun
    return dimension(
        "seqLen", "N", "sequence length",
        Parameter::integer("length", "Sequence length", most > 8192 ? 1024 : 256, 1, static_cast<double>(most),
                           "Length of Q, K and V."),
        Parameter::sweep("seqLen", "Sequence length", std::move(swept), 1, static_cast<double>(most),
                         most > 8192 ? "Lengths of Q, K and V to measure." : "Lengths of Q, K and V to count."),
        probe);
}

Knob headDim(int64_t most) {
    return dimension(
        "headDim", "d", "head dimension",
        Parameter::integer("headDim", "Head dimension", 64, 1, static_cast<double>(most), "Features of one head."),
        Parameter::sweep("headDims", "Head dimensions", {16, 32, 64, 128, 256}, 1, static_cast<double>(most),
                         "Head dimensions, one a point."));
}

Knob heads(int64_t standing, int64_t most) {
    return dimension("heads", "heads", "heads",
                     Parameter::integer("heads", "Heads", standing, 1, static_cast<double>(most),
                                        "Heads of each batch entry; all are computed in one call."),
                     Parameter::sweep("headCounts", "Heads", {1, 2, 4, 8}, 1, static_cast<double>(most),
                                      "Numbers of heads, one a point."));
}

Knob batch() {
    return dimension("batch", "batch", "batch", Parameter::integer("batch", "Batch", 1, 1, 256, "Batch entries."),
                     Parameter::sweep("batches", "Batch", {1, 2, 4, 8}, 1, 256, "Batch entries, one number a point."));
}

Knob rows(const char* id, const char* symbol, const char* axis, const char* title, const char* doc) {
    return dimension(id, symbol, axis, Parameter::integer(id, title, 256, 1, 16384, doc),
                     Parameter::sweep(fmt::format("{}s", id), title, {64, 128, 256, 512}, 1, 16384,
                                      fmt::format("{}s, one a point.", title)));
}

/// The shape that K had, from Q's: as many dimensions, in the same layout.
std::vector<int64_t> keysLikeQuery(const std::vector<int64_t>& query, const std::vector<int64_t>& keys, Layout layout) {
    std::vector<int64_t> all = keys;
    if (layout == Layout::Bnhd && query.size() == 4)
        std::swap(all[1], all[2]);
    return {all.end() - static_cast<std::ptrdiff_t>(query.size()), all.end()};
}

Knob causal(const char* doc) { return workbench::option(Parameter::flag("causal", "Causal mask", false, doc)); }

} // namespace

std::vector<Knob> attentionKnobs(Page page) {
    switch (page) {
    case Page::Race:
        return {length(1 << 20, {256, 512, 1024, 2048, 4096}), headDim(512), heads(2, 256), batch(),
                causal("Query i sees keys 0 to i only.")};
    case Page::Traffic:
        return {length(8192, {64, 128, 256, 512}), headDim(256), heads(1, 64),
                causal("Query i sees keys 0 to i only: flash kernels skip tiles that nobody sees.")};
    case Page::Accuracy:
        return {rows("queryLen", "queries", "query length", "Query length", "Rows of Q."),
                rows("keyLen", "keys", "key length", "Key length",
                     "Rows of K and V. Shorter than the queries and causal: the first rows see no key."),
                headDim(512), causal("Aligned bottom-right.")};
    }
    return {};
}

std::vector<workbench::TensorSpec> attentionTensors() {
    using Role = workbench::TensorSpec::Role;
    const std::vector<std::string> queries{"batch", "queryHeads", "queryLen", "headDim"},
        keys{"batch", "keyHeads", "keyLen", "headDim"};
    return {{"Q", Role::Input, queries, 0},
            {"K", Role::Input, keys, 5},
            {"V", Role::Input, keys, 2},
            {"S", Role::Between, {}, 1},
            {"P", Role::Between, {}, 4},
            {"O", Role::Output, queries, 3, "", "Where O goes"},
            {"partO", Role::Between, {}, 6},
            {"lse",
             Role::Statistic,
             {"batch", "queryHeads", "queryLen"},
             7,
             "statistics",
             "Where the log-sum-exp of each row goes (f32); may be the file of O",
             false},
            {"m", Role::Between, {}, 7, "statistics"},
            {"l", Role::Between, {}, 7, "statistics"}};
}

void completeAttention(workbench::Problem& p) {
    const auto from = [&](const char* id, const char* other) { p.setDefault(id, p.has(other) ? p.real(other) : 1); };
    p.setDefault("batch", 1);
    from("queryHeads", "heads");
    from("keyHeads", "heads");
    from("queryLen", "seqLen");
    from("keyLen", "seqLen");
    p.setDefault("tile", 0);
    p.setDefault("causal", 0);
    p.setDefault("scale", static_cast<double>(1.0f / std::sqrt(static_cast<float>(p["headDim"]))));
}

cpu::AttentionProblem cpuProblem(const workbench::Problem& p, workbench::Tensors* tensors) {
    cpu::AttentionProblem shape;
    shape.batch = p["batch"];
    shape.queryHeads = p["queryHeads"];
    shape.keyHeads = p["keyHeads"];
    shape.queryLen = p["queryLen"];
    shape.keyLen = p["keyLen"];
    shape.headDim = p["headDim"];
    shape.scale = static_cast<float>(p.real("scale"));
    shape.causal = p.flag("causal");
    if (tensors) {
        const auto at = [&](const char* name) { return (*tensors)[name].values.data(); };
        shape.q = at("Q");
        shape.k = at("K");
        shape.v = at("V");
        shape.o = at("O");
        shape.lse = at("lse");
    }
    return shape;
}

int64_t computeForward(cpu::Implementation implementation, const workbench::Problem& problem,
                       workbench::Tensors& tensors, const cpu::RunOptions& options) {
    cpu::Execution execution;
    execution.threads = options.threads;
    execution.cancel = options.cancel;
    return cpu::attentionForward(implementation, cpuProblem(problem, &tensors), execution).extraBytes;
}

gpu::AttentionShape gpuShape(const cpu::AttentionProblem& p) {
    return {p.batch, p.queryHeads, p.keyHeads, p.queryLen, p.keyLen, p.headDim, p.scale, p.causal};
}

gpu::AttentionShape gpuShape(const workbench::Problem& p) { return gpuShape(cpuProblem(p)); }

std::string attentionInWords(const workbench::Problem& p) {
    const int64_t n = p["queryLen"], heads = p["queryHeads"];
    std::string text =
        n == p["keyLen"] ? fmt::format("N = {}", n) : fmt::format("{} queries and {} keys", n, p["keyLen"]);
    text += fmt::format(" with {} head{} of {} features", heads, heads == 1 ? "" : "s", p["headDim"]);
    if (p["batch"] != 1)
        text += fmt::format(" and batch {}", p["batch"]);
    if (p["tile"] != 0)
        text += fmt::format(", tiles of {}", p["tile"]);
    return text;
}

std::vector<lab::Parameter> attentionOptions() {
    return {Parameter::flag("causal", "Causal mask", false, "Mask aligned bottom-right"),
            Parameter::real("scale", "Scale", 0, -1e30, 1e30, "Instead of 1/√headDim")};
}

workbench::Arrangement attentionArrangement() {
    return {{"BHND", "BNHD"},
            [](workbench::Tensors& given, const std::map<std::string, std::string>& origin, const std::string& layout) {
                auto inputs = std::make_shared<AttentionTensors>(
                    arrangeAttention(std::move(given.at("Q")), std::move(given.at("K")), std::move(given.at("V")),
                                     layoutByName(layout), origin.at("Q"), origin.at("K"), origin.at("V")));
                const auto& q = inputs->q.shape;
                const auto& k = inputs->k.shape;
                workbench::Arranged arranged;
                arranged.problem.set("batch", q[0]);
                arranged.problem.set("queryHeads", q[1]);
                arranged.problem.set("keyHeads", k[1]);
                arranged.problem.set("queryLen", q[2]);
                arranged.problem.set("keyLen", k[2]);
                arranged.problem.set("headDim", q[3]);
                given["Q"] = std::move(inputs->q);
                given["K"] = std::move(inputs->k);
                given["V"] = std::move(inputs->v);
                inputs->q.shape = given["Q"].shape; // what the outputs are like
                arranged.out = [inputs, keys = given["K"].shape](const std::string& name, tensor::Tensor made) {
                    if (name == "lse")
                        return rowsLike(*inputs, made.values);
                    AttentionTensors like; // gradients of K and V are like these
                    like.layout = inputs->layout;
                    like.outputShape = inputs->outputShape;
                    like.q.shape = made.shape;
                    if (made.shape == keys && made.shape != inputs->q.shape)
                        like.outputShape = keysLikeQuery(inputs->outputShape, keys, inputs->layout);
                    return outputLike(like, made.values);
                };
                return arranged;
            }};
}

} // namespace warplight::labs::attention
