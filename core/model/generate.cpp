// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/generate.h"

#include "core/error.h"
#include "core/model/activations.h"
#include "core/model/decoder.h"
#include "core/model/network.h"

#include <algorithm>
#include <cstddef>
#include <fmt/format.h>

namespace warplight::model {

namespace {

/// A sequence that grows, of a model that keeps nothing of its tokens: each pass reads a whole context, in which a
/// token is not changed by what stands behind it.
class Reread {
  public:
    Reread(const Model& model, const cpu::RunOptions& options)
        : vocabulary(static_cast<size_t>(model.config.vocabulary)),
          options(options),
          network(model, 1, model.config.context, false),
          tokens(static_cast<size_t>(model.config.context)) {}

    std::span<const float> append(std::span<const int32_t> more) {
        for (const int32_t token : more)
            if (token < 0 || static_cast<size_t>(token) >= vocabulary)
                throw InputError(fmt::format("token {}: expected 0 to {}", token, vocabulary - 1));
        if (more.empty() || count + more.size() > tokens.size())
            throw InputError(fmt::format("{} tokens behind {}, expected at least one and at most {} in all",
                                         more.size(), count, tokens.size()));
        std::copy(more.begin(), more.end(), tokens.begin() + static_cast<std::ptrdiff_t>(count));
        count += more.size();
        return network.forward(tokens, options).subspan((count - 1) * vocabulary, vocabulary);
    }
    int64_t length() const { return static_cast<int64_t>(count); }
    void clear() { count = 0; }

  private:
    size_t vocabulary;
    cpu::RunOptions options;
    Network network;
    std::vector<int32_t> tokens; ///< what stands behind the first `count` is of no account
    size_t count = 0;
};

template <class Sequence>
std::vector<int32_t> write(Sequence& sequence, std::span<const int32_t> prompt, int64_t count, int64_t context,
                           Sampler& sampler, const std::function<void(int32_t)>& chosen) {
    std::vector<int32_t> all(prompt.begin(), prompt.end());
    const auto last = [&](int64_t tokens) {
        const auto seen = std::min(all.size(), static_cast<size_t>(tokens));
        return std::span<const int32_t>(all).subspan(all.size() - seen);
    };
    std::span<const float> logits = sequence.append(last(context));
    for (int64_t i = 0; i < count; ++i) {
        all.push_back(sampler.next(logits));
        if (chosen)
            chosen(all.back());
        if (i + 1 == count)
            break;
        if (sequence.length() < context) {
            logits = sequence.append(last(1));
        } else {
            sequence.clear();
            logits = sequence.append(last(std::max<int64_t>(1, context / 2)));
        }
    }
    return {all.begin() + static_cast<std::ptrdiff_t>(prompt.size()), all.end()};
}

bool keepsKeys(const Config& config) { return config.architecture == Architecture::Gpt2; }

} // namespace

std::vector<int32_t> generate(const Model& model, std::span<const int32_t> prompt, int64_t count,
                              const Sampling& sampling, const cpu::RunOptions& options,
                              const std::function<void(int32_t)>& chosen) {
    Sampler sampler(sampling);
    if (keepsKeys(model.config)) {
        Decoder decoder(model, options);
        return write(decoder, prompt, count, model.config.context, sampler, chosen);
    }
    Reread sequence(model, options);
    return write(sequence, prompt, count, model.config.context, sampler, chosen);
}

int64_t generationBytes(const Config& config) {
    return keepsKeys(config) ? decoderBytes(config) : activationBytes(config, 1, config.context, false);
}

} // namespace warplight::model
