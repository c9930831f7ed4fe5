// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/precision/overflow.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace warplight::labs::precision {
namespace {

using namespace lab;
using cpu::HalfOrigin;
using cpu::HalfRecipe;
using cpu::HalfStep;

double percent(int64_t part, int64_t whole) {
    return whole > 0 ? 100 * static_cast<double>(part) / static_cast<double>(whole) : 0;
}

/// "feature 44 of 64": where in its sum a score or an output left the range.
std::string placeOf(const HalfOrigin& origin, const cpu::MapProblem& p) {
    std::string place;
    if (origin.key >= 0)
        place = fmt::format("key {}", origin.key);
    if (origin.at >= 0)
        place += fmt::format("{}{} {} of {}", place.empty() ? "" : ", ",
                             origin.step == HalfStep::OutputSum ? "key" : "feature", origin.at + 1,
                             origin.step == HalfStep::OutputSum ? p.keyLen : p.headDim);
    return place;
}

void headline(Run& run, const char* id, std::optional<double> value, const char* unit, const char* format,
              std::string caption) {
    Metric m;
    m.value = value;
    m.unit = unit;
    m.format = format;
    m.caption = caption;
    m.provenance = Provenance::Counted;
    run.put({id, std::move(caption), "", "", Figure::Place::Headline, std::move(m)});
}

/// Finite numbers as such, what is none in words.
Table::Cell cell(double x) {
    return std::isfinite(x) ? Table::Cell(x) : Table::Cell(std::string(std::isnan(x) ? "NaN" : x > 0 ? "∞" : "−∞"));
}

Curve line(const char* id, std::string label, Provenance provenance) {
    Curve c;
    c.id = c.colourKey = id;
    c.label = std::move(label);
    c.style = Curve::Style::Line;
    c.provenance = provenance;
    return c;
}

} // namespace

std::string formatOf(const HalfRecipe& recipe) {
    return recipe.stored == HalfRecipe::Stored::F16    ? "f16"
           : recipe.stored == HalfRecipe::Stored::BF16 ? "bf16"
                                                       : "e4m3";
}

std::string inWords(const HalfRecipe& recipe) {
    const char* sums = recipe.stored != HalfRecipe::Stored::F16 || recipe.sums == number::Sums::Single ? "f32"
                       : recipe.sums == number::Sums::Half ? "f16 on CUDA cores"
                                                           : "f16 on tensor cores";
    return fmt::format("{}, sums in {}{}{}", formatOf(recipe), sums, recipe.scaleFirst ? ", Q scaled first" : "",
                       recipe.subtractMaximum ? "" : ", maximum kept");
}

void putOverflowHeadlines(Run& run, const OverflowScene& scene, const Verdict& v) {
    headline(run, "lost", percent(v.lostScores, v.scores), "%", "{:.2f}", "of the scores are infinite or NaN");
    headline(run, "lostOutputs", percent(v.lostOutputs, v.outputs), "%", "{:.2f}",
             "of the outputs are infinite or NaN");
    const Verdict::Deaths* first = nullptr;
    HalfStep step = HalfStep::None;
    for (const auto& [made, deaths] : v.rowsBy)
        if (!first || deaths.query < first->query) {
            first = &deaths;
            step = made;
        }
    if (first) {
        const std::string place = placeOf(first->first, scene.head.problem);
        headline(run, "first", static_cast<double>(first->query), "", "row {:.0f}",
                 fmt::format("dies first: {}{}{}", nameOf(step), place.empty() ? "" : ", ", place));
    } else {
        headline(run, "first", std::nullopt, "", "", "no row dies");
    }
    const double median = v.medianHeadroom();
    headline(run, "headroom", std::isnan(median) ? std::nullopt : std::optional(median), "bits", "{:.2f}",
             "headroom of the median row");
}

