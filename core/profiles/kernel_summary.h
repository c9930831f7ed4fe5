// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/profiles/kernel_names.h"
#include "core/profiles/kernel_record.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::profiles {

/// A quotient of sums, over those launches that tell both.
struct Quotient {
    double above = 0, below = 0;
    std::optional<double> value() const { return below > 0 ? std::optional(above / below) : std::nullopt; }
};

/// All launches of one kernel, or all copies of one kind.
struct KernelSummary {
    uint32_t name = 0;
    KernelRecord::Kind kind = KernelRecord::Kind::Kernel;
    int64_t launches = 0;
    int64_t timed = 0;                                    ///< those whose duration is known: the times are theirs
    int64_t total = 0;                                    ///< ns
    std::optional<double> mean, median, minimum, maximum; ///< ns; some are missing where a file tells sums alone
    std::optional<double> share;     ///< of the time of all kernels, or of all copies and fills; unset without times
    int64_t measured = 0;            ///< launches whose bytes are known
    double bytes = 0;                ///< of those, to and from DRAM; of copies: copied
    int64_t counted = 0;             ///< launches whose FLOPs are known
    double flops = 0;                ///< of those
    Quotient bandwidth;              ///< bytes a second, of launches that last
    Quotient rate;                   ///< FLOPs a second
    Quotient intensity;              ///< FLOPs a byte
    std::optional<double> occupancy; ///< mean of the launches that tell it
};

/// Kernels by their share of the time, the largest first.
std::vector<KernelSummary> summariseKernels(const Profile& profile);
/// Copies and fills, the largest first.
std::vector<KernelSummary> summariseCopies(const Profile& profile);

/// What each kernel does, by name index: by its name, or as a collective where the trace says what it communicates. The
/// one rule for all figures.
std::vector<KernelClass> classesOf(const Profile& profile);

/// All calls of one collective with one message size and group.
struct CollectiveSummary {
    std::string name; ///< "allreduce"; the kernel's short name where the trace tells no more
    std::string dtype;
    int64_t ranks = -1, elements = -1; ///< -1 = not told
    int64_t calls = 0;
    std::optional<int64_t> total;          ///< ns; unset without times
    std::optional<double> median, minimum; ///< ns; unset where a file tells sums alone
    std::optional<double> bytes; ///< of one call, as nccl-tests counts them: the larger of what goes in and out
    /// B/s of the fastest call: the time of a kernel includes waiting for other ranks, the fastest waited least.
    /// algbw = bytes / time; busbw = algbw × 2(n-1)/n for allreduce, (n-1)/n for reduce-scatter, all-gather and
    /// all-to-all, 1 for broadcast, reduce and send/recv (nccl-tests, doc/PERFORMANCE.md).
    std::optional<double> algorithmBandwidth, busBandwidth;
};
std::vector<CollectiveSummary> summariseCollectives(const Profile& profile);

/// Bytes of one element of a type as PyTorch names it ("Float", "BFloat16"); unset if not known.
std::optional<int64_t> bytesOfType(std::string_view dtype);
/// What algbw is multiplied with; unset for an unknown collective.
std::optional<double> busFactor(std::string_view collective, int64_t ranks);

/// How much of the communication other kernels hide, on merged intervals, over all devices.
struct Overlap {
    int64_t communication = 0; ///< ns in which a device runs a collective
    int64_t exposed = 0;       ///< ns of those in which it runs no other kernel
    int64_t busy = 0;          ///< ns in which a device runs anything, copies too
    int64_t span = 0;          ///< ns from its first start to its last end
};
/// Zeros where no starts or durations are known.
Overlap overlapOf(const Profile& profile);

} // namespace warplight::profiles
