// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/precision/scaler_scale.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace warplight::precision {
namespace {

using Words = ScalerWords;
using Change = ScalerLine::Change;

constexpr size_t mostFound = 256;    ///< scales of a line
constexpr size_t mostBetween = 24;   ///< tokens between a name and its number, and between two numbers
constexpr double mostScalers = 64;   ///< a smaller number behind "scaler" says which
constexpr double largestRatio = 1e9; ///< of two scales of one line

/// A name of a scale that begins at a word.
struct Name {
    size_t words = 0; ///< 0: there is none
    bool weak = false;
};

Name nameAt(const Words& w, size_t i) {
    const std::initializer_list<std::string_view> scale = {"scale", "scaling", "scaler", "scales"};
    if (w.isWord(i, {"loss", "grad", "gradient", "gradients"}) && w.isWord(i + 1, scale))
        return {2};
    if (w.isWord(i, {"lossscale", "lossscaler", "lossscaling", "gradscale", "gradscaler"}))
        return {1};
    if (w.isWord(i, {"scaler"}) && w.isWord(i + 1, {"get"}) && w.isWord(i + 2, {"scale"}))
        return {3};
    if (w.isWord(i, {"amp", "fp16", "mp", "scaler", "get", "cur", "autocast"}) && w.isWord(i + 1, scale))
        return {2};
    if (w.isWord(i, {"scale", "scaler"}) && !w.isWord(i + 1, scale))
        return {1, true};
    return {};
}

/// What has the word in its name and is not the scale.
bool isAnother(const Words& w, size_t begin, size_t end) {
    if (w.behind(begin, 2,
                 {"min", "minimum", "max", "maximum", "init", "initial", "starting", "target", "default", "lora",
                  "image", "guidance", "log"}))
        return true;
    return w.isWord(end, {"window",  "factor",    "args",       "arg",    "power", "mode",   "tolerance", "interval",
                          "backoff", "growth",    "min",        "max",    "raise", "config", "init",      "type",
                          "method",  "manager",   "py",         "cpp",    "cu",    "params", "loss",      "grad",
                          "lr",      "parameter", "parameters", "update", "state", "dict"});
}

bool isDirection(const Words& w, size_t i) {
    return w.isWord(i, {"to", "now", "into", "became", "becomes", "new"}) || (i < w.size() && w.at(i).text == "->");
}

class Reader {
  public:
    Reader(const Words& words, bool isCertain) : w(words), certain(isCertain) {
        falls =
            w.containsStart({"reduc", "decreas", "lower", "halv", "backoff", "backing", "dropp", "shrink", "shrank"});
        grows = !falls && w.containsStart({"increas", "grow", "grew", "doubl", "rais"});
    }

    std::vector<ScalerLine::Scale> read() {
        std::string scaler;
        for (size_t i = 0; i < w.size() && found.size() < mostFound; ++i) {
            if (const size_t number = w.isWord(i, {"loss", "grad", "gradient"}) ? i + 2 : i + 1;
                w.isWord(number - 1, {"scaler"}) && w.isNumber(number) && !w.at(number).glued && w.at(number).whole &&
                w.at(number).number < mostScalers) {
                scaler = std::string(w.at(number).text); // "loss scaler 0 reducing loss scale to"
                i = number;
                continue;
            }
            const Name name = nameAt(w, i);
            if (name.words == 0)
                continue;
            size_t end = i + name.words;
            while (w.isWord(end, {"scale", "value"}))
                ++end;
            std::string own = tail(end);
            if (isAnother(w, i, end)) {
                i = end - 1;
                continue;
            }
            if (auto scale = values(i, end)) {
                scale->scaler = own.empty() ? scaler : own;
                scale->weak = name.weak && !certain;
                found.push_back({std::move(*scale), chain(i, end)});
            }
            i = end - 1;
        }
        return finish();
    }

  private:
    struct Found {
        ScalerLine::Scale scale;
        std::string name; ///< the whole of it: "g/loss_scale"
    };

    /// Which of several scalers, behind the name: "loss_scale_0", "loss_scale[1]", "loss_scale_gen".
    std::string tail(size_t& end) const {
        std::string text;
        if (w.isMark(end, "[") && w.at(end).glued && w.isNumber(end + 1) && w.isMark(end + 2, "]")) {
            text = std::string(w.at(end + 1).text);
            end += 3;
        } else if (w.goesOn(end) && (w.isNumber(end) || !isAnother(w, 0, end)) &&
                   !w.isWord(end, {"val", "item", "mean", "avg", "now", "new", "last", "current"})) {
            text = std::string(w.at(end++).text);
        }
        return text;
    }

    /// The name with what it is joined to.
    std::string chain(size_t begin, size_t end) const {
        while (begin > 0 && w.at(begin).joined)
            --begin;
        std::string text;
        for (size_t i = begin; i < end; ++i)
            text += fmt::format("{}{}", text.empty() ? "" : " ", w.at(i).text);
        return text;
    }

    bool isValue(size_t i) const {
        if (!w.isNumber(i) || !std::isfinite(w.at(i).number))
            return false;
        const bool unit = i + 1 < w.size() && w.at(i + 1).glued && (!w.word(i + 1).empty() || w.isMark(i + 1, "%/"));
        return !unit;
    }