void putExponents(Run& run, const OverflowScene& scene, const Verdict& v) {
    Series series;
    const bool scaled = scene.recipe.sums == number::Sums::Single || scene.recipe.scaleFirst;
    series.x = {scaled ? "⌊log₂ |S|⌋" : "⌊log₂ |Q Kᵀ|⌋, before it is scaled", "", Scale::Linear, {}, {}, {}, false};
    series.y = {"share", "%", Scale::Linear, 0.0, {}, {}, false};
    double most = 1;
    std::vector<double> stack(v.sizes.kept.size());
    int low = Verdict::highest, high = Verdict::lowest;
    for (const auto& [id, label, counts] :
         {std::tuple("kept", "kept", &v.sizes.kept), std::tuple("flushed", "flushed to 0", &v.sizes.flushed),
          std::tuple("lost", "∞ or NaN", &v.sizes.lost)}) {
        Curve bars = line(id, label, Provenance::Counted);
        bars.style = Curve::Style::Bars;
        for (size_t i = 0; i < counts->size(); ++i) {
            const int exponent = Verdict::lowest + static_cast<int>(i);
            if ((*counts)[i] > 0) {
                low = std::min(low, exponent);
                high = std::max(high, exponent);
            }
            bars.x.push_back(exponent);
            bars.y.push_back(percent((*counts)[i], v.scores));
            most = std::max(most, stack[i] += bars.y.back());
        }
        series.curves.push_back(std::move(bars));
    }
    const double limit = std::log2(scene.steps->limit());
    Curve end = line("limit", fmt::format("largest of {}: {:.5g}", formatOf(scene.recipe), scene.steps->limit()),
                     Provenance::Reference);
    if (scene.recipe.stored == HalfRecipe::Stored::E4M3)
        end.label = "largest of f32, which S stays";
    const double edge = std::min(limit, static_cast<double>(Verdict::highest)) - 0.5; // of the bar that holds it
    end.x = {edge, edge};
    end.y = {0, 1.1 * most};
    const bool inSight = limit < Verdict::highest;
    if (inSight)
        series.curves.push_back(std::move(end));
    series.x.minimum = std::min(low, 0) - 1;
    series.x.maximum = std::max(high, inSight ? static_cast<int>(limit) + 2 : 0) + 1;
    run.put({"exponents", "Exponents", inSight ? "" : "the limit lies beyond the picture",
             "How many of the scores have which power of two, of what meets the limit: sums in f16 do before they are "
             "scaled, those in f32 when they are stored. **Counted** in the rows that are judged; the limit is a "
             "**reference**.",
             Figure::Place::Detail, std::move(series)});
}

void Deaths::add(const std::string& recipe, const Verdict& v) {
    judged = v.rows;
    const auto rows = [&](const char* what, const auto& by, int64_t whole) {
        for (const auto& [step, deaths] : by) {
            const std::string place = placeOf(deaths.first, scene.head.problem);
            table.rows.push_back({recipe, std::string(nameOf(step)), std::string(what), deaths.count,
                                  percent(deaths.count, whole),
                                  fmt::format("row {}{}{}", deaths.query, place.empty() ? "" : ", ", place)});
        }
    };
    rows("scores", v.scoresBy, v.scores);
    rows("rows", v.rowsBy, v.rows);
    if (v.scoresBy.empty() && v.rowsBy.empty())
        table.rows.push_back({recipe, std::string("none"), std::string("nothing"), int64_t{0}, 0.0, std::string()});
}

void Deaths::put(Run& run) const {
    Table whole = table;
    whole.columns = {{"recipe", "Recipe", "", false, {}, ""},
                     {"step", "First operation", "", false, {}, ""},
                     {"what", "That lost", "", false, {}, ""},
                     {"count", "Count", "", true, Provenance::Counted, ""},
                     {"share", "Share, %", "", true, Provenance::Counted, "{:.3f}"},
                     {"where", "The first of them", "", false, {}, ""}};
    run.put(
        {"deaths", "Where numbers die", fmt::format("{} of {} rows judged", judged, scene.head.problem.queryLen),
         "The first operation that made a score, or anything in a row, infinite or NaN, told by doing the kernel's "
         "steps in their order: product, accumulation, store of S, exponential, sum of the row, division, accumulation "
         "and store of O. A score of −∞ costs its row nothing but the key.",
         Figure::Place::Support, std::move(whole)});
}

