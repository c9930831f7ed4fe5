// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/ssm/selective_figures.h"

#include "core/labs/attention/map_tiles.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::ssm::selective {

using namespace lab;

namespace {

constexpr int64_t shownPoints = 512, shownStates = 6, sampledRows = 128, namedTokens = 40;
constexpr std::array<int64_t, shownStates> slots{0, 5, 1, 2, 6, 4};

Axis axis(std::string title) { return {std::move(title), "", Scale::Linear, {}, {}, {}, false}; }

int64_t blockOf(const SelectiveStory& s) { return (s.length + shownColumns - 1) / shownColumns; }
int64_t columnsOf(const SelectiveStory& s) { return (s.length + blockOf(s) - 1) / blockOf(s); }

/// Rows of `length` numbers to rows of means of neighbours.
std::vector<float> pooled(const SelectiveStory& s, std::span<const float> rows) {
    const int64_t block = blockOf(s), columns = columnsOf(s);
    std::vector<float> made;
    for (int64_t row = 0; row < static_cast<int64_t>(rows.size()) / s.length; ++row)
        for (int64_t c = 0; c < columns; ++c) {
            const int64_t begin = c * block, end = std::min(begin + block, s.length);
            double sum = 0;
            for (int64_t t = begin; t < end; ++t)
                sum += static_cast<double>(rows[static_cast<size_t>(row * s.length + t)]);
            made.push_back(static_cast<float>(sum / static_cast<double>(end - begin)));
        }
    return made;
}

float largestSize(std::span<const float> x) {
    float most = 1e-9f;
    for (const float v : x)
        if (std::isfinite(v))
            most = std::max(most, std::fabs(v));
    return most;
}

std::string shortName(const SelectiveStory& s, int64_t token) {
    const SelectiveStory::Token& t = s.tokens[static_cast<size_t>(token)];
    return t.kind == SelectiveStory::Token::Kind::Noise      ? "·"
           : t.kind == SelectiveStory::Token::Kind::Question ? "?"
                                                             : s.name(token);
}

/// States whose curves are drawn: all, or some from the first to the last.
std::vector<int64_t> chosenStates(int64_t states) {
    std::vector<int64_t> chosen;
    const int64_t count = std::min(states, shownStates);
    for (int64_t i = 0; i < count; ++i)
        chosen.push_back(count == 1 ? 0 : i * (states - 1) / (count - 1));
    return chosen;
}

Curve line(std::string id, std::string label) {
    Curve c;
    c.id = c.colourKey = std::move(id);
    c.label = std::move(label);
    c.provenance = Provenance::Counted;
    c.style = Curve::Style::Line;
    return c;
}

} // namespace

std::map<std::string, int64_t> colours() {
    std::map<std::string, int64_t> all{{"weight", 7}};
    for (int64_t i = 0; i < shownStates; ++i)
        all[fmt::format("kept.{}", i)] = slots[static_cast<size_t>(i)];
    return all;
}

int64_t tokenOf(const SelectiveStory& s, int64_t column) {
    return std::clamp<int64_t>(column * blockOf(s) + blockOf(s) / 2, 0, s.length - 1);
}

