// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/ssm/memory.h"

#include <algorithm>
#include <cstddef>

namespace warplight::ssm {

Memory::Memory(const MemorySettings& settings) : given(settings) {
    const System system = hippo(given.measure, given.n, given.theta);
    c.resize(static_cast<size_t>(given.n));
    if (given.measure == Measure::LegS) {
        legs.emplace(given.n, given.rule);
        return;
    }
    const System stepped = discretise(system, given.rule, given.step);
    const auto n = static_cast<size_t>(given.n);
    columns.resize(n * n);
    for (size_t i = 0; i < n; ++i)
        for (size_t k = 0; k < n; ++k)
            columns[k * n + i] = stepped.a[i * n + k];
    b = stepped.b;
    next.resize(n);
}

void Memory::push(double u) {
    if (legs) {
        legs->step(count++, u, c);
        return;
    }
    const size_t n = c.size();
    for (size_t i = 0; i < n; ++i)
        next[i] = b[i] * u;
    size_t k = 0;
    for (; k + 4 <= n; k += 4) { // four at a time: next is read and written once for them
        const double *a0 = columns.data() + k * n, *a1 = a0 + n, *a2 = a1 + n, *a3 = a2 + n;
        const double c0 = c[k], c1 = c[k + 1], c2 = c[k + 2], c3 = c[k + 3];
        double* out = next.data();
        for (size_t i = 0; i < n; ++i)
            out[i] += (c0 * a0[i] + c1 * a1[i]) + (c2 * a2[i] + c3 * a3[i]);
    }
    for (; k < n; ++k)
        for (size_t i = 0; i < n; ++i)
            next[i] += c[k] * columns[k * n + i];
    c.swap(next);
    ++count;
}

void Memory::push(std::span<const float> samples) {
    for (const float u : samples)
        push(static_cast<double>(u));
}

void Memory::reset() {
    std::fill(c.begin(), c.end(), 0.0);
    count = 0;
}

double Memory::span() const {
    if (given.measure != Measure::LegS)
        return given.theta;
    const double ahead = given.rule == Rule::Bilinear                                   ? 0.5
                         : given.rule == Rule::BackwardEuler || given.rule == Rule::Zoh ? 1
                                                                                        : 0;
    return given.step * (static_cast<double>(count) + ahead);
}

std::vector<double> Memory::reconstruct(std::span<const double> ages) const {
    std::vector<double> positions(ages.begin(), ages.end()), values(ages.size());
    const double whole = span();
    for (double& p : positions)
        p = whole > 0 ? p / whole : 0;
    Basis(given.measure, given.n, positions).reconstruct(c, values);
    return values;
}

double Memory::nextStep() const { return given.measure == Measure::LegS ? legsStep(given.rule, count) : given.step; }

std::span<const std::complex<double>> Memory::continuousPoles() const {
    if (eigenvalues.empty())
        eigenvalues = poles(given.measure, given.n, given.theta);
    return eigenvalues;
}

std::vector<std::complex<double>> Memory::discretePoles() const {
    const auto from = continuousPoles();
    std::vector<std::complex<double>> to(from.size());
    const double length = nextStep();
    std::transform(from.begin(), from.end(), to.begin(),
                   [&](std::complex<double> pole) { return mapped(pole, given.rule, length); });
    return to;
}

} // namespace warplight::ssm
