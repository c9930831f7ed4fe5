// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/ssm/matrices_figures.h"

#include "core/algebra/fourier.h"
#include "core/algebra/matrix_functions.h"
#include "core/workbench/stopwatch.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <functional>
#include <string_view>
#include <utility>

namespace warplight::labs::ssm {
namespace {

using namespace lab;
using warplight::ssm::Measure;
using warplight::ssm::S4Layer;
using warplight::ssm::System;

constexpr int64_t shownFunctions = 6;
constexpr int64_t pointsOfAFunction = 400;

Curve line(std::string id, std::string label, std::vector<double> x, std::vector<double> y) {
    Curve c;
    c.id = c.colourKey = std::move(id);
    c.label = std::move(label);
    c.provenance = Provenance::Counted;
    c.style = Curve::Style::Line;
    c.x = std::move(x);
    c.y = std::move(y);
    return c;
}

Axis axis(std::string title, std::string unit = "", Scale scale = Scale::Linear) {
    return {std::move(title), std::move(unit), scale, {}, {}, {}, false};
}

std::string nameOf(Measure measure) {
    const std::string_view title = warplight::ssm::measures()[static_cast<size_t>(measure)].title;
    return std::string(title.substr(0, title.find(':')));
}

} // namespace

void putMatrices(Run& run, Measure measure, const System& system) {
    Heatmap map;
    map.x = axis("from state");
    map.y = axis("to state");
    map.valueTitle = "A";
    map.palette = Heatmap::Palette::Diverging;
    map.rows = map.cols = system.n;
    map.cells.assign(system.a.begin(), system.a.end());
    double most = 0;
    for (const double x : system.a)
        most = std::max(most, std::abs(x));
    map.valueMinimum = -most;
    map.valueMaximum = most;
    run.put({"a", "A", nameOf(measure),
             "How each state drives the others, x' = Ax + Bu (LegS: over t). Row n, column k: what state k adds to "
             "state n in a unit of time. **Counted** from the published formulas, in double precision.",
             Figure::Place::Support, std::move(map)});
    Series bars;
    bars.x = axis("state");
    bars.y = axis("B");
    std::vector<double> states;
    for (int64_t i = 0; i < system.n; ++i)
        states.push_back(static_cast<double>(i));
    bars.curves.push_back(line("b", "B", states, system.b));
    bars.curves.back().style = system.n > 64 ? Curve::Style::Points : Curve::Style::Bars;
    run.put({"b", "B", nameOf(measure), "How the input drives each state. **Counted.**", Figure::Place::Support,
             std::move(bars)});
}

void putBasis(Run& run, Measure measure, const System& system, double theta) {
    const double end = measure == Measure::LegS ? 4 : measure == Measure::LagT ? 16 * theta : 1.5 * theta;
    System step{system.n, system.a, system.b};
    for (double& x : step.a)
        x *= end / pointsOfAFunction;
    step.a = algebra::exponential(step.a, system.n);
    const int64_t shown = std::min(shownFunctions, system.n);
    std::vector<double> times, x = system.b, next(x.size());
    std::vector<std::vector<double>> values(static_cast<size_t>(shown));
    for (int64_t i = 0; i <= pointsOfAFunction; ++i) {
        run.checkCancelled();
        times.push_back(end * static_cast<double>(i) / pointsOfAFunction);
        for (size_t k = 0; k < values.size(); ++k)
            values[k].push_back(x[k]);
        for (size_t n = 0; n < x.size(); ++n) {
            next[n] = 0;
            for (size_t k = 0; k < x.size(); ++k)
                next[n] += step.a[n * x.size() + k] * x[k];
        }
        x.swap(next);
    }
    Series series;
    series.x = axis(measure == Measure::LegS ? "age, in log-time" : "age");
    series.y = axis("state");
    for (int64_t k = 0; k < shown; ++k)
        if (!warplight::ssm::isIdle(measure, k))
            series.curves.push_back(
                line(fmt::format("basis{}", k), fmt::format("state {}", k), times, values[static_cast<size_t>(k)]));
    run.put(
        {"basis", "Basis functions", fmt::format("eᵗᴬB of the first {} states", shown),
         "What a unit impulse has become in each state after t: the functions of the past that the states weigh the "
         "signal with. Of LegS, whose x' is over t, they are those of S4, which leaves 1/t out: Legendre "
         "polynomials of e⁻ᵗ. A window of finite N ends softly. **Counted.**",
         Figure::Place::Support, std::move(series)});
}

void putKernels(Run& run, std::span<const NamedLayer> layers, int64_t length, double step) {
    Series kernels, spectra;
    kernels.x = axis("age, steps");
    kernels.y = axis("K");
    spectra.x = axis("frequency, cycles a step", "", Scale::Log10);
    spectra.y = axis("|K̂|", "", Scale::Log10);
    std::vector<double> ages;
    for (int64_t i = 0; i < length; ++i)
        ages.push_back(static_cast<double>(i));
    for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer) { // the first lies on top
        const NamedLayer& named = *layer;
        run.checkCancelled();
        const std::vector<double> kernel = named.layer.kernel(length, run.cancelToken());
        const std::vector<double> sizes = algebra::magnitudes(kernel, 2 * length);
        std::vector<double> frequencies, heights;
        const double bins = 2 * static_cast<double>(sizes.size() - 1);
        // Without that of a constant, which a logarithmic axis has no place for; each point a hundredth further.
        double next = 0;
        for (size_t i = 1; i < sizes.size(); ++i)
            if (const auto at = static_cast<double>(i); (at >= next || i + 1 == sizes.size()) && sizes[i] > 0) {
                frequencies.push_back(at / bins);
                heights.push_back(sizes[i]);
                next = at * 1.01;
            }
        kernels.curves.push_back(line(named.name, named.title, ages, kernel));
        spectra.curves.push_back(line(named.name, named.title, std::move(frequencies), std::move(heights)));
    }
    run.put({"kernels", "Convolution kernels", fmt::format("{} steps of Δ = {}", length, step),
             "K_l = C Ā^l B̄: what an input is worth l steps later. S4 by the diagonal less rank one, S4D by powers of "
             "its diagonal. S4D-LegS has the weights of S4 in its own coordinates and B halved: it comes to the same "
             "as N grows. **Counted**, in double precision.",
             Figure::Place::Support, std::move(kernels)});
    run.put({"spectra", "Spectra of the kernels", "size by frequency",
             "The Fourier transform of K, zeros added to twice its length. **Counted.**", Figure::Place::Support,
             std::move(spectra)});
}

