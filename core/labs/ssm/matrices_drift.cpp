// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/algebra/fourier.h"
#include "core/cpu/workspace.h"
#include "core/lab/headline.h"
#include "core/labs/ssm/matrices_figures.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <span>
#include <utility>
#include <vector>

namespace warplight::labs::ssm {
namespace {

using namespace lab;
using number::Format;

constexpr double pointsAnOctave = 4;

/// y = K * u with numbers of type T.
template <class T>
std::vector<double> convolved(std::span<const double> kernel, std::span<const double> u) {
    const algebra::CausalConvolution<T> convolution(static_cast<int64_t>(u.size()));
    const std::vector<T> k(kernel.begin(), kernel.end()), in(u.begin(), u.end());
    std::vector<T> y(u.size());
    cpu::Workspace workspace;
    convolution.apply(k.data(), in.data(), y.data(), workspace.take<T>(convolution.scratch()));
    return {y.begin(), y.end()};
}

struct Drift {
    std::vector<double> steps, errors; ///< largest since the point before, relative to the largest output
    double largest = 0;
};

Drift driftOf(const std::vector<double>& y, const std::vector<double>& right) {
    double scale = 0;
    for (const double x : right)
        scale = std::max(scale, std::abs(x));
    Drift drift;
    double end = 1, most = 0;
    for (size_t i = 0; i < y.size(); ++i) {
        const double off = scale > 0 ? std::abs(y[i] - right[i]) / scale : std::abs(y[i] - right[i]);
        most = std::isnan(off) ? off : std::max(most, off);
        drift.largest = std::max(drift.largest, off);
        if (static_cast<double>(i + 1) >= end || i + 1 == y.size()) {
            drift.steps.push_back(static_cast<double>(i + 1));
            drift.errors.push_back(std::max(most, 1e-18)); // a logarithmic axis has no place for none
            most = 0;
            end = std::max(end * std::exp2(1 / pointsAnOctave), static_cast<double>(i + 2));
        }
    }
    return drift;
}

} // namespace

void putDrift(Run& run, const NamedLayer& named, std::span<const double> u) {
    const auto steps = static_cast<int64_t>(u.size());
    run.progress(0.4, fmt::format("{} steps in f64", steps));
    const std::vector<double> right = recurrentIn(Format::F64, named.layer, u, run.cancelToken());
    Series series;
    series.x = {"step", "", Scale::Log10, {}, {}, {}, false};
    series.y = {"error", "", Scale::Log10, {}, {}, {}, false};
    const auto add = [&](const char* id, const char* label, const std::vector<double>& y) {
        const Drift drift = driftOf(y, right);
        Curve c;
        c.id = c.colourKey = id;
        c.label = label;
        c.provenance = Provenance::Counted;
        c.style = Curve::Style::Line;
        c.x = drift.steps;
        c.y = drift.errors;
        series.curves.push_back(std::move(c));
        return drift.largest;
    };
    double stored[3]{};
    const struct {
        Format format;
        const char *id, *label;
    } types[] = {{Format::BF16, "bf16", "recurrence, state in BF16"},
                 {Format::F16, "f16", "recurrence, state in FP16"},
                 {Format::F32, "f32", "recurrence, FP32"}};
    for (size_t i = 0; i < 3; ++i) {
        run.progress(0.5 + 0.1 * static_cast<double>(i), types[i].label);
        stored[i] = add(types[i].id, types[i].label, recurrentIn(types[i].format, named.layer, u, run.cancelToken()));
    }
    run.progress(0.8, "convolutions");
    const std::vector<double> kernel = named.layer.kernel(steps, run.cancelToken());
    run.checkCancelled();
    add("s4.fft32", "convolution, FP32", convolved<float>(kernel, u));
    run.checkCancelled();
    const double apart = add("f64", "convolution, FP64", convolved<double>(kernel, u));
    run.put({"drift", "Recurrence and convolution drift apart",
             fmt::format("{}, {} steps of noise; against the recurrence in FP64", named.title, steps),
             "The largest difference of outputs since the point before, relative to the largest output. FP32: Ā, B̄, C "
             "and state; BF16 and FP16: the state is rounded after each step, all else FP32. The convolution has its "
             "kernel made in FP64 and is done by FFT. A stable system forgets its errors: they reach a level instead "
             "of growing. **Counted.**",
             Figure::Place::Support, std::move(series)});
    putHeadline(run, "apart", apart, "", "{:.1e}", "between recurrence and convolution in FP64");
    putHeadline(run, "off32", stored[2], "", "{:.1e}", fmt::format("off in FP32 after {} steps", steps));
    putHeadline(run, "off16", stored[0], "", "{:.1e}", "off with a state in BF16");
}

} // namespace warplight::labs::ssm