Figure strips(const SelectiveStory& s, int64_t channel, const std::vector<float>& states, const std::vector<float>& y) {
    Steps scene;
    scene.width = 100;
    scene.stretches = true;
    Steps::Step step;
    double top = 3;
    const auto add = [&](const char* id, std::string title, std::span<const float> rows, double height, bool signs) {
        Steps::Matrix m;
        m.id = id;
        m.x = 0, m.y = top, m.width = 100, m.height = height;
        m.values = pooled(s, rows);
        m.cols = columnsOf(s);
        m.rows = static_cast<int64_t>(m.values.size()) / m.cols;
        m.palette = signs ? Heatmap::Palette::Diverging : Heatmap::Palette::Viridis;
        m.maximum = static_cast<double>(largestSize(m.values));
        m.minimum = signs ? -*m.maximum : 0;
        m.provenance = Provenance::Counted;
        m.title = std::move(title);
        step.matrices.push_back(std::move(m));
        top += height + 3.5;
    };
    const auto row = [&](const std::vector<float>& x) {
        return std::span(x).subspan(static_cast<size_t>(channel * s.length), static_cast<size_t>(s.length));
    };
    const auto group = [&](const std::vector<float>& x) {
        return std::span(x).subspan(static_cast<size_t>(s.mixing(channel)), static_cast<size_t>(s.states * s.length));
    };
    add("delta", fmt::format("Δ of channel {}, up to {:.3g}", channel, static_cast<double>(largestSize(row(s.size)))),
        row(s.size), 3, false);
    if (!s.tokens.empty() && s.length <= namedTokens)
        for (int64_t t = 0; t < s.length; ++t)
            step.matrices.back().colNames.push_back(shortName(s, t));
    add("b", "B: what a token writes, a row a state", group(s.b), 9, true);
    add("c", "C: what a token reads", group(s.c), 9, true);
    add("states", "States after each token", states, 14, true);
    add("y", "y: what comes out", row(y), 3, true);
    scene.height = top - 1.5;
    step.caption = blockOf(s) > 1 ? fmt::format("{} tokens, each column is the mean of {}.", s.length, blockOf(s))
                                  : fmt::format("{} tokens from left to right.", s.length);
    scene.steps.push_back(std::move(step));
    return {"strips",
            "Selection over time",
            "Δ, B, C, states and output of one channel, time to the right",
            "Δ says how much of a token is taken, and how much of what was there decays: exp(Δ A). Where Δ is small, "
            "states "
            "stand still. Each strip has colours of its own. **Counted.**",
            Figure::Place::Main,
            std::move(scene)};
}

Figure raster(const SelectiveStory& s, const std::vector<float>& states) {
    Heatmap map;
    map.x = axis(blockOf(s) > 1 ? fmt::format("token, {} a column", blockOf(s)) : "token");
    map.y = axis("state");
    map.y.reversed = true;
    map.cells = pooled(s, states);
    map.cols = columnsOf(s);
    map.rows = s.states;
    map.valueTitle = "h";
    map.palette = Heatmap::Palette::Diverging;
    map.valueMaximum = static_cast<double>(largestSize(map.cells));
    map.valueMinimum = -*map.valueMaximum;
    map.selectable = true;
    return {"raster",
            "States",
            "click a token: why was it kept?",
            "The states of the channel after each token. A click on a token shows what is left of it. **Counted.**",
            Figure::Place::Support,
            std::move(map)};
}

Figure mapFigure(Run& run, const ImpliedMap& implied, bool logarithmic) {
    Heatmap map;
    map.rows = map.cols = implied.length();
    map.x = axis("token");
    map.y = axis("step");
    map.y.reversed = true;
    map.lazy = true;
    map.tileSize = attention::mapTileSize;
    map.levels = implied.levels();
    map.pooling = "mean";
    map.selectable = true;
    std::vector<double> sizes; // of some rows' cells that are not 0
    const int64_t rows = std::min(sampledRows, implied.length());
    const std::vector<int64_t> loudest = implied.loudest(sampledRows);
    const auto look = [&](int64_t row, int64_t column) {
        if (const double a = std::fabs(implied.at(row, column)); a > 0 && std::isfinite(a))
            sizes.push_back(a);
    };
    for (int64_t i = 0; i < rows; ++i) {
        run.checkCancelled();
        const int64_t row = (2 * i + 1) * implied.length() / (2 * rows), step = std::max<int64_t>(1, row / sampledRows);
        for (int64_t column = row; column >= 0; column -= step)
            look(row, column);
        for (const int64_t column : loudest)
            if (column < row)
                look(row, column);
    }
    double most = 1e-9;
    if (!sizes.empty()) {
        const size_t at = sizes.size() - 1 - sizes.size() / 100;
        std::nth_element(sizes.begin(), sizes.begin() + static_cast<ptrdiff_t>(at), sizes.end());
        most = std::max(most, sizes[at]);
    }
    if (logarithmic) {
        map.valueTitle = "|α|";
        map.valueScale = Scale::Log10;
        map.valueMinimum = std::ldexp(most * 1e-5, 1 - map.levels); // a token of a coarse cell is one of many
    } else {
        map.valueTitle = "α";
        map.palette = Heatmap::Palette::Diverging;
        map.valueMinimum = -most;
    }
    map.valueMaximum = most;
    return {
        "map",
        "Implied attention",
        "α_ij = Σ_n C_i exp(A_n Σ Δ) Δ_j B_j, made where it is looked at",
        "What a row of attention would be: y_i = Σ_j α_ij u_j. No matrix is held: a block's mean follows from what its "
        "rows read and its columns leave in each state. Coarse cells are means" +
            std::string(logarithmic ? ", of which the size is shown" : "") +
            "; the colours end where one cell of a hundred is larger. A click says why that token was kept. "
            "**Counted.**",
        Figure::Place::Main,
        std::move(map)};
}