double solveFlops(int64_t n, int64_t length) {
    return 8.0 / 3 * static_cast<double>(n * n * n) * static_cast<double>(length) / 2;
}

void putRoads(Run& run, const S4Layer& layer, int64_t length) {
    Table table;
    table.columns = {{"road", "Road", "", false, {}, ""},
                     {"time", "Time", "s", true, Provenance::Measured, "{:.2g}"},
                     {"off", "Off by", "", true, Provenance::Counted, "{:.1e}"}};
    std::vector<double> right;
    double most = 0;
    const auto add = [&](const char* name, const std::function<std::vector<double>()>& road) {
        run.checkCancelled();
        std::vector<double> kernel;
        const double seconds = workbench::timeRepeatedly([&] { kernel = road(); }, 0.02).median;
        if (right.empty())
            right = kernel;
        double off = 0;
        for (size_t i = 0; i < kernel.size(); ++i) {
            off = std::max(off, std::abs(kernel[i] - right[i]));
            most = std::max(most, std::abs(right[i]));
        }
        table.rows.push_back({std::string(name), seconds, most > 0 ? off / most : off});
    };
    const int64_t n = layer.dense.n;
    add("direct powers of Ā", [&] { return kernelByPowers(layer.dense, layer.c, length, run.cancelToken()); });
    if (solveFlops(n, length) <= solvesInReach)
        add("generating function, a solve a root",
            [&] { return kernelByGeneratingFunction(layer.dense, layer.c, length, run.cancelToken()); });
    if (layer.rule == warplight::ssm::Rule::Bilinear) {
        warplight::ssm::Dplr legs;
        add("diagonal less rank one: take apart", [&] {
            legs = warplight::ssm::legsDplr(n);
            return right;
        });
        add("Woodbury, Cauchy, inverse FFT",
            [&] { return kernelByDplr(legs, layer.c, layer.step, length, run.cancelToken()); });
    }
    run.put({"roads", "Roads to the kernel of S4", fmt::format("N = {}, {} steps, double precision", n, length),
             "Times are **measured** on this machine. Off by: the largest difference to direct powers over the largest "
             "number of K, **counted**. The generating function is left out where it would take minutes.",
             Figure::Place::Support, std::move(table)});
}

} // namespace warplight::labs::ssm
