// SPDX-License-Identifier: GPL-3.0-or-later
// What a selective scan is shown on: a sequence of tokens, and what each of them does.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace warplight::labs::ssm {

/// One sequence of a selective scan: its inputs, and what its tokens are.
struct SelectiveStory {
    struct Token {
        enum class Kind { Plain, Noise, Data, Question } kind = Kind::Plain;
        int64_t symbol = -1; ///< of data, and what a question asks for
    };
    int64_t length = 0, channels = 0, states = 0, groups = 1;
    std::vector<float> u, size; ///< [channels, length]; Δ, after bias and softplus
    std::vector<float> a;       ///< [channels, states]
    std::vector<float> b, c;    ///< [groups, states, length]
    std::vector<Token> tokens;  ///< of the copying task; otherwise empty
    std::vector<float> symbols; ///< [symbols, channels]: what u is where a symbol stands

    /// "a", "noise", "? a"; otherwise its number.
    std::string name(int64_t token) const;
    /// First number of B or C of a channel's group.
    int64_t mixing(int64_t channel) const { return channel / (channels / groups) * states * length; }
    /// Y of all channels, [channels, length], by the fused scan.
    std::vector<float> outputs(const std::atomic<bool>* cancel) const;
    /// The states of one channel after each step, [states, length], in double precision.
    std::vector<float> statesOf(int64_t channel, const std::atomic<bool>* cancel) const;
    /// Which symbol a question reads: the one whose u is most like y there.
    int64_t answer(const std::vector<float>& y, int64_t token) const;
};

/// Selective copying (Gu and Dao 2023, section 4.1.1) with weights that are set instead of learned: some symbols stand
/// among noise, and are asked for at the end in their order. The k-th symbol writes state k alone (B), its question
/// reads state k (C); noise writes and reads at random.
struct CopyTask {
    int64_t length = 128, channels = 16, states = 8;
    double dataStep = 0.5, noiseStep = 0.001; ///< Δ
    double rate = 0.1;                        ///< A is -rate · (1 … states)
    uint64_t seed = 42;
};
SelectiveStory copyTask(const CopyTask& task, const std::atomic<bool>* cancel);

/// Numbers as those of the operator's inputs.
SelectiveStory randomStory(int64_t length, int64_t channels, int64_t states, uint64_t seed,
                           const std::atomic<bool>* cancel);

struct StoryFiles {
    std::string u, delta, a, b, c, bias; ///< as formats::loadTensor takes them; bias may be empty
    bool softplus = true;
    int64_t sequence = 0; ///< of the batch
};
/// Of the user's tensors in the shapes of mamba_ssm. Throws InputError naming the setting, Cancelled.
SelectiveStory loadedStory(const StoryFiles& files, const std::atomic<bool>* cancel);

} // namespace warplight::labs::ssm
