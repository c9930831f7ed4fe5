// SPDX-License-Identifier: GPL-3.0-or-later
// Patterns of positions: who sees whom by where they are, and nothing else.
#include "core/sparse/pattern.h"

#include "core/error.h"
#include "core/tensor/philox.h"
#include "core/text/echo.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <utility>
#include <vector>

namespace warplight::sparse {
namespace {

constexpr std::array<KindInfo, 12> infos{{
    {Kind::Full, "full", "Full", "every key", false, false, false, ""},
    {Kind::Causal, "causal", "Causal", "j ≤ i", true, false, false, ""},
    {Kind::Atrous, "atrous", "Atrous", "(i − j) mod stride = 0", false, false, false, " stride "},
    {Kind::Local, "local", "Local", "|i − j| ≤ window", false, false, false, " window "},
    {Kind::AtrousLocal, "atrous-local", "Atrous and local", "|i − j| ≤ window or (i − j) mod stride = 0", false, false,
     false, " stride window "},
    {Kind::Strided, "strided", "Strided", "j ≤ i, and i − j < stride or (i − j) mod stride = 0", true, false, false,
     " stride "},
    {Kind::Fixed, "fixed", "Fixed", "j ≤ i, in its own block of stride keys or among the last global keys of any", true,
     false, false, " stride global "},
    {Kind::Longformer, "longformer", "Longformer",
     "|i − j| ≤ window · dilation at steps of dilation; the first global tokens see and are seen by all", false, false,
     false, " window dilation global "},
    {Kind::BigBird, "bigbird", "BigBird",
     "|i − j| ≤ window, the first global tokens, and random blocks of keys for each block of queries", false, false,
     false, " window global random block seed "},
    {Kind::TopK, "topk", "Top-k", "the top keys with the largest scores", false, true, false, " top "},
    {Kind::Lsh, "lsh", "LSH", "keys that share a bucket with it in any of the rounds of hashing", false, true, false,
     " hashes buckets seed "},
    {Kind::Bitmap, "bitmap", "Bitmap", "what a mask of your own says", false, false, true, ""},
}};

constexpr int64_t longest = int64_t{1} << 24, largestSeed = int64_t{1} << 53;
constexpr std::array<Field, 10> allFields{{
    {"stride", "Stride", "Every stride-th key; the length of fixed's blocks.", 1, longest, &Parameters::stride},
    {"window", "Window", "Neighbours that are seen on each side.", 0, longest, &Parameters::window},
    {"dilation", "Dilation", "Longformer's window takes each dilation-th neighbour.", 1, longest,
     &Parameters::dilation},
    {"global", "Global", "First tokens that see and are seen by all; fixed: last keys of each block.", 0, longest,
     &Parameters::global},
    {"random", "Random blocks", "Blocks of keys that BigBird draws for each block of queries.", 0, longest,
     &Parameters::random},
    {"block", "Block", "Queries and keys of a block: what kernels skip and BigBird draws.", 1, 4096,
     &Parameters::block},
    {"top", "Top", "Keys with the largest scores that a query keeps.", 1, longest, &Parameters::top},
    {"hashes", "Rounds of hashing", "A pair that shares a bucket in any of them is seen.", 1, 64, &Parameters::hashes},
    {"buckets", "Buckets", "Of each round: 1 or an even number.", 1, 4096, &Parameters::buckets},
    {"seed", "Seed", "Of what is drawn by chance.", 0, largestSeed, &Parameters::seed},
}};

int64_t floorMod(int64_t a, int64_t b) { return (a % b + b) % b; }
int64_t floorDiv(int64_t a, int64_t b) { return (a - floorMod(a, b)) / b; }

/// The first tokens see all keys, and all queries see them.
void seeGlobal(const Parameters& p, int64_t position, BitRow row) {
    row.setRange(0, position >= 0 && position < p.global ? row.size() : p.global);
}

/// `wanted` of `from` numbers by chance, each at most once (Floyd; Bentley 1987), the same for a seed and a block.
std::vector<int64_t> draw(int64_t wanted, int64_t from, int64_t seed, int64_t block) {
    std::vector<int64_t> taken;
    const auto place = static_cast<uint64_t>(block);
    for (int64_t last = std::max<int64_t>(from - wanted, 0); last < from; ++last) {
        const auto words =
            tensor::philox({static_cast<uint32_t>(place), static_cast<uint32_t>(place >> 32),
                            static_cast<uint32_t>(last), static_cast<uint32_t>(Kind::BigBird)},
                           {static_cast<uint32_t>(seed), static_cast<uint32_t>(static_cast<uint64_t>(seed) >> 32)});
        const auto one = static_cast<int64_t>(uint64_t{words[0]} * static_cast<uint64_t>(last + 1) >> 32);
        taken.push_back(std::find(taken.begin(), taken.end(), one) == taken.end() ? one : last);
    }
    return taken;
}

void seeRandom(const Parameters& p, int64_t position, bool causal, BitRow row) {
    const int64_t own = floorDiv(position, p.block), all = (row.size() + p.block - 1) / p.block;
    const int64_t from = causal ? std::clamp<int64_t>(own + 1, 0, all) : all;
    for (const int64_t block : draw(std::min(p.random, from), from, p.seed, own))
        row.setRange(block * p.block, (block + 1) * p.block);
}

void seeByRule(const Parameters& p, int64_t at, bool causal, BitRow row) {
    switch (p.kind) {
    case Kind::Full:
    case Kind::Causal:
        return row.setRange(0, row.size());
    case Kind::AtrousLocal:
        row.setEvery(floorMod(at, p.stride), p.stride);
        [[fallthrough]];
    case Kind::Local:
        return row.setRange(at - p.window, at + p.window + 1);
    case Kind::Strided:
        row.setRange(at - p.stride + 1, at + 1);
        [[fallthrough]];
    case Kind::Atrous:
        return row.setEvery(floorMod(at, p.stride), p.stride);
    case Kind::Fixed: {
        const int64_t begin = floorDiv(at, p.stride) * p.stride;
        row.setRange(begin, begin + p.stride);
        for (int64_t column = p.stride - p.global; column < p.stride; ++column)
            row.setEvery(column, p.stride);
        return;
    }
    case Kind::Longformer:
        if (p.dilation == 1)
            row.setRange(at - p.window, at + p.window + 1);
        else
            for (int64_t step = -p.window; step <= p.window; ++step)
                row.set(at + step * p.dilation);
        return seeGlobal(p, at, row);
    case Kind::BigBird:
        row.setRange(at - p.window, at + p.window + 1);
        seeRandom(p, at, causal, row);
        return seeGlobal(p, at, row);
    default:
        return;
    }
}

} // namespace

bool KindInfo::usesParameter(std::string_view id) const {
    return uses.find(fmt::format(" {} ", id)) != std::string_view::npos;
}

std::span<const Field> fields() { return allFields; }

std::span<const KindInfo> kinds() { return infos; }
const KindInfo& info(Kind kind) { return infos[static_cast<size_t>(kind)]; }

Kind kindByName(std::string_view name) {
    std::vector<std::string_view> names;
    for (const KindInfo& kind : infos) {
        if (kind.name == name)
            return kind.id;
        names.push_back(kind.name);
    }
    throw InputError(fmt::format("pattern '{}' is not known, expected one of {}", echoed(std::string(name)),
                                 fmt::join(names, ", ")));
}

void check(const Parameters& p, const std::function<std::string(const char*)>& named) {
    for (const Field& field : allFields)
        if (const int64_t value = p.*field.value; value < field.least || value > field.most)
            throw InputError(fmt::format("{} {}: expected {} to {}", named(field.id), value, field.least, field.most));
    if (p.buckets != 1 && p.buckets % 2 != 0)
        throw InputError(fmt::format("{} {}: expected 1 or an even number", named("buckets"), p.buckets));
    if (p.kind == Kind::Fixed && p.global > p.stride)
        throw InputError(fmt::format("{} {}: expected at most the {} keys of a block of the fixed pattern ({})",
                                     named("global"), p.global, p.stride, named("stride")));
}

Pattern makePattern(const Parameters& parameters, int64_t queries, int64_t keys) {
    const KindInfo& kind = info(parameters.kind);
    check(parameters, [](const char* id) { return std::string(id); });
    if (kind.needsInputs || kind.needsMask)
        throw InputError(fmt::format("pattern {}: needs {}", kind.name, kind.needsMask ? "a mask" : "Q and K"));
    Pattern pattern;
    pattern.queries = queries;
    pattern.keys = keys;
    pattern.causal = parameters.causal || kind.isCausal;
    pattern.see = [parameters, shape = pattern](int64_t, int64_t query, BitRow row) {
        seeByRule(parameters, query + shape.keys - shape.queries, shape.causal, row);
        row.clearFrom(shape.seenAtMost(query));
    };
    return pattern;
}

Pattern makeBitmap(const tensor::Tensor& mask, bool causal, const std::string& where) {
    if (mask.shape.size() != 2)
        throw InputError(fmt::format("{}: shape {}, expected [queries, keys]", where, tensor::shapeText(mask.shape)));
    Pattern pattern;
    pattern.queries = mask.shape[0];
    pattern.keys = mask.shape[1];
    pattern.causal = causal;
    const int64_t words = wordsOf(pattern.keys);
    const auto bits =
        std::make_shared<std::vector<uint64_t>>(static_cast<size_t>(pattern.queries * words), uint64_t{0});
    for (int64_t i = 0; i < pattern.queries; ++i) {
        const BitRow row(bits->data() + i * words, pattern.keys);
        for (int64_t j = 0; j < pattern.keys; ++j) {
            const float x = mask.values[static_cast<size_t>(i * pattern.keys + j)];
            if (std::isnan(x))
                throw InputError(fmt::format("{}: NaN at [{}, {}], expected 0 or 1", where, i, j));
            if (x != 0)
                row.set(j);
        }
    }
    pattern.see = [bits, words, shape = pattern](int64_t, int64_t query, BitRow row) {
        std::copy_n(bits->data() + query * words, words, row.span().begin());
        row.clearFrom(shape.seenAtMost(query));
    };
    return pattern;
}

} // namespace warplight::sparse
