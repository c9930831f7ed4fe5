// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cli/pattern_command.h"

#include "core/cli/load_input.h"

#include "core/error.h"
#include "core/formats/atomic_file.h"
#include "core/formats/npy.h"
#include "core/formats/tensor_file.h"
#include "core/sparse/statistics.h"
#include "core/tensor/random.h"
#include "gpu/host/memory_budget.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace warplight::cli {
namespace {

struct PatternOptions {
    std::string pattern, q, k, mask, output, format;
    int64_t n = 0;
    sparse::Parameters parameters;
};

using nlohmann::json;
using sparse::Pattern;
using sparse::Statistics;

constexpr int64_t longest = int64_t{1} << 20;
constexpr int64_t drawnAtMost = 64;    ///< positions of a mask that is drawn as text
constexpr int64_t listedAtMost = 2048; ///< and of one that JSON holds
constexpr int64_t features = 64;       ///< of Q and K that nobody gave

/// The tensors that a pattern follows from; they have to outlive it.
struct Sources {
    tensor::Tensor q, k;
};

tensor::Tensor matrix(const char* flag, const std::string& file) {
    tensor::Tensor x = loadInput(file);
    if (x.shape.size() != 2)
        throw InputError(
            fmt::format("{} {}: shape {}, expected [sequence, headDim]", flag, file, tensor::shapeText(x.shape)));
    return x;
}

Pattern fromInputs(const PatternOptions& o, Sources& from) {
    if (o.q.empty() != o.k.empty())
        throw InputError(fmt::format("--{}: expected beside --{}", o.q.empty() ? "q" : "k", o.q.empty() ? "k" : "q"));
    if (o.q.empty()) {
        if (o.n < 1)
            throw InputError("--n: expected the length of the sequence, or --q and --k");
        from.q.shape = from.k.shape = {o.n, features};
        uint64_t stream = 0;
        for (tensor::Tensor* x : {&from.q, &from.k}) {
            x->values.resize(static_cast<size_t>(o.n * features));
            tensor::fillGaussian(x->values, static_cast<uint64_t>(o.parameters.seed), stream++);
        }
    } else {
        from.q = matrix("--q", o.q);
        from.k = matrix("--k", o.k);
        if (from.q.shape[1] != from.k.shape[1])
            throw InputError(
                fmt::format("--k {}: head dimension {}, expected {} as in --q", o.k, from.k.shape[1], from.q.shape[1]));
    }
    const sparse::Inputs x{from.q.values.data(), from.k.values.data(), 1, 1, from.q.shape[0],
                           from.k.shape[0],      from.q.shape[1]};
    return o.parameters.kind == sparse::Kind::TopK ? makeTopK(o.parameters, x) : makeLsh(o.parameters, x);
}

Pattern patternOf(const PatternOptions& o, Sources& from) {
    const sparse::KindInfo& kind = sparse::info(o.parameters.kind);
    if (kind.needsMask) {
        if (o.mask.empty())
            throw InputError("--mask: expected the file of a mask for the pattern bitmap");
        return sparse::makeBitmap(formats::loadTensor(o.mask), o.parameters.causal, "--mask " + o.mask);
    }
    if (kind.needsInputs)
        return fromInputs(o, from);
    if (o.n < 1)
        throw InputError("--n: expected the length of the sequence");
    return makePattern(o.parameters, o.n, o.n);
}

json toJson(const PatternOptions& o, const Statistics& s) {
    json parameters = json::object(), blocks = json::array(), reach = json::array();
    for (const sparse::Field& field : sparse::fields())
        if (sparse::info(o.parameters.kind).usesParameter(field.id))
            parameters[field.id] = o.parameters.*field.value;
    for (const sparse::Occupancy& x : s.occupancy)
        blocks.push_back(
            {{"block", x.block},
             {"visible", x.visible},
             {"whole", x.whole},
             {"all", x.all},
             {"pairs_used",
              x.visible ? static_cast<double>(s.pairs) / static_cast<double>(x.visible * x.block * x.block) : 0}});
    for (const sparse::Reach& x : s.reach)
        reach.push_back({{"layers", x.layers},
                         {"pairs", x.pairs},
                         {"share", static_cast<double>(x.pairs) / static_cast<double>(s.possible)}});
    return {{"pattern", o.pattern},     {"queries", s.queries}, {"keys", s.keys},
            {"parameters", parameters}, {"pairs", s.pairs},     {"possible_pairs", s.possible},
            {"density", s.density()},   {"blocks", blocks},     {"reach", reach}};
}

std::string percent(int64_t part, int64_t whole) {
    return whole > 0 ? fmt::format("{:.2f} %", 100 * static_cast<double>(part) / static_cast<double>(whole)) : "-";
}

std::string toText(const PatternOptions& o, const Statistics& s, const std::vector<uint8_t>& mask) {
    const sparse::KindInfo& kind = sparse::info(o.parameters.kind);
    std::string text = fmt::format("{}: {}\n", kind.title, kind.rule);
    for (const sparse::Field& field : sparse::fields())
        if (kind.usesParameter(field.id))
            text += fmt::format("{:<16}{:>14}\n", field.id, o.parameters.*field.value);
    text += fmt::format("{:<16}{:>14}  of {}\n", "pairs kept", s.pairs, s.queries * s.keys);
    text += fmt::format("{:<16}{:>14.6f}\n", "density", s.density());
    for (const sparse::Occupancy& x : s.occupancy)
        text += fmt::format("{:<16}{:>14}  of {}, {}; {} whole\n", fmt::format("blocks of {}", x.block), x.visible,
                            x.all, percent(x.visible, x.all), x.whole);
    for (const sparse::Reach& x : s.reach)
        text += fmt::format("{:<16}{:>14}  of {}, {}\n",
                            fmt::format("after {} layer{}", x.layers, x.layers == 1 ? "" : "s"), x.pairs, s.possible,
                            percent(x.pairs, s.possible));
    for (size_t i = 0; i < mask.size(); ++i) {
        text += mask[i] ? "█" : "·";
        if ((i + 1) % static_cast<size_t>(s.keys) == 0)
            text += '\n';
    }
    return text;
}

/// A row of the mask as a text of 0 and 1.
json rowsOf(const std::vector<uint8_t>& mask, int64_t keys) {
    json rows = json::array();
    for (auto begin = mask.begin(); begin != mask.end(); begin += keys) {
        std::string& row = rows.emplace_back(std::string()).get_ref<std::string&>();
        for (int64_t j = 0; j < keys; ++j)
            row += begin[j] ? '1' : '0';
    }
    return rows;
}

std::vector<uint8_t> maskUpTo(const Pattern& pattern, int64_t most) {
    if (pattern.queries > most || pattern.keys > most)
        return {};
    return sparse::maskOf(pattern);
}

void printPattern(const PatternOptions& given) {
    PatternOptions o = given;
    o.parameters.kind = sparse::kindByName(o.pattern);
    if (o.format.empty())
        o.format = o.output.ends_with(".npy") ? "npy" : "text";
    if (o.format == "npy" && o.output.empty())
        throw InputError("--format npy: expected -o FILE.npy beside it");
    check(o.parameters, [](const char* id) { return fmt::format("--{}", id); });
    if (!o.output.empty())
        formats::checkWritable(o.output);
    Sources sources;
    const Pattern pattern = patternOf(o, sources);
    const int64_t all = saturatedProduct(pattern.queries, pattern.keys);
    if (o.format == "npy") {
        requireMemory({saturatedProduct(2, all), 0, fmt::format("a mask of {} pairs", all), "--n"});
        const std::vector<uint8_t> mask = sparse::maskOf(pattern);
        formats::RawArray array{number::Format::U8, {pattern.queries, pattern.keys}, {}};
        array.bytes.resize(mask.size());
        std::transform(mask.begin(), mask.end(), array.bytes.begin(), [](uint8_t x) { return std::byte{x}; });
        formats::writeRawNpy(o.output, array);
        return;
    }
    const Statistics s = sparse::statisticsOf(pattern);
    std::string text;
    if (o.format == "json") {
        json j = toJson(o, s);
        const std::vector<uint8_t> mask = maskUpTo(pattern, listedAtMost);
        j["mask"] = mask.empty() ? json() : rowsOf(mask, pattern.keys);
        text = j.dump(2) + '\n';
    } else
        text = toText(o, s, maskUpTo(pattern, drawnAtMost));
    if (o.output.empty()) {
        std::cout << text;
        return;
    }
    formats::AtomicFile file(o.output);
    file.stream() << text;
    file.commit();
}

} // namespace

