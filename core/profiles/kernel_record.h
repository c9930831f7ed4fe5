// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/profiles/text.h"
#include "core/text/echo.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace warplight::profiles {

/// What a profiler measured of one launch beside its time. Unset: the file does not say.
struct Figures {
    std::optional<double> dramReadBytes, dramWrittenBytes;
    std::optional<double> dramBytes;                               ///< both directions, where only their sum is told
    std::optional<double> l2SectorsRead, l2SectorsWritten;         ///< of 32 bytes
    std::optional<double> globalSectorsRead, globalSectorsWritten; ///< that global loads and stores asked L1 for
    std::optional<double> bankConflicts;                           ///< of shared memory, in extra cycles of its banks
    std::optional<double> occupancy;                               ///< achieved: share of the warps that fit, 0 to 1
    std::optional<double> dramShare, computeShare;                 ///< of the peak, 0 to 1
    std::optional<double> f16Flops, f32Flops, f64Flops;            ///< outside tensor cores, a multiply-add is two
    std::optional<double> tensorFlops;                             ///< where a metric counts operations
    std::optional<double> tensorInstructions; ///< of warps; their FLOPs depend on the instruction's shape
    std::optional<double> tensorShare;        ///< of their peak, 0 to 1: more than none is work that may be uncounted
    bool operator==(const Figures&) const = default;

    /// To and from DRAM, if it is known in any of the forms above.
    std::optional<double> dramTotal() const {
        if (dramReadBytes && dramWrittenBytes)
            return *dramReadBytes + *dramWrittenBytes;
        return dramBytes;
    }
    /// Whether tensor cores worked without a metric that counts their operations.
    bool uncountedTensor() const {
        return !tensorFlops && (tensorInstructions.value_or(0) > 0 || tensorShare.value_or(0) > 0);
    }
    /// All counted floating-point operations. Unset if none was counted, or if tensor cores worked uncounted.
    std::optional<double> flops() const {
        if (uncountedTensor())
            return {};
        if (!f16Flops && !f32Flops && !f64Flops && !tensorFlops)
            return {};
        return f16Flops.value_or(0) + f32Flops.value_or(0) + f64Flops.value_or(0) + tensorFlops.value_or(0);
    }
};

/// What the collective that a kernel carries out moves.
struct Collective {
    std::string name;                          ///< as the profiler writes it: "allreduce", "_allgather_base"
    int64_t elementsIn = -1, elementsOut = -1; ///< of one rank; -1 = not told
    std::string dtype;                         ///< "Float", "BFloat16"
    int64_t ranks = -1;                        ///< of its group; -1 = not told
    bool operator==(const Collective&) const = default;
};

/// x, y, z of a grid or block; zeros = not told. CUDA's limits fit in 31 bits.
using Extent = std::array<int32_t, 3>;
inline int32_t extentFrom(int64_t count) {
    return static_cast<int32_t>(std::clamp<int64_t>(count, 0, std::numeric_limits<int32_t>::max()));
}

/// One launch, copy or fill on a GPU. Small, since profiles hold millions.
struct KernelRecord {
    enum class Kind : uint8_t { Kernel, Copy, Fill };
    static constexpr int64_t unknown = std::numeric_limits<int64_t>::min();

    Kind kind = Kind::Kernel;
    uint32_t name = 0;          ///< index into Profile::names
    Extent grid{}, block{};     ///< zeros = not told
    int64_t start = unknown;    ///< ns on the profile's own clock
    int64_t duration = unknown; ///< ns; unknown where nothing measured it
    int32_t registers = -1;     ///< a thread; -1 = not told
    int32_t device = 0;         ///< that Profile::gpuLabel names
    int64_t sharedBytes = -1;   ///< a block, static and dynamic; -1 = not told
    int64_t stream = -1;        ///< -1 = not told
    double bytes = -1;          ///< of a copy or fill; -1 = not told
    int32_t figures = -1;       ///< index into Profile::figures, -1 = none
    int32_t collective = -1;    ///< index into Profile::collectives, -1 = none

    bool lasts() const { return duration != unknown; }
    bool timed() const { return start != unknown && lasts(); }
    int64_t end() const { return start + duration; } ///< only of those that are timed
};

/// Launches of one kernel, or copies of one kind, that a file sums up (nsys' cuda_gpu_kern_sum, ncu's --print-summary).
struct KernelTotals {
    KernelRecord::Kind kind = KernelRecord::Kind::Kernel;
    uint32_t name = 0;
    Extent grid{}, block{};
    int64_t launches = 0;
    std::optional<int64_t> total;                         ///< ns, as are those below
    std::optional<double> mean, median, minimum, maximum; ///< of one launch
    double bytes = -1;                                    ///< of all these copies; -1 = not told
    int32_t figures = -1;                                 ///< index into Profile::figures, means of a launch; -1 = none
};

/// Events of one category of a trace, whatever runs them.
struct Category {
    int64_t events = 0, time = 0; ///< time in ns, summed over nested events too
};

/// What a profiler's file holds of GPUs.
struct Profile {
    std::string tool;   ///< "Nsight Compute", "Nsight Systems", "PyTorch"
    std::string source; ///< the file, or what stands for one
    std::string gpu;    ///< its name where the file tells: "NVIDIA A100-SXM4-80GB"
    std::vector<std::string> names;
    std::vector<KernelRecord> records; ///< by start, the longer one first; as in the file where no start is known
    std::vector<KernelTotals> totals;  ///< of launches that no record stands for
    std::vector<Figures> figures;
    std::vector<Collective> collectives;
    std::map<std::string, Category> categories; ///< of traces: "cpu_op", "kernel"
    std::map<int32_t, std::string> gpuLabels;   ///< by device, where its number does not tell it
    std::vector<std::string> warnings;          ///< sentences: what is missing, was cut or had to be guessed

    /// "GPU 0", or "GPU 0 of rank1.sqlite" in a file of several processes or recordings.
    std::string gpuLabel(int32_t device) const {
        const auto found = gpuLabels.find(device);
        return found == gpuLabels.end() ? "GPU " + std::to_string(device) : found->second;
    }
    std::string_view nameOf(const KernelRecord& record) const { return names[record.name]; }
    /// Of a record or of totals.
    template <class Launches>
    const Figures* figuresOf(const Launches& launches) const {
        return launches.figures < 0 ? nullptr : &figures[static_cast<size_t>(launches.figures)];
    }
    const Collective* collectiveOf(const KernelRecord& record) const {
        return record.collective < 0 ? nullptr : &collectives[static_cast<size_t>(record.collective)];
    }
};

/// Keeps each name once, as valid UTF-8.
class Names {
  public:
    explicit Names(std::vector<std::string>& list) : names(list) {}
    uint32_t index(const std::string& name) {
        const auto [place, fresh] = known.try_emplace(name, static_cast<uint32_t>(names.size()));
        if (fresh)
            names.push_back(asUtf8(name));
        return place->second;
    }

  private:
    std::vector<std::string>& names;
    std::unordered_map<std::string, uint32_t> known;
};

} // namespace warplight::profiles
