// SPDX-License-Identifier: GPL-3.0-or-later
// Casts to smaller formats that take a loss scale off, as an operator.
#include "core/cpu/cast/cast.h"
#include "core/labs/precision/precision_lab.h"
#include "core/labs/precision/training_operators.h"
#include "core/tensor/random.h"
#include "core/workbench/knobs.h"
#include "gpu/number/float_format.h"
#include "gpu/ops/cast.h"

#include <atomic>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::precision {
namespace {

using lab::Parameter;
using number::Format;
using workbench::Implementation;
using workbench::Knob;
using workbench::Operator;
using workbench::Page;
using workbench::Problem;
using workbench::Tensors;
using workbench::TensorSpec;

float factorOf(const Problem& p) { return std::ldexp(1.0f, -static_cast<int>(p["power"])); }

cpu::CastProblem problemOf(const Problem& p, Tensors& t) {
    return {p["count"], t.at("x").values.data(), t.at("y").values.data(), t.at("found").values.data(), factorOf(p)};
}

Implementation to(Format format, std::string id, std::string title, std::string improves,
                  Implementation::Device device) {
    const auto colour = static_cast<int>(formatColours().at(number::name(format)));
    Implementation i = workbench::implementationOf(id, title, improves, device, colour);
    i.makes = format;
    // Half a unit of the last place of the largest number; what is subnormal errs by less.
    i.roundoff = [unit = number::floatFormat(number::name(format)).epsilon() / 2](const Problem&) { return unit; };
    if (format == Format::F16)
        i.breaksOn["large"] = "numbers beyond 65504 are infinite in f16";
    return i;
}

Implementation onCpu(Format format, std::string id, cpu::CastRung rung, std::string title, std::string improves) {
    Implementation i = to(format, std::move(id), std::move(title), std::move(improves), Implementation::Device::Cpu);
    i.bytes = [](const Problem& p) { // which stay f32 numbers
        const double numbers = 4 * p.real("count");
        return gpu::withoutEmpty({{"x", {numbers, 0}}, {"y", {0, numbers}}});
    };
    i.onCpu = [format, rung](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        return cpu::cast(rung, format, problemOf(p, t), how).extraBytes;
    };
    return i;
}

Implementation onGpu(Format format, std::string title, std::string improves) {
    Implementation i =
        to(format, number::name(format), std::move(title), std::move(improves), Implementation::Device::Gpu);
    i.architecture = gpu::architectureOfCast(format);
    i.chosen = i.architecture == 0;
    i.judged = true;
    i.heldBytes = [format](const Problem& p, int) { return gpu::castBytes(format, p["count"]); };
    i.bytes = [format](const Problem& p) { return gpu::castTraffic(format, p["count"]); };
    i.onGpu = [format](const Problem& p, Tensors& t, gpu::KernelLibrary& library,
                       const gpu::LaunchOptions& how) -> gpu::Launched {
        gpu::CastRun run = gpu::cast(library, format, p["count"], t.at("x").values.data(), factorOf(p), how);
        t.at("y").values = std::move(run.y);
        t.at("found").values = {run.found ? 1.0f : 0.0f};
        return gpu::Launched(std::move(run));
    };
    return i;
}

void fill(const Problem& p, const std::string& kind, uint64_t seed, Tensors& t, const std::atomic<bool>* cancel) {
    std::vector<float>& x = t.at("x").values;
    // As they are with the scale off.
    const float size = kind == "small" ? 0x1p-18f : kind == "large" ? 0x1p15f : 1.0f;
    tensor::fillGaussian(x, seed, 0, size / factorOf(p), cancel);
    if (kind == "infinite" && !x.empty()) {
        x[x.size() / 2] = std::numeric_limits<float>::infinity();
        x.back() = std::numeric_limits<float>::quiet_NaN();
    }
}

std::vector<Knob> knobs(Page page) {
    const bool large = page == Page::Race;
    const double most = large ? 1 << 28 : 1 << 22;
    Knob power = workbench::option(
        Parameter::integer("power", "Loss scale 2 to the", 16, -100, 100,
                           "Numbers come with this scale, which is taken off: PyTorch's begins at 2¹⁶."));
    power.symbol = "p";
    power.axis = "power of the loss scale";
    return {workbench::dimension(
                "count", "n", "numbers",
                Parameter::integer("count", "Numbers", large ? 1 << 20 : 1 << 14, 1, most, "How many are cast."),
                Parameter::sweep("counts", "Numbers",
                                 large ? std::vector<int64_t>{1 << 14, 1 << 16, 1 << 18, 1 << 20}
                                       : std::vector<int64_t>{1 << 12, 1 << 14, 1 << 16},
                                 1, most, "How many are cast, one a point."),
                1 << 14),
            power};
}

} // namespace

