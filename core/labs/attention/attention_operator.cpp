// SPDX-License-Identifier: GPL-3.0-or-later
// Attention forward, as an operator: its ladders on CPU and GPUs, their bytes and what they cannot take.
#include "core/labs/attention/attention_operator.h"

#include "core/cpu/attention/attention_memory.h"
#include "core/labs/attention/attention_theory.h"
#include "core/labs/attention/inputs.h"
#include "gpu/number/float_format.h"
#include "gpu/ops/attention_half.h"
#include "gpu/ops/attention_traffic.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

namespace warplight::labs::attention {
namespace {

using workbench::Implementation;
using workbench::Operator;
using workbench::Page;
using workbench::Problem;
using workbench::Tensors;

constexpr const char* maskedRows = "maskedRows";
/// Bytes of a multiprocessor's shared memory that a block costs besides its own.
constexpr int64_t reservedShared = 1024;

/// Slots of the palette: a rung and what it does on the other device have one colour.
int colourOf(std::string_view id) {
    static const std::map<std::string, int, std::less<>> slots{
        {"flash", 0},      {"standard", 1},   {"flash-bf16", 2},   {"flash-packed", 3}, {"reference", 4},
        {"online", 5},     {"naive", 10},     {"tiled", 1},        {"fused-2pass", 5},  {"flash1", 3},
        {"flash2", 0},     {"flash2-mma", 2}, {"flash-decode", 6}, {"cublas", 8},       {"half2", 9},
        {"stored-f16", 4}, {"stored-mma", 7}, {"mma-e4m3", 11},    {"mma-tf32", 12}};
    const auto found = slots.find(id);
    return found == slots.end() ? 7 : found->second;
}

/// Bytes the algorithm must move to and from memory if caches hold a tile: Q, K, V, O once, and for `standard` also S
/// written, S read, P written, P read (Dao et al. 2022, section 3.1).
gpu::TensorTraffic cpuBytes(const Problem& p, bool keepsScores) {
    const cpu::AttentionProblem shape = cpuProblem(p);
    const double queries = 4.0 * static_cast<double>(shape.batch * shape.queryHeads * shape.queryLen),
                 keys = 4.0 * static_cast<double>(shape.batch * shape.keyHeads * shape.keyLen),
                 d = static_cast<double>(shape.headDim), scores = queries * static_cast<double>(shape.keyLen);
    gpu::TensorTraffic t{{"Q", {queries * d, 0}}, {"K", {keys * d, 0}}, {"V", {keys * d, 0}}, {"O", {0, queries * d}}};
    if (keepsScores)
        t["S"] = t["P"] = {scores, scores};
    return t;
}

Implementation onCpu(const cpu::ImplementationInfo& rung) {
    Implementation i = workbench::implementationOf(rung.name, rung.title, rung.improves, Implementation::Device::Cpu,
                                                   colourOf(rung.name));
    i.wideUnits = rung.id == cpu::Implementation::FlashBf16;
    const bool keeps = rung.id == cpu::Implementation::Standard;
    if (keeps)
        i.held = "S and P";
    i.heldBytes = [id = rung.id](const Problem& p, int threads) {
        return cpu::extraBytesAtMost(id, cpuProblem(p), threads);
    };
    i.bytes = [keeps](const Problem& p) { return cpuBytes(p, keeps); };
    i.onCpu = [id = rung.id](const Problem& p, Tensors& tensors, const cpu::RunOptions& how) {
        return computeForward(id, p, tensors, how);
    };
    return i;
}

bool comesInTiles(gpu::AttentionRung rung) {
    return rung == gpu::AttentionRung::Flash1 || rung == gpu::AttentionRung::Flash2;
}

std::string whyNotOnGpu(gpu::AttentionRung rung, const Problem& p) {
    if (std::string why = workbench::refusalOf([&] { gpu::checkShape(gpuShape(p)); }); !why.empty())
        return why;
    const int64_t tile = p["tile"];
    if (tile == 0)
        return {};
    if (!comesInTiles(rung))
        return "tiles of their own; only flash1 and flash2 come in several sizes";
    const std::vector<int64_t> tiles = gpu::flashTiles(p["headDim"]);
    if (std::find(tiles.begin(), tiles.end(), tile) == tiles.end())
        return fmt::format("a tile of {} is not compiled at headDim {}, expected one of {}", tile, p["headDim"],
                           fmt::join(tiles, ", "));
    return {};
}

/// How far a rung that rounds its factors may be off for inputs of about 1. Half a unit, of 4 bits 2^-4 and of 11 bits
/// 2^-11, is what a factor is off at most; what is too small for e4m3 is 2^-10 of the tensor's scale off, of numbers up
/// to 5 or so 2^-16. A scaled score is a sum of d products of variance 1/d, so that independent roundings of its two
/// factors, uniform within their bounds, add up to √(2/3) of half a unit, and the largest of some ten thousand scores
/// is four times that off. Its exponential and their sum take that over; then weights and values are rounded.
double roundoffOfFactors(std::string_view format) {
    const double half = number::floatFormat(format).epsilon() / 2;
    const double score = 4 * std::sqrt(2.0 / 3) * half;
    return std::expm1(2 * score) + std::exp(2 * score) * (2 * half + half * half);
}

Implementation onGpu(const gpu::AttentionRungInfo& rung) {
    using number::Format;
    Implementation i = workbench::implementationOf(rung.name, rung.title, rung.improves, Implementation::Device::Gpu,
                                                   colourOf(rung.name));
    i.formats = rung.anyInputs    ? std::vector{Format::F32, Format::F16, Format::BF16}
                : rung.halfInputs ? std::vector{Format::F16, Format::BF16}
                                  : std::vector{Format::F32};
    i.chosen = rung.id != gpu::AttentionRung::FlashDecode && rung.factors.empty();
    i.judged = !rung.factors.empty();
    i.architecture = gpu::architectureOf(rung.id);
    if (rung.factors == "e4m3")
        i.held = "8-bit copies";
    if (!rung.factors.empty())
        i.roundoff = [format = rung.factors](const Problem&) { return roundoffOfFactors(format); };
    i.library = rung.id == gpu::AttentionRung::Cublas;
    if (rung.id == gpu::AttentionRung::Naive || rung.id == gpu::AttentionRung::Tiled ||
        rung.id == gpu::AttentionRung::Cublas)
        i.held = "S and P";
    i.whyNot = [id = rung.id](const Problem& p) { return whyNotOnGpu(id, p); };
    i.heldBytes = [id = rung.id](const Problem& p, int) { return gpu::deviceBytes(id, gpuShape(p), p.format); };
    const auto tileOf = [](const Problem& p) { return p["tile"] ? p["tile"] : 32; };
    if (comesInTiles(rung.id))
        i.sharedBytes = [tileOf](const Problem& p) {
            return gpu::flashSharedBytes(p["headDim"], tileOf(p)) + reservedShared;
        };
    i.bytes = [id = rung.id, tileOf](const Problem& p) {
        return gpu::algorithmicTraffic(id, gpuShape(p), p.format, tileOf(p));
    };
    i.onGpu = [id = rung.id](const Problem& p, Tensors& tensors, gpu::KernelLibrary& library,
                             const gpu::LaunchOptions& how) -> gpu::Launched {
        gpu::AttentionOptions options;
        static_cast<gpu::LaunchOptions&>(options) = how;
        options.format = p.format;
        options.tile = comesInTiles(id) ? p["tile"] : 0;
        gpu::AttentionRun run =
            gpu::attentionForward(library, id, gpuShape(p), tensors.at("Q").values.data(),
                                  tensors.at("K").values.data(), tensors.at("V").values.data(), options);
        tensors.at("O").values = std::move(run.o);
        tensors.at("lse").values = std::move(run.lse);
        return gpu::Launched(std::move(run));
    };
    return i;
}

struct HalfRung {
    const char *id, *title, *improves;
    number::Sums sums;
};
constexpr HalfRung halfRungs[] = {
    {"half2", "S and P in f16, sums in f16 on CUDA cores",
     "Two products an instruction, each sum rounded to 11 bits: the first way to lose a score.", number::Sums::Half},
    {"stored-f16", "S and P in f16, sums in f16 on tensor cores",
     "Half the registers for sums, which are rounded once for each 16 products.", number::Sums::TensorHalf},
    {"stored-mma", "S and P in 16 bits, sums in f32 on tensor cores",
     "What frameworks did before products and softmax were fused: scores are rounded when they are stored.",
     number::Sums::Single}};

/// How far it may be off for inputs of about 1, whose scaled sums of |products| are about √d: a score errs by the
/// roundings of its sum and of its store, which its exponential and their sum take over; then P · V is rounded as
/// often.
double roundoff(number::Sums sums, const Problem& p) {
    const double unit = p.format == number::Format::BF16 ? 0x1p-8 : 0x1p-11, d = p.real("headDim"),
                 m = p.real("keyLen");
    const auto roundings = [&](double length) {
        return sums == number::Sums::Single ? 0 : sums == number::Sums::Half ? length : std::ceil(length / 16);
    };
    constexpr double largestScore = 5, otherSteps = 4;
    const double score = unit * (roundings(d) * std::sqrt(d) + largestScore);
    return std::expm1(2 * score + unit * (2 * roundings(m) + otherSteps));
}

Implementation inHalf(const HalfRung& rung) {
    using number::Format;
    Implementation i =
        workbench::implementationOf(rung.id, rung.title, rung.improves, Implementation::Device::Gpu, colourOf(rung.id));
    i.formats = {Format::F16};
    if (rung.sums == number::Sums::Single)
        i.formats.push_back(Format::BF16);
    i.chosen = false;
    i.judged = true;
    i.held = "S and P";
    i.whyNot = [](const Problem& p) -> std::string {
        if (std::string why = workbench::refusalOf([&] { gpu::checkShape(gpuShape(p)); }); !why.empty())
            return why;
        return p["tile"] ? "tiles of their own; only flash1 and flash2 come in several sizes" : "";
    };
    i.roundoff = [sums = rung.sums](const Problem& p) { return roundoff(sums, p); };
    const auto how = [sums = rung.sums](const Problem& p) { return gpu::HalfAttention{p.format, sums, false, true}; };
    i.heldBytes = [how](const Problem& p, int) { return gpu::deviceBytes(how(p), gpuShape(p)); };
    i.bytes = [how](const Problem& p) { return gpu::algorithmicTraffic(how(p), gpuShape(p)); };
    i.onGpu = [how](const Problem& p, Tensors& tensors, gpu::KernelLibrary& library,
                    const gpu::LaunchOptions& options) -> gpu::Launched {
        gpu::HalfAttentionRun run =
            gpu::attentionInHalf(library, how(p), gpuShape(p), tensors.at("Q").values.data(),
                                 tensors.at("K").values.data(), tensors.at("V").values.data(), false, options);
        tensors.at("O").values = std::move(run.o);
        tensors.at("lse").values = std::move(run.lse);
        return gpu::Launched(std::move(run));
    };
    return i;
}

workbench::Knob tileKnob() {
    workbench::Knob knob;
    knob.id = "tile";
    knob.symbol = "Tile";
    knob.axis = "queries and keys a tile";
    knob.sweep = lab::Parameter::sweep("tiles", "Tiles", {8, 16, 32, 48, 64, 96}, 8, 96,
                                       "Queries and keys of a tile of flash1 and flash2: 8, 16, 32, 48, 64, 96 (at "
                                       "headDim above 64 up to 64, above 128 only 32).");
    return knob;
}

lab::Link worstRowInMap(const lab::Settings& settings, const Problem& p, int64_t row) {
    const std::string& input = settings.text("input");
    return {fmt::format("Open row {} in Map", row),
            "attention.map",
            {{"input", input == maskedRows ? "gaussian" : input},
             {"seqLen", std::to_string(p["queryLen"])},
             {"keyLen", std::to_string(p["keyLen"])},
             {"headDim", std::to_string(p["headDim"])},
             {"causal", p.flag("causal") ? "true" : "false"},
             {"seed", std::to_string(settings.integer("seed"))},
             {"row", std::to_string(row)}}};
}

} // namespace

Operator attentionOperator() {
    Operator op;
    op.id = "attention";
    op.lab = op.title = "Attention";
    op.formula = "O = softmax(scale · Q Kᵀ + mask) V";
    op.flopsText = "4·N²·d per head, about half when causal";
    op.sentences = {{Page::Race, "Time against sequence length, point by point."}};
    op.questions = {
        {Page::Race,
         "How does the time of one attention layer grow with the sequence, and what does keeping S in memory cost?"},
        {Page::Traffic, "Why is flash attention faster: which bytes does it not move, and when does its first version "
                        "move more?"}};
    op.knobs = [](Page page) {
        std::vector<workbench::Knob> knobs = attentionKnobs(page);
        if (page == Page::Traffic)
            knobs.insert(knobs.begin() + 2, tileKnob());
        return knobs;
    };
    op.tensors = attentionTensors();
    for (const char* copy : {"Q8", "K8", "V8"})
        op.tensors.push_back({copy, workbench::TensorSpec::Role::Between, {}, 8, "8-bit copies"});
    op.tensors.push_back({"amax", workbench::TensorSpec::Role::Between, {}, 9, "largest |x|"});
    op.inputKinds = inputKinds();
    op.inputKinds.push_back(
        {maskedRows, "Rows without keys", "causal with half as many keys as queries: the first half sees none"});
    op.reshape = [](const std::string& kind, Problem& p) {
        if (kind != maskedRows)
            return;
        p.set("keyLen", std::max<int64_t>(1, p["queryLen"] / 2));
        p.numbers["causal"] = 1;
    };
    op.complete = completeAttention;
    op.fill = [](const Problem& p, const std::string& kind, uint64_t seed, Tensors& t,
                 const std::atomic<bool>* cancel) {
        fillInputs(cpuProblem(p), kind == maskedRows ? "gaussian" : kind, seed, t.at("Q").values, t.at("K").values,
                   t.at("V").values, cancel);
    };
    op.reference = [](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        computeForward(cpu::Implementation::Reference, p, t, how);
    };
    op.usefulFlops = [](const Problem& p) { return cpu::usefulFlops(cpuProblem(p)); };
    op.inWords = attentionInWords;
    op.options = attentionOptions();
    op.lower = "seqLen, heads, headDim or batch";
    for (const cpu::ImplementationInfo& rung : cpu::implementations())
        op.ladder.push_back(onCpu(rung));
    for (const gpu::AttentionRungInfo& rung : gpu::attentionRungs())
        op.ladder.push_back(onGpu(rung));
    for (const HalfRung& rung : halfRungs)
        op.ladder.push_back(inHalf(rung));
    op.ladder.push_back(onGpu(gpu::info(gpu::AttentionRung::Cublas)));
    op.baseline = "standard";
    op.frugal = "flash";
    op.trafficRatios = {{"tiledOverFlash2", "tiled", "flash2"}, {"flash1OverFlash2", "flash1", "flash2"}};
    op.trafficExtras = trafficTheory();
    op.arrangement = attentionArrangement();
    op.worst = [](const lab::Settings& settings, const Problem& p, const std::string&, int64_t row) {
        return std::optional(worstRowInMap(settings, p, row));
    };
    return op;
}

} // namespace warplight::labs::attention
