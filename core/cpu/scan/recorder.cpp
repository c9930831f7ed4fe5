// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/scan/recorder.h"

#include "core/cpu/scan/chunks.h"
#include "core/cpu/scan/stepped.h"
#include "core/error.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace warplight::cpu {
namespace {

/// What Unrecorded is told, kept.
class ScanRecorder {
  public:
    static constexpr bool records = true;
    ScanRecorder(ScanRecord& to, const ScanRow<float>& row)
        : record(to),
          a(row.a, row.a + row.length),
          b(row.b, row.b + row.length),
          knownAt(static_cast<size_t>(row.length)) {}

    void begin(const char* phase) { record.steps.push_back({phase, {}, {}, {}}); }
    void combine(int64_t from, int64_t middle, int64_t into, bool state = false) {
        record.steps.back().combines.push_back({from, middle, into, state});
        ++record.counted.combines;
    }
    void barrier() { ++record.counted.barriers; }
    void end(const float* nowA, const float* nowB) {
        std::copy_n(nowA, a.size(), a.begin());
        std::copy_n(nowB, b.size(), b.begin());
        ++record.counted.depth;
        keep();
    }
    void pairsEnd(const float* nowA, const float* nowB, int64_t begin, int64_t count) {
        std::copy_n(nowA, count, a.begin() + begin);
        std::copy_n(nowB, count, b.begin() + begin);
        keep();
    }
    void stateEnd(float state, int64_t begin, int64_t at) {
        b[static_cast<size_t>(at)] = state;
        knownAt[static_cast<size_t>(at)] = afterPairs(begin, at - begin + 1);
        keep();
    }
    void statesEnd(const float* h, int64_t begin, int64_t count) {
        std::copy_n(h, count, b.begin() + begin);
        record.counted.depth = knownAt[static_cast<size_t>(begin + count - 1)] = count; // from the very first state
        keep();
    }
    void appliedEnd(const float* h, int64_t begin, int64_t count) {
        std::copy_n(h, count, b.begin() + begin);
        ++record.counted.handovers;
        record.counted.depth = std::max(record.counted.depth, afterPairs(begin, count));
        keep();
    }

  private:
    /// Combines in a row until a state has gone into the pairs of a chunk.
    int64_t afterPairs(int64_t begin, int64_t count) const {
        return std::max(knownAt[static_cast<size_t>(begin - 1)], count - 1) + 1;
    }
    void keep() {
        record.steps.back().a = a;
        record.steps.back().b = b;
    }
    ScanRecord& record;
    std::vector<float> a, b;
    std::vector<int64_t> knownAt; ///< after how many combines the state behind a chunk is known
};

void serial(const ScanRow<float>& row, ScanRecorder& recorder, std::vector<float>& decay) {
    for (int64_t t = 0; t < row.length; ++t) {
        const float before = t > 0 ? row.h[t - 1] : row.h0 ? *row.h0 : 0;
        row.h[t] = applied<float>({row.a[t], row.b[t]}, before);
        if (t == 0 && !row.h0)
            continue;
        recorder.begin("step");
        recorder.combine(0, t, t, true);
        std::vector<float> now(row.b, row.b + row.length);
        std::copy_n(row.h, t + 1, now.begin());
        recorder.end(decay.data(), now.data());
    }
}

} // namespace

ScanRecord recordScan(ScanRung rung, const ScanProblem& p) {
    check(p.shape);
    if (p.shape.complex || p.shape.channels != 1)
        throw InputError("scan: what is recorded is one channel of real numbers");
    ScanRecord record;
    const int64_t n = p.shape.length;
    record.h.resize(static_cast<size_t>(n));
    if (n == 0)
        return record;
    const ScanRow<float> row{p.a, p.b, p.h0, record.h.data(), n};
    ScanRecorder recorder(record, row);
    const RunOptions alone{1, nullptr};
    std::vector<float> scratch(static_cast<size_t>(4 * n)), decay(row.a, row.a + n);
    SteppedScan<float, ScanRecorder> stepped(row, 1, nullptr, recorder);
    switch (rung) {
    case ScanRung::Reference:
    case ScanRung::Serial:
        serial(row, recorder, decay);
        break;
    case ScanRung::HillisSteele:
        stepped.hillisSteele(scratch.data());
        break;
    case ScanRung::Sklansky:
        stepped.sklansky(scratch.data());
        break;
    case ScanRung::Blelloch:
        stepped.blelloch(scratch.data());
        break;
    case ScanRung::Chunked:
        ChunkedScan<float, false, ScanRecorder>(row, 1, p.shape.chunk, alone, recorder).run();
        break;
    case ScanRung::LookBack:
        ChunkedScan<float, true, ScanRecorder>(row, 1, p.shape.chunk, alone, recorder).run();
        break;
    }
    return record;
}

} // namespace warplight::cpu
