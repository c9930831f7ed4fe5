// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lab/number_text.h"
#include "core/labs/profile/profile_figures.h"
#include "core/profiles/text.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::profile {

using namespace lab;
using namespace profiles;

namespace {

constexpr double ns = 1e-9;
using Stream = std::pair<int32_t, int64_t>; // device, stream

/// Tracks in the order of device and stream.
std::map<Stream, int64_t> streamsOf(const Profile& profile) {
    std::map<Stream, int64_t> streams;
    for (const KernelRecord& record : profile.records)
        if (record.timed())
            streams.emplace(Stream{record.device, record.stream}, 0);
    int64_t next = 0;
    for (auto& [stream, track] : streams)
        track = next++;
    return streams;
}

std::string extentText(const Extent& e) { return fmt::format("{} × {} × {}", e[0], e[1], e[2]); }

std::string detailOf(const ReadProfile& read, const KernelRecord& record) {
    std::string text = fmt::format("{}\n{}", shortened(read.profile.nameOf(record), 400),
                                   numberText(static_cast<double>(record.duration) * ns, "s"));
    if (record.grid != Extent{})
        text += fmt::format("\ngrid {}, block {}", extentText(record.grid), extentText(record.block));
    if (record.bytes >= 0)
        text += fmt::format("\n{}", numberText(record.bytes, "B"));
    return text;
}

} // namespace

Figure timelineFigure(const ReadProfile& read, size_t most) {
    Timeline timeline;
    timeline.x = {"time", "s", Scale::Linear, {}, {}, {}, false};
    for (const auto& [stream, track] : streamsOf(read.profile))
        timeline.tracks.push_back({fmt::format("{}.{}", stream.first, stream.second),
                                   stream.second < 0 ? "stream not told" : fmt::format("stream {}", stream.second),
                                   read.profile.gpuLabel(stream.first)});
    const auto& records = read.profile.records;
    const auto all =
        static_cast<size_t>(std::count_if(records.begin(), records.end(), [](const auto& r) { return r.timed(); }));
    return {"timeline",
            "Streams",
            all > most ? fmt::format("the {} longest of {} launches", most, all) : "all launches",
            "When kernels, copies and fills ran on each stream of each device, **measured** by the profiler; 0 is the "
            "first start. Colours are kinds of kernel.",
            Figure::Place::Main,
            std::move(timeline)};
}

std::vector<Timeline::Span> timelineSpans(const ReadProfile& read, size_t most) {
    const auto& records = read.profile.records;
    std::vector<uint32_t> chosen;
    int64_t first = std::numeric_limits<int64_t>::max();
    for (size_t i = 0; i < records.size(); ++i)
        if (records[i].timed()) {
            chosen.push_back(static_cast<uint32_t>(i));
            first = std::min(first, records[i].start);
        }
    if (chosen.size() > most) {
        std::nth_element(chosen.begin(), chosen.begin() + static_cast<std::ptrdiff_t>(most), chosen.end(),
                         [&](uint32_t a, uint32_t b) { return records[a].duration > records[b].duration; });
        chosen.resize(most);
        std::sort(chosen.begin(), chosen.end());
    }
    const auto streams = streamsOf(read.profile);
    std::vector<Timeline::Span> spans;
    spans.reserve(chosen.size());
    for (const uint32_t i : chosen) {
        const KernelRecord& record = records[i];
        Timeline::Span span;
        span.track = streams.at({record.device, record.stream});
        span.begin = static_cast<double>(record.start - first) * ns;
        span.end = static_cast<double>(record.start - first + record.duration) * ns;
        span.text = read.shortNames[record.name];
        span.colourKey = record.kind == KernelRecord::Kind::Kernel ? read.classes[record.name] : "copy";
        span.provenance = Provenance::Measured;
        span.detail = detailOf(read, record);
        spans.push_back(std::move(span));
    }
    return spans;
}

} // namespace warplight::labs::profile
