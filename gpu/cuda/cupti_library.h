// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/cuda/cupti_api.h"
#include "gpu/error.h"

#include <string>

namespace warplight::cuda {

/// The GPU's counters cannot be read here: no CUPTI, no permission, an unknown chip. One sentence that says what can be
/// done, for beside the counted figures, which need no counters.
struct CountersUnavailable : InputError {
    using InputError::InputError;
};

/// NVIDIA's profiling library (CUPTI), opened while the program runs.
class CuptiLibrary {
  public:
    /// `file`, or the first of $WARPLIGHT_CUPTI, libcupti.so.13 and .12 where the loader, $CUDA_HOME and
    /// /usr/local/cuda have it. Throws CountersUnavailable when there is none, or when it is older than CUDA 12.6.
    explicit CuptiLibrary(const std::string& file = {});

    const cupti::Functions& functions() const { return loaded; }
    const std::string& path() const { return file; }

    /// Throws CountersUnavailable saying what `what` ("cuptiRangeProfilerStart") answered and what can be done.
    void check(cupti::Result result, const char* what) const;

  private:
    cupti::Functions loaded;
    std::string file;
};

} // namespace warplight::cuda
