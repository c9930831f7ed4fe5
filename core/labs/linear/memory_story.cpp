// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/linear/memory_story.h"

#include "core/algebra/decomposition.h"
#include "core/error.h"
#include "core/labs/linear/spectrum.h"
#include "core/tensor/random.h"
#include "core/workbench/knobs.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <numeric>

namespace warplight::labs::linear {
namespace {

constexpr std::array<const char*, 24> names{"cat", "sky", "ink", "fox", "oak", "sun", "tea", "map",
                                            "owl", "sea", "key", "hat", "bee", "ice", "jam", "log",
                                            "net", "pie", "rug", "saw", "toy", "urn", "van", "wax"};
constexpr uint64_t keyStream = 1, valueStream = 2, diceStream = 3;

std::string wordText(int64_t word) {
    const auto index = static_cast<size_t>(word);
    return index < names.size() ? names[index] : fmt::format("w{}", word);
}

/// Rows of length 1, independent, or orthogonal as far as there is room.
std::vector<double> directions(int64_t count, int64_t dim, bool orthogonal, uint64_t seed, uint64_t stream) {
    std::vector<float> numbers(static_cast<size_t>(count * dim));
    tensor::fillGaussian(numbers, seed, stream);
    std::vector<double> rows(numbers.begin(), numbers.end());
    for (int64_t begin = 0; orthogonal && begin < count; begin += dim)
        algebra::orthonormaliseRows(rows.data() + begin * dim, std::min(dim, count - begin), dim);
    for (auto row = rows.begin(); row != rows.end(); row += dim) {
        const double length = norm({row, row + dim});
        std::for_each(row, row + dim, [&](double& x) { x /= length; });
    }
    return rows;
}

/// Numbers by chance, one after the other.
class Dice {
  public:
    Dice(uint64_t seed, int64_t count) : numbers(static_cast<size_t>(count)) {
        tensor::fillUniform(numbers, seed, diceStream, 0, 1);
    }
    int64_t below(int64_t limit) {
        return std::min(limit - 1,
                        static_cast<int64_t>(static_cast<double>(numbers[at++]) * static_cast<double>(limit)));
    }

