// SPDX-License-Identifier: GPL-3.0-or-later
// A gated attention unit between normalisation and the residual stream, forward and backward (Hua et al. 2022).
#include "core/model/gated_unit.h"

#include "core/cpu/gau/backward.h"
#include "core/cpu/gau/kernels.h"
#include "core/cpu/gau/mixing.h"
#include "core/model/kernels.h"
#include "core/model/layers.h"
#include "core/model/network.h"
#include "core/model/spread.h"

#include <cstddef>

namespace warplight::model {
namespace {

/// Where a unit's activations stand among the names of Activations::views().
enum UnitName { Norm, U, V, Z, Gate, Values, Base, Mixed, Gated, Out };

/// y = silu(x), z = x ∘ gate and so on, some thousand numbers a piece.
template <class Work>
void inNumbers(int64_t count, const RunOptions& options, const Work& work) {
    constexpr int64_t piece = 1 << 14;
    inPieces(count, piece, options, [&](int64_t begin, int64_t end) { work(begin, end - begin); });
}

void addInto(int64_t count, const float* x, float* y, const RunOptions& options) {
    inNumbers(count, options, [&](int64_t at, int64_t n) { modelKernels().add(y + at, x + at, y + at, n); });
}

} // namespace

cpu::GauShape unitShape(const Config& c, int64_t batch, int64_t length) {
    cpu::GauShape p;
    p.batch = batch;
    p.length = length;
    p.features = c.features;
    p.expanded = c.hidden;
    p.shared = c.shared;
    p.function = cpu::GauFunction::Relu2Root;
    p.causal = p.seenKeys = true;
    return p;
}

void Network::passUnit(int64_t layer, const float* in, const RunOptions& options) {
    const int64_t rows = all.rows(), features = config.features, wide = rows * config.hidden;
    const auto w = unitOf(model.layout, model.weights, layer);
    const UnitActivations& a = all.units[static_cast<size_t>(layer)];
    const cpu::GauKernels& kernel = cpu::gauKernels();
    const float epsilon = static_cast<float>(config.epsilon);
    normalise({rows, features, epsilon, w.norm, w.normBias, a.means, a.scales}, in, a.norm, options);
    stored(a.norm, rows * features, options);
    operand(a.norm, rows * features, options);
    const auto project = [&](int64_t out, const float* weight, float* made, float* activated) {
        multiply({rows, features, out}, a.norm, weight, made, options);
        stored(made, rows * out, options);
        inNumbers(rows * out, options, [&](int64_t at, int64_t n) { kernel.silu(made + at, activated + at, n); });
        stored(activated, rows * out, options);
    };
    project(config.hidden, w.u, a.u, a.gate);
    project(config.hidden, w.v, a.v, a.values);
    project(config.shared, w.z, a.z, a.base);
    const cpu::GauShape shape = unitShape(config, all.batch, all.length);
    cpu::mixTokens(cpu::GauScores::InTiles, {shape, a.base, w.gamma, w.beta, a.values, nullptr, a.mixed},
                   worth(options, wide * all.length));
    stored(a.mixed, wide, options);
    inNumbers(wide, options,
              [&](int64_t at, int64_t n) { kernel.multiply(a.mixed + at, a.gate + at, a.gated + at, n); });
    stored(a.gated, wide, options);
    operand(a.gated, wide, options);
    multiply({rows, config.hidden, features}, a.gated, w.out, all.wide, options);
    inNumbers(rows * features, options, [&](int64_t at, int64_t n) { // where nothing is learned, `in` is `a.out`
        modelKernels().add(all.wide + at, in + at, a.out + at, n);
    });
    stored(a.out, rows * features, options);
}

void Network::unitBackward(int64_t layer, ParameterBuffer& gradients, const RunOptions& options,
                           const GradientSeen& seen) {
    const int64_t rows = all.rows(), features = config.features, e = config.hidden, s = config.shared;
    const auto w = unitOf(model.layout, model.weights, layer);
    const auto d = unitOf(model.layout, gradients, layer);
    const UnitActivations& a = all.units[static_cast<size_t>(layer)];
    const cpu::GauKernels& kernel = cpu::gauKernels();
    made(layer, Out, all.stream, options, seen);
    const float* dOut = gradientOperand(all.stream, all.branch, rows * features, options);
    multiplyBackward({rows, e, features}, a.gated, w.out, dOut, d.out, all.dV, options);
    made(layer, Gated, all.dV, options, seen);
    inNumbers(rows * e, options, [&](int64_t at, int64_t n) {
        kernel.multiply(all.dV + at, a.mixed + at, all.dU + at, n);
        kernel.multiply(all.dV + at, a.gate + at, all.wide + at, n);
    });
    made(layer, Mixed, all.wide, options, seen);
    made(layer, Gate, all.dU, options, seen);
    const cpu::GauShape shape = unitShape(config, all.batch, all.length);
    cpu::gauBackward({shape, a.base, w.gamma, w.beta, a.values, nullptr, nullptr},
                     {all.wide, all.dV, all.dZ, d.gamma, d.beta}, worth(options, rows * e * all.length));
    made(layer, Values, all.dV, options, seen);
    made(layer, Base, all.dZ, options, seen);
    const auto project = [&](int64_t out, int name, const float* x, float* dx, const float* weight, float* dWeight) {
        inNumbers(rows * out, options, [&](int64_t at, int64_t n) { kernel.siluBackward(x + at, dx + at, n); });
        made(layer, name, dx, options, seen);
        gradientOperand(dx, dx, rows * out, options);
        const bool first = name == U;
        multiplyBackward({rows, features, out}, a.norm, weight, dx, dWeight, first ? all.branch : all.wide, options);
        if (!first)
            addInto(rows * features, all.wide, all.branch, options);
    };
    project(e, U, a.u, all.dU, w.u, d.u);
    project(e, V, a.v, all.dV, w.v, d.v);
    project(s, Z, a.z, all.dZ, w.z, d.z);
    made(layer, Norm, all.branch, options, seen);
    normaliseBackward({rows, features, 0, w.norm, w.normBias, a.means, a.scales}, blockInput(layer), all.branch,
                      all.stream, d.norm, d.normBias, options);
}

} // namespace warplight::model
