// SPDX-License-Identifier: GPL-3.0-or-later
// The linear scan, as an operator: one for real numbers, one for complex ones.
#include "core/labs/ssm/scan_operator.h"

#include "core/error.h"
#include "gpu/ops/scan.h"

#include <atomic>
#include <cstdint>
#include <fmt/format.h>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::ssm {
namespace {

using workbench::Implementation;
using workbench::Operator;
using workbench::Page;
using workbench::Problem;
using workbench::Tensors;
using workbench::TensorSpec;

cpu::ScanProblem problemOf(const Problem& p, Tensors& t) {
    const auto of = [&](const char* name) { return t.at(name).values.data(); };
    return {scanShape(p), of("A"), of("B"), of("h0"), of("H")};
}

/// Three operations a combine, fewer where only a state comes out of it.
double flopsOf(cpu::ScanRung rung, const Problem& p) {
    const cpu::ScanShape s = scanShape(p);
    const auto combines = static_cast<double>(cpu::scanCounts(rung, s.length).combines);
    return (s.complex ? 14 : 3) * static_cast<double>(s.channels) * combines;
}

Implementation onCpu(const cpu::RungInfo<cpu::ScanRung>& rung) {
    Implementation i = workbench::implementationOf(rung.name, rung.title, rung.improves, Implementation::Device::Cpu,
                                                   scanColour(rung.name));
    const bool inSteps = rung.id == cpu::ScanRung::HillisSteele || rung.id == cpu::ScanRung::Sklansky ||
                         rung.id == cpu::ScanRung::Blelloch;
    if (inSteps) {
        i.held = "pairs of the row";
    } else {
        i.bytes = [](const Problem& p) { // chunks stay in the cache for their second pass
            const double states = 4 * p.real("channels") * p.real("parts"), rows = states * p.real("length");
            return gpu::TensorTraffic{{"A", {rows, 0}}, {"B", {rows, 0}}, {"h0", {states, 0}}, {"H", {0, rows}}};
        };
    }
    i.heldBytes = [id = rung.id](const Problem& p, int threads) {
        return cpu::extraBytesAtMost(id, scanShape(p), threads);
    };
    i.flops = [id = rung.id](const Problem& p) { return flopsOf(id, p); };
    i.onCpu = [id = rung.id](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        return cpu::scan(id, problemOf(p, t), how).extraBytes;
    };
    return i;
}

gpu::ScanShape gpuShape(const Problem& p) { return {p["channels"], p["length"], true, p["parts"] == 2}; }

Implementation onGpu(const gpu::ScanRungInfo& rung) {
    Implementation i = workbench::implementationOf(rung.name, rung.title, rung.improves, Implementation::Device::Gpu,
                                                   scanColour(rung.name));
    i.whyNot = [](const Problem& p) { return workbench::refusalOf([&] { gpu::checkShape(gpuShape(p)); }); };
    i.heldBytes = [id = rung.id](const Problem& p, int) { return gpu::deviceBytes(id, gpuShape(p)); };
    i.bytes = [id = rung.id](const Problem& p) { return gpu::algorithmicTraffic(id, gpuShape(p)); };
    i.onGpu = [id = rung.id](const Problem& p, Tensors& t, gpu::KernelLibrary& library,
                             const gpu::LaunchOptions& how) -> gpu::Launched {
        const auto of = [&](const char* name) { return t.at(name).values.data(); };
        gpu::ScanRun run = gpu::scan(library, id, gpuShape(p), {of("A"), of("B"), of("h0")}, how);
        t.at("H").values = std::move(run.h);
        return gpu::Launched(std::move(run));
    };
    return i;
}

/// What both have.
Operator described(int64_t parts) {
    using Role = TensorSpec::Role;
    Operator op;
    op.lab = "State space models";
    op.formula = "h_t = a_t · h_{t-1} + b_t";
    op.knobs = scanKnobs;
    std::vector<std::string> rows{"channels", "length"}, states{"channels"};
    if (parts > 1) {
        rows.emplace_back("parts");
        states.emplace_back("parts");
    }
    op.tensors = {{"A", Role::Input, rows, 0, "", "Decays, one a step"},
                  {"B", Role::Input, rows, 5, "", "What is added, one a step"},
                  {"h0", Role::Input, states, 8, "", "The state before the first step; 0 if it is not given", false},
                  {"H", Role::Output, rows, 3, "", "Where the states go"}};
    addScanBetween(op);
    op.inputKinds = scanInputKinds();
    op.complete = [parts](Problem& p) {
        p.set("parts", parts);
        check(scanShape(p));
    };
    op.fill = fillScan;
    op.reference = [](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        cpu::scan(cpu::ScanRung::Reference, problemOf(p, t), how);
    };
    op.usefulFlops = [](const Problem& p) { return cpu::usefulFlops(scanShape(p)); };
    op.inWords = scanInWords;
    op.lower = "length or channels";
    for (const auto& rung : cpu::scanRungs())
        op.ladder.push_back(onCpu(rung));
    for (const gpu::ScanRungInfo& rung : gpu::scanRungs())
        op.ladder.push_back(onGpu(rung));
    op.trafficRatios = {{"chunkedOverLookBack", "chunked", "look-back"}};
    op.baseline = "serial";
    op.frugal = "chunked";
    op.arrangement = scanArrangement(parts);
    return op;
}

} // namespace

int scanColour(std::string_view rung) {
    return rung == "serial"          ? 1
           : rung == "hillis-steele" ? 0
           : rung == "sklansky"      ? 2
           : rung == "blelloch"      ? 3
           : rung == "chunked"       ? 6
           : rung == "look-back"     ? 5
                                     : 4;
}

void addScanBetween(Operator& op) {
    for (const char* between : {"pairs", "states"})
        op.tensors.push_back({between, TensorSpec::Role::Between, {}, between[0] == 'p' ? 10 : 6});
    for (const char* between : {"status", "tickets"})
        op.tensors.push_back({between, TensorSpec::Role::Between, {}, 11, "status"});
}

cpu::ScanShape scanShape(const Problem& p) { return {p["channels"], p["length"], p["parts"] == 2}; }

Operator scanOperator() {
    Operator op = described(1);
    op.id = "scan";
    op.title = op.page = "Scan";
    op.flopsText = "2 a step: a product and a sum";
    op.questions = {{Page::Race, "Each step needs the one before it. What does it cost to do many at once?"},
                    {Page::Traffic, "How often must a scan read its inputs when many blocks share a row?"},
                    {Page::Accuracy, "Does the order in which steps are combined change the result?"}};
    return op;
}

Operator complexScanOperator() {
    Operator op = described(2);
    op.id = "complex-scan";
    op.title = "Complex scan";
    op.page = "Complex";
    op.flopsText = "8 a step: a complex product and a sum";
    op.questions = {{Page::Race, "What do states that turn cost beside states that decay?"},
                    {Page::Traffic, "How often must a scan read pairs of numbers when many blocks share a row?"},
                    {Page::Accuracy, "Does the order in which steps are combined change the result?"}};
    return op;
}

} // namespace warplight::labs::ssm
