// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/profiles/kernel_record.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::profiles {

/// What a unit's name stands for: multiply by `factor` to get seconds, bytes, shares (of 1) or plain counts,
/// a second or a cycle.
struct Unit {
    enum class Dimension { Count, Time, Bytes, BytesPerTime, Share, Frequency, CountPerCycle, CountPerTime };
    Dimension dimension = Dimension::Count;
    double factor = 1;
};
/// Of "nsecond", "usecond", "us", "ns", "Kbyte", "MB", "MiB", "Gbyte/s", "%", "hz", "cycle/nsecond", "inst",
/// "inst/cycle", "".
/// K, M, G are powers of ten, Ki, Mi, Gi of two. Unset for what is not known.
std::optional<Unit> unitOf(std::string_view text);

/// Metrics of Nsight Compute and CUPTI that are kept, by their meaning.
enum class Metric {
    Duration, ///< s
    Cycles,
    CyclesPerSecond, ///< elapsed: together a duration, where no duration is there
    Registers,
    StaticShared,
    DynamicShared, ///< of a launch; bytes
    DramRead,
    DramWritten,
    Dram,
    DramPerSecond,
    DramShare,
    ComputeShare,
    L2Read,
    L2Written,
    GlobalRead,
    GlobalWritten,
    BankConflicts,
    Occupancy,
    HalfAdd, ///< these in FLOPs
    HalfMul,
    HalfFma,
    FloatAdd,
    FloatMul,
    FloatFma,
    DoubleAdd,
    DoubleMul,
    DoubleFma,
    TensorOps,          ///< in FLOPs, by types of numbers
    TensorInstructions, ///< of warps, by kind of tensor pipe
    TensorShare,        ///< of the peak of a tensor pipe
};

/// A metric as one of its names tells it.
struct MetricName {
    enum class Per { Launch, Cycle, Second };
    Metric metric{};
    std::string part;      ///< "fp16_dst_fp32" of a metric that is a sum over such parts; else empty
    Per per = Per::Launch; ///< the roofline sections of ncu --set full count by elapsed cycles
    double weight = 1;     ///< FLOPs of one that is counted
    int rank = 0;          ///< of several names for one metric, the lowest tells it best
    /// What a value must be: a time, bytes, a share, a count.
    Unit::Dimension dimension() const;
};
/// By the metric's name ("dram__bytes_read.sum") or by its label on the details page ("Duration"). `unit` tells labels
/// apart that stand for two things ("Memory Throughput" in % and in byte/s). Unset: not one that is kept.
std::optional<MetricName> metricOf(std::string_view name, std::string_view unit);

/// Collects the metrics of one launch.
class LaunchMetrics {
  public:
    void set(const MetricName& name, double value); ///< in seconds, bytes, shares, counts, a second or a cycle
    std::optional<double> seconds() const;
    std::optional<double> registers() const { return get(Metric::Registers); }
    std::optional<double> sharedBytes() const;
    Figures figures() const;

  private:
    struct Value {
        Metric metric{};
        std::string part;
        MetricName::Per per{};
        int rank = 0;
        double value = 0;
    };
    std::optional<double> get(Metric metric) const;
    std::optional<double> ofLaunch(const Value& value) const;
    std::optional<double> cycles() const;
    std::optional<double> tensorFlops() const;
    std::optional<double> sumOfParts(Metric metric) const;
    std::vector<Value> values;
};

} // namespace warplight::profiles
