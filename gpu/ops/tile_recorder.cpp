// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/ops/tile_recorder.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace warplight::gpu {
namespace {

constexpr int64_t floats = 3, floatBytes = 4;

bool isInput(std::string_view buffer) { return buffer == "Q" || buffer == "K" || buffer == "V"; }

} // namespace

TileRecorder::TileRecorder(Device& d, const AttentionShape& s, int64_t t, std::function<void(const TileVisit&)> tell)
    : device(d),
      shape(s),
      tile(t),
      tilesOfKeys((s.keyLen + t - 1) / t),
      told(std::move(tell)),
      trace(d, std::max<int64_t>(1, s.heads() * s.queryLen * tilesOfKeys * floats) * floatBytes, "trace"),
      scores(d, std::max<int64_t>(1, s.heads() * s.queryLen * s.keyLen) * floatBytes, "scores") {}

void TileRecorder::take(const MemoryAccess& access) {
    if (access.shared || access.buffer == "scores")
        return;
    const bool read = access.kind == MemoryAccess::Kind::Read;
    // Inputs are read at the beginning of a tile; what follows the statistics up to there still belongs to it.
    if (tileOfKeys >= 0 && (access.block != block || (read && isInput(access.buffer))))
        tell();
    block = access.block;
    if (access.buffer == "trace") {
        for (int lane = 0; lane < 32; ++lane)
            if (access.lanes >> lane & 1) {
                const auto slot = static_cast<int64_t>(access.address[static_cast<size_t>(lane)] - trace.address()) /
                                  (floats * floatBytes);
                tileOfKeys = slot % tilesOfKeys;
                rows.push_back(slot / tilesOfKeys);
            }
        return;
    }
    auto& [in, out] = moved[std::string(access.buffer)];
    (read ? in : out) += static_cast<int64_t>(std::popcount(access.lanes)) * access.bytes;
}

void TileRecorder::finish() {
    if (tileOfKeys >= 0)
        tell();
}

void TileRecorder::tell() {
    std::sort(rows.begin(), rows.end()); // three writes each
    rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
    TileVisit visit;
    visit.head = rows.front() / shape.queryLen;
    visit.queryBegin = rows.front() % shape.queryLen / tile * tile;
    visit.queryEnd = std::min(visit.queryBegin + tile, shape.queryLen);
    visit.keyBegin = tileOfKeys * tile;
    visit.keyEnd = std::min(visit.keyBegin + tile, shape.keyLen);
    const int64_t keys = visit.keyEnd - visit.keyBegin;
    visit.scores.resize(rows.size() * static_cast<size_t>(keys));
    float* score = visit.scores.data();
    for (const int64_t row : rows) {
        device.download(score,
                        scores.address() + static_cast<uint64_t>((row * shape.keyLen + visit.keyBegin) * floatBytes),
                        static_cast<size_t>(keys * floatBytes));
        score += keys;
        float value[floats];
        device.download(value,
                        trace.address() + static_cast<uint64_t>((row * tilesOfKeys + tileOfKeys) * floats * floatBytes),
                        sizeof(value));
        visit.rows.push_back({row % shape.queryLen, value[0], value[1], value[2]});
    }
    visit.moved = std::move(moved);
    told(visit);
    moved.clear();
    rows.clear();
    tileOfKeys = -1;
}

} // namespace warplight::gpu
