// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/ops/selective_scan.h"

#include "gpu/error.h"
#include "gpu/host/memory_budget.h"
#include "gpu/ops/device_matrix.h"
#include "gpu/ops/kernel_problem.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <fmt/format.h>
#include <string>
#include <utility>
#include <vector>

namespace warplight::gpu {
namespace {

constexpr SelectiveRungInfo rungs[] = {
    {SelectiveRung::Unfused, "unfused", "Decays, inputs and all states in memory",
     "Three kernels as a framework has them: what each step does to each state, the scan of that, and what C reads."},
    {SelectiveRung::Fused, "fused", "A block a channel, states on the chip",
     "Threads make what their steps do to a state in registers and join that by a scan; no state goes to memory, but "
     "each channel reads B and C again."}};

/// SelectiveProblem of gpu/kernels/selective_scan.cu.
struct KernelSelective {
    uint64_t u = 0, delta = 0, a = 0, b = 0, c = 0, d = 0, z = 0, bias = 0, first = 0, y = 0, last = 0;
    int32_t dim = 0, len = 0, state = 0, groups = 0, softplus = 0, unused = 0;
};
static_assert(sizeof(KernelSelective) == 112);

constexpr const char* family = "selective_scan";
constexpr int64_t mostStates = 256, tileSteps = 256, shortLength = 128, mostGrid = 65535;

double real(int64_t x) { return static_cast<double>(x); }

/// Numbers of each tensor that there is, under its buffer's name.
struct NamedSize {
    const char* name;
    int64_t rows, columns;
};
std::vector<NamedSize> inputsOf(const SelectiveShape& s) {
    const int64_t groups = s.batch * s.groups * s.state;
    std::vector<NamedSize> all{{"u", s.channels(), s.length},
                               {"delta", s.channels(), s.length},
                               {"A", s.dim, s.state},
                               {"B", groups, s.length},
                               {"C", groups, s.length}};
    if (s.skip)
        all.push_back({"D", 1, s.dim});
    if (s.gate)
        all.push_back({"z", s.channels(), s.length});
    if (s.bias)
        all.push_back({"delta-bias", 1, s.dim});
    if (s.first)
        all.push_back({"state", s.channels(), s.state});
    return all;
}

bool isEmpty(const SelectiveShape& s) { return s.batch == 0 || s.length == 0; }

} // namespace

std::span<const SelectiveRungInfo> selectiveRungs() { return rungs; }

void checkShape(const SelectiveShape& s) {
    if (s.batch < 0 || s.length < 0 || s.dim < 1 || s.state < 1 || s.groups < 1 || s.dim % s.groups != 0)
        throw InputError(
            fmt::format("selective scan: batch {}, dim {}, length {}, {} states and {} groups, expected at "
                        "least 0, 1, 0, 1 and a divisor of dim",
                        s.batch, s.dim, s.length, s.state, s.groups));
    if (s.state > mostStates)
        throw InputError(fmt::format("selective scan: state is {}, expected at most {}", s.state, mostStates));
    if (s.batch > mostGrid || s.dim > mostGrid || s.length > INT32_MAX - 4096)
        throw InputError(fmt::format("selective scan: batch {}, dim {} and length {} are too many for one launch",
                                     s.batch, s.dim, s.length));
}

SelectiveRun selectiveScan(KernelLibrary& library, SelectiveRung rung, const SelectiveShape& s,
                           const SelectiveTensors& t, const LaunchOptions& options) {
    checkShape(s);
    Launcher launcher(library, options);
    SelectiveRun result;
    if (isEmpty(s)) {
        result.last.assign(static_cast<size_t>(s.channels() * s.state), 0.0f);
        if (s.first)
            std::copy_n(t.first, result.last.size(), result.last.begin());
        return result;
    }
    std::deque<DeviceMatrix> held;
    const auto matrix = [&](const char* name, int64_t rows, int64_t columns) -> DeviceMatrix& {
        return held.emplace_back(launcher.device(), name, rows, columns, number::Format::F32);
    };
    const auto sent = [&](const std::string& name, const float* from) -> uint64_t {
        for (const NamedSize& input : inputsOf(s))
            if (input.name == name) {
                DeviceMatrix& to = matrix(input.name, input.rows, input.columns);
                to.upload(from, options.cancel);
                return to.address();
            }
        return 0;
    };
    const DeviceMatrix &y = matrix("Y", s.channels(), s.length), &last = matrix("last-state", s.channels(), s.state);
    KernelSelective p;
    p.u = sent("u", t.u), p.delta = sent("delta", t.delta);
    p.a = sent("A", t.a), p.b = sent("B", t.b), p.c = sent("C", t.c);
    p.d = sent("D", t.d), p.z = sent("z", t.z), p.bias = sent("delta-bias", t.bias), p.first = sent("state", t.first);
    p.y = y.address(), p.last = last.address();
    p.dim = static_cast<int32_t>(s.dim), p.len = static_cast<int32_t>(s.length);
    p.state = static_cast<int32_t>(s.state), p.groups = static_cast<int32_t>(s.groups);
    p.softplus = s.softplus;
    const auto dim = static_cast<uint32_t>(s.dim), batch = static_cast<uint32_t>(s.batch);
    if (rung == SelectiveRung::Fused) {
        const bool isShort = s.length <= shortLength;
        launcher.start(family, isShort ? "selective_fused_short" : "selective_fused", {dim, batch},
                       {isShort ? 32u : 128u}, 0, {p});
    } else {
        const auto between = [&](const char* name) {
            return launcher.temporary(4 * s.channels() * s.state * s.length, name).address();
        };
        const uint64_t decays = between("decays"), added = between("added"), states = between("states");
        const Extent tiles{ceilDiv(s.length, tileSteps), dim, batch};
        launcher.start(family, "selective_terms", tiles, {256}, 0, {p, decays, added});
        launcher.start(family, "selective_states", {static_cast<uint32_t>(s.state), dim, batch}, {32}, 0,
                       {p, decays, added, states});
        launcher.start(family, "selective_read", tiles, {256}, 0, {p, states});
    }
    static_cast<Launched&>(result) = launcher.finish();
    result.y = y.download(options.cancel);
    result.last = last.download(options.cancel);
    return result;
}

TensorTraffic algorithmicTraffic(SelectiveRung rung, const SelectiveShape& s) {
    if (isEmpty(s))
        return {};
    const double channels = real(s.channels()), rows = channels * real(s.length), states = channels * real(s.state),
                 all = rows * real(s.state);
    const bool unfused = rung == SelectiveRung::Unfused;
    const double blocks = unfused ? real(ceilDiv(s.length, tileSteps)) : 1; // of a channel
    TensorTraffic t;
    t["u"].read = unfused && s.skip ? 2 * rows : rows;
    t["delta"].read = rows;
    t["A"].read = states * blocks;
    t["B"].read = t["C"].read = all; // each channel reads its group's
    t["D"].read = s.skip ? channels * blocks : 0;
    t["z"].read = s.gate ? rows : 0;
    t["delta-bias"].read = s.bias ? channels * blocks : 0;
    t["state"].read = s.first ? states : 0;
    t["Y"].written = rows;
    t["last-state"].written = states;
    if (unfused)
        t["decays"] = t["added"] = t["states"] = {all, all};
    for (auto& [tensor, bytes] : t)
        bytes = {4 * bytes.read, 4 * bytes.written};
    return withoutEmpty(t);
}

int64_t deviceBytes(SelectiveRung rung, const SelectiveShape& s) {
    if (isEmpty(s))
        return 0;
    int64_t numbers = 0;
    const auto add = [&](int64_t rows, int64_t columns) {
        numbers = saturatedSum(numbers, saturatedProduct(rows, columns));
    };
    for (const NamedSize& input : inputsOf(s))
        add(input.rows, input.columns);
    add(s.channels(), s.length);
    add(s.channels(), s.state);
    if (rung == SelectiveRung::Unfused)
        add(3 * s.channels(), saturatedProduct(s.state, s.length));
    return saturatedProduct(4, numbers);
}

} // namespace warplight::gpu
