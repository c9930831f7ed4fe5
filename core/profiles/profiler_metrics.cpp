// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/profiles/profiler_metrics.h"

#include <algorithm>
#include <map>
#include <utility>

namespace warplight::profiles {
namespace {

using Dimension = Unit::Dimension;
using Per = MetricName::Per;

struct Known {
    std::string_view text;
    Metric metric;
    int rank = 0;
};

using enum Metric;
constexpr Known names[] = {
    {"gpu__time_duration.sum", Duration},
    {"gpu__time_duration.avg", Duration},
    {"gpu__time_duration.max", Duration},
    {"Duration", Duration},
    {"sm__cycles_elapsed.avg", Cycles},
    {"smsp__cycles_elapsed.avg", Cycles, 1},
    {"sm__cycles_elapsed.max", Cycles, 2},
    {"smsp__cycles_elapsed.max", Cycles, 2},
    {"Elapsed Cycles", Cycles, 3},
    {"smsp__cycles_elapsed.avg.per_second", CyclesPerSecond},
    {"sm__cycles_elapsed.avg.per_second", CyclesPerSecond, 1},
    {"SM Frequency", CyclesPerSecond, 2},
    {"launch__registers_per_thread", Registers},
    {"Registers Per Thread", Registers},
    {"launch__shared_mem_per_block_static", StaticShared},
    {"Static Shared Memory Per Block", StaticShared},
    {"launch__shared_mem_per_block_dynamic", DynamicShared},
    {"Dynamic Shared Memory Per Block", DynamicShared},
    {"dram__bytes_read.sum", DramRead},
    {"dram__bytes_op_read.sum", DramRead},
    {"dram__bytes_write.sum", DramWritten},
    {"dram__bytes_op_write.sum", DramWritten},
    {"dram__bytes.sum", Dram},
    {"dram__bytes.sum.per_second", DramPerSecond},
    {"dram__throughput.avg.pct_of_peak_sustained_elapsed", DramShare},
    {"gpu__dram_throughput.avg.pct_of_peak_sustained_elapsed", DramShare},
    {"DRAM Throughput", DramShare},
    {"sm__throughput.avg.pct_of_peak_sustained_elapsed", ComputeShare},
    {"Compute (SM) Throughput", ComputeShare},
    {"SM [%]", ComputeShare},
    {"lts__t_sectors_op_read.sum", L2Read},
    {"lts__t_sectors_op_write.sum", L2Written},
    {"l1tex__t_sectors_pipe_lsu_mem_global_op_ld.sum", GlobalRead},
    {"l1tex__t_sectors_pipe_lsu_mem_global_op_st.sum", GlobalWritten},
    {"l1tex__data_bank_conflicts_pipe_lsu_mem_shared.sum", BankConflicts},
    {"sm__warps_active.avg.pct_of_peak_sustained_active", Occupancy},
    {"Achieved Occupancy", Occupancy},
};

/// What a sum counts by: its end is taken off the name. Unset: something else than a sum.
std::optional<Per> takePer(std::string_view& name) {
    constexpr std::pair<std::string_view, Per> ends[] = {
        {".sum", Per::Launch}, {".sum.per_cycle_elapsed", Per::Cycle}, {".sum.per_second", Per::Second}};
    for (const auto& [end, per] : ends)
        if (name.ends_with(end)) {
            name.remove_suffix(end.size());
            return per;
        }
    return {};
}

/// Threads that executed an operation with their predicate on, over all of the GPU: smsp__ and sm__ are the same sum.
/// ncu's derived metrics are per cycle and in FLOPs already: "..._x2" of multiply-adds, "..._x4" of packed ones.
std::optional<MetricName> operationOf(std::string_view name) {
    constexpr std::string_view executed = "sass_thread_inst_executed_op_", on = "_pred_on",
                               derived = "derived__smsp__sass_thread_inst_executed_op_";
    constexpr std::pair<std::string_view, Metric> ops[] = {
        {"hadd", HalfAdd},  {"hmul", HalfMul},   {"hfma", HalfFma},   {"fadd", FloatAdd}, {"fmul", FloatMul},
        {"ffma", FloatFma}, {"dadd", DoubleAdd}, {"dmul", DoubleMul}, {"dfma", DoubleFma}};
    MetricName found;
    std::string_view op;
    if (name.starts_with(derived) && (name.ends_with("_pred_on_x2") || name.ends_with("_pred_on_x4"))) {
        op = name.substr(derived.size(), name.size() - derived.size() - 11);
        found.per = Per::Cycle;
        found.rank = 1;
    } else {
        const auto per = takePer(name);
        const size_t at = name.find(executed);
        if (!per || at == name.npos || at > 6 || !name.ends_with(on))
            return {};
        op = name.substr(at + executed.size(), name.size() - at - executed.size() - on.size());
        found.per = *per;
        found.rank = *per == Per::Launch ? 0 : 2;
        found.weight = op.ends_with("fma") ? 2 : 1;
    }
    for (const auto& [text, metric] : ops)
        if (op == text) {
            found.metric = metric;
            return found;
        }
    return {};
}

std::optional<MetricName> tensorOf(std::string_view name) {
    constexpr std::string_view path = "sm__ops_path_tensor_src_", pipe = "sm__inst_executed_pipe_tensor";
    MetricName found;
    if (name.find("pipe_tensor") != name.npos && name.find(".pct_of_peak_sustained") != name.npos &&
        name.find("_imma") == name.npos) { // integers
        found.metric = TensorShare;
        found.part = name;
        return found;
    }
    const auto per = takePer(name);
    if (!per)
        return {};
    found.per = *per;
    found.rank = *per == Per::Launch ? 0 : 1;
    if (name.starts_with(path) && !name.substr(path.size()).starts_with("int")) {
        found.metric = TensorOps;
        found.part = name.substr(path.size());
        return found;
    }
    if (name.starts_with(pipe)) {
        found.metric = TensorInstructions;
        found.part = name.substr(pipe.size()); // empty: all of them
        return found;
    }
    return {};
}

} // namespace

std::optional<MetricName> metricOf(std::string_view name, std::string_view unit) {
    for (const Known& known : names)
        if (name == known.text) {
            MetricName found;
            found.metric = known.metric;
            found.rank = known.rank;
            return found;
        }
    if (name == "Memory Throughput") { // in two sections: of the peak, and of DRAM in byte/s
        const auto of = unitOf(unit);
        if (!of || of->dimension != Dimension::BytesPerTime)
            return {};
        MetricName found;
        found.metric = DramPerSecond;
        return found;
    }
    if (auto operation = operationOf(name))
        return operation;
    return tensorOf(name);
}

Unit::Dimension MetricName::dimension() const {
    if (per != Per::Launch)
        return per == Per::Cycle ? Dimension::CountPerCycle : Dimension::CountPerTime;
    switch (metric) {
    case Duration:
        return Dimension::Time;
    case CyclesPerSecond:
        return Dimension::Frequency;
    case StaticShared:
    case DynamicShared:
    case DramRead:
    case DramWritten:
    case Dram:
        return Dimension::Bytes;
    case DramPerSecond:
        return Dimension::BytesPerTime;
    case DramShare:
    case ComputeShare:
    case Occupancy:
    case TensorShare:
        return Dimension::Share;
    default:
        return Dimension::Count;
    }
}

void LaunchMetrics::set(const MetricName& name, double value) {
    const auto found = std::find_if(values.begin(), values.end(), [&](const Value& known) {
        return known.metric == name.metric && known.part == name.part;
    });
    Value fresh{name.metric, name.part, name.per, name.rank, value * name.weight};
    if (found == values.end())
        values.push_back(std::move(fresh));
    else if (name.rank <= found->rank)
        *found = std::move(fresh);
}

std::optional<double> LaunchMetrics::ofLaunch(const Value& value) const {
    const auto times = value.per == Per::Cycle ? cycles() : value.per == Per::Second ? seconds() : std::optional(1.0);
    return times ? std::optional(value.value * *times) : std::nullopt;
}

std::optional<double> LaunchMetrics::get(Metric metric) const {
    for (const Value& value : values)
        if (value.metric == metric && value.part.empty())
            return ofLaunch(value);
    return {};
}

std::optional<double> LaunchMetrics::sumOfParts(Metric metric) const {
    std::optional<double> sum;
    for (const Value& value : values)
        if (value.metric == metric)
            if (const auto part = ofLaunch(value))
                sum = sum.value_or(0) + *part;
    return sum;
}

std::optional<double> LaunchMetrics::seconds() const {
    if (const auto time = get(Metric::Duration))
        return time;
    const auto count = get(Metric::Cycles), rate = get(Metric::CyclesPerSecond);
    if (count && rate && *rate > 0)
        return *count / *rate;
    return {};
}

/// Elapsed cycles of a launch.
std::optional<double> LaunchMetrics::cycles() const {
    const auto time = get(Metric::Duration), rate = get(Metric::CyclesPerSecond);
    return time && rate ? std::optional(*time * *rate) : get(Metric::Cycles);
}

std::optional<double> LaunchMetrics::sharedBytes() const {
    const auto fixed = get(Metric::StaticShared), dynamic = get(Metric::DynamicShared);
    if (!fixed && !dynamic)
        return {};
    return fixed.value_or(0) + dynamic.value_or(0);
}

/// By the type of A and B; where only the next finer sums are there, by that of C too, or with and without sparsity.
std::optional<double> LaunchMetrics::tensorFlops() const {
    std::map<std::string_view, std::map<int, double>> types; // by type, by depth
    for (const Value& value : values) {
        if (value.metric != TensorOps)
            continue;
        const std::string_view part = value.part;
        const size_t end = std::min(part.find("_dst_"), part.find("_sparsity_"));
        const int depth = part.find("_sparsity_") != part.npos ? 2 : end != part.npos ? 1 : 0;
        if (const auto flops = ofLaunch(value))
            types[part.substr(0, end)][depth] += *flops;
    }
    if (types.empty())
        return {};
    double sum = 0;
    for (const auto& [type, depths] : types)
        sum += depths.begin()->second;
    return sum;
}

Figures LaunchMetrics::figures() const {
    Figures f;
    f.dramReadBytes = get(DramRead);
    f.dramWrittenBytes = get(DramWritten);
    f.dramBytes = get(Dram);
    if (!f.dramTotal())
        if (const auto rate = get(DramPerSecond), time = seconds(); rate && time)
            f.dramBytes = *rate * *time;
    f.l2SectorsRead = get(L2Read);
    f.l2SectorsWritten = get(L2Written);
    f.globalSectorsRead = get(GlobalRead);
    f.globalSectorsWritten = get(GlobalWritten);
    f.bankConflicts = get(BankConflicts);
    f.occupancy = get(Occupancy);
    f.dramShare = get(DramShare);
    f.computeShare = get(ComputeShare);
    const auto flops = [&](Metric add, Metric mul, Metric fma) -> std::optional<double> {
        const auto a = get(add), m = get(mul), f2 = get(fma);
        if (!f2) // sums without the multiply-adds would tell too little
            return {};
        return a.value_or(0) + m.value_or(0) + *f2;
    };
    f.f16Flops = flops(HalfAdd, HalfMul, HalfFma);
    f.f32Flops = flops(FloatAdd, FloatMul, FloatFma);
    f.f64Flops = flops(DoubleAdd, DoubleMul, DoubleFma);
    f.tensorFlops = tensorFlops();
    const auto all = get(TensorInstructions);
    f.tensorInstructions = all ? all : sumOfParts(TensorInstructions);
    f.tensorShare = sumOfParts(TensorShare);
    return f;
}

} // namespace warplight::profiles
