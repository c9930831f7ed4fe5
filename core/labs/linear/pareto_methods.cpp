// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/linear/pareto_methods.h"

#include "core/error.h"

#include <algorithm>
#include <atomic>
#include <fmt/format.h>
#include <utility>

namespace warplight::labs::linear {
namespace {

using workbench::Operator;
using workbench::Page;

/// The methods that an operator's choice has, each by its place among the options.
struct Choice {
    const char *op, *family, *familyTitle, *knob, *implementation;
    std::map<std::string, std::pair<const char*, std::vector<double>>> swept{}; ///< by option: a number and its values
    std::vector<std::string> leftOut{};
};

const std::vector<Choice>& choices() {
    static const std::vector<Choice> all{{"linear-attention",
                                          "linear",
                                          "Linear attention",
                                          "featureMap",
                                          "chunked",
                                          {{"favor", {"features", {16, 64, 256}}}},
                                          {"identity"}},
                                         {"sparse-attention",
                                          "sparse",
                                          "Sparse attention",
                                          "pattern",
                                          "block-sparse",
                                          {{"local", {"window", {16, 64, 256}}},
                                           {"atrous", {"stride", {4, 16, 64}}},
                                           {"bigbird", {"window", {16, 64}}},
                                           {"longformer", {"window", {16, 64}}},
                                           {"topk", {"top", {8, 32, 128}}},
                                           {"lsh", {"hashes", {1, 4}}}},
                                          {"bitmap", "full", "causal"}},
                                         {"low-rank-attention",
                                          "low-rank",
                                          "Low rank",
                                          "method",
                                          "few-keys",
                                          {{"linformer", {"rank", {16, 64, 256}}},
                                           {"nystrom", {"rank", {16, 64, 256}}},
                                           {"nystrom-iterated", {"rank", {16, 64, 256}}},
                                           {"pooling", {"rank", {16, 64, 256}}}},
                                          {}}};
    return all;
}

std::string idOf(const std::vector<Replacement>& all, const Choice& choice, const std::string& option) {
    const bool first = std::none_of(all.begin(), all.end(), [&](const auto& m) { return m.family == choice.family; });
    return first ? choice.family : fmt::format("{}.{}", choice.family, option);
}

void addAll(std::vector<Replacement>& all, const Choice& choice, const std::shared_ptr<const Operator>& op) {
    for (const workbench::Knob& knob : op->knobs(Page::Race)) {
        if (knob.id != choice.knob || !knob.single)
            continue;
        for (size_t i = 0; i < knob.single->options.size(); ++i) {
            const lab::Parameter::Option& option = knob.single->options[i];
            if (std::find(choice.leftOut.begin(), choice.leftOut.end(), option.id) != choice.leftOut.end())
                continue;
            Replacement method{choice.family,
                               idOf(all, choice, option.id),
                               choice.familyTitle,
                               option.title,
                               "",
                               op,
                               op->find(choice.implementation),
                               {{choice.knob, static_cast<double>(i)}}};
            const auto swept = choice.swept.find(option.id);
            if (swept == choice.swept.end()) {
                all.push_back(std::move(method));
                continue;
            }
            for (const double value : swept->second.second) {
                method.numbers[swept->second.first] = value;
                method.setting = fmt::format("{} = {}", swept->second.first, value);
                all.push_back(method);
            }
        }
    }
}

} // namespace

std::vector<Replacement> replacements(const workbench::OperatorList& operators) {
    std::vector<Replacement> all;
    for (const auto& op : operators) {
        if (op->id == "attention")
            all.push_back(
                {"exact", "exact", "Exact attention", "Exact attention", "", op, op->find("flash-packed"), {}});
        for (const Choice& choice : choices())
            if (op->id == choice.op)
                addAll(all, choice, op);
    }
    return all;
}

workbench::Problem problemOf(const Replacement& method, const SharedInputs& inputs) {
    workbench::Problem p;
    p.numbers = {{"seqLen", static_cast<double>(inputs.length)},
                 {"headDim", static_cast<double>(inputs.headDim)},
                 {"causal", inputs.causal ? 1.0 : 0.0},
                 {"heads", 1},
                 {"batch", 1}};
    for (const auto& [name, value] : method.numbers)
        p.numbers[name] = value;
    method.op->complete(p);
    return p;
}

std::string whyNot(const Replacement& method, const SharedInputs& inputs) {
    std::string why;
    const std::string refused = workbench::refusalOf([&] {
        const workbench::Problem p = problemOf(method, inputs);
        if (method.implementation->whyNot)
            why = method.implementation->whyNot(p);
    });
    return refused.empty() ? why : refused;
}

workbench::Tensors tensorsOf(const Replacement& method, const workbench::Problem& problem, const SharedInputs& inputs,
                             const std::atomic<bool>* cancel) {
    workbench::Tensors t = method.op->allocate(problem, cancel);
    for (const auto& [name, values] : {std::pair("Q", &inputs.q), {"K", &inputs.k}, {"V", &inputs.v}})
        t.at(name).values = *values;
    if (method.op->derive)
        method.op->derive(problem, t, {0, cancel});
    return t;
}

} // namespace warplight::labs::linear
