// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/cuda/cupti_library.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace warplight::cuda {

/// CUPTI's host half, which needs no GPU: it knows the counters of every chip, turns a choice of them into a
/// configuration, and counters' values into numbers.

/// Chips whose counters CUPTI knows, also those of GPUs that are not here.
std::vector<std::string> cuptiChips(const CuptiLibrary& library);

/// A choice of metrics on one chip. Throws CountersUnavailable, from the constructor too.
class CuptiHost {
  public:
    /// `metrics` are names with their roll-up, "dram__bytes_read.sum". `availability`: what a GPU says of the counters
    /// that may be read; empty: as if all may.
    CuptiHost(const CuptiLibrary& library, const std::string& chip, std::vector<std::string> metrics,
              std::vector<uint8_t> availability = {});
    ~CuptiHost();
    CuptiHost(const CuptiHost&) = delete;
    CuptiHost& operator=(const CuptiHost&) = delete;

    const std::vector<uint8_t>& configImage() const { return image; }
    size_t passes() const { return passCount; } ///< times a launch has to run
    std::vector<const char*>& metricNames() { return names; }

    /// One value a metric, in their order, of a range of decoded counter data.
    std::vector<double> evaluate(std::span<const uint8_t> counterData, size_t range);

  private:
    void configure();

    const CuptiLibrary& library;
    std::vector<std::string> metrics;
    std::vector<const char*> names; ///< of `metrics`
    std::vector<uint8_t> available;
    cupti::HostObject* object = nullptr;
    std::vector<uint8_t> image;
    size_t passCount = 0;
};

/// Whether the chip has such a metric. Throws CountersUnavailable when CUPTI does not work on the chip at all.
bool cuptiHasMetric(const CuptiLibrary& library, const std::string& chip, const std::string& metric);

} // namespace warplight::cuda
