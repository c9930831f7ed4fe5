#pragma once

#include "core/profiles/csv_reader.h"
#include "core/profiles/kernel_record.h"
#include "core/profiles/reading.h"

namespace warplight::profiles {

enum class NsysTable { None, GpuTrace, KernelSums };
/// Which table of `nsys stats --format csv` these cells head: cuda_gpu_trace or cuda_gpu_kern_sum.
NsysTable nsysTableOf(const std::vector<std::string>& cells);

/// Reads what follows such a header, and further tables of these kinds behind it; sums are left out where single
/// launches are there. Units are those in the header. Throws InputError naming the column that is missing, Cancelled.
Profile readNsysCsv(CsvReader& reader, const std::vector<std::string>& header, const Reading& reading);

} // namespace warplight::profiles
