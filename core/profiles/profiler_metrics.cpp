#include "core/profiles/profiler_metrics.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace warplight::profiles {
namespace {

using Dimension = Unit::Dimension;

std::string lower(std::string_view text) {
    std::string result(text);
    for (char& c : result)
        c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return result;
}

bool oneOf(std::string_view text, std::initializer_list<std::string_view> list) {
    return std::find(list.begin(), list.end(), text) != list.end();
}

std::optional<double> secondsOf(std::string_view word) {
    const std::string name = lower(word);
    if (oneOf(name, {"s", "sec", "second", "seconds"}))
        return 1;
    if (oneOf(name, {"ms", "msec", "msecond", "milliseconds"}))
        return 1e-3;
    if (oneOf(name, {"us", "usec", "usecond", "microseconds", "\xC2\xB5s", "\xCE\xBCs"}))
        return 1e-6;
    if (oneOf(name, {"ns", "nsec", "nsecond", "nanoseconds"}))
        return 1e-9;
    return {};
}

/// "K", "M", "G", "T" decimal, "Ki" ... binary, in front of one of the words.
std::optional<double> scaled(std::string_view text, std::initializer_list<std::string_view> words) {
    const std::string name = lower(text);
    for (const std::string_view word : words) {
        if (!name.ends_with(word))
            continue;
        const std::string_view prefix = std::string_view(name).substr(0, name.size() - word.size());
        constexpr std::pair<std::string_view, double> prefixes[] = {{"", 1},
                                                                    {"k", 1e3},
                                                                    {"m", 1e6},
                                                                    {"g", 1e9},
                                                                    {"t", 1e12},
                                                                    {"ki", 1024.0},
                                                                    {"mi", 1024. * 1024},
                                                                    {"gi", 1073741824.0},
                                                                    {"ti", 1099511627776.0}};
        for (const auto& [letters, factor] : prefixes)
            if (prefix == letters)
                return factor;
    }
    return {};
}

} // namespace

std::optional<Unit> unitOf(std::string_view text) {
    while (!text.empty() && text.front() == ' ')
        text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ')
        text.remove_suffix(1);
    if (text == "%")
        return Unit{Dimension::Share, 0.01};
    if (const auto seconds = secondsOf(text))
        return Unit{Dimension::Time, *seconds};
    const size_t slash = text.find('/');
    const std::string_view first = text.substr(0, slash), second = slash == text.npos ? "" : text.substr(slash + 1);
    const auto bytes = scaled(first, {"bytes", "byte", "b"});
    if (slash != text.npos)
        if (const auto seconds = secondsOf(second)) {
            if (bytes)
                return Unit{Dimension::BytesPerTime, *bytes / *seconds};
            if (const auto cycles = scaled(first, {"cycle", "cycles"}))
                return Unit{Dimension::Frequency, *cycles / *seconds};
            return {}; // a rate of something else: none of those that are kept
        }
    if (!second.empty() && second != "block" && second != "thread") // "inst/cycle": a rate
        return {};
    if (bytes)
        return Unit{Dimension::Bytes, *bytes};
    if (lower(text).ends_with("bps")) // nsys: "MBps"
        if (const auto rate = scaled(text.substr(0, text.size() - 2), {"b"}))
            return Unit{Dimension::BytesPerTime, *rate};
    if (const auto hertz = scaled(first, {"hz"}))
        return Unit{Dimension::Frequency, *hertz};
    const std::initializer_list<std::string_view> counted = {
        "",      "inst",   "instruction", "instructions", "sector", "sectors",  "warp",
        "warps", "thread", "threads",     "block",        "blocks", "register", "registers",
        "cycle", "cycles", "request",     "requests",     "op",     "ops"};
    if (const auto count = scaled(first, counted))
        return Unit{Dimension::Count, *count};
    return {};
}

