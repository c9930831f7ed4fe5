// SPDX-License-Identifier: GPL-3.0-or-later
// Low-rank attention, as an operator: Linformer, Nyström and pooling on the inputs of all other methods.
#include "core/error.h"
#include "core/labs/attention/attention_operator.h"
#include "core/labs/attention/inputs.h"
#include "core/labs/linear/sparse_lab.h"
#include "core/sparse/low_rank.h"
#include "core/sparse/low_rank_factors.h"
#include "core/workbench/arrange.h"
#include "core/workbench/knobs.h"
#include "gpu/ops/low_rank.h"

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

namespace warplight::labs::linear {
namespace {

using lab::Parameter;
using sparse::LowRankMethod;
using sparse::LowRankProblem;
using workbench::Implementation;
using workbench::Knob;
using workbench::Operator;
using workbench::Page;
using workbench::Problem;
using workbench::Tensors;
using workbench::TensorSpec;

constexpr int64_t mostRank = 1 << 16;
constexpr int64_t reservedShared = 1024; ///< bytes that a block costs besides its own

LowRankMethod methodOf(const Problem& p) { return sparse::lowRankMethods()[static_cast<size_t>(p["method"])].id; }

LowRankProblem lowRank(const Problem& p, Tensors* t = nullptr) {
    LowRankProblem x{attention::cpuProblem(p), methodOf(p), p["rank"]};
    if (!t)
        return x;
    x.attention.q = t->at("Q").values.data();
    x.attention.k = t->at("K").values.data();
    x.attention.v = t->at("V").values.data();
    x.attention.o = t->at("O").values.data();
    x.e = t->at("E").values.data();
    x.f = t->at("F").values.data();
    return x;
}

void complete(Problem& p) {
    p.setDefault("projectionGiven", 0);
    p.setDefault("method", 0);
    const bool isLinformer = methodOf(p) == LowRankMethod::Linformer;
    if (p.flag("projectionGiven")) {
        if (!isLinformer)
            throw InputError("--e: expected beside --method linformer alone");
        if (p.has("rank") && p["rank"] != p["projectionRows"])
            throw InputError(fmt::format("--rank {}: expected {}, the rows of --e", p["rank"], p["projectionRows"]));
        p.numbers["rank"] = p.real("projectionRows");
    }
    p.setDefault("rank", 64);
    p.setDefault("seed", 42);
    if (p.has("causal") && p.flag("causal")) // on a page with others
        p.numbers["causalAsked"] = 1;
    p.numbers["causal"] = 0;
    attention::completeAttention(p);
    p.numbers["causal"] = 0;
    if (!p.flag("projectionGiven"))
        p.numbers["projectionRows"] = isLinformer ? p.real("rank") : 0;
    p.numbers["projectionColumns"] = isLinformer ? p.real("keyLen") : 0;
    check(lowRank(p));
}

/// E and F that nobody gave.
void derive(const Problem& p, Tensors& t, const cpu::RunOptions& how) {
    if (p.flag("projectionGiven"))
        return;
    for (const bool values : {false, true})
        fillProjection(t.at(values ? "F" : "E").values,
                       values ? sparse::Projection::OfValues : sparse::Projection::OfKeys, p["rank"],
                       static_cast<uint64_t>(p["seed"]), how.cancel);
}

int colourOf(std::string_view id) { return id == "reference" ? 4 : id == "few-keys-plain" ? 1 : 0; }

std::string whyNotCausal(const Problem& p) {
    return p.has("causalAsked") ? "it mixes keys of all positions and has no causal mask" : "";
}

Implementation onCpu(const cpu::RungInfo<sparse::LowRankRung>& rung) {
    Implementation i = workbench::implementationOf(rung.name, rung.title, rung.improves, Implementation::Device::Cpu,
                                                   colourOf(rung.name));
    i.whyNot = whyNotCausal;
    i.heldBytes = [id = rung.id](const Problem& p, int threads) { return extraBytesAtMost(id, lowRank(p), threads); };
    i.bytes = [](const Problem& p) {
        const double queries = 4 * p.real("batch") * p.real("queryHeads") * p.real("queryLen") * p.real("headDim"),
                     keys = 4 * p.real("batch") * p.real("keyHeads") * p.real("keyLen") * p.real("headDim"),
                     projection = 4 * p.real("projectionRows") * p.real("projectionColumns");
        gpu::TensorTraffic t{{"Q", {queries, 0}}, {"K", {keys, 0}}, {"V", {keys, 0}}, {"O", {0, queries}}};
        if (projection > 0)
            t["E"] = t["F"] = {projection, 0};
        return t;
    };
    i.onCpu = [id = rung.id](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        return lowRankForward(id, lowRank(p, &t), how).extraBytes;
    };
    return i;
}

/// The enums of both sides name the same things in the same order.
static_assert(static_cast<int>(gpu::LowRankMethod::Nystrom) == static_cast<int>(LowRankMethod::Nystrom));
static_assert(static_cast<int>(gpu::LowRankMethod::Pooling) == static_cast<int>(LowRankMethod::Pooling));

gpu::LowRankShape gpuShape(const Problem& p) {
    return {attention::gpuShape(p), static_cast<gpu::LowRankMethod>(methodOf(p)), p["rank"]};
}

Implementation onGpu() {
    Implementation i = workbench::implementationOf(
        "few-keys", "Tiles of projections and landmarks, flash attention between few and many",
        "Few keys are made by products of tiles, keys split over blocks; a map is never held, but Nyström's r × r.",
        Implementation::Device::Gpu, colourOf("few-keys"));
    i.whyNot = [](const Problem& p) {
        if (std::string why = whyNotCausal(p); !why.empty())
            return why;
        const std::string why = workbench::refusalOf([&] { gpu::checkShape(gpuShape(p)); });
        return why.empty() ? gpu::whyNot(gpuShape(p)) : why;
    };
    i.heldBytes = [](const Problem& p, int) { return gpu::deviceBytes(gpuShape(p)); };
    i.sharedBytes = [](const Problem& p) { return gpu::sharedBytes(gpuShape(p)) + reservedShared; };
    i.bytes = [](const Problem& p) { return gpu::algorithmicTraffic(gpuShape(p)); };
    i.onGpu = [](const Problem& p, Tensors& t, gpu::KernelLibrary& library,
                 const gpu::LaunchOptions& how) -> gpu::Launched {
        const auto of = [&](const char* name) { return t.at(name).values.data(); };
        gpu::LowRankRun run =
            gpu::lowRankForward(library, gpuShape(p), of("Q"), of("K"), of("V"), of("E"), of("F"), how);
        t.at("O").values = std::move(run.o);
        return gpu::Launched(std::move(run));
    };
    return i;
}

Parameter methodParameter() {
    std::vector<Parameter::Option> options;
    for (const sparse::LowRankInfo& method : sparse::lowRankMethods())
        options.push_back({std::string(method.name), std::string(method.title), std::string(method.formula)});
    return Parameter::choice("method", "Method", "linformer", options, "How many keys become few.");
}

Parameter rankParameter() {
    return Parameter::integer("rank", "Rank", 64, 1, mostRank,
                              "Keys that are left: projected ones, landmarks or means of segments.");
}

std::vector<Knob> knobs(Page page) {
    std::vector<Knob> all = attention::attentionKnobs(page);
    std::erase_if(all, [](const Knob& knob) { return knob.id == "causal"; });
    all.push_back(workbench::dimension(
        "rank", "rank", "rank", rankParameter(),
        Parameter::sweep("ranks", "Ranks", {16, 32, 64, 128}, 1, mostRank, "Ranks, one a point."), 64));
    all.push_back(workbench::option(methodParameter()));
    return all;
}

/// Q, K, V as attention has them; E and F [rank, keys] both or neither.
workbench::Arranged arrange(Tensors& given, const std::map<std::string, std::string>& origin,
                            const std::string& layout) {
    std::map<std::string, tensor::Tensor> projections;
    for (const char* name : {"E", "F"})
        if (given.contains(name))
            projections[name] = std::move(given.at(name));
    workbench::Arranged arranged = attention::attentionArrangement().in(given, origin, layout);
    for (auto& [name, matrix] : projections) {
        if (projections.size() != 2)
            throw InputError(fmt::format("{}: expected --{} beside it", origin.at(name), name == "E" ? "f" : "e"));
        if (matrix.shape.size() != 2 || matrix.shape[1] != arranged.problem["keyLen"] || matrix.shape[0] < 1 ||
            matrix.shape != projections.at("E").shape)
            workbench::refuseShape(origin, name, matrix.shape,
                                   fmt::format("[rank, {}], the same for E and F", arranged.problem["keyLen"]));
    }
    if (!projections.empty()) {
        arranged.problem.numbers["projectionGiven"] = 1;
        arranged.problem.set("projectionRows", projections.at("E").shape[0]);
    }
    for (auto& [name, matrix] : projections)
        given[name] = std::move(matrix);
    return arranged;
}

} // namespace

Operator lowRankAttentionOperator() {
    using Role = TensorSpec::Role;
    Operator op;
    op.id = "low-rank-attention";
    op.lab = "Linear attention";
    op.title = "Low-rank attention";
    op.page = "Low-rank";
    op.formula = "O = softmax(scale · Q K̃ᵀ) Ṽ for few K̃ and Ṽ";
    op.flopsText =
        "2 a product of numbers: about 4·n·r·d for each side that the method has; singular values not counted";
    op.questions = {{Page::Race, "How does attention of rank r grow with the sequence?"},
                    {Page::Accuracy, "Do products in f32 spoil a pseudo-inverse?"}};
    op.knobs = knobs;
    op.complete = complete;
    op.tensors = attention::attentionTensors();
    std::erase_if(op.tensors, [](const TensorSpec& t) { return t.role == Role::Between || t.role == Role::Statistic; });
    for (const char* name : {"E", "F"}) {
        const char* what = name[0] == 'E' ? "Linformer's projection of K" : "Linformer's projection of V";
        op.tensors.insert(
            op.tensors.end() - 1,
            {name, Role::Input, {"projectionRows", "projectionColumns"}, name[0] == 'E' ? 8 : 9, "", what, false});
    }
    for (const char* few : {"Qr", "Kr", "Vr", "W", "partK"})
        op.tensors.push_back({few, Role::Between, {}, 10, "few rows"});
    for (const char* square : {"A", "Z", "AZ"})
        op.tensors.push_back({square, Role::Between, {}, 11, "A and its inverse"});
    op.tensors.push_back({"partO", Role::Between, {}, 6});
    for (const char* statistic : {"m", "l", "lse"})
        op.tensors.push_back({statistic, Role::Between, {}, 7, "statistics"});
    op.inputKinds = attention::inputKinds();
    op.options = attention::attentionOptions();
    std::erase_if(op.options, [](const Parameter& p) { return p.id == "causal"; });
    op.options.push_back(methodParameter());
    op.options.push_back(rankParameter());
    op.options.push_back(Parameter::integer("seed", "Seed", 42, 0, 1e15, "Of E and F where they are not given"));
    op.fill = [](const Problem& p, const std::string& kind, uint64_t seed, Tensors& t,
                 const std::atomic<bool>* cancel) {
        attention::fillInputs(attention::cpuProblem(p), kind, seed, t.at("Q").values, t.at("K").values,
                              t.at("V").values, cancel);
    };
    op.derive = derive;
    op.reference = [](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        lowRankForward(sparse::LowRankRung::Reference, lowRank(p, &t), how);
    };
    op.usefulFlops = [](const Problem& p) { return sparse::usefulFlops(lowRank(p)); };
    op.inWords = [](const Problem& p) {
        return fmt::format("{}, {} of rank {}", attention::attentionInWords(p),
                           sparse::lowRankMethods()[static_cast<size_t>(p["method"])].name, p["rank"]);
    };
    op.lower = "seqLen, rank, heads, headDim or batch";
    for (const auto& rung : sparse::lowRankRungs())
        op.ladder.push_back(onCpu(rung));
    op.ladder.push_back(onGpu());
    op.baseline = "few-keys-plain";
    op.frugal = "few-keys";
    op.arrangement = attention::attentionArrangement();
    op.arrangement->in = arrange;
    return op;
}

} // namespace warplight::labs::linear