void addPatternCommand(Command app) {
    const auto given = std::make_shared<PatternOptions>();
    PatternOptions& options = *given;
    const Command command =
        app.command("pattern", "What a pattern of sparse attention keeps: its mask, pairs, blocks and reach");
    std::vector<std::string_view> names;
    for (const sparse::KindInfo& kind : sparse::kinds())
        names.push_back(kind.name);
    command.option("pattern", &options.pattern, fmt::format("{}", fmt::join(names, ", "))).required();
    command.option("--n", &options.n, "Length of the sequence").between(int64_t{1}, longest);
    for (const sparse::Field& field : sparse::fields())
        command.option(fmt::format("--{}", field.id), &(options.parameters.*field.value), field.doc)
            .withDefaultInHelp();
    command.flag("--causal", options.parameters.causal, "No query sees a key behind it");
    command.option("--q", &options.q, "Queries [sequence, headDim] of topk and lsh (default: normal numbers)");
    command.option("--k", &options.k, "Keys [sequence, headDim] of topk and lsh");
    command.option("--mask", &options.mask, "Mask [queries, keys] of bitmap: 0 is hidden");
    command
        .option("--format", &options.format,
                "text (up to 64 positions with the mask), json (up to 2048), or npy: the mask alone")
        .oneOf({"text", "json", "npy"});
    command.option("-o,--output", &options.output, "Where it goes; a name that ends in .npy: the mask");
    command.does([given] {
        printPattern(*given);
        return 0;
    });
}

} // namespace warplight::cli