    /// The number or numbers behind a name.
    std::optional<ScalerLine::Scale> values(size_t begin, size_t i) const {
        bool to = w.behind(begin, 2, {"new"}), from = false, factor = false;
        const bool old = w.behind(begin, 2, {"attempted", "old", "previous", "prev"});
        const size_t last = std::min(w.size(), i + mostBetween);
        for (; i < last; ++i) {
            if (w.isNumber(i)) {
                if (!factor)
                    break;
                factor = false;
            } else if (isDirection(w, i)) {
                to = true;
            } else if (w.isWord(i, {"from"})) {
                from = true;
            } else if (w.isWord(i, {"by", "factor", "times"})) {
                factor = true;
            } else if (!w.isMark(i, ":=([\"'{)]}~$@<>*`") &&
                       !w.isWord(i, {"is",      "was",     "at",        "of",         "a",         "the",
                                     "has",     "been",    "set",       "value",      "current",   "currently",
                                     "updated", "reduced", "decreased", "lowered",    "increased", "raised",
                                     "halved",  "doubled", "dropped",   "changed",    "adjusted",  "backed",
                                     "off",     "down",    "up",        "then",       "stays",     "remains",
                                     "still",   "be",      "grew",      "grows",      "growing",   "falls",
                                     "fell",    "drops",   "reducing",  "decreasing", "increasing"})) {
                return {};
            }
        }
        if (i >= last || !isValue(i))
            return {};
        ScalerLine::Scale scale;
        const double number = w.at(i).number;
        if (from || old)
            scale.before = number;
        else
            scale.after = number;
        if (!to)
            second(i + 1, scale);
        if (scale.before && scale.after)
            scale.change = *scale.after < *scale.before   ? Change::Falls
                           : *scale.after > *scale.before ? Change::Grows
                                                          : Change::Stays;
        else if (to && scale.after)
            scale.change = falls ? Change::Falls : grows ? Change::Grows : Change::Set;
        return scale;
    }

    /// ", reducing to 32768", "-> 32768", "(was 65536)", "but hysteresis is 2".
    void second(size_t i, ScalerLine::Scale& scale) const {
        const double first = scale.before ? *scale.before : *scale.after;
        const size_t last = std::min(w.size(), i + mostBetween);
        bool to = false, was = false;
        for (; i < last; ++i) {
            if (isDirection(w, i)) {
                to = true;
            } else if (w.isWord(i, {"was", "from", "previously"})) {
                was = true;
            } else if (w.isWord(i, {"hysteresis"})) {
                scale.before = scale.after = first;
                return;
            } else if (w.isNumber(i)) {
                const double number = w.at(i).number;
                const bool near = number * largestRatio >= first && number <= first * largestRatio;
                if ((to || was) && isValue(i) && (near || number == 0)) {
                    scale.before = to ? first : number;
                    scale.after = to ? number : first;
                }
                return;
            } else if (!w.isMark(i, ":=([\"',)]~$*`") &&
                       !w.isWord(i, {"reducing", "reduced",  "reduce",  "decreasing", "decreased", "lowering",
                                     "lowered",  "halving",  "halved",  "increasing", "increased", "growing",
                                     "doubling", "dropping", "backing", "off",        "setting",   "set",
                                     "but",      "scale",    "loss",    "it",         "is",        "and",
                                     "scaling",  "down",     "up",      "updating",   "updated",   "changed",
                                     "changing", "then"})) {
                return;
            }
        }
    }

    std::vector<ScalerLine::Scale> finish() {
        const bool strong = std::any_of(found.begin(), found.end(), [](const Found& f) { return !f.scale.weak; });
        std::erase_if(found, [&](const Found& f) { return strong && f.scale.weak; });
        if (found.size() == 2 &&
            found[0].scale.scaler == found[1].scale.scaler) { // "old loss scale 2, new loss scale 1"
            ScalerLine::Scale &a = found[0].scale, &b = found[1].scale;
            const bool parted = !a.after && a.before && b.after && !b.before;
            if (parted) {
                a.after = b.after;
                a.change = *a.after < *a.before ? Change::Falls : *a.after > *a.before ? Change::Grows : Change::Stays;
                found.pop_back();
            }
        }
        std::set<std::string> names, whole;
        for (const Found& f : found) {
            names.insert(f.scale.scaler);
            whole.insert(f.name);
        }
        std::vector<ScalerLine::Scale> scales;
        for (Found& f : found) {
            if (names.size() < whole.size())
                f.scale.scaler = f.name; // their ends do not tell them apart
            const auto same =
                std::find_if(scales.begin(), scales.end(), [&](const auto& s) { return s.scaler == f.scale.scaler; });
            if (same == scales.end())
                scales.push_back(std::move(f.scale));
            else if (!same->before || f.scale.before) // the last that a line tells, with as much as is told
                *same = std::move(f.scale);
        }
        return scales;
    }

    const Words& w;
    bool certain, falls = false, grows = false;
    std::vector<Found> found;
};

} // namespace

std::vector<ScalerLine::Scale> scalesIn(const ScalerWords& words, bool certain) {
    return Reader(words, certain).read();
}

bool isScaleName(const ScalerWords& w) {
    for (size_t i = 0; i < w.size(); ++i)
        if (const Name name = nameAt(w, i); name.words > 0 && !name.weak) {
            size_t end = i + name.words;
            const bool another = isAnother(w, i, end);
            while (w.goesOn(end) || w.isMark(end, "[]()") || (w.isNumber(end) && w.at(end).glued) ||
                   w.isWord(end, {"value"}))
                ++end;
            return !another && end == w.size();
        }
    return false;
}

} // namespace warplight::precision
