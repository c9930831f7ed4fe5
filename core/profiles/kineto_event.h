// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/profiles/kernel_record.h"
#include "core/profiles/profiler_metrics.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace warplight::profiles {

/// One event while it is read; strings keep their memory from event to event.
struct KinetoEvent {
    char phase = 0;
    std::string category, name, process;
    std::optional<int64_t> start, duration; ///< ns
    std::optional<int64_t> device;          ///< of args
    std::optional<int64_t> stream;          ///< of args or tid
    KernelRecord record;                    ///< what args told
    Collective collective;
    bool hasCollective = false;
    LaunchMetrics metrics;

    void clear() {
        phase = 0;
        category.clear();
        name.clear();
        process.clear();
        start = duration = device = stream = {};
        record = {};
        collective = {};
        hasCollective = false;
        metrics = {};
    }
};

/// What of an event is of use here.
enum class KinetoWanted { No, Unknown, Kernel, Copy, Fill, Range };
KinetoWanted wantedOf(std::string_view category);
KinetoWanted wantedOf(const KinetoEvent& event);

/// "[TP08]" of "[TP08] 0", "rank1" of "rank1 GPU 0": whose GPU it is, as programs that merge the traces of several
/// ranks write it into pid; behind it stands the pid that there was, the GPU's number.
std::string_view ownerOf(std::string_view process, int64_t device);

} // namespace warplight::profiles
