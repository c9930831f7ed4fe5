// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lab/span_columns.h"

#include "core/error.h"

#include <fmt/format.h>
#include <string_view>

#include <unordered_map>

namespace warplight::lab {
namespace {

constexpr size_t mostText = size_t{1} << 30;

/// Gives every distinct text a number.
class Words {
  public:
    explicit Words(std::vector<std::string>& words) : words(words) { numberOf(""); }

    uint32_t numberOf(std::string_view text) {
        const auto [place, isNew] = numbers.try_emplace(std::string(text), static_cast<uint32_t>(words.size()));
        if (isNew) {
            words.emplace_back(text);
        }
        return place->second;
    }

  private:
    std::vector<std::string>& words;
    std::unordered_map<std::string, uint32_t> numbers;
};

} // namespace

SpanColumns columnsOf(std::span<const Timeline::Span> spans) {
    SpanColumns columns;
    Words words(columns.words);
    for (auto* array : {&columns.track, &columns.text, &columns.colourKey, &columns.provenance, &columns.detail}) {
        array->reserve(spans.size());
    }
    columns.begin.reserve(spans.size());
    columns.end.reserve(spans.size());
    for (const Timeline::Span& span : spans) {
        columns.track.push_back(static_cast<uint32_t>(span.track));
        columns.begin.push_back(span.begin);
        columns.end.push_back(span.end);
        columns.text.push_back(words.numberOf(span.text));
        columns.colourKey.push_back(words.numberOf(span.colourKey));
        columns.provenance.push_back(words.numberOf(name(span.provenance)));
        columns.detail.push_back(words.numberOf(span.detail));
    }
    return columns;
}

std::vector<Timeline::Span> spansOf(const SpanColumns& columns) {
    const size_t count = columns.track.size();
    for (const size_t size : {columns.begin.size(), columns.end.size(), columns.text.size(), columns.colourKey.size(),
                              columns.provenance.size(), columns.detail.size()}) {
        if (size != count) {
            throw InputError(fmt::format("spans: an array has {} values, track has {}: expected as many", size, count));
        }
    }
    const auto word = [&](uint32_t number) -> const std::string& {
        if (number >= columns.words.size()) {
            throw InputError(
                fmt::format("spans: word {} of {}, expected one that is there", number, columns.words.size()));
        }
        return columns.words[number];
    };
    // A long word that a million spans share is little in the message and much in memory.
    size_t bytes = 0;
    for (const auto* array : {&columns.text, &columns.colourKey, &columns.detail}) {
        for (const uint32_t number : *array) {
            bytes += word(number).size();
        }
    }
    if (bytes > mostText) {
        throw InputError(fmt::format("spans: {} bytes of text in all, expected at most {}", bytes, mostText));
    }
    std::vector<Timeline::Span> spans(count);
    for (size_t i = 0; i < count; ++i) {
        spans[i] = {columns.track[i],       columns.begin[i],           columns.end[i],
                    word(columns.text[i]),  word(columns.colourKey[i]), provenanceByName(word(columns.provenance[i])),
                    word(columns.detail[i])};
    }
    return spans;
}

} // namespace warplight::lab