void putKept(Run& run, const SelectiveStory& s, const ImpliedMap& map, int64_t channel, int64_t token) {
    const int64_t last = s.length - 1, points = std::min(shownPoints, s.length - token);
    const auto stepAt = [&](int64_t i) { return points == 1 ? token : token + i * (last - token) / (points - 1); };
    Series kept, weights;
    kept.x = weights.x = axis("step");
    kept.y = axis("share that is left");
    kept.y.minimum = 0;
    weights.y = axis("α");
    const std::vector<int64_t> chosen = chosenStates(s.states);
    int64_t longest = 0; // the state in which most is left
    for (int64_t n = 0; n < s.states; ++n)
        if (map.kept(last, token, n) > map.kept(last, token, longest))
            longest = n;
    for (size_t i = 0; i < chosen.size(); ++i) {
        const int64_t n = chosen[i];
        Curve c = line(fmt::format("kept.{}", i),
                       fmt::format("state {} (A = {:.3g})", n,
                                   static_cast<double>(s.a[static_cast<size_t>(channel * s.states + n)])));
        for (int64_t p = 0; p < points; ++p) {
            c.x.push_back(static_cast<double>(stepAt(p)));
            c.y.push_back(map.kept(stepAt(p), token, n));
        }
        kept.curves.push_back(std::move(c));
    }
    Curve weight = line("weight", "weight in y");
    for (int64_t p = 0; p < points; ++p) {
        run.checkCancelled();
        weight.x.push_back(static_cast<double>(stepAt(p)));
        weight.y.push_back(map.at(stepAt(p), token));
    }
    weights.curves.push_back(std::move(weight));
    const std::string name =
        s.tokens.empty() ? fmt::format("token {}", token) : fmt::format("token {} ({})", token, s.name(token));
    run.put(
        {"kept", fmt::format("Why {} was kept", name), "product of the decays since then, per state",
         "Π exp(Δ_k A_n) over all steps k behind the token: what is left of what it wrote. Steps with a small Δ leave "
         "it as it is. **Counted.**",
         Figure::Place::Detail, std::move(kept)});
    run.put({"weight", fmt::format("What later steps read of {}", name), "α of each step",
             "α_ij of this token j over the steps i: C_i picks from the states what is left of it. **Counted.**",
             Figure::Place::Detail, std::move(weights)});
    const auto size = static_cast<double>(s.size[static_cast<size_t>(channel * s.length + token)]);
    run.put({"keptFacts", "In words", "", "", Figure::Place::Detail,
             Note{fmt::format(
                 "Its Δ is **{:.3g}**: {:.3g} of its input times B goes into the states. Behind it Δ adds up to "
                 "**{:.3g}** until the end, so that state {} still keeps **{:.3g} %** of it.",
                 size, size, map.stepsBetween(last, token), longest, 100 * map.kept(last, token, longest))}});
}

} // namespace warplight::labs::ssm::selective
