// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/precision/scaler_line.h"

#include "core/precision/scaler_scale.h"
#include "core/precision/scaler_words.h"
#include "core/text/lower_case.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <initializer_list>
#include <system_error>

namespace warplight::precision {
namespace {

using Words = ScalerWords;
using List = std::initializer_list<std::string_view>;

constexpr double mostSkips = 1e12; ///< that one line can tell

std::optional<int64_t> wholeAt(const Words& w, size_t i) {
    if (!w.isNumber(i) || !w.at(i).whole || w.at(i).number > 1e15)
        return {};
    const bool unit = i + 1 < w.size() && w.at(i + 1).glued && (!w.word(i + 1).empty() || w.isMark(i + 1, "%"));
    return unit ? std::nullopt : std::optional(static_cast<int64_t>(w.at(i).number));
}

/// Behind a name and what may stand between it and its number.
std::optional<int64_t> wholeBehind(const Words& w, size_t i) {
    while (w.isMark(i, "\"':=[(#"))
        ++i;
    return wholeAt(w, i);
}

/// "step 100", "iteration   10/ 5000", "num_updates=98"; "| 41/2000 [" of a progress bar, "[41/2000]" of an epoch.
void findStep(const Words& w, ScalerLine& line) {
    for (size_t i = 0; i < w.size(); ++i) {
        const bool updates = w.isWord(i, {"updates"}) && w.goesOn(i) && w.behind(i, 1, {"num"});
        const bool steps = w.isWord(i, {"step", "iteration", "iter", "update", "steps", "iters"}) &&
                           !w.behind(i, 1,
                                     {"skipped", "skip", "nan", "per", "every", "last", "total", "max", "warmup", "num",
                                      "of", "overflow", "micro"}) &&
                           !w.goesOn(i + 1);
        if (!updates && (!steps || line.step))
            continue;
        if (const auto number = wholeBehind(w, i + 1)) {
            line.step = number;
            line.updates = updates;
            if (updates)
                break;
        }
    }
    for (size_t i = 1; !line.bar && i + 3 < w.size(); ++i)
        if (w.isMark(i + 1, "/") && w.isNumber(i + 2) &&
            ((w.isMark(i - 1, "|") && w.isMark(i + 3, "[")) || (w.isMark(i - 1, "[") && w.isMark(i + 3, "]"))))
            line.bar = wholeAt(w, i);
}

/// What a launcher or a program says of who writes: "[1,0]<stdout>:", "[rank0]:", "0: ", "Rank 0".
void findRank(const Words& w, ScalerLine& line) {
    if (w.isMark(0, "[") && w.isNumber(1) && w.isMark(2, ",") && w.isMark(4, "]") && w.isMark(5, "<")) {
        line.rank = wholeAt(w, 3);
        line.rankIsSure = line.rank.has_value();
    } else if (const size_t i = w.isMark(0, "[") ? 1 : 0; !w.word(i).empty()) {
        const std::string_view text = w.word(i);
        for (const std::string_view label : {"rank", "default"})
            if (int64_t rank = 0; text.starts_with(label) && text.size() > label.size() && text.size() < 12) {
                const auto [end, error] = std::from_chars(text.data() + label.size(), text.data() + text.size(), rank);
                line.rankIsSure = error == std::errc() && end == text.data() + text.size();
                line.rank = line.rankIsSure ? std::optional(rank) : std::nullopt;
            }
    } else if (w.isMark(1, ":") && w.size() > 2 && !w.at(2).glued) {
        line.rank = wholeAt(w, 0);
    }
    for (size_t i = 0; i < w.size() && !line.rankIsSure; ++i)
        if (w.isWord(i, {"rank"}))
            if (const auto rank = wholeBehind(w, i + 1)) {
                line.rank = rank;
                line.rankIsSure = true;
            }
}

class Skips {
  public:
    Skips(const Words& words, ScalerLine& l) : w(words), line(l) {
        const bool needed = w.contains({"overflow", "overflows", "overflowed", "overflowing", "skip", "skips",
                                        "skipped", "skipping", "found", "detected", "encountered"});
        aboutTraining =
            needed && w.containsStart({"grad", "skip", "ignoring", "loss", "scal", "detected", "found", "iteration"});
        aboutInfinity = needed && w.contains({"inf", "infs", "nan", "nans", "infinite", "nonfinite", "finite",
                                              "overflow", "overflowed"});
    }

    void find() {
        for (size_t i = 0; i < w.size(); ++i) {
            if (w.isWord(i, {"overflow", "overflows", "overflowed", "overflowing"}))
                overflow(i);
            else if (w.isWord(i, {"inf"}) && w.goesOn(i) && w.behind(i, 1, {"found"}))
                value(i + 1, false);
            else if (w.isWord(i, {"skip", "skips", "skipped", "skipping"}))
                skip(i);
            else if (w.isWord(i, {"ignoring"}) && w.isWord(i + 1, {"gradient", "gradients", "update", "step"}))
                inWords();
        }
    }

