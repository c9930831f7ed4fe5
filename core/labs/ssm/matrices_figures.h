// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/run.h"
#include "core/ssm/s4_layer.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace warplight::labs::ssm {

/// Figures of the page "Matrices and kernels".

/// A as a map, B as bars.
void putMatrices(lab::Run& run, warplight::ssm::Measure measure, const warplight::ssm::System& system);
/// e^(tA) B of the first states: what a unit impulse has become after t.
void putBasis(lab::Run& run, warplight::ssm::Measure measure, const warplight::ssm::System& system, double theta);

/// A layer under its name.
struct NamedLayer {
    std::string name, title;
    warplight::ssm::S4Layer layer;
};
/// K of each layer and its spectrum.
void putKernels(lab::Run& run, std::span<const NamedLayer> layers, int64_t length, double step);
/// The kernel of a dense layer by each road: how long it takes and how far it is off the first.
void putRoads(lab::Run& run, const warplight::ssm::S4Layer& layer, int64_t length);
/// Recurrence and convolution of a signal, each in several types, against the recurrence in f64.
void putDrift(lab::Run& run, const NamedLayer& layer, std::span<const double> u);

/// Solves that putRoads() does for the generating function: beyond it leaves that road out.
constexpr double solvesInReach = 4e9;
double solveFlops(int64_t n, int64_t length);

} // namespace warplight::labs::ssm
