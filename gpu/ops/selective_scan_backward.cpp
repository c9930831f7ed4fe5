// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/ops/selective_scan_backward.h"

#include "gpu/host/memory_budget.h"
#include "gpu/ops/device_matrix.h"
#include "gpu/ops/kernel_problem.h"

#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace warplight::gpu {
namespace {

/// BackwardProblem of gpu/kernels/selective_scan_backward.cu.
struct KernelBackward {
    uint64_t u = 0, delta = 0, a = 0, b = 0, c = 0, dy = 0, d = 0, z = 0, bias = 0, first = 0;
    uint64_t du = 0, ddelta = 0, dz = 0, states = 0, ofA = 0, ofB = 0, ofC = 0, ofD = 0, ofBias = 0;
    int32_t dim = 0, len = 0, state = 0, groups = 0, softplus = 0, unused = 0;
};
static_assert(sizeof(KernelBackward) == 176);

constexpr const char* family = "selective_scan_backward";
constexpr int64_t bundle = 4, chunkSteps = 512, shortLength = 128, tileNumbers = 256;

double real(int64_t x) { return static_cast<double>(x); }
bool isEmpty(const SelectiveShape& s) { return s.batch == 0 || s.length == 0; }
int64_t blocksOfGroup(const SelectiveShape& s) { return ceilDiv(s.dim / s.groups, bundle); }
int64_t chunksOf(const SelectiveShape& s) { return ceilDiv(s.length, chunkSteps); }

/// An input, whose gradient is like it. `rows`: of [rows, columns].
struct Input {
    const char* name;
    const float* SelectiveTensors::*values;
    std::vector<float> SelectiveGradients::*gradient; ///< null: none
    uint64_t KernelBackward::*given;
    uint64_t KernelBackward::*made; ///< what selective_backward writes; null: nothing
    int64_t rows, columns;
    int64_t outer = 1, parts = 1; ///< rows of [outer, rows / outer, columns] that are sums of so many parts
    bool there = true;
};
std::vector<Input> inputsOf(const SelectiveShape& s) {
    using T = SelectiveTensors;
    using G = SelectiveGradients;
    using K = KernelBackward;
    const int64_t groups = s.batch * s.groups, blocks = blocksOfGroup(s), channels = s.channels();
    std::vector<Input> all{{"u", &T::u, &G::du, &K::u, &K::du, channels, s.length},
                           {"delta", &T::delta, &G::ddelta, &K::delta, &K::ddelta, channels, s.length},
                           {"A", &T::a, &G::da, &K::a, &K::ofA, s.dim, s.state, 1, s.batch},
                           {"B", &T::b, &G::db, &K::b, &K::ofB, groups * s.state, s.length, groups, blocks},
                           {"C", &T::c, &G::dc, &K::c, &K::ofC, groups * s.state, s.length, groups, blocks},
                           {"D", &T::d, &G::dd, &K::d, &K::ofD, 1, s.dim, 1, s.batch, s.skip},
                           {"z", &T::z, &G::dz, &K::z, &K::dz, channels, s.length, 1, 1, s.gate},
                           {"delta-bias", &T::bias, &G::dbias, &K::bias, &K::ofBias, 1, s.dim, 1, s.batch, s.bias},
                           {"state", &T::first, nullptr, &K::first, nullptr, channels, s.state, 1, 1, s.first}};
    std::erase_if(all, [](const Input& x) { return !x.there; });
    return all;
}

std::string gradientName(const Input& x) { return std::string("d") + x.name; }
std::string partsName(const Input& x) { return gradientName(x) + "-parts"; }
bool isSum(const Input& x) { return x.gradient && x.parts > 1; }

} // namespace