Operator castOperator() {
    Operator op;
    op.id = "cast";
    op.lab = "Precision";
    op.title = op.page = "Cast";
    op.formula = "y = round(x / scale)";
    op.flopsText = "1 a number";
    op.questions = {{Page::Race, "What does it cost to make numbers smaller, and to know that none overflowed?"},
                    {Page::Accuracy, "What does each format keep of numbers that are small, large, or none?"}};
    op.knobs = knobs;
    op.complete = [](Problem& p) { p.numbers["one"] = 1; };
    TensorSpec x{"x", TensorSpec::Role::Input, {"count"}, 0, "", "Numbers times the scale"};
    x.fixed = Format::F32;
    op.tensors = {x,
                  {"y", TensorSpec::Role::Output, {"count"}, 3, "", "Where the rounded numbers go"},
                  {"found", TensorSpec::Role::Statistic, {"one"}, 6, "", "Whether one of them is not finite", false}};
    op.inputKinds = {{"gaussian", "Gaussian", "normal numbers"},
                     {"small", "Small", "about 2⁻¹⁸: below the normal range of f16 and of 8 bits"},
                     {"large", "Large", "about 2¹⁵: some beyond the range of f16 and of 8 bits"},
                     {"infinite", "Not finite", "an infinity and a NaN among normal numbers"}};
    op.fill = fill;
    op.reference = [](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        cpu::cast(cpu::CastRung::Reference, Format::F32, problemOf(p, t), how);
    };
    op.usefulFlops = [](const Problem& p) { return p.real("count"); };
    op.inWords = [](const Problem& p) { return fmt::format("{} numbers, scale 2^{}", p["count"], p["power"]); };
    Parameter power = Parameter::integer("power", "Loss scale 2 to the", 0, -100, 100, "The scale is 2 to the power.");
    op.options = {power};
    op.lower = "count";
    Implementation reference =
        workbench::implementationOf("reference", "not rounded", "nothing: x / scale, by which the others are judged",
                                    Implementation::Device::Cpu, 4);
    reference.onCpu = [](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        return cpu::cast(cpu::CastRung::Reference, Format::F32, problemOf(p, t), how).extraBytes;
    };
    op.ladder.push_back(std::move(reference));
    Implementation plain = onCpu(Format::F16, "plain", cpu::CastRung::Plain, "to f16, a number after the other",
                                 "As a loop does it that looks at one number at a time.");
    plain.colour = 10;
    op.ladder.push_back(std::move(plain));
    const std::pair<Format, const char*> formats[] = {{Format::E5M2, "2 bits of fraction; beyond 57344 it saturates."},
                                                      {Format::E4M3, "3 bits of fraction; beyond 448 it saturates."},
                                                      {Format::BF16, "7 bits of fraction and the range of f32."},
                                                      {Format::F16, "10 bits of fraction; infinite beyond 65504."}};
    for (const auto& [format, improves] : formats)
        op.ladder.push_back(onCpu(format, number::name(format), cpu::CastRung::Vectorised,
                                  fmt::format("to {}, a vector at a time", number::name(format)), improves));
    for (const auto& [format, improves] : formats)
        op.ladder.push_back(onGpu(format, fmt::format("to {}, four numbers a thread", number::name(format)), improves));
    op.baseline = "plain";
    return op;
}

} // namespace warplight::labs::precision
