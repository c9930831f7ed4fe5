// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/gau/gau.h"

#include "core/cpu/gau/rungs.h"
#include "core/cpu/rounding.h"
#include "core/error.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <numbers>
#include <utility>

namespace warplight::cpu {
namespace {

constexpr std::array<RungInfo<GauRung>, 4> infos{{
    {GauRung::Reference, "reference", "double precision, plain loops",
     "nothing: these are the formulas that every other rung is judged by"},
    {GauRung::Quadratic, "quadratic", "all scores in memory",
     "products of matrices instead of loops; A is written, made to weights, read: n² numbers a sequence"},
    {GauRung::Tiled, "tiled", "scores in the cache, tile by tile",
     "a block of scores is used up before the next is made, as flash attention does: no n² in memory"},
    {GauRung::Chunked, "chunked", "mixed chunk attention: quadratic in chunks, linear across",
     "what earlier chunks leave is an s × e state instead of pairs: time grows with n, not n²"},
}};
constexpr std::array<RungInfo<GauFunction>, 4> functions{{
    {GauFunction::Relu2, "relu2", "max(q·k / n, 0)²", "the paper's: κ = 1/n²"},
    {GauFunction::Relu2Root, "relu2-su", "max(q·k, 0)² / (n s)", "Su's: n/s times the paper's"},
    {GauFunction::Softmax, "softmax", "softmax(q·k / √s)", "weights of a row add up to 1"},
    {GauFunction::Laplace, "laplace", "½ (1 + erf((q·k / n - √½) / (σ √2)))", "Mega's: bounded by 1, σ = √(1/4π)"},
}};
using Rung = RunCost (*)(const GauProblem&, const RunOptions&);
constexpr std::array<Rung, infos.size()> rungs{referenceGau, quadraticGau, tiledGau, chunkedGau};

double number(int64_t x) { return static_cast<double>(x); }

} // namespace

std::span<const RungInfo<GauFunction>> gauFunctions() { return functions; }
std::span<const RungInfo<GauRung>> gauRungs() { return infos; }

void check(const GauShape& p) {
    const auto require = [](const char* name, int64_t value, bool right, const std::string& expected) {
        if (!right)
            throw InputError(fmt::format("gau: {} is {}, expected {}", name, value, expected));
    };
    require("batch", p.batch, p.batch >= 0, "at least 0");
    require("length", p.length, p.length >= 0, "at least 0");
    for (const auto& [name, value] :
         {std::pair("the features of X", p.features), std::pair("e", p.expanded), std::pair("s", p.shared)})
        require(name, value, value >= 1, "at least 1");
    require("chunk", p.chunk, p.chunk >= 0 && (p.chunk <= p.length || p.chunk == 0),
            fmt::format("1 to {}, the tokens of a sequence, or 0 for none", p.length));
}

RunCost gau(GauRung rung, const GauProblem& problem, const RunOptions& options) {
    check(problem.shape);
    if (problem.shape.rows() == 0)
        return {};
    return rungs[static_cast<size_t>(rung)](problem, options);
}

double weightOf(const GauShape& p, double score, int64_t countedKeys) {
    const double m = number(countedKeys);
    switch (p.function) {
    case GauFunction::Relu2: {
        const double positive = score > 0 || std::isnan(score) ? score / m : 0;
        return positive * positive;
    }
    case GauFunction::Relu2Root: {
        const double positive = score > 0 || std::isnan(score) ? score : 0;
        return positive * positive / (m * number(p.shared));
    }
    case GauFunction::Softmax:
        return std::exp(score / std::sqrt(number(p.shared)));
    case GauFunction::Laplace:
        // σ √2 = √(1 / 2π)
        return std::erfc(std::sqrt(2 * std::numbers::pi) * (std::sqrt(0.5) - score / m)) / 2;
    }
    return 0;
}

double quadraticPairs(const GauShape& p) {
    const auto of = [&](int64_t tokens) {
        return p.causal ? number(tokens) * number(tokens + 1) / 2 : number(tokens) * number(tokens);
    };
    const int64_t segment = std::max<int64_t>(p.segment(), 1);
    return number(p.batch) * (number(p.length / segment) * of(segment) + of(p.length % segment));
}

double usefulFlops(const GauShape& p) {
    const double rows = number(p.rows()), d = number(p.features), e = number(p.expanded), s = number(p.shared);
    double flops = 2 * rows * d * (2 * e + s) + 2 * rows * e * d + 2 * quadraticPairs(p) * (s + e);
    if (p.chunk > 0) {
        const int64_t last = p.length - (ceilDiv(p.length, p.chunk) - 1) * p.chunk; // tokens of the last chunk
        const double added = number(p.causal ? p.length - last : p.length),
                     read = number(p.causal ? std::max<int64_t>(p.length - p.chunk, 0) : p.length);
        flops += 2 * number(p.batch) * (added + read) * s * e;
    }
    return flops;
}

int64_t parameterCount(const GauShape& p) {
    return 3 * p.features * p.expanded + p.features * p.shared + 2 * p.views() * p.shared;
}

} // namespace warplight::cpu