SelectiveGradients selectiveScanBackward(KernelLibrary& library, const SelectiveShape& s, const SelectiveTensors& t,
                                         const float* dy, const LaunchOptions& options) {
    checkShape(s);
    Launcher launcher(library, options);
    SelectiveGradients result;
    const std::vector<Input> inputs = inputsOf(s);
    if (isEmpty(s)) {
        for (const Input& x : inputs)
            if (x.gradient)
                (result.*x.gradient).assign(static_cast<size_t>(x.rows * x.columns), 0.0f);
        return result;
    }
    std::deque<DeviceMatrix> held;
    const auto matrix = [&](const std::string& name, int64_t rows, int64_t columns) -> DeviceMatrix& {
        return held.emplace_back(launcher.device(), name, rows, columns, number::Format::F32);
    };
    const auto sent = [&](const char* name, int64_t rows, int64_t columns, const float* from) {
        DeviceMatrix& to = matrix(name, rows, columns);
        to.upload(from, options.cancel);
        return to.address();
    };
    KernelBackward p;
    p.dim = static_cast<int32_t>(s.dim), p.len = static_cast<int32_t>(s.length);
    p.state = static_cast<int32_t>(s.state), p.groups = static_cast<int32_t>(s.groups);
    p.softplus = s.softplus;
    p.dy = sent("dY", s.channels(), s.length, dy);
    if (const int64_t kept = chunksOf(s) - 1; kept > 0)
        p.states = launcher.temporary(4 * s.channels() * kept * s.state, "states").address();
    struct Made {
        const Input* of;
        const DeviceMatrix* to;
    };
    std::vector<Made> made;
    for (const Input& x : inputs) {
        p.*x.given = sent(x.name, x.rows, x.columns, t.*x.values);
        if (!x.gradient)
            continue;
        const DeviceMatrix& to = matrix(gradientName(x), x.rows, x.columns);
        p.*x.made =
            isSum(x) ? launcher.temporary(4 * x.rows * x.columns * x.parts, partsName(x)).address() : to.address();
        made.push_back({&x, &to});
    }
    const bool isShort = s.length <= shortLength;
    launcher.start(family, isShort ? "selective_backward_short" : "selective_backward",
                   {static_cast<uint32_t>(s.groups * blocksOfGroup(s)), static_cast<uint32_t>(s.batch)},
                   {isShort ? 32u : 128u}, 0, {p});
    for (const auto& [x, to] : made)
        if (isSum(*x)) {
            const int64_t numbers = x->rows * x->columns / x->outer;
            const Extent grid = x->outer == 1 ? Extent{ceilDiv(numbers, tileNumbers)}
                                              : Extent{ceilDiv(numbers, tileNumbers), static_cast<uint32_t>(s.groups),
                                                       static_cast<uint32_t>(s.batch)};
            launcher.start(family, "selective_backward_sum", grid, {tileNumbers}, 0,
                           {p.*x->made, to->address(), numbers, static_cast<int32_t>(x->parts)});
        }
    static_cast<Launched&>(result) = launcher.finish();
    for (const auto& [x, to] : made)
        result.*x->gradient = to->download(options.cancel);
    return result;
}

TensorTraffic algorithmicBackwardTraffic(const SelectiveShape& s) {
    if (isEmpty(s))
        return {};
    const int64_t before = (chunksOf(s) - 1) * chunkSteps; // steps that are gone through forwards
    const double channels = real(s.channels()), rows = channels * real(s.length), again = channels * real(before),
                 blocks = real(s.batch * s.groups * blocksOfGroup(s)) * real(s.state);
    TensorTraffic t;
    t["u"].read = t["delta"].read = rows + again;
    t["A"].read = channels * real(s.state);
    t["B"].read = blocks * real(s.length + before);
    t["C"].read = blocks * real(s.length);
    t["D"].read = s.skip ? channels : 0;
    t["z"].read = s.gate ? 2 * rows : 0;
    t["dY"].read = s.gate ? 2 * rows : rows; // dz needs what was read of the states
    t["delta-bias"].read = s.bias ? channels : 0;
    t["state"].read = s.first ? channels * real(s.state) * (before > 0 ? 2 : 1) : 0;
    const double kept = channels * real(s.state) * real(chunksOf(s) - 1);
    t["states"] = {kept, kept};
    for (const Input& x : inputsOf(s))
        if (x.gradient) {
            const double numbers = real(x.rows) * real(x.columns), all = numbers * real(x.parts);
            t[gradientName(x)].written = numbers;
            if (isSum(x))
                t[partsName(x)] = {all, all};
        }
    for (auto& [tensor, bytes] : t)
        bytes = {4 * bytes.read, 4 * bytes.written};
    return withoutEmpty(t);
}

int64_t backwardDeviceBytes(const SelectiveShape& s) {
    if (isEmpty(s))
        return 0;
    int64_t numbers = saturatedProduct(s.channels(), saturatedSum(s.length, (chunksOf(s) - 1) * s.state));
    for (const Input& x : inputsOf(s)) {
        const int64_t each = saturatedProduct(x.rows, x.columns);
        numbers = saturatedSum(numbers, saturatedProduct(each, (x.gradient ? 2 : 1) + (isSum(x) ? x.parts : 0)));
    }
    return saturatedProduct(4, numbers);
}

} // namespace warplight::gpu