void putHistory(Run& run, const OverflowScene& scene, int64_t query, int64_t key) {
    const cpu::HalfSteps& steps = *scene.steps;
    const cpu::HalfSteps::Row row = steps.row(query);
    const std::vector<float> sums = steps.partialSums(query, key);
    const std::vector<double> exact = steps.exactPartialSums(query, key);
    const double factor = steps.sumOfScore(), limit = steps.limit();
    Series series;
    series.x = {"products added up", "", Scale::Linear, {}, {}, {}, false};
    series.y = {factor == 1 ? "sum" : "sum, scaled", "", Scale::Linear, {}, {}, {}, false};
    Curve kernel = line(scene.recipe.stored == HalfRecipe::Stored::F16 && factor == 1 ? "f16" : "f32",
                        scene.recipe.sums == number::Sums::Single ? "in f32, as the kernel" : "in f16, as the kernel",
                        Provenance::Counted),
          truth = line("exact", "in f64", Provenance::Reference);
    double largest = 0;
    for (size_t i = 0; i < sums.size(); ++i) {
        const auto x = static_cast<double>(i + 1);
        truth.x.push_back(x);
        truth.y.push_back(exact[i] * factor);
        largest = std::max(largest, std::fabs(exact[i] * factor));
        if (std::isfinite(sums[i])) {
            kernel.x.push_back(x);
            kernel.y.push_back(static_cast<double>(sums[i]) * factor);
        }
    }
    series.curves = {std::move(truth), std::move(kernel)};
    if (limit < 4 * largest)
        for (const double sign : {1.0, -1.0}) {
            Curve edge = line("limit", sign > 0 ? fmt::format("±{:.5g}", limit) : "", Provenance::Reference);
            edge.id = sign > 0 ? "limit" : "limit.below";
            edge.x = {1, static_cast<double>(sums.size())};
            edge.y = {sign * limit, sign * limit};
            series.curves.push_back(std::move(edge));
        }
    const cpu::HalfScore score = steps.score(query, key);
    run.put({"history", fmt::format("Row {}, key {}: the sum grows", query, key),
             score.origin.step == HalfStep::None ? "finite" : fmt::format("lost in: {}", nameOf(score.origin.step)),
             "The sum of the selected score after each product, as the kernel holds it (**counted**) and in f64 "
             "(**reference**). The kernel's line ends where its sum is no number any more.",
             Figure::Place::Support, std::move(series)});

    double most = 0;
    for (const float size : steps.sizes(query))
        most = std::max(most, static_cast<double>(size));
    const auto cellsOf = [](const std::vector<float>& x) {
        const auto lost = std::count_if(x.begin(), x.end(), [](float v) { return !std::isfinite(v); });
        return lost == 0 ? fmt::format("all {} finite", x.size())
                         : fmt::format("{} of {} are ∞ or NaN", lost, x.size());
    };
    Table facts;
    facts.columns = {{"what", fmt::format("Row {}", query), "", false, {}, ""},
                     {"value", "Value", "", true, Provenance::Counted, "{:.5g}"}};
    facts.rows = {
        {fmt::format("largest |{}|", factor == 1 && !scene.recipe.scaleFirst ? "Q Kᵀ" : "S"), cell(most)},
        {fmt::format("largest of {}", scene.recipe.stored == HalfRecipe::Stored::E4M3 ? "f32" : formatOf(scene.recipe)),
         cell(limit)},
        {std::string("headroom, bits"), most > 0 ? cell(std::log2(limit / most)) : Table::Cell()},
        {std::string("first operation lost"),
         row.origin.step == HalfStep::None
             ? std::string("none")
             : fmt::format("{} {}", nameOf(row.origin.step), placeOf(row.origin, scene.head.problem))},
        {fmt::format("S at key {}", key), cell(static_cast<double>(score.stored))},
        {fmt::format("S at key {}, in f64", key), cell(score.exact)},
        {fmt::format("P at key {}", key), cell(static_cast<double>(row.weights[static_cast<size_t>(key)]))},
        {std::string("sum of the row"), cell(static_cast<double>(row.sum))},
        {std::string("P"), cellsOf(row.weights)},
        {std::string("O"), cellsOf(row.output)}};
    run.put({"row", fmt::format("What became of row {}", query), "",
             "Of the selected row, step by step as the kernel does it. **Counted**, but for the format's limit and "
             "what is in f64.",
             Figure::Place::Support, std::move(facts)});
}

} // namespace warplight::labs::precision
