// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/collectives/files/nccl_pieces.h"

#include "core/profiles/text.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace warplight::collectives {
namespace {

constexpr size_t mostWords = 64; ///< no row has as many: what comes behind is not looked at
constexpr size_t mostBegun = 24; ///< ways in which a cut row may go on
constexpr size_t longestPiece = 400;
constexpr size_t wideGap = 13;  ///< blanks; a blank half leaves more of them than stand between two columns
constexpr size_t leastSure = 3; ///< cells: size, count and type

bool isSpace(char c) { return c == ' ' || c == '\t'; }
bool isDigit(char c) { return c >= '0' && c <= '9'; }
bool isLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool allDigits(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), isDigit); }

/// "<stdout>:1024" without its label.
std::string_view unlabelled(std::string_view word) {
    const size_t label = word.find_last_of(":>]|");
    return label != word.npos && allDigits(word.substr(label + 1)) ? word.substr(label + 1) : word;
}

/// A type's or an operation's name, not "host:41:41".
bool isWord(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return isLetter(c) || isDigit(c) || c == '_'; });
}

/// From the first of these words to the end of the text that they are of.
std::string_view from(std::string_view text, std::string_view word) {
    return text.substr(static_cast<size_t>(word.data() - text.data()));
}

size_t endOf(std::string_view text, std::string_view word) {
    return static_cast<size_t>(word.data() - text.data()) + word.size();
}

} // namespace

void splitNcclWords(std::string_view text, std::vector<std::string_view>& words) {
    words.clear();
    for (size_t at = 0; words.size() < mostWords;) {
        while (at < text.size() && isSpace(text[at]))
            ++at;
        const size_t begin = at;
        while (at < text.size() && !isSpace(text[at]))
            ++at;
        if (begin == at)
            return;
        words.push_back(text.substr(begin, at - begin));
    }
}

void NcclPieces::line(std::string_view text, std::span<const std::string_view> words, int64_t number,
                      std::vector<Found>& rows) {
    std::vector<std::string_view> rest;
    NcclColumns::Fit best;
    std::string_view bestText;
    for (size_t s = 0; s + leastSure <= words.size(); ++s) {
        if (s > 0 && words[s - 1].ends_with('#')) { // put aside by somebody
            if (best.words == 0)
                return;
            break;
        }
        const std::string_view size = unlabelled(words[s]);
        if (!allDigits(size) || !allDigits(words[s + 1]) || !isLetter(words[s + 2].front()))
            continue;
        rest.assign(words.begin() + static_cast<std::ptrdiff_t>(s), words.end());
        rest.front() = size;
        NcclColumns::Fit fit = columns->fit(rest);
        if (fit.words < leastSure || (fit.whole < best.whole) || (fit.whole == best.whole && fit.words <= best.words))
            continue;
        best = std::move(fit);
        bestText = from(text, size);
    }
    if (best.whole && !best.oneHalf) {
        const size_t had = rows.size();
        if (!begun.empty() && !best.printed.consistent())
            goOn(text, words, rows); // it may be the rest of the row before it
        if (rows.size() == had) {
            end(rows);
            rows.push_back({best.printed, number});
        }
        return;
    }
    if (best.words >= leastSure) {
        std::vector<std::string> before;
        if (!surely)
            before = std::exchange(begun, {});
        end(rows);
        startWith(bestText, number, best);
        if (!before.empty()) { // its size may have begun in the line before
            std::swap(before, begun);
            std::vector<std::string> longer;
            joined(bestText, longer);
            begun = std::move(before);
            begun.insert(begun.end(), longer.begin(),
                         longer.begin() + static_cast<std::ptrdiff_t>(std::min(longer.size(), mostBegun - 1)));
        }
        return;
    }
    if ((!begun.empty() && goOn(text, words, rows)) || surely)
        return;
    // A number alone, set in from the left as sizes are: a row may have been cut behind it.
    const size_t s = std::min(columns->labelWords(), words.size());
    if (s == words.size() || !isDigit(words[s].front()) || (s > 0 && words[s - 1].ends_with('#')))
        return;
    const size_t before = s == 0 ? 0 : endOf(text, words[s - 1]);
    if (static_cast<size_t>(words[s].data() - text.data()) >= before + 2) {
        const std::string piece(from(text, words[s]).substr(0, longestPiece));
        std::vector<std::string> pieces{piece}; // or the rest of a number that was cut before
        for (const std::string& start : begun) {
            const std::string digits(start, 0, std::min(start.find_first_not_of("0123456789"), start.size()));
            for (const char* between : {"", " "})
                if (pieces.size() < mostBegun && start.size() < longestPiece)
                    pieces.push_back(digits + between + piece);
        }
        begun = std::move(pieces);
        begunLine = number;
    }
}