    /// "Found infinite gradient", which says nothing of a scaler by itself.
    bool notFinite() const {
        return aboutInfinity && w.contains({"found", "detected", "encountered"}) && w.containsStart({"grad"});
    }

  private:
    bool denied(size_t i) const { return w.behind(i, 2, {"no", "not", "without", "never", "avoid", "prevent"}); }
    void inWords() { line.skipped = line.skippedWords = true; }

    bool value(size_t i, bool mayCount) {
        const auto value = w.valueAt(i);
        if (!value)
            return false;
        line.tellsSkips = true;
        if (value->boolean || (!mayCount && value->number <= 1))
            line.skipped = line.skipped || value->number > 0;
        else if (value->number >= 0 && value->number < mostSkips)
            line.skips = std::floor(value->number);
        return true;
    }

    void overflow(size_t i) {
        const bool plural = w.isWord(i, {"overflows"}) || w.isWord(i + 1, {"count", "counts", "steps"});
        const bool noun = w.isWord(i + 1, {"cond", "condition", "flag", "status", "count", "counts", "steps", "step"});
        if (value(i + 1, plural) || (noun && value(i + 2, plural)))
            return;
        if (w.goesOn(i) || w.goesOn(i + 1) || denied(i) ||
            w.behind(i, 1, {"stack", "buffer", "integer", "int", "text", "token", "tokens", "heap", "arithmetic"}) ||
            w.isWord(i + 1, {"encountered", "error", "check", "checking", "handling"}))
            return;
        if (aboutTraining)
            inWords();
    }

    void skip(size_t i) {
        const List plural = {"steps", "iterations", "iters", "updates", "batches"};
        const bool counted = w.isWord(i, {"skipped", "skips", "skip"});
        if (const bool noun = w.isWord(i + 1, plural);
            counted && (value(i + 1, true) || (noun && value(i + 2, true)))) {
            line.skipsOfInterval = line.skips && noun && w.behind(i, 2, {"number"});
            return;
        }
        if (w.goesOn(i) || w.goesOn(i + 1) || denied(i) ||
            w.near(i, 3, 6,
                   {"first", "resume", "resuming", "until", "checkpoint", "validation", "eval", "evaluation", "saving",
                    "logging", "data", "dataset", "warmup", "already"}))
            return;
        const List steps = {"step",      "steps",     "update",   "updates",   "iteration", "iter",
                            "optimizer", "optimiser", "gradient", "gradients", "grad",      "backward"};
        if (w.near(i, 0, 4, steps) || w.near(i, 3, 0, {"step", "update", "iteration", "iter"}) ||
            (w.near(i, 0, 3, {"batch"}) && aboutInfinity))
            inWords();
    }

    const Words& w;
    ScalerLine& line;
    bool aboutTraining = false, aboutInfinity = false; ///< the line as a whole
};

/// Whether a line that looks like none of a scaler can be passed over.
bool mayTell(std::string_view text) {
    for (const char* part :
         {"scal", "skip", "overflow", "ignoring", "found_inf", "step", "iter", "update", "it/s", "s/it"})
        if (text.find(part) != text.npos)
            return true;
    return false;
}

} // namespace

ScalerLine scalerLine(std::string_view text) {
    ScalerLine line;
    const std::string lower = lowerCase(text);
    if (!mayTell(lower))
        return line;
    const Words words(lower);
    findStep(words, line);
    Skips skips(words, line);
    skips.find();
    const bool notFinite = skips.notFinite();
    line.scales = scalesIn(words, line.skippedWords || notFinite);
    if (notFinite && !line.scales.empty())
        line.skipped = line.skippedWords = true;
    if (line.any()) {
        findRank(words, line);
        line.shape = words.shape({"overflow", "skip", "ignoring", "reduc", "decreas", "increas", "grow", "attempted",
                                  "setting", "scal", "found"});
    }
    return line;
}

ScalerColumn scalerColumn(std::string_view name) {
    const std::string lower = lowerCase(name);
    const Words w(lower);
    if (w.size() == 0 || w.size() > 24 || w.contains({"min", "max"}))
        return ScalerColumn::None;
    if (isScaleName(w))
        return ScalerColumn::Scale;
    if (w.containsStart({"skip", "overflow"}) || (w.contains({"found"}) && w.contains({"inf"})))
        return ScalerColumn::Skipped;
    if (w.contains({"updates"}))
        return ScalerColumn::Updates;
    const size_t last = w.size() - 1;
    return w.isWord(last, {"step", "steps", "iteration", "iter", "iterations", "update"}) ? ScalerColumn::Step
                                                                                          : ScalerColumn::None;
}

} // namespace warplight::precision
