// SPDX-License-Identifier: GPL-3.0-or-later
// What the page Sums draws and tells of its sums.
#include "core/labs/precision/sums_figures.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

namespace warplight::labs::precision {
namespace {

using namespace lab;
using warplight::precision::SumOrder;

constexpr int64_t points = 128;      ///< of the running sums, at equal distances
constexpr double lowestExact = 1e-9; ///< where errors of 0 are drawn at the highest

Table::Cell cell(double x) {
    return std::isfinite(x) ? Table::Cell(x) : Table::Cell(std::string(std::isnan(x) ? "NaN" : x > 0 ? "∞" : "−∞"));
}

Table::Cell cell(std::optional<int64_t> count) { return count ? Table::Cell(*count) : Table::Cell(); }

/// Orders differ in colour, accumulators in how their curves are drawn: the first has points on its lines, the last
/// lines alone, one between them points alone.
Curve::Style styleOf(const SumsRun& sums, const number::FloatFormat* accumulator) {
    return accumulator == sums.accumulators.front()  ? Curve::Style::LineAndPoints
           : accumulator == sums.accumulators.back() ? Curve::Style::Line
                                                     : Curve::Style::Points;
}

/// "points: FP16, lines: FP32"
std::string stylesText(const SumsRun& sums) {
    std::string text;
    for (const number::FloatFormat* accumulator : sums.accumulators) {
        const auto style = styleOf(sums, accumulator);
        text += fmt::format("{}{}: {}", text.empty() ? "" : ", ",
                            style == Curve::Style::LineAndPoints ? "lines with points"
                            : style == Curve::Style::Line        ? "plain lines"
                                                                 : "points",
                            accumulator->title);
    }
    return sums.accumulators.size() > 1 ? text : fmt::format("in {}", sums.accumulators.front()->title);
}

/// The curve of the first accumulator stands in the legend for the order's others.
Curve curveOf(const SumsRun& sums, const RanSum& ran) {
    Curve c;
    const bool first = ran.accumulator == sums.accumulators.front();
    const bool alone = !first && std::none_of(sums.all.begin(), sums.all.end(), [&](const RanSum& other) {
        return other.order.order == ran.order.order && other.accumulator == sums.accumulators.front();
    });
    c.id = first || alone ? std::string(ran.order.id) : fmt::format("{}.{}", ran.order.id, ran.accumulator->id);
    if (first || alone)
        c.label = std::string(ran.order.title);
    c.colourKey = std::string(ran.order.id);
    c.provenance = ran.order.order == SumOrder::TensorCore ? Provenance::Modelled : Provenance::Counted;
    c.style = styleOf(sums, ran.accumulator);
    return c;
}

} // namespace

double SumsRun::relativeError(const RanSum& ran, size_t i) const {
    const double sum = ran.course.sums[i], right = exact.sums[i].value();
    if (!std::isfinite(sum))
        return std::numeric_limits<double>::infinity();
    const double error = std::fabs(exact.sums[i].differenceFrom(sum));
    return error == 0 ? 0 : right == 0 ? std::numeric_limits<double>::quiet_NaN() : error / std::fabs(right);
}

void chooseLengths(SumsRun& sums, int64_t longest) {
    std::vector<int64_t> growing, even;
    for (int i = 0;; ++i) {
        const auto length = static_cast<int64_t>(std::llround(std::exp2(0.5 * i)));
        if (length >= longest)
            break;
        growing.push_back(length);
    }
    growing.push_back(longest);
    for (int64_t i = 1; i <= points; ++i)
        even.push_back(std::max<int64_t>(1, longest * i / points));
    sums.lengths = growing;
    sums.lengths.insert(sums.lengths.end(), even.begin(), even.end());
    std::sort(sums.lengths.begin(), sums.lengths.end());
    sums.lengths.erase(std::unique(sums.lengths.begin(), sums.lengths.end()), sums.lengths.end());
    for (size_t i = 0; i < sums.lengths.size(); ++i)
        for (const auto& [some, indices] : {std::pair(&growing, &sums.growing), std::pair(&even, &sums.even)})
            if (std::find(some->begin(), some->end(), sums.lengths[i]) != some->end())
                indices->push_back(i);
}

Figure errorFigure(const SumsRun& sums) {
    double least = 1;
    bool zeros = false;
    for (const RanSum& ran : sums.all)
        for (const size_t i : sums.growing) {
            const double error = sums.relativeError(ran, i);
            zeros = zeros || error == 0;
            if (error > 0)
                least = std::min(least, error);
        }
    // A logarithmic axis has no 0: what is exact lies on a line of its own, below all errors.
    const double floor = std::min(lowestExact, std::pow(10.0, std::floor(std::log10(least)) - 1));
    Series series;
    series.x = {"terms", "", Scale::Log2, {}, {}, {}, false};
    series.y = {zeros ? fmt::format("relative error; 0 is drawn as {:g}", floor) : "relative error",
                "",
                Scale::Log10,
                {},
                {},
                {},
                false};
    if (zeros) {
        Curve exact;
        exact.id = "exact";
        exact.label = "no error";
        exact.style = Curve::Style::Line;
        exact.provenance = Provenance::Reference;
        exact.x = {1, static_cast<double>(sums.lengths.back())};
        exact.y = {floor, floor};
        series.curves.push_back(std::move(exact));
    }
    for (const RanSum& ran : sums.all) {
        Curve c = curveOf(sums, ran);
        for (const size_t i : sums.growing)
            if (const double error = sums.relativeError(ran, i); std::isfinite(error)) {
                c.x.push_back(static_cast<double>(sums.lengths[i]));
                c.y.push_back(error == 0 ? floor : error);
            }
        series.curves.push_back(std::move(c));
    }
    std::string explain = fmt::format(
        "|sum − exact sum| / |exact sum| of the first terms, at lengths that grow by √2: {}. **Counted**: "
        "every order is added up, each operation rounded once, and compared with the exact sum of the "
        "stored numbers; the tensor core's way is the virtual GPU's and **modelled**. A curve ends where its "
        "format overflows.",
        sums.what);
    return {
        "error",          "Relative error against length", stylesText(sums), std::move(explain), Figure::Place::Main,
        std::move(series)};
}

Figure runningFigure(const SumsRun& sums) {
    Series series;
    series.x = {"terms", "", Scale::Linear, 0.0, {}, {}, false};
    series.y = {"sum so far", "", Scale::Linear, {}, {}, {}, false};
    Curve exact;
    exact.id = "exact";
    exact.label = "exact";
    exact.style = Curve::Style::Line;
    exact.provenance = Provenance::Reference;
    for (const size_t i : sums.even) {
        exact.x.push_back(static_cast<double>(sums.lengths[i]));
        exact.y.push_back(sums.exact.sums[i].value());
    }
    series.curves.push_back(std::move(exact));
    for (const RanSum& ran : sums.all) {
        Curve c = curveOf(sums, ran);
        c.style = Curve::Style::Line;
        for (const size_t i : sums.even)
            if (std::isfinite(ran.course.sums[i])) {
                c.x.push_back(static_cast<double>(sums.lengths[i]));
                c.y.push_back(ran.course.sums[i]);
            }
        series.curves.push_back(std::move(c));
    }
    return {"running",
            "Running sum",
            sums.what,
            "What each order holds after so many terms. Where a sum has grown so large that a term is less than half "
            "the distance to the next number, adding it changes nothing: the curve runs level while the exact sum goes "
            "on. **Counted**; the tensor core's is **modelled**. A curve ends where its format overflows.",
            Figure::Place::Main,
            std::move(series)};
}

Figure ordersTable(const SumsRun& sums) {
    const auto counted = Provenance::Counted;
    Table table;
    table.columns = {{"order", "Order", "", false, {}, ""},
                     {"accumulator", "Accumulator", "", false, {}, ""},
                     {"sum", "Sum", "", true, counted, "{:.9g}"},
                     {"error", "Relative error", "", true, counted, "{:.3g}"},
                     {"ulp", "Error, ulp", "", true, counted, "{:.4g}"},
                     {"ofSizes", "Error / Σ|term|", "", true, counted, "{:.3g}"},
                     {"stops", "Stands still after", "", true, counted, ""},
                     {"overflows", "Overflows at", "", true, counted, ""},
                     {"operations", "Operations", "", true, counted, ""}};
    const size_t last = sums.lengths.size() - 1;
    const double exact = sums.exact.sums[last].value(), sizes = sums.exact.sizes[last];
    const auto row = [&](const std::string& order, const number::FloatFormat& accumulator, double sum) {
        const double error = std::isfinite(sum) ? std::fabs(sums.exact.sums[last].differenceFrom(sum))
                                                : std::numeric_limits<double>::infinity();
        const auto over = [&](double whole) { // of nothing no share
            return error == 0 ? Table::Cell(0.0) : whole == 0 ? Table::Cell() : cell(error / std::fabs(whole));
        };
        return std::vector<Table::Cell>{order,
                                        std::string(accumulator.title),
                                        cell(sum),
                                        over(exact),
                                        over(number::spacing(exact, accumulator)),
                                        over(sizes)};
    };
    std::string_view before;
    for (const RanSum& ran : sums.all) {
        if (ran.accumulator->id != before) { // the best that the format allows
            table.rows.push_back(
                row("exact, rounded once", *ran.accumulator, number::rounded(exact, *ran.accumulator)));
            table.rows.back().resize(table.columns.size());
            before = ran.accumulator->id;
        }
        std::vector<Table::Cell> cells = row(std::string(ran.order.title), *ran.accumulator, ran.course.sum);
        cells.push_back(cell(ran.course.stagnatesAfter));
        cells.push_back(cell(ran.course.overflowsAt));
        cells.emplace_back(ran.course.operations);
        table.rows.push_back(std::move(cells));
    }
    return {"orders",
            "All orders",
            sums.what,
            "Counts are terms. One **ulp** is the distance between neighbours of the accumulator's format at the exact "
            "sum. Σ|term| is the "
            "measure where terms cancel: there a small sum of large terms has a large relative error in any order. A "
            "sum **stands still** after the last term that changed it, if the ones behind it add up to 16 ulp of it or "
            "more. Operations: additions, products and multiply-adds.",
            Figure::Place::Support,
            std::move(table)};
}

void putHeadlines(const SumsRun& sums, Run& run) {
    const size_t last = sums.lengths.size() - 1;
    const number::FloatFormat& narrowest = *sums.all.front().accumulator;
    const auto put = [&](std::string id, std::optional<double> value, const char* format, std::string caption,
                         const char* explain, bool modelled) {
        Metric m;
        m.value = value && std::isfinite(*value) ? value : std::nullopt;
        m.format = format;
        m.caption = std::move(caption);
        m.provenance = modelled ? Provenance::Modelled : Provenance::Counted;
        run.put({std::move(id), m.caption, "", explain, Figure::Place::Headline, std::move(m)});
    };
    const auto ranOf = [&](SumOrder order) {
        return std::find_if(sums.all.begin(), sums.all.end(), [&](const RanSum& ran) {
            return ran.order.order == order && ran.accumulator == &narrowest;
        });
    };
    if (const auto serial = ranOf(SumOrder::Serial); serial != sums.all.end()) {
        const auto& course = serial->course;
        put("stops", course.stagnatesAfter ? std::optional(course.sum) : std::nullopt, "{:.8g}",
            course.stagnatesAfter ? fmt::format("{}, serial: stands still after {} of {} terms", narrowest.title,
                                                *course.stagnatesAfter, sums.lengths[last])
            : course.overflowsAt
                ? fmt::format("{}, serial: overflows at term {}", narrowest.title, *course.overflowsAt)
                : fmt::format("{}, serial: no standstill in {} terms", narrowest.title, sums.lengths[last]),
            "The sum that further terms do not change, found in this run. **Counted.**", false);
    }
    int shown = 0;
    for (const SumOrder order : {SumOrder::Pairwise, SumOrder::Kahan, SumOrder::TensorCore, SumOrder::Serial,
                                 SumOrder::WarpTree, SumOrder::Chunked}) {
        const auto ran = ranOf(order);
        if (ran == sums.all.end() || ++shown > 3)
            continue;
        const double error = sums.relativeError(*ran, last);
        const auto& overflowsAt = ran->course.overflowsAt;
        put(fmt::format("error.{}", ran->order.id), error, "{:.3g}",
            overflowsAt ? fmt::format("{}, {}: overflows at term {}", narrowest.title, ran->order.title, *overflowsAt)
            : std::isnan(error) ? fmt::format("{}, {}: the exact sum is 0", narrowest.title, ran->order.title)
                                : fmt::format("{}, {}: relative error", narrowest.title, ran->order.title),
            "|sum − exact sum| / |exact sum| of all terms.", order == SumOrder::TensorCore);
    }
}

} // namespace warplight::labs::precision
