// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"

#include <cstdint>
#include <fmt/format.h>
#include <optional>
#include <vector>

#include <array>

namespace warplight::test {

/// A kernel's lines, and as many lines of PTX as asked for: those belong to the lines of the loop in turn.
inline lab::Source kernelSource(int64_t ptxLines) {
    using namespace lab;
    struct Written {
        const char* text;
        double instructions, bytes;
        const char* remark;
        Source::Severity severity;
    };
    constexpr auto None = Source::Severity::None;
    const std::array<Written, 19> written{{
        {"__global__ void flashForward(Args a) {", 0, 0, "", None},
        {"  extern __shared__ half tile[];", 0, 0, "", None},
        {"  loadTile(q, a.q, blockRow);", 4200, 524288, "", None},
        {"  for (int j = 0; j < tiles; ++j) {", 1300, 0, "", None},
        {"    cpAsync(k, a.k + j * tileBytes);", 19000, 16777216, "every byte that is fetched is used",
         Source::Severity::Good},
        {"    cpAsync(v, a.v + j * tileBytes);", 19000, 16777216, "", None},
        {"    cpAsyncWait(); __syncthreads();", 6100, 0, "", None},
        {"    mma(s, q, k); // S = Q K^T", 71000, 0, "", None},
        {"    float m1 = rowMax(s, m);", 17000, 0, "", None},
        {"    float c = exp2f(m - m1);", 4100, 0, "", None},
        {"    s = exp2(s - m1);", 29000, 0, "two-way bank conflict in 512 of 4,096 accesses",
         Source::Severity::Warning},
        {"    l = l * c + rowSum(s);", 15000, 0, "", None},
        {"    o = o * c;", 10500, 0, "", None},
        {"    mma(o, s, v); // O += P V", 71000, 0, "", None},
        {"    __syncthreads();", 1100, 0, "", None},
        {"  }", 0, 0, "", None},
        {"  store(a.o, o / l);", 6200, 524288, "uncoalesced: 32 sectors a request, 4 would do",
         Source::Severity::Error},
        {"  a.lse[row] = m + log2f(l); /* base 2 */", 2000, 16384, "", None},
        {"}", 0, 0, "", None},
    }};
    Source source;
    source.selectable = true;
    Source::Pane cu{"cu",
                    "flash_attention.cu",
                    {{"instructions", "Instructions", "", Provenance::Counted, ""},
                     {"bytes", "DRAM bytes", "B", Provenance::Modelled, ""}},
                    {},
                    Source::Language::Cpp};
    for (size_t i = 0; i < written.size(); ++i) {
        const Written& w = written[i];
        std::vector<std::optional<double>> counts;
        if (w.instructions > 0)
            counts = {w.instructions, w.bytes};
        cu.lines.push_back({static_cast<int64_t>(41 + i), w.text, counts, {}, w.remark, w.severity});
    }
    Source::Pane ptx{"ptx",
                     "flash_attention.ptx",
                     {{"instructions", "Instructions", "", Provenance::Counted, ""}},
                     {},
                     Source::Language::Ptx};
    const std::array<const char*, 6> forms{
        "ld.global.nc.v4.u32 {{%r{0}, %r1, %r2, %r3}}, [%rd{0}+16];",
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {{%f{0}}}, {{%r4}}, {{%r5}}, {{%f1}};",
        "@%p1 bra $L__BB0_{0};",
        ".reg .f32 %f<{0}>; // registers",
        "ex2.approx.ftz.f32 %f{0}, %f2;",
        "fma.rn.f32 %f{0}, %f3, 0f3FB8AA3B, %f4;"};
    for (int64_t i = 0; i < ptxLines; ++i) {
        const int64_t partner = 2 + i % 16;
        ptx.lines.push_back(
            {i + 1,
             fmt::format("\t{}", fmt::format(fmt::runtime(forms[static_cast<size_t>(i) % forms.size()]), i % 97)),
             {static_cast<double>(i * 7919 % 1000)},
             {partner},
             "",
             None});
        cu.lines[static_cast<size_t>(partner)].partners.push_back(i);
    }
    source.panes = {cu};
    if (ptxLines > 0)
        source.panes.push_back(ptx);
    return source;
}

/// Blocks that load, then compute, one after another on every multiprocessor; in the order of their begin
/// on each track.
inline lab::Timeline blocksTimeline(int64_t spans, int64_t tracks) {
    using namespace lab;
    Timeline timeline;
    timeline.x = {"time", "clock", Scale::Linear, {}, {}, {}, false};
    timeline.selectable = true;
    for (int64_t t = 0; t < tracks; ++t)
        timeline.tracks.push_back(
            {fmt::format("sm{}", t), fmt::format("SM {}", t), t < tracks / 2 ? "GPC 0" : "GPC 1"});
    for (int64_t i = 0; i < spans; ++i) {
        const int64_t track = i % tracks, turn = i / tracks, block = turn / 2;
        const double begin = static_cast<double>(block * 1000 + track * 37 % 500);
        const bool load = turn % 2 == 0;
        timeline.spans.push_back({track, load ? begin : begin + 200, load ? begin + 200 : begin + 900,
                                  load ? "load" : fmt::format("block {}", block * tracks + track),
                                  load ? "load" : "compute", Provenance::Modelled, ""});
    }
    return timeline;
}

} // namespace warplight::test
