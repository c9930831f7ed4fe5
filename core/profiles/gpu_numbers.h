// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/profiles/kernel_record.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace warplight::profiles {

/// Tells GPUs apart in a file that was put together of several processes or recordings: each of them counts its own
/// from 0.
class GpuNumbers {
  public:
    /// What stands for a GPU as KernelRecord::device until all are known: GPU `number` of `owner`, the process or
    /// recording that counts it. An empty owner is a file's only one.
    int32_t standIn(std::string_view owner, int32_t number);
    /// Replaces what stands in records by the GPUs' own numbers, or by new ones from 0 where two share a number; labels
    /// say then whose they are.
    void resolve(Profile& profile) const;

  private:
    struct Gpu {
        std::string owner;
        int32_t number = 0;
    };
    std::vector<Gpu> gpus; ///< in the order of the file, as whoever puts files together has sorted them
    std::map<std::pair<std::string, int32_t>, int32_t> places;
    int32_t last = -1;
};

} // namespace warplight::profiles
