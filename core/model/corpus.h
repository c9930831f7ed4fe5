// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace warplight::model {

/// A text as tokens, and the sequences that training takes out of it.
class Corpus {
  public:
    /// `where` begins the sentence that says that it is too short.
    Corpus(std::vector<int32_t> tokens, std::string where);

    int64_t size() const { return static_cast<int64_t>(text.size()); }
    /// Another text has another one with near certainty: 64 bits of FNV-1a.
    uint64_t fingerprint() const { return hash; }

    /// The sequences of a step: tokens [batch, length], and targets, each the token that follows. Where they begin
    /// follows from seed, step and row alone (Philox4x32-10). Throws InputError for a text of `length` tokens or less.
    void sequences(uint64_t seed, int64_t step, int64_t length, std::span<int32_t> tokens,
                   std::span<int32_t> targets) const;

  private:
    std::vector<int32_t> text;
    std::string name;
    uint64_t hash = 0xCBF29CE484222325;
};

} // namespace warplight::model
