// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/linear/linear_attention.h"
#include "core/cpu/linear/linear_state.h"
#include "core/lab/parameter.h"

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::labs::linear {

/// Words that a memory is told, one token a step: "cat→7" writes the value 7 under the key cat, "cat→?" asks for it.
struct MemoryStory {
    struct Token {
        int64_t word = 0, value = 0; ///< of a question: what was written last
        bool asks = false;
        std::string text; ///< "cat→7"
    };
    int64_t keyDim = 0, valueDim = 0;
    std::vector<double> keys;   ///< [words, keyDim], each of length 1
    std::vector<double> values; ///< [values, valueDim], each of length 1
    std::vector<Token> tokens;

    std::span<const double> key(const Token& token) const;
    std::span<const double> value(const Token& token) const;
    int64_t valueCount() const { return static_cast<int64_t>(values.size()) / valueDim; }
    /// The value that is nearest in angle; -1 for what is no direction.
    int64_t nearest(std::span<const double> read) const;
    /// Step at which a word was written last before `before`, or -1.
    int64_t written(int64_t word, int64_t before) const;
};

/// How a story is made up.
struct StoryKind {
    int64_t words = 16;      ///< that are written, each once, before those that are written again
    int64_t rewritten = 4;   ///< of them, with another value
    int64_t questions = 8;   ///< at the end
    int64_t values = 10;     ///< different ones
    bool orthogonal = false; ///< keys, as far as there is room for them; else independent directions
};

/// The same for a seed on every machine. Throws InputError for sizes that are none.
MemoryStory makeStory(const StoryKind& kind, int64_t keyDim, int64_t valueDim, uint64_t seed);
/// One key written twice among others, then asked.
MemoryStory twiceWritten(int64_t keyDim, int64_t valueDim, uint64_t seed);

/// How a state forgets and overwrites in a story: constant over it.
struct Gating {
    double decay = 1, beta = 1;
};

/// What a rule keeps of a feature of the state in a step: the decay, or of gla from the decay (first feature) to 1
/// (last).
double keptOf(cpu::LinearRule rule, const Gating& gating, int64_t feature, int64_t features);
/// Lets a state take a token of a story; a question leaves it as it is.
void tell(cpu::LinearState& state, const cpu::LinearShape& shape, const MemoryStory& story,
          const MemoryStory::Token& token, const Gating& gating);
/// The shape of a state of a story's size.
cpu::LinearShape shapeOfState(const MemoryStory& story, cpu::LinearRule rule, cpu::FeatureMap map, bool normalise);

/// The rules, and the maps that work step by step, as options.
std::vector<lab::Parameter::Option> ruleOptions();
std::vector<lab::Parameter::Option> stepwiseMapOptions();
/// Slots of the palette of the rules, "add" ….
std::map<std::string, int64_t> ruleColours();

} // namespace warplight::labs::linear