std::optional<Metric> metricOf(std::string_view name, std::string_view unit) {
    using enum Metric;
    static constexpr std::pair<std::string_view, Metric> known[] = {
        {"gpu__time_duration.sum", Duration},
        {"gpu__time_duration.avg", Duration},
        {"gpu__time_duration.max", Duration},
        {"Duration", Duration},
        {"sm__cycles_elapsed.avg", Cycles},
        {"sm__cycles_elapsed.avg.per_second", CyclesPerSecond},
        {"launch__registers_per_thread", Registers},
        {"Registers Per Thread", Registers},
        {"launch__shared_mem_per_block_static", StaticShared},
        {"Static Shared Memory Per Block", StaticShared},
        {"launch__shared_mem_per_block_dynamic", DynamicShared},
        {"Dynamic Shared Memory Per Block", DynamicShared},
        {"dram__bytes_read.sum", DramRead},
        {"dram__bytes_write.sum", DramWritten},
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
        {"sm__inst_executed_pipe_tensor.sum", TensorInstructions},
    };
    for (const auto& [text, metric] : known)
        if (name == text)
            return metric;
    if (name == "Memory Throughput") { // in two sections: of the peak, and of DRAM in byte/s
        const auto of = unitOf(unit);
        if (of && of->dimension == Dimension::BytesPerTime)
            return DramPerSecond;
        return {};
    }
    // Threads that executed an operation, over all of the GPU: smsp__ and sm__ are the same sum.
    constexpr std::string_view executed = "sass_thread_inst_executed_op_", counted = "_pred_on.sum";
    if (const size_t at = name.find(executed); at != name.npos && name.ends_with(counted) && at <= 6) {
        const std::string_view op =
            name.substr(at + executed.size(), name.size() - at - executed.size() - counted.size());
        constexpr std::pair<std::string_view, Metric> ops[] = {
            {"hadd", HalfAdd},  {"hmul", HalfMul},   {"hfma", HalfFma},   {"fadd", FloatAdd}, {"fmul", FloatMul},
            {"ffma", FloatFma}, {"dadd", DoubleAdd}, {"dmul", DoubleMul}, {"dfma", DoubleFma}};
        for (const auto& [text, metric] : ops)
            if (op == text)
                return metric;
        return {};
    }
    // Operations of tensor cores: by the type of A and B, then of C, then with sparsity, each the sum of the next.
    if (name.starts_with("sm__ops_path_tensor_src_") && name.ends_with(".sum"))
        return name.find("_sparsity_") != name.npos ? TensorOpsFine
               : name.find("_dst_") != name.npos    ? TensorOpsPartial
                                                    : TensorOps;
    // Before: instructions by kind of tensor pipe.
    if (name.starts_with("sm__inst_executed_pipe_tensor_op_") && name.ends_with(".sum"))
        return TensorInstructionsFine;
    return {};
}

Unit::Dimension dimensionOf(Metric metric) {
    using enum Metric;
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
        return Dimension::Share;
    default:
        return Dimension::Count;
    }
}

void LaunchMetrics::set(Metric metric, double value) {
    using enum Metric;
    const auto found =
        std::find_if(values.begin(), values.end(), [&](const auto& item) { return item.first == metric; });
    if (found == values.end())
        values.emplace_back(metric, value);
    else if (metric == TensorOps || metric == TensorOpsPartial || metric == TensorOpsFine ||
             metric == TensorInstructionsFine)
        found->second += value; // several types of numbers
    else
        found->second = value;
}

std::optional<double> LaunchMetrics::get(Metric metric) const {
    for (const auto& [known, value] : values)
        if (known == metric)
            return value;
    return {};
}

std::optional<double> LaunchMetrics::seconds() const {
    if (const auto time = get(Metric::Duration))
        return time;
    const auto cycles = get(Metric::Cycles), rate = get(Metric::CyclesPerSecond);
    if (cycles && rate && *rate > 0)
        return *cycles / *rate;
    return {};
}

std::optional<double> LaunchMetrics::sharedBytes() const {
    const auto fixed = get(Metric::StaticShared), dynamic = get(Metric::DynamicShared);
    if (!fixed && !dynamic)
        return {};
    return fixed.value_or(0) + dynamic.value_or(0);
}

Figures LaunchMetrics::figures() const {
    using enum Metric;
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
        return a.value_or(0) + m.value_or(0) + 2 * *f2;
    };
    f.f16Flops = flops(HalfAdd, HalfMul, HalfFma);
    f.f32Flops = flops(FloatAdd, FloatMul, FloatFma);
    f.f64Flops = flops(DoubleAdd, DoubleMul, DoubleFma);
    f.tensorFlops = get(TensorOps)          ? get(TensorOps)
                    : get(TensorOpsPartial) ? get(TensorOpsPartial)
                                            : get(TensorOpsFine);
    f.tensorInstructions = get(TensorInstructions) ? get(TensorInstructions) : get(TensorInstructionsFine);
    return f;
}

} // namespace warplight::profiles
