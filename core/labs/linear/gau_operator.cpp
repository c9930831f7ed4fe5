// SPDX-License-Identifier: GPL-3.0-or-later
// The gated attention unit (GAU), as an operator: FLASH-Quad without chunks, FLASH with them. FLASH is attention in
// linear time here and has nothing to do with FlashAttention.
#include "core/cpu/gau/gau.h"
#include "core/cpu/rounding.h"
#include "core/error.h"
#include "core/labs/linear/gau_lab.h"
#include "core/tensor/random.h"
#include "core/workbench/knobs.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace warplight::labs::linear {
namespace {

using lab::Parameter;
using workbench::Implementation;
using workbench::Knob;
using workbench::Operator;
using workbench::Page;
using workbench::Problem;
using workbench::Tensors;
using workbench::TensorSpec;

constexpr const char* mixedChunk = "mixed-chunk"; ///< of `compute`; pages have "chunk", which fits every length

cpu::GauProblem problemOf(const Problem& p, Tensors& t) {
    const auto of = [&](const char* name) { return t.at(name).values.data(); };
    return {gauShape(p), of("X"), of("Wu"), of("Wv"), of("Wz"), of("gamma"), of("beta"), of("Wo"), of("Y")};
}

void complete(Problem& p) {
    p.setDefault("batch", 1);
    p.setDefault("seqLen", 256);
    p.setDefault("dModel", 128);
    p.setDefault("shared", 64);
    p.setDefault("variant", 0);
    p.setDefault("causal", 0);
    p.setDefault("seen-keys", 0);
    p.setDefault("expanded", 2 * p.real("dModel"));
    p.setDefault("chunk", 0);
    if (p.has(mixedChunk))
        p.numbers["chunk"] = p.real(mixedChunk);
    else if (p["chunk"] > 0)
        p.numbers["chunk"] = std::min(p.real("chunk"), std::max(1.0, p.real("seqLen")));
    const int64_t views = p["chunk"] > 0 ? 4 : 2;
    if (p.has("views") && p["views"] != views)
        throw InputError(fmt::format("--gamma: {} rows, expected {}", p["views"],
                                     views == 2
                                         ? "2, for queries and keys (4 belong to --mixed-chunk)"
                                         : "4 beside --mixed-chunk, for queries, linear queries, keys and linear "
                                           "keys"));
    p.set("views", views);
    cpu::check(gauShape(p));
}

/// What loops ask memory for if caches hold a tile and its keys: products read and write each operand once, gates are
/// made in place, V is copied once for the products with A.
gpu::TensorTraffic bytesOf(cpu::GauRung rung, const Problem& problem) {
    const cpu::GauShape p = gauShape(problem);
    const auto size = [](int64_t a, int64_t b) { return 4.0 * static_cast<double>(a) * static_cast<double>(b); };
    const double x = size(p.rows(), p.features), wide = size(p.rows(), p.expanded), z = size(p.rows(), p.shared),
                 in = size(p.features, p.expanded), views = size(p.views(), p.shared);
    gpu::TensorTraffic t{{"X", {3 * x, 0}},
                         {"Wu", {in, 0}},
                         {"Wv", {in, 0}},
                         {"Wz", {size(p.features, p.shared), 0}},
                         {"gamma", {views, 0}},
                         {"beta", {views, 0}},
                         {"Wo", {in, 0}},
                         {"Y", {0, x}},
                         {"U", {3 * wide, 3 * wide}},
                         {"V", {3 * wide, 3 * wide}},
                         {"Z", {z * static_cast<double>(1 + p.views()), 2 * z}}};
    if (rung == cpu::GauRung::Quadratic) { // scores, weights
        const double scores = size(p.rows(), p.length);
        t["S"] = {2 * scores, 2 * scores};
    }
    if (rung == cpu::GauRung::Chunked && p.chunk > 0) {
        const double states = size(p.batch * (p.causal ? cpu::ceilDiv(p.length, p.chunk) : 1), p.shared * p.expanded);
        t["state"] = {states, states};
    }
    return t;
}

Implementation onCpu(const cpu::RungInfo<cpu::GauRung>& rung) {
    Implementation i = workbench::implementationOf(rung.name, rung.title, rung.improves, Implementation::Device::Cpu,
                                                   gauColour(rung.name));
    i.chosen = rung.id != cpu::GauRung::Reference;
    i.held = rung.id == cpu::GauRung::Quadratic ? "U, V, Z and A"
             : rung.id == cpu::GauRung::Chunked ? "U, V, Z and states"
                                                : "U, V and Z";
    i.heldBytes = [id = rung.id](const Problem& p, int threads) {
        return cpu::extraBytesAtMost(id, gauShape(p), threads);
    };
    if (rung.id != cpu::GauRung::Reference)
        i.bytes = [id = rung.id](const Problem& p) { return bytesOf(id, p); };
    i.onCpu = [id = rung.id](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        return cpu::gau(id, problemOf(p, t), how).extraBytes;
    };
    return i;
}

Parameter variantParameter() {
    return Parameter::choice("variant", "Scores", "relu2", workbench::optionsOf(cpu::gauFunctions()),
                             "What makes a weight of a score: relu2 max(q·k/n, 0)² (the paper's), relu2-su "
                             "max(q·k, 0)²/(n s), softmax of q·k/√s, laplace (Mega's)");
}

Knob sizeKnob(const char* id, const char* symbol, const char* axis, const char* title, int64_t standing, int64_t most,
              std::vector<int64_t> swept, double probe) {
    const auto largest = static_cast<double>(most);
    return workbench::dimension(id, symbol, axis,
                                Parameter::integer(id, title, standing, 1, largest, fmt::format("{}.", axis)),
                                Parameter::sweep(fmt::format("{}Swept", id), title, std::move(swept), 1, largest,
                                                 fmt::format("{}, one a point.", axis)),
                                probe);
}

std::vector<Knob> knobs(Page page) {
    const bool race = page == Page::Race;
    std::vector<Knob> all{
        sizeKnob("seqLen", "N", "sequence length", "Sequence length", race ? 2048 : 512, race ? 1 << 17 : 4096,
                 race ? std::vector<int64_t>{256, 512, 1024, 2048, 4096} : std::vector<int64_t>{64, 256, 1024}, 256),
        sizeKnob("dModel", "d", "features of a token", "Features", race ? 128 : 64, 4096, {64, 128, 256, 512}, 64),
        sizeKnob("shared", "s", "features of queries and keys", "Shared features", race ? 64 : 32, 1024,
                 {16, 32, 64, 128, 256}, 32),
        sizeKnob("chunk", "c", "tokens of a chunk", "Chunk", race ? 128 : 64, 1 << 17, {32, 64, 128, 256, 512, 1024},
                 0),
        sizeKnob("batch", "batch", "sequences", "Batch", 1, 1 << 10, {1, 2, 4, 8}, 1)};
    all[3].single->minimum = 0;
    all[3].single->doc =
        "Tokens among which attention is quadratic (FLASH); 0: all of them (FLASH-Quad). Not more than "
        "there are.";
    all.push_back(workbench::option(variantParameter()));
    all.push_back(
        workbench::option(Parameter::flag("causal", "Causal", true, "A token sees itself and what is before it.")));
    return all;
}

void fill(const Problem& p, const std::string& kind, uint64_t seed, Tensors& t, const std::atomic<bool>* cancel) {
    const float in = 1 / std::sqrt(static_cast<float>(p["dModel"])), out = 1 / std::sqrt(p.real("expanded"));
    uint64_t stream = 0;
    for (const auto& [name, deviation] : {std::pair("X", kind == "large" ? 100.0f : 1.0f), std::pair("Wu", in),
                                          std::pair("Wv", in), std::pair("Wz", in), std::pair("gamma", 2.0f),
                                          std::pair("beta", 0.5f), std::pair("Wo", static_cast<float>(out))}) {
        tensor::fillGaussian(t.at(name).values, seed, stream++, deviation, cancel);
        for (float& x : t.at(name).values)
            x = kind == "positive" ? std::fabs(x) : x;
    }
}

std::vector<TensorSpec> tensors() {
    using Role = TensorSpec::Role;
    const std::vector<std::string> rows{"batch", "seqLen", "dModel"}, wide{"dModel", "expanded"},
        views{"views", "shared"};
    return {{"X", Role::Input, rows, 0, "", "Tokens"},
            {"Wu", Role::Input, wide, 5, "weights", "Makes the gate U"},
            {"Wv", Role::Input, wide, 5, "weights", "Makes the values V"},
            {"Wz", Role::Input, {"dModel", "shared"}, 5, "weights", "Makes Z, of which queries and keys are views"},
            {"gamma", Role::Input, views, 5, "weights",
             "Factors of the views: queries, keys; with --mixed-chunk "
             "queries, linear queries, keys, linear keys"},
            {"beta", Role::Input, views, 5, "weights", "What is added to the views, as gamma"},
            {"Wo", Role::Input, {"expanded", "dModel"}, 5, "weights", "Makes Y of U ∘ A V"},
            {"Y", Role::Output, rows, 3, "", "Where Y goes"},
            {"U", Role::Between, {}, 2, "U, V and Z"},
            {"V", Role::Between, {}, 2, "U, V and Z"},
            {"Z", Role::Between, {}, 2, "U, V and Z"},
            {"S", Role::Between, {}, 1},
            {"views", Role::Between, {}, 9, "views of Z"},
            {"state", Role::Between, {}, 8, "chunk states"}};
}

} // namespace

