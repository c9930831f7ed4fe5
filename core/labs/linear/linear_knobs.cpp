// SPDX-License-Identifier: GPL-3.0-or-later
// Knobs, options and numbers of linear attention.
#include "core/labs/linear/linear_operator.h"
#include "core/workbench/knobs.h"

#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <string>
#include <vector>

namespace warplight::labs::linear {
namespace {

using lab::Parameter;
using workbench::dimension;
using workbench::Knob;
using workbench::option;
using workbench::optionsOf;
using workbench::Page;
using workbench::Problem;

Parameter featureMapChoice() {
    return Parameter::choice("featureMap", "Feature map", "elu1", optionsOf(cpu::featureMaps()),
                             "φ of queries and keys, whose products stand for the weights of attention.");
}
Parameter ruleChoice() {
    return Parameter::choice("rule", "Rule", "add", optionsOf(cpu::linearRules()),
                             "How the state takes a key and its value. All but add are causal.");
}
Parameter featuresNumber() {
    return Parameter::integer("features", "Random features", 64, 1, 1 << 14, "m of the map favor.");
}
Parameter chunkLength() {
    return Parameter::integer("chunk", "Chunk", 64, 1, 1 << 14, "Steps of a chunk of the chunked form.");
}

Knob length(Page page) {
    const int64_t most = page == Page::Race ? 1 << 20 : page == Page::Traffic ? 8192 : 16384;
    std::vector<int64_t> swept{64, 128, 256, 512};
    if (page == Page::Race)
        swept = {256, 512, 1024, 2048, 4096, 8192};
    return dimension("seqLen", "N", "sequence length",
                     Parameter::integer("length", "Sequence length", page == Page::Race ? 2048 : 256, 1,
                                        static_cast<double>(most), "Length of Q, K and V."),
                     Parameter::sweep("seqLen", "Sequence length", swept, 1, static_cast<double>(most),
                                      "Lengths of Q, K and V, one a point."),
                     256);
}

} // namespace

std::vector<Knob> linearKnobs(Page page) {
    constexpr double mostDim = static_cast<double>(cpu::largestLinearDim);
    std::vector<Knob> knobs{
        length(page),
        dimension("headDim", "d", "head dimension",
                  Parameter::integer("headDim", "Head dimension", 64, 1, mostDim, "Features of one head."),
                  Parameter::sweep("headDims", "Head dimensions", {16, 32, 64, 128}, 1, mostDim,
                                   "Head dimensions, one a point.")),
        dimension("heads", "heads", "heads",
                  Parameter::integer("heads", "Heads", page == Page::Race ? 2 : 1, 1, 256,
                                     "Heads of each batch entry; all are computed in one call."),
                  Parameter::sweep("headCounts", "Heads", {1, 2, 4, 8}, 1, 256, "Numbers of heads, one a point.")),
        dimension("chunk", "C", "steps a chunk", chunkLength(),
                  Parameter::sweep("chunks", "Chunks", {16, 32, 64, 128, 256}, 1, 1 << 14,
                                   "Steps of a chunk, one number a point.")),
        dimension("features", "m", "random features", featuresNumber(),
                  Parameter::sweep("featureCounts", "Random features", {16, 32, 64, 128, 256}, 1, 1 << 14,
                                   "m of the map favor, one number a point."))};
    if (page == Page::Race)
        knobs.push_back(dimension(
            "batch", "batch", "batch", Parameter::integer("batch", "Batch", 1, 1, 256, "Batch entries."),
            Parameter::sweep("batches", "Batch", {1, 2, 4, 8}, 1, 256, "Batch entries, one number a point.")));
    knobs.push_back(option(featureMapChoice()));
    knobs.push_back(option(ruleChoice()));
    knobs.push_back(option(Parameter::flag("causal", "Causal mask", true, "Step i sees keys 0 to i only.")));
    knobs.push_back(option(Parameter::flag("normalise", "Normalised", true,
                                           "Outputs are divided by what the rule makes of values of 1.")));
    return knobs;
}

std::vector<Parameter> linearOptions() {
    return {featureMapChoice(),
            ruleChoice(),
            Parameter::flag("causal", "Causal mask", false, "Step i sees keys 0 to i only"),
            Parameter::flag("normalise", "Normalised", true, "Outputs are not divided by what values of 1 give"),
            Parameter::real("scale", "Scale", 0, 0, 1e30,
                            "Queries and keys are multiplied by its root; instead of 1/√headDim for taylor2, favor and "
                            "exp, 1 otherwise"),
            featuresNumber(),
            Parameter::integer("seed", "Seed", 0, 0, 1e15, "Of favor's random ω"),
            Parameter::flag("orthogonal", "Orthogonal", true, "favor's ω are independent instead of orthogonal"),
            chunkLength()};
}

void completeLinear(Problem& p) {
    const auto from = [&](const char* id, const char* other) { p.setDefault(id, p.has(other) ? p.real(other) : 1); };
    p.setDefault("batch", 1);
    p.setDefault("heads", 1);
    from("queryLen", "seqLen");
    from("keyLen", "seqLen");
    from("valueDim", "headDim");
    const cpu::LinearShape otherwise;
    p.setDefault("featureMap", 0);
    p.setDefault("rule", 0);
    p.setDefault("causal", 0);
    p.setDefault("normalise", 1);
    p.setDefault("features", static_cast<double>(otherwise.features));
    p.setDefault("orthogonal", 1);
    p.setDefault("seed", 0);
    p.setDefault("chunk", static_cast<double>(otherwise.chunk));
    const cpu::LinearShape shape = linearShape(p);
    cpu::checkShape(shape);
    const bool gla = shape.rule == cpu::LinearRule::Gla, delta = shape.rule == cpu::LinearRule::Delta,
               gatedDelta = shape.rule == cpu::LinearRule::GatedDelta;
    p.set("featureDim", cpu::featureCount(shape));
    p.set("decayLen", shape.rule == cpu::LinearRule::Add || delta ? 0 : shape.keyLen);
    p.set("decayDim", gla ? cpu::featureCount(shape) : 1);
    p.set("betaLen", delta || gatedDelta ? shape.keyLen : 0);
}

cpu::LinearShape linearShape(const Problem& p) {
    cpu::LinearShape s;
    s.batch = p["batch"];
    s.heads = p["heads"];
    s.queryLen = p["queryLen"];
    s.keyLen = p["keyLen"];
    s.headDim = p["headDim"];
    s.valueDim = p["valueDim"];
    s.map = cpu::featureMaps()[static_cast<size_t>(p["featureMap"])].id;
    s.rule = cpu::linearRules()[static_cast<size_t>(p["rule"])].id;
    s.causal = p.flag("causal");
    s.normalise = p.flag("normalise");
    if (p.has("scale"))
        s.scale = p.real("scale");
    s.features = p["features"];
    s.orthogonal = p.flag("orthogonal");
    s.seed = static_cast<uint64_t>(p["seed"]);
    s.chunk = p["chunk"];
    return s;
}

std::string linearInWords(const Problem& p) {
    const int64_t n = p["queryLen"], heads = p["heads"];
    std::string text =
        n == p["keyLen"] ? fmt::format("N = {}", n) : fmt::format("{} queries and {} keys", n, p["keyLen"]);
    text += fmt::format(" with {} head{} of {} features", heads, heads == 1 ? "" : "s", p["headDim"]);
    if (p["batch"] != 1)
        text += fmt::format(" and batch {}", p["batch"]);
    const cpu::LinearShape s = linearShape(p);
    text += fmt::format(", {}", cpu::featureMaps()[static_cast<size_t>(s.map)].name);
    if (s.map == cpu::FeatureMap::Favor)
        text += fmt::format(" with m = {}", s.features);
    return text + fmt::format(", {}", cpu::linearRules()[static_cast<size_t>(s.rule)].name);
}

} // namespace warplight::labs::linear
