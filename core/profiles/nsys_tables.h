// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/profiles/profiler_metrics.h"

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::profiles {

/// A report of `nsys stats`, by its columns (NVIDIA, Nsight Systems User Guide, "Statistical Reports"; older versions
/// and the window's own tables name some columns otherwise).
enum class NsysTable {
    None,         ///< no table
    Other,        ///< calls and ranges of the CPU, or ranges projected on the GPU: no kernel
    GpuTrace,     ///< cuda_gpu_trace: kernels, copies and fills one by one
    ExecTrace,    ///< cuda_kern_exec_trace: kernels one by one
    KernelSums,   ///< cuda_gpu_kern_sum, cuda_gpu_kern_gb_sum
    CategorySums, ///< cuda_gpu_sum, and cuda_api_gpu_sum, whose category tells what runs on the CPU
    ExecSums,     ///< cuda_kern_exec_sum: averages by kernel
    CopyTimes,    ///< cuda_gpu_mem_time_sum
    CopySizes     ///< cuda_gpu_mem_size_sum
};
/// Of the cells of a line. `report`: the name that stands above it ("openmp_sum"), if any, which tells reports apart
/// that have the same columns.
NsysTable nsysTableOf(const std::vector<std::string>& cells, std::string_view report = {});

/// "cuda_gpu_kern_sum" of "** CUDA GPU Kernel Summary (cuda_gpu_kern_sum):", "Processing [x.sqlite] with
/// [/opt/reports/cuda_gpu_kern_sum.py]...", "Running [/opt/reports/gpukernsum.py x.sqlite]..." or "=== REPORT:
/// gpukernsum ==="; empty for other lines.
std::string reportNamed(std::string_view line);

/// The columns of a table by name, in small letters and with today's words ("avg" for "Average"), and their units.
class NsysColumns {
  public:
    explicit NsysColumns(const std::vector<std::string>& header);

    int64_t find(std::string_view name) const; ///< -1: there is none
    bool has(std::string_view name) const { return find(name) >= 0; }
    const std::string& unit(int64_t column) const { return columns[static_cast<size_t>(column)].unit; }
    const std::string& title(int64_t column) const { return columns[static_cast<size_t>(column)].title; }
    size_t size() const { return columns.size(); }
    /// Whether all columns are among these.
    bool only(std::initializer_list<std::string_view> names) const;

  private:
    struct Column {
        std::string name, unit, title; ///< "total time", "ns", "Total Time"
    };
    std::vector<Column> columns;
};

/// "600.000 μs" is a number and a unit.
struct NsysCell {
    std::string_view number, unit;
};
NsysCell nsysCellOf(std::string_view text);

} // namespace warplight::profiles
