// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <memory>
#include <string_view>

namespace warplight::model {

/// Cuts text where GPT-2 does before it merges pairs: English endings of a contraction, letters, digits, other signs,
/// each with a space before them, and white space (Radford et al. 2019, section 2.2). Letters, digits and white space
/// are Unicode's.
class WordSplitter {
  public:
    WordSplitter();
    ~WordSplitter();
    WordSplitter(const WordSplitter&) = delete;
    WordSplitter& operator=(const WordSplitter&) = delete;

    /// Calls use(word) for the words of valid UTF-8, which together are the text.
    void split(std::string_view text, const std::function<void(std::string_view)>& use) const;

  private:
    struct Pattern;
    std::unique_ptr<const Pattern> pattern;
};

} // namespace warplight::model
