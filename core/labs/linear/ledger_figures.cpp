// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/linear/ledger_figures.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <optional>

namespace warplight::labs::linear {

using namespace lab;

namespace {

Axis axis(const char* title, const char* unit, Scale scale) {
    Axis made;
    made.title = title;
    made.unit = unit;
    made.scale = scale;
    return made;
}

Axis lengthAxis() { return axis("sequence length", "", Scale::Log2); }

Curve curveOf(const std::string& id, const std::string& label, Provenance provenance,
              Curve::Style style = Curve::Style::LineAndPoints) {
    Curve c;
    c.id = c.colourKey = id;
    c.label = label;
    c.provenance = provenance;
    c.style = style;
    return c;
}

Figure series(const char* id, const char* title, const char* subtitle, const char* explain, Figure::Place place, Axis y,
              std::vector<Curve> curves) {
    Series content;
    content.x = lengthAxis();
    content.y = std::move(y);
    content.curves = std::move(curves);
    return {id, title, subtitle, explain, place, std::move(content)};
}

Figure headline(const char* id, const char* title, const char* explain, Metric metric) {
    return {id, title, "", explain, Figure::Place::Headline, std::move(metric)};
}

/// From which length on the second of two entries takes less at all points, between points on logarithmic axes. None:
/// it does not at the last one, or does from the first on.
std::optional<double> crossing(const LedgerPoints& points, const std::vector<int64_t>& lengths, const char* slower,
                               const char* faster) {
    std::optional<std::pair<double, double>> after; // of the next length: its logarithm, and that of the ratio
    for (auto length = lengths.rbegin(); length != lengths.rend(); ++length) {
        const auto a = points.find({slower, *length}), b = points.find({faster, *length});
        if (a == points.end() || b == points.end())
            continue;
        const double gap = std::log(a->second.seconds / b->second.seconds), x = std::log(static_cast<double>(*length));
        if (gap <= 0)
            return after ? std::optional(std::exp(x + (after->first - x) * gap / (gap - after->second))) : std::nullopt;
        after = {x, gap};
    }
    return std::nullopt;
}

Figure heatmap(const char* id, const char* title, const std::string& subtitle, const char* explain, int64_t rows,
               std::vector<float> cells, const char* value, std::optional<double> largest) {
    Heatmap map;
    map.x = axis("token", "", Scale::Linear);
    map.y = axis("feature", "", Scale::Linear);
    map.valueTitle = value;
    map.rows = rows;
    map.cols = GateStrips::tokens;
    map.cells = std::move(cells);
    if (largest) {
        map.palette = Heatmap::Palette::Diverging;
        map.valueMinimum = -*largest;
        map.valueMaximum = *largest;
    }
    return {id, title, subtitle, explain, Figure::Place::Support, std::move(map)};
}

constexpr int64_t shownFeatures = 32;

/// The first features of [tokens, expanded], a row each.
std::vector<float> strip(const std::vector<double>& values) {
    std::vector<float> cells;
    for (int64_t feature = 0; feature < shownFeatures; ++feature)
        for (int64_t t = 0; t < GateStrips::tokens; ++t)
            cells.push_back(static_cast<float>(values[static_cast<size_t>(t * GateStrips::expanded + feature)]));
    return cells;
}

} // namespace

std::map<std::string, int64_t> ledgerColours() {
    return {{"mha", 2},         {"gau", 4},        {"flash-quad", 1},  {"flash-gau", 0},
            {"relu2-paper", 0}, {"relu2-root", 2}, {"row-softmax", 1}, {"row-laplace", 5}};
}

namespace {

/// FLASH has a key of its own: "flash" is FlashAttention's on other pages.
std::string keyOf(const LedgerEntry& entry) { return entry.id == "flash" ? "flash-gau" : entry.id; }

} // namespace

void putTimes(Run& run, const std::vector<LedgerEntry>& entries) {
    std::vector<Curve> times;
    for (const LedgerEntry& entry : entries)
        times.push_back(curveOf(keyOf(entry), entry.title, Provenance::Measured));
    run.put(series("time", "Time", "a sequence, median with 10–90 %; forward, on this machine",
                   "A block of attention (heads of 64 features, the packed flash kernel) and a feed-forward layer, and "
                   "gated attention units of as many parameters, **measured** on the same tokens. FLASH is `chunked`, "
                   "the others are tiled: none of them has n² numbers in memory. No biases, no normalisation, no "
                   "residual stream.",
                   Figure::Place::Main, axis("time", "s", Scale::Log10), std::move(times)));
}

void putCosts(Run& run, const std::vector<LedgerEntry>& entries, const std::vector<int64_t>& lengths) {
    std::vector<Curve> flops, held;
    for (const LedgerEntry& entry : entries) {
        held.push_back(curveOf(keyOf(entry), entry.title, Provenance::Measured));
        Curve work = curveOf(keyOf(entry), entry.title, Provenance::Counted);
        Curve scores = curveOf(keyOf(entry) + ".scores", "", Provenance::Modelled, Curve::Style::Line);
        scores.colourKey = keyOf(entry);
        for (const int64_t length : lengths) {
            work.x.push_back(static_cast<double>(length));
            work.y.push_back(entry.flops(length) / static_cast<double>(length));
            scores.x.push_back(static_cast<double>(length));
            scores.y.push_back(entry.scoreBytes(length));
        }
        flops.push_back(std::move(work));
        if (entry.id != "flash-quad") // the same as of one unit
            held.push_back(std::move(scores));
    }
    run.put(
        series("flops", "Operations", "of products, a token",
               "Of all products, **counted** by their sizes. Attention and feed-forward: 24 d² + 4 n d a token (half "
               "of the second where it is causal). A unit: 6 d e + 2 d s + 2 n (s + e); with chunks of c, c stands "
               "in the place of n, and 4 s e come with the linear part.",
               Figure::Place::Support, axis("operations a token", "FLOP", Scale::Linear), std::move(flops)));
    run.put(series("memory", "Memory", "held beyond weights and tokens; lines: scores, if they were kept",
                   "**Measured**: what one pass held. Lines without points are **modelled**: what the scores of one "
                   "layer would take if they were kept, h n², n² or n c numbers.",
                   Figure::Place::Support, axis("memory", "B", Scale::Log10), std::move(held)));
}

void addLedgerPoint(Run& run, const LedgerEntry& entry, int64_t length, const LedgerPoint& point) {
    Curve time = curveOf(keyOf(entry), entry.title, Provenance::Measured), held = time;
    time.x = held.x = {static_cast<double>(length)};
    time.y = {point.seconds};
    time.low = {point.low};
    time.high = {point.high};
    held.y = {static_cast<double>(point.held)};
    run.appendPoint("time", time);
    run.appendPoint("memory", held);
}

void putLedgerTable(Run& run, const std::vector<LedgerEntry>& entries, const std::vector<int64_t>& lengths,
                    const LedgerPoints& points) {
    int64_t length = 0;
    for (const int64_t each : lengths)
        if (std::all_of(entries.begin(), entries.end(), [&](const auto& e) { return points.contains({e.id, each}); }))
            length = each;
    if (length == 0)
        return;
    const auto column = [](const char* id, const char* title, const char* unit, Provenance of, const char* format) {
        return Table::Column{id, title, unit, true, of, format};
    };
    Table t;
    t.columns = {{"entry", "Layers", "", false, {}, {}},
                 column("e", "e", "", Provenance::Counted, ""),
                 column("parameters", "Parameters", "", Provenance::Counted, ""),
                 column("flops", "Operations", "FLOP", Provenance::Counted, ""),
                 column("scores", "Scores, if kept", "B", Provenance::Modelled, ""),
                 column("held", "Held", "B", Provenance::Measured, ""),
                 column("time", "Time", "s", Provenance::Measured, ""),
                 column("rate", "Rate", "FLOP/s", Provenance::Measured, "")};
    for (const LedgerEntry& entry : entries) {
        const LedgerPoint& p = points.at({entry.id, length});
        t.rows.push_back({entry.title, entry.expanded(), entry.parameters(), entry.flops(length),
                          entry.scoreBytes(length), static_cast<double>(p.held), p.seconds,
                          entry.flops(length) / p.seconds});
    }
    run.put(
        {"ledger", "Ledger", fmt::format("at {} tokens", length),
         "**e** is chosen so that all have 12 d² parameters, as near as whole numbers allow: a unit has 3 d e + d s "
         "+ 4 s (with chunks 8 s). **Rate** is operations over time.",
         Figure::Place::Support, std::move(t)});
    const double speedup = points.at({"mha", length}).seconds / points.at({"flash", length}).seconds;
    Metric faster;
    faster.value = speedup;
    faster.unit = "×";
    faster.format = "{:.2f}";
    faster.caption = fmt::format("FLASH over attention + feed-forward at {} tokens", length);
    run.put(headline("speedup", "FLASH is faster by", "Measured times of both, divided.", faster));
    Metric meets;
    meets.value = crossing(points, lengths, "flash-quad", "flash");
    meets.unit = "tokens";
    meets.format = "{:.0f}";
    meets.caption = meets.value ? "from here on chunks take less time than all pairs"
                                : "FLASH and FLASH-Quad do not meet between these lengths";
    run.put(headline("crossing", "FLASH overtakes FLASH-Quad",
                     "Where the measured curves of the two meet, between points on logarithmic axes.", meets));
}

void putStrips(Run& run, const GateStrips& s, double toIdentity, double toOne) {
    const auto cosine = [&](const char* id, const char* title, const char* explain, double value, const char* caption) {
        Metric m;
        m.value = value;
        m.format = "{:.2f}";
        m.caption = caption;
        m.provenance = Provenance::Counted;
        run.put(headline(id, title, explain, m));
    };
    cosine("likeAttention", "Like attention alone", "Cosine between U ∘ A V as it is blended and A V.", s.likeAttention,
           "cosine to attention alone, A V");
    cosine("likeFeedForward", "Like a feed-forward layer",
           "Cosine between U ∘ A V as it is blended and U ∘ V, a gated linear unit.", s.likeFeedForward,
           "cosine to a feed-forward layer, U ∘ V");
    Figure a =
        heatmap("attention", "A", fmt::format("weights, {:.0f} % of the way to the identity", 100 * toIdentity),
                "Weights of the keys (columns) for each query (rows), in f64. Tokens of one topic attend to each "
                "other; as A becomes the identity, each sees itself alone.",
                GateStrips::tokens, {s.attention.begin(), s.attention.end()}, "weight", {});
    auto& map = std::get<Heatmap>(a.content);
    map.x.title = "key";
    map.y.title = "query";
    map.valueMinimum = std::min(0.0, *std::min_element(s.attention.begin(), s.attention.end()));
    map.valueMaximum = s.usualWeight;
    const std::string shown = fmt::format("the first {} of {} features", shownFeatures, GateStrips::expanded);
    run.put(heatmap("gate", "U: the gate", fmt::format("{}, {:.0f} % of the way to 1", shown, 100 * toOne),
                    "What each token lets through of each feature: silu of a product of its own.", shownFeatures,
                    strip(s.gate), "gate", s.usualGate));
    run.put(
        heatmap("mixed", "A V", shown,
                "What each token gathers from those that it attends to: the same within a stretch of one topic. With "
                "A = I it is V itself.",
                shownFeatures, strip(s.mixed), "A V", s.usualMixed));
    run.put(heatmap("product", "U ∘ A V", shown,
                    "What goes into the last product: gathered by attention, let through "
                    "by the gate.",
                    shownFeatures, strip(s.product), "U ∘ A V", s.usualProduct));
    run.put(std::move(a)); // behind the strips, where square figures stand beside each other
}

void putDrift(Run& run, int64_t shared,
              const std::map<cpu::GauFunction, std::vector<std::pair<int64_t, double>>>& sums) {
    const std::map<cpu::GauFunction, std::pair<const char*, const char*>> names{
        {cpu::GauFunction::Relu2, {"relu2-paper", "relu²(q·k / n), the paper's"}},
        {cpu::GauFunction::Relu2Root, {"relu2-root", "relu²(q·k) / (n s), Su's"}},
        {cpu::GauFunction::Softmax, {"row-softmax", "softmax"}},
        {cpu::GauFunction::Laplace, {"row-laplace", "Laplace"}}};
    std::vector<Curve> curves;
    for (const auto& [function, points] : sums) {
        const auto& [id, label] = names.at(function);
        Curve c = curveOf(id, label, Provenance::Counted),
              theory = curveOf(std::string(id) + ".theory", "", Provenance::Modelled, Curve::Style::Line);
        theory.colourKey = id;
        for (const auto& [keys, sum] : points) {
            c.x.push_back(static_cast<double>(keys));
            c.y.push_back(sum);
            if (function == cpu::GauFunction::Relu2 || function == cpu::GauFunction::Relu2Root) {
                theory.x.push_back(static_cast<double>(keys));
                theory.y.push_back(function == cpu::GauFunction::Relu2
                                       ? static_cast<double>(shared) / (2 * static_cast<double>(keys))
                                       : 0.5);
            }
        }
        curves.push_back(std::move(c));
        if (!theory.x.empty())
            curves.push_back(std::move(theory));
    }
    Figure f =
        series("drift", "What a row of A adds up to", "mean over rows, against the number of keys",
               "For queries and keys of independent normal numbers, in f64. The paper's weights shrink as s / (2n): "
               "a model trained at one length is another at the next. Su's stay at ½, softmax is 1, and Laplace, "
               "whose weights have no n below them, grows with n. Lines: s / (2n) and ½, the means.",
               Figure::Place::Support, axis("sum of weights", "", Scale::Log10), std::move(curves));
    std::get<Series>(f.content).x.title = "keys";
    run.put(std::move(f));
}

} // namespace warplight::labs::linear