void NcclPieces::startWith(std::string_view text, int64_t number, const NcclColumns::Fit& fit) {
    begun = {std::string(text.substr(0, longestPiece))};
    begunLine = number;
    surely = true;
    if (!fit.oneHalf || fit.reach > fit.words) // the second half began as well
        return;
    half = fit.printed;
    // Which half it is shows in the gap: cells of the one that was not run are blank.
    std::vector<std::string_view> words;
    splitNcclWords(text, words);
    size_t gap = 0;
    for (size_t i = leastSure; i < fit.words && i < words.size(); ++i)
        gap = std::max(gap, static_cast<size_t>(words[i].data() - words[i - 1].data()) - words[i - 1].size());
    if (gap < wideGap) {
        std::swap(half->row.outOfPlace, half->row.inPlace);
        std::swap(half->outOfPlace, half->inPlace);
    }
}

bool NcclPieces::goOn(std::string_view text, std::span<const std::string_view> words, std::vector<Found>& rows) {
    std::vector<std::string> longer;
    size_t tried = mostWords;
    for (const size_t s : {columns->labelWords(), size_t{0}}) {
        if (s >= words.size() || s == tried)
            continue;
        if (tried != mostWords && words[s].find_first_of(":]|>") != std::string_view::npos)
            continue; // a label, "1:" or a time: it stands before what is somebody else's, too
        tried = s;
        const std::string_view word = words[s];
        const bool number = isDigit(word.front()) || word.front() == '-' || word.front() == '.' ||
                            word.starts_with("N/A") || word.starts_with("/A");
        // The rest of a type or an operation: numbers follow it.
        const bool name = isLetter(word.front()) && s + 2 < words.size() &&
                          (printedNumber(words[s + 1]) || printedNumber(words[s + 2]));
        if (!number && !name)
            continue;
        if (auto row = joined(from(text, word).substr(0, longestPiece), longer)) {
            rows.push_back({std::move(*row), begunLine});
            begun.clear();
            half.reset();
            surely = false;
            return true;
        }
    }
    for (std::string& more : longer)
        if (begun.size() < mostBegun)
            begun.push_back(std::move(more));
    return !longer.empty();
}

/// The row that one of those begun makes with more text, cut where it stops to be a row; otherwise `longer` gets those
/// that come further with it.
std::optional<NcclPrintedRow> NcclPieces::joined(std::string_view more, std::vector<std::string>& longer) const {
    more = profiles::trimmed(more);
    std::vector<std::string_view> words, together;
    std::string text;
    for (const std::string& start : begun) {
        splitNcclWords(start, words);
        const size_t fitting = columns->fit(words).reach;
        // It may be cut inside the last words that fit, or inside the one that does not.
        const std::string_view last = words[std::min(fitting, words.size() - 1)];
        const std::string_view first = words[fitting > 3 ? fitting - 3 : 0];
        size_t furthest = fitting;
        std::string furthestText;
        for (size_t cut = endOf(start, last); cut > endOf(start, first) - first.size(); --cut)
            for (const std::string_view between : {"", " "}) {
                text.assign(start, 0, cut).append(between).append(more);
                splitNcclWords(text, together);
                const NcclColumns::Fit fit = columns->fit(together);
                if (fit.whole && !fit.oneHalf && fit.printed.consistent() && isWord(fit.printed.row.type) &&
                    isWord(fit.printed.row.redop))
                    return fit.printed;
                if (fit.reach > furthest) {
                    furthest = fit.reach;
                    furthestText = text.substr(0, longestPiece);
                }
            }
        if (!furthestText.empty())
            longer.push_back(std::move(furthestText));
    }
    return {};
}

void NcclPieces::end(std::vector<Found>& rows) {
    if (half)
        rows.push_back({std::move(*half), begunLine});
    else if (surely && brokenRows++ == 0)
        firstBrokenLine = begunLine;
    begun.clear();
    half.reset();
    surely = false;
}

} // namespace warplight::collectives