  private:
    std::vector<float> numbers;
    size_t at = 0;
};

void write(MemoryStory& story, int64_t word, int64_t value) {
    story.tokens.push_back({word, value, false, fmt::format("{}→{}", wordText(word), value)});
}

void ask(MemoryStory& story, int64_t word) {
    const int64_t at = story.written(word, static_cast<int64_t>(story.tokens.size()));
    story.tokens.push_back(
        {word, story.tokens[static_cast<size_t>(at)].value, true, fmt::format("{}→?", wordText(word))});
}

MemoryStory emptyStory(int64_t words, int64_t values, int64_t keyDim, int64_t valueDim, bool orthogonal,
                       uint64_t seed) {
    MemoryStory story;
    story.keyDim = keyDim;
    story.valueDim = valueDim;
    story.keys = directions(words, keyDim, orthogonal, seed, keyStream);
    story.values = directions(values, valueDim, false, seed, valueStream);
    return story;
}

} // namespace

std::span<const double> MemoryStory::key(const Token& token) const {
    return std::span(keys).subspan(static_cast<size_t>(token.word * keyDim), static_cast<size_t>(keyDim));
}

std::span<const double> MemoryStory::value(const Token& token) const {
    return std::span(values).subspan(static_cast<size_t>(token.value * valueDim), static_cast<size_t>(valueDim));
}

int64_t MemoryStory::nearest(std::span<const double> read) const {
    int64_t best = -1;
    double most = 0;
    for (int64_t v = 0; v < valueCount(); ++v) {
        const double along = std::inner_product(read.begin(), read.end(), values.begin() + v * valueDim, 0.0);
        if (best < 0 ? std::isfinite(along) : along > most) {
            best = v;
            most = along;
        }
    }
    return best;
}

int64_t MemoryStory::written(int64_t word, int64_t before) const {
    for (int64_t t = before - 1; t >= 0; --t)
        if (const Token& token = tokens[static_cast<size_t>(t)]; !token.asks && token.word == word)
            return t;
    return -1;
}

MemoryStory makeStory(const StoryKind& kind, int64_t keyDim, int64_t valueDim, uint64_t seed) {
    if (kind.words < 1 || kind.values < 2 || keyDim < 1 || valueDim < 1)
        throw InputError(
            fmt::format("a story of {} words and {} values, expected at least 1 and 2", kind.words, kind.values));
    MemoryStory story = emptyStory(kind.words, kind.values, keyDim, valueDim, kind.orthogonal, seed);
    Dice dice(seed, 2 * (kind.words + kind.rewritten + kind.questions) + 1);
    for (int64_t word = 0; word < kind.words; ++word)
        write(story, word, dice.below(kind.values));
    for (int64_t i = 0; i < kind.rewritten; ++i) {
        const int64_t word = dice.below(kind.words);
        const int64_t old =
            story.tokens[static_cast<size_t>(story.written(word, static_cast<int64_t>(story.tokens.size())))].value;
        write(story, word, (old + 1 + dice.below(kind.values - 1)) % kind.values);
    }
    for (int64_t i = 0; i < kind.questions; ++i)
        ask(story, dice.below(kind.words));
    return story;
}

MemoryStory twiceWritten(int64_t keyDim, int64_t valueDim, uint64_t seed) {
    MemoryStory story = emptyStory(5, 10, keyDim, valueDim, true, seed);
    for (const auto& [word, value] : {std::pair(0, 7), {1, 2}, {2, 9}, {0, 1}, {3, 4}, {4, 5}})
        write(story, word, value);
    for (const int64_t word : {1, 0})
        ask(story, word);
    return story;
}

cpu::LinearShape shapeOfState(const MemoryStory& story, cpu::LinearRule rule, cpu::FeatureMap map, bool normalise) {
    cpu::LinearShape shape;
    shape.queryLen = shape.keyLen = static_cast<int64_t>(story.tokens.size());
    shape.headDim = story.keyDim;
    shape.valueDim = story.valueDim;
    shape.rule = rule;
    shape.map = map;
    shape.causal = true;
    shape.normalise = normalise;
    return shape;
}

double keptOf(cpu::LinearRule rule, const Gating& gating, int64_t feature, int64_t features) {
    switch (rule) {
    case cpu::LinearRule::Retention:
    case cpu::LinearRule::GatedDelta:
        return gating.decay;
    case cpu::LinearRule::Gla:
        return gating.decay + (1 - gating.decay) * static_cast<double>(feature) /
                                  static_cast<double>(std::max<int64_t>(features - 1, 1));
    default:
        return 1;
    }
}

void tell(cpu::LinearState& state, const cpu::LinearShape& shape, const MemoryStory& story,
          const MemoryStory::Token& token, const Gating& gating) {
    if (token.asks)
        return;
    std::vector<double> decay;
    if (shape.rule == cpu::LinearRule::Retention || shape.rule == cpu::LinearRule::GatedDelta)
        decay = {gating.decay};
    else if (shape.rule == cpu::LinearRule::Gla)
        for (int64_t i = 0; i < state.features(); ++i)
            decay.push_back(keptOf(shape.rule, gating, i, state.features()));
    state.step(story.key(token), story.value(token), decay, gating.beta);
}

std::vector<lab::Parameter::Option> ruleOptions() { return workbench::optionsOf(cpu::linearRules()); }

std::vector<lab::Parameter::Option> stepwiseMapOptions() {
    std::vector<lab::Parameter::Option> options;
    for (const auto& map : cpu::featureMaps())
        if (map.id != cpu::FeatureMap::Softmax) // whose keys look at one another
            options.push_back({std::string(map.name), std::string(map.title), std::string(map.improves)});
    return options;
}

std::map<std::string, int64_t> ruleColours() {
    return {{"add", 1}, {"retention", 5}, {"gla", 2}, {"delta", 0}, {"gated-delta", 3}};
}

} // namespace warplight::labs::linear
