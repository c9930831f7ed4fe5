// SPDX-License-Identifier: GPL-3.0-or-later
// Softmax of rows, as an operator.
#include "core/cpu/softmax/softmax.h"
#include "core/labs/blocks/blocks_lab.h"
#include "core/tensor/random.h"
#include "core/workbench/knobs.h"
#include "gpu/ops/softmax.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <fmt/format.h>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace warplight::labs::blocks {
namespace {

using lab::Parameter;
using workbench::Implementation;
using workbench::Knob;
using workbench::Operator;
using workbench::Page;
using workbench::Problem;
using workbench::Tensors;
using workbench::TensorSpec;

int colourOf(std::string_view id) { return id == "three-pass" ? 1 : id == "online" ? 5 : id == "no-max" ? 9 : 4; }

/// Of the rung that takes no maximum off: not at first but where its numbers are judged.
void makeUnsafe(Implementation& i) {
    i.chosen = false;
    i.judged = true;
    for (const char* kind : {"large", "ascending"})
        i.breaksOn[kind] = "e^x is infinite above 88.7";
}

Implementation onCpu(const cpu::RungInfo<cpu::SoftmaxRung>& rung) {
    Implementation i = workbench::implementationOf(rung.name, rung.title, rung.improves, Implementation::Device::Cpu,
                                                   colourOf(rung.name));
    if (rung.id == cpu::SoftmaxRung::NoMax)
        makeUnsafe(i);
    const bool readsTwice = rung.id == cpu::SoftmaxRung::Online || rung.id == cpu::SoftmaxRung::NoMax;
    const double reads = readsTwice ? 2 : 3;
    i.bytes = [reads](const Problem& p) {
        const double size = 4.0 * static_cast<double>(p["rows"]) * static_cast<double>(p["columns"]);
        return gpu::TensorTraffic{{"x", {reads * size, 0}}, {"y", {0, size}}};
    };
    i.heldBytes = [id = rung.id](const Problem& p, int threads) {
        return cpu::extraBytesAtMost(id, {p["rows"], p["columns"]}, threads);
    };
    i.onCpu = [id = rung.id](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        return cpu::softmax(id, {p["rows"], p["columns"], t.at("x").values.data(), t.at("y").values.data()}, how)
            .extraBytes;
    };
    return i;
}

Implementation onGpu(gpu::SoftmaxRung rung, const char* title, const char* improves) {
    Implementation i = workbench::implementationOf(gpu::name(rung), title, improves, Implementation::Device::Gpu,
                                                   colourOf(gpu::name(rung)));
    if (rung == gpu::SoftmaxRung::NoMax)
        makeUnsafe(i);
    i.whyNot = [](const Problem& p) {
        return workbench::refusalOf([&] { gpu::checkShape(gpu::SoftmaxShape{p["rows"], p["columns"]}); });
    };
    i.heldBytes = [](const Problem& p, int) { return gpu::deviceBytes(gpu::SoftmaxShape{p["rows"], p["columns"]}); };
    i.bytes = [rung](const Problem& p) { return gpu::algorithmicTraffic(rung, {p["rows"], p["columns"]}); };
    i.onGpu = [rung](const Problem& p, Tensors& t, gpu::KernelLibrary& library,
                     const gpu::LaunchOptions& how) -> gpu::Launched {
        gpu::SoftmaxRun run = gpu::softmax(library, rung, {p["rows"], p["columns"]}, t.at("x").values.data(), how);
        t.at("y").values = std::move(run.y);
        return gpu::Launched(std::move(run));
    };
    return i;
}

Knob knob(const char* id, const char* symbol, const char* axis, const char* title, int64_t standing, int64_t most,
          std::vector<int64_t> swept, double probe) {
    const auto largest = static_cast<double>(most);
    return workbench::dimension(id, symbol, axis,
                                Parameter::integer(id, title, standing, 1, largest, fmt::format("{} of x.", title)),
                                Parameter::sweep(fmt::format("{}Swept", id), title, std::move(swept), 1, largest,
                                                 fmt::format("{} of x, one a point.", title)),
                                probe);
}

void fill(const Problem& p, const std::string& kind, uint64_t seed, Tensors& t, const std::atomic<bool>* cancel) {
    std::vector<float>& x = t.at("x").values;
    if (kind == "ascending") {
        const auto columns = static_cast<size_t>(p["columns"]);
        for (size_t i = 0; i < x.size(); ++i)
            x[i] = 100.0f * static_cast<float>(i % columns) / static_cast<float>(columns);
    } else {
        tensor::fillGaussian(x, seed, 0, kind == "large" ? 100.0f : 1.0f, cancel);
    }
}

} // namespace

Operator softmaxOperator() {
    Operator op;
    op.id = "softmax";
    op.lab = "Building blocks";
    op.title = op.page = "Softmax";
    op.formula = "y = exp(x) / Σ exp(x) along each row";
    op.flopsText = "5 an element: maximum, difference, exponential, sum, product";
    op.questions = {{Page::Race, "How often must a row be read before its softmax is known?"}};
    op.knobs = [](Page page) -> std::vector<Knob> {
        const bool large = page == Page::Race;
        return {knob("columns", "n", "columns", "Columns", large ? 4096 : 512, large ? 1 << 24 : 1 << 15,
                     large ? std::vector<int64_t>{256, 1024, 4096, 16384, 65536} : std::vector<int64_t>{64, 256, 1024},
                     256),
                knob("rows", "rows", "rows", "Rows", large ? 256 : 64, 1 << 20, {16, 64, 256}, 64)};
    };
    op.tensors = {{"x", TensorSpec::Role::Input, {"rows", "columns"}, 0},
                  {"y", TensorSpec::Role::Output, {"rows", "columns"}, 3, "", "Where the result goes"}};
    op.inputKinds = {{"gaussian", "Gaussian", "independent normal numbers"},
                     {"large", "Large", "normal numbers times 100: most weights underflow"},
                     {"ascending", "Ascending", "the maximum moves with every element"}};
    op.fill = fill;
    op.reference = [](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        cpu::softmax(cpu::SoftmaxRung::Reference,
                     {p["rows"], p["columns"], t.at("x").values.data(), t.at("y").values.data()}, how);
    };
    op.usefulFlops = [](const Problem& p) { return cpu::usefulFlops(cpu::SoftmaxProblem{p["rows"], p["columns"]}); };
    op.inWords = [](const Problem& p) { return fmt::format("{} rows of {} columns", p["rows"], p["columns"]); };
    op.lower = "columns or rows";
    for (const auto& rung : cpu::softmaxRungs())
        op.ladder.push_back(onCpu(rung));
    op.ladder.push_back(onGpu(gpu::SoftmaxRung::ThreePass, "Maximum, sum, result",
                              "The safe softmax as it stands: a block a row, which it reads three times."));
    op.ladder.push_back(onGpu(gpu::SoftmaxRung::Online, "Maximum and sum in one pass",
                              "The sum is rescaled where the maximum moves: the row is read twice."));
    op.ladder.push_back(onGpu(gpu::SoftmaxRung::NoMax, "e^x as it stands: overflows above 88.7",
                              "No maximum to look for: the row is read twice, and nothing is rescaled."));
    op.baseline = "three-pass";
    op.trafficRatios = {{"threePassOverOnline", "three-pass", "online"}};
    return op;
}

} // namespace warplight::labs::blocks
