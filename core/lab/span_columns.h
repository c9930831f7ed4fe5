// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace warplight::lab {

/// Spans as they travel: an array per member, so that a million of them are one message of some 40 MB and not a
/// million maps. Texts repeat, so each stands once in `words` and a span holds its index.
struct SpanColumns {
    std::vector<uint32_t> track;
    std::vector<double> begin, end;
    std::vector<uint32_t> text, colourKey, provenance, detail; ///< indices into words
    std::vector<std::string> words;                            ///< each once, the first is empty
};

SpanColumns columnsOf(std::span<const Timeline::Span> spans);

/// The inverse. Throws InputError when the arrays are not equally long, an index is beyond `words`, or a word is no
/// provenance.
std::vector<Timeline::Span> spansOf(const SpanColumns& columns);

} // namespace warplight::lab