cpu::GauShape gauShape(const Problem& p) {
    cpu::GauShape shape;
    shape.batch = p["batch"];
    shape.length = p["seqLen"];
    shape.features = p["dModel"];
    shape.expanded = p["expanded"];
    shape.shared = p["shared"];
    shape.function = static_cast<cpu::GauFunction>(p["variant"]);
    shape.causal = p.flag("causal");
    shape.seenKeys = p.flag("seen-keys");
    shape.chunk = p["chunk"];
    return shape;
}

int gauColour(std::string_view id) { return id == "quadratic" ? 10 : id == "tiled" ? 1 : id == "chunked" ? 6 : 4; }

Operator gauOperator() {
    Operator op;
    op.id = "gau";
    op.lab = "Linear attention";
    op.title = "Gated attention unit";
    op.page = "GAU";
    op.formula = "Y = (U ∘ A V) Wₒ with A = relu²(Q Kᵀ / n)";
    op.flopsText = "2nd(2e+s) + 2ned of the four products and 2(s+e) a pair; with chunks of c: n·c pairs, and 4se a "
                   "token for the part that is linear";
    op.questions = {{Page::Race, "From which length on does a state of s × e numbers beat pairs of tokens?"}};
    op.abouts = {
        {Page::Race,
         "A **gated attention unit** joins attention and the feed-forward layer: U = silu(X Wᵤ), V = silu(X Wᵥ), Z = "
         "silu(X W_z); queries and keys are views of Z, Q = γ ∘ Z + β; Y = (U ∘ A V) Wₒ (Hua et al. 2022). Without "
         "chunks it is **FLASH-Quad**: all rungs do n² work. With chunks of c tokens it is **FLASH**: attention is "
         "quadratic within a chunk, and across chunks a linear part reads Σ Kᵀ V of those before (causal) or of all. "
         "`quadratic` writes the whole matrix A, `tiled` makes it tile by tile, `chunked` keeps the sum: the same Y "
         "three times. (FlashAttention is something else: exact softmax attention, tile by tile.) **FLOPs**: those "
         "of `chunked`, " +
             op.flopsText + ". **% of f32 peak**: against this machine's own fused multiply-add rate."}};
    op.knobs = knobs;
    op.complete = complete;
    op.tensors = tensors();
    op.inputKinds = {{"gaussian", "Gaussian", "half of the scores are positive"},
                     {"large", "Large", "tokens times 100: scores of a few hundred thousand"},
                     {"positive", "Positive", "nothing cancels, every score counts"}};
    op.fill = fill;
    op.reference = [](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        cpu::gau(cpu::GauRung::Reference, problemOf(p, t), how);
    };
    op.usefulFlops = [](const Problem& p) { return cpu::usefulFlops(gauShape(p)); };
    op.inWords = [](const Problem& p) {
        return fmt::format("N = {} with d = {}, e = {}, s = {}{}", p["seqLen"], p["dModel"], p["expanded"], p["shared"],
                           p["chunk"] ? fmt::format(", chunks of {}", p["chunk"]) : "");
    };
    op.options = {variantParameter(),
                  Parameter::integer(mixedChunk, "Chunk", 0, 1, 1e9,
                                     "FLASH: attention is quadratic within chunks of so many tokens, linear across"),
                  Parameter::flag("causal", "Causal", false, "A token sees itself and what is before it"),
                  Parameter::flag("seen-keys", "Seen keys", false,
                                  "Causal: scores are divided by the keys that a row sees instead of by all")};
    op.lower = "seqLen, dModel, shared or batch";
    for (const auto& rung : cpu::gauRungs())
        op.ladder.push_back(onCpu(rung));
    for (Implementation& rung : gauGpuRungs())
        op.ladder.push_back(std::move(rung));
    op.baseline = "quadratic";
    op.frugal = "chunked";
    return op;
}

} // namespace warplight::labs::linear
