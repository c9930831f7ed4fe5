#pragma once

#include "core/labs/attention/gpu_rungs.h"
#include "core/labs/attention/inputs.h"

#include <memory>
#include <optional>
#include <string>

namespace warplight::labs {

/// Bytes that an NVIDIA GPU's own counters saw while a rung ran, all of its launches together.
struct MeasuredBytes {
    std::optional<double> dram; ///< read and written; nothing on integrated chips
    double l2 = 0, l1 = 0;
    double seconds = 0; ///< of the launches, while they were counted
};

/// Reads the counters of an NVIDIA GPU around launches, by CUPTI.
class MeasuredTraffic {
  public:
    /// `device`: "cuda:N". Throws InputError when there is no such GPU.
    explicit MeasuredTraffic(const std::string& device);
    ~MeasuredTraffic();

    const gpu::Device& device() const;
    /// Why the counters cannot be read, in a sentence; empty when they can.
    const std::string& unavailable() const { return why; }
    /// Runs the rung. Nothing when the counters cannot be read (any more).
    std::optional<MeasuredBytes> measure(gpu::AttentionRung rung, const gpu::AttentionShape& shape,
                                         const AttentionInputs& inputs, gpu::AttentionOptions options);

  private:
    struct Counters;
    std::unique_ptr<Counters> counters;
    std::string why;
};

} // namespace warplight::labs
