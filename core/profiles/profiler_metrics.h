#pragma once

#include "core/profiles/kernel_record.h"

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace warplight::profiles {

/// What a unit's name stands for: multiply by `factor` to get seconds, bytes, shares (of 1) or plain counts.
struct Unit {
    enum class Dimension { Count, Time, Bytes, BytesPerTime, Share, Frequency };
    Dimension dimension = Dimension::Count;
    double factor = 1;
};
/// Of "nsecond", "usecond", "us", "ns", "Kbyte", "MB", "MiB", "Gbyte/s", "%", "hz", "cycle/nsecond", "inst", "".
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
    HalfAdd,
    HalfMul,
    HalfFma,
    FloatAdd,
    FloatMul,
    FloatFma,
    DoubleAdd,
    DoubleMul,
    DoubleFma,
    TensorOps,
    TensorOpsPartial,
    TensorOpsFine, ///< three depths of the same sum
    TensorInstructions,
    TensorInstructionsFine, ///< of warps: all, and by kind of tensor pipe
};
/// By the metric's name ("dram__bytes_read.sum") or by its label on the details page ("Duration"). `unit` tells labels
/// apart that stand for two things ("Memory Throughput" in % and in byte/s). Unset: not one that is kept.
std::optional<Metric> metricOf(std::string_view name, std::string_view unit);
/// What a value of this metric must be: a time, bytes, a share, a count.
Unit::Dimension dimensionOf(Metric metric);

/// Collects the metrics of one launch.
class LaunchMetrics {
  public:
    void set(Metric metric, double value); ///< in seconds, bytes, shares, counts
    std::optional<double> seconds() const;
    std::optional<double> registers() const { return get(Metric::Registers); }
    std::optional<double> sharedBytes() const;
    Figures figures() const;

  private:
    std::optional<double> get(Metric metric) const;
    std::vector<std::pair<Metric, double>> values;
};

} // namespace warplight::profiles
