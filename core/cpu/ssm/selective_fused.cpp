// SPDX-License-Identifier: GPL-3.0-or-later
// The selective scan with channels in lanes. A bundle of tiles (each a vector of channels) goes through blocks of steps
// together, so that B and C are turned to [steps, state] once for all of them and stay in the cache; between blocks a
// tile's states wait in memory. One step alone has its states in lanes, as they lie in memory.
#include "core/cpu/memory.h"
#include "core/cpu/parallel.h"
#include "core/cpu/rounding.h"
#include "core/cpu/ssm/selective_kernels.h"
#include "core/cpu/ssm/selective_rungs.h"
#include "core/cpu/workspace.h"
#include "core/error.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <numbers>

namespace warplight::cpu {
namespace {

constexpr int64_t mostTiles = 24;       ///< of a bundle
constexpr int64_t fewUpdates = 1 << 16; ///< states and steps that are done before another thread is awake
constexpr int64_t mostLanes = 16;

/// How channels are cut: bundles within each group of each sequence.
struct Bundles {
    int64_t tilesPerGroup, tiles, perGroup; ///< tiles of a bundle, bundles of a group

    Bundles(const SelectiveShape& s, int64_t lanes, int64_t workers) : tilesPerGroup(ceilDiv(s.perGroup(), lanes)) {
        const int64_t all = s.batch * s.groups * tilesPerGroup;
        tiles = std::clamp<int64_t>(all / (4 * workers), 1, std::min(mostTiles, tilesPerGroup));
        perGroup = ceilDiv(tilesPerGroup, tiles);
    }
};

/// Numbers that a worker keeps for a bundle: A, D, bias and states of each tile, B and C of a block, and a tile's
/// scratch.
int64_t bundleFloats(const SelectiveShape& s, int64_t lanes, int64_t tiles) {
    return tiles * lanes * (2 * s.state + 2) + 2 * scanSteps * s.state + roundUp(scratchFloats(lanes), mostLanes);
}

int workersFor(const SelectiveShape& s, int threads) {
    const int64_t updates = saturatedProduct(saturatedProduct(s.batch, s.dim), saturatedProduct(s.length, s.state));
    return updates <= fewUpdates ? 1 : workerCount(threads);
}

/// One bundle of channels through all steps.
class Bundle {
  public:
    Bundle(const SelectiveShape& shape, const SelectiveTensors<float>& tensors, float* space, int64_t tiles)
        : s(shape), t(tensors), k(selectiveKernels()), lanes(k.lanes) {
        const auto take = [&](int64_t count) {
            float* part = space;
            space += count;
            return part;
        };
        a = take(tiles * lanes * s.state);
        h = take(tiles * lanes * s.state);
        d = take(tiles * lanes);
        bias = take(tiles * lanes);
        b = take(scanSteps * s.state);
        c = take(scanSteps * s.state);
        scratch = take(scratchFloats(lanes));
    }

    /// Channels first … first + channels - 1 of a sequence, all of one group.
    void run(int64_t sequence, int64_t first, int64_t channels, const std::atomic<bool>* cancel) {
        const int64_t tiles = ceilDiv(channels, lanes), group = sequence * s.groups + first / s.perGroup();
        load(sequence, first, channels);
        for (int64_t begin = 0; begin < s.length; begin += scanSteps) {
            const int64_t steps = std::min(scanSteps, s.length - begin);
            const int64_t of = group * s.state * s.length + begin;
            k.transpose(t.b + of, s.length, s.state, steps, b);
            k.transpose(t.c + of, s.length, s.state, steps, c);
            for (int64_t tile = 0; tile < tiles; ++tile) {
                checkCancelled(cancel);
                const bool isLast = tile + 1 == tiles;
                ScanTile p = rowsOf(sequence, first, channels, tile, begin);
                if (!isLast || begin + steps < s.length) {
                    const int64_t next = isLast ? begin + steps : begin;
                    const ScanTile ahead = rowsOf(sequence, first, channels, isLast ? 0 : tile + 1, next);
                    p.ahead[0] = ahead.u, p.ahead[1] = ahead.delta, p.ahead[2] = ahead.z;
                    p.aheadY = ahead.y;
                    p.aheadChannels = ahead.channels;
                    p.aheadSteps = std::min(scanSteps, s.length - next);
                }
                p.steps = steps;
                k.scanTile(p);
            }
        }
        store(sequence, first, channels);
    }

  private:
    ScanTile rowsOf(int64_t sequence, int64_t first, int64_t channels, int64_t tile, int64_t begin) const {
        const int64_t from = tile * lanes, row = ((sequence * s.dim + first + from) * s.length) + begin;
        ScanTile p;
        p.channels = std::min(lanes, channels - from);
        p.state = s.state;
        p.stride = s.length;
        p.softplus = s.softplus;
        p.u = t.u + row, p.delta = t.delta + row;
        p.z = t.z ? t.z + row : nullptr;
        p.y = t.y + row;
        p.b = b, p.c = c;
        p.a = a + from * s.state, p.h = h + from * s.state;
        p.d = t.d ? d + from : nullptr;
        p.bias = bias + from;
        p.scratch = scratch;
        return p;
    }

    /// A, D, bias and the first states to lanes; lanes without a channel have zeros.
    void load(int64_t sequence, int64_t first, int64_t channels) {
        for (int64_t i = 0; i < roundUp(channels, lanes); ++i) {
            const int64_t e = first + i, tile = i / lanes * lanes * s.state + i % lanes;
            const bool isThere = i < channels;
            for (int64_t n = 0; n < s.state; ++n) {
                a[tile + n * lanes] = isThere ? t.a[e * s.state + n] * std::numbers::log2e_v<float> : 0;
                h[tile + n * lanes] = isThere && t.first ? t.first[(sequence * s.dim + e) * s.state + n] : 0;
            }
            d[i] = isThere && t.d ? t.d[e] : 0;
            bias[i] = isThere && t.bias ? t.bias[e] : 0;
        }
    }
    void store(int64_t sequence, int64_t first, int64_t channels) const {
        for (int64_t i = 0; t.last && i < channels; ++i)
            for (int64_t n = 0; n < s.state; ++n)
                t.last[(sequence * s.dim + first + i) * s.state + n] =
                    h[i / lanes * lanes * s.state + i % lanes + n * lanes];
    }

    const SelectiveShape& s;
    const SelectiveTensors<float>& t;
    const SelectiveKernels& k;
    const int64_t lanes;
    float *a, *h, *d, *bias, *b, *c, *scratch;
};

/// One step of every channel.
RunCost oneStep(const SelectiveShape& s, const SelectiveTensors<float>& t, int workers, const RunOptions& options) {
    const SelectiveKernels& k = selectiveKernels();
    const int64_t parts = ceilDiv(s.perGroup(), stepChannels);
    parallelItems(s.batch * s.groups * parts, workers, options.cancel, [&](int64_t item, int) {
        const int64_t group = item / parts, inGroup = item % parts * stepChannels;
        const int64_t e = group % s.groups * s.perGroup() + inGroup, channel = group / s.groups * s.dim + e;
        const auto ifThere = [](auto* x, int64_t from) { return x ? x + from : nullptr; };
        ScanStep p;
        p.channels = std::min(stepChannels, s.perGroup() - inGroup);
        p.state = s.state;
        p.softplus = s.softplus;
        p.u = t.u + channel, p.delta = t.delta + channel;
        p.d = ifThere(t.d, e), p.z = ifThere(t.z, channel), p.bias = ifThere(t.bias, e);
        p.a = t.a + e * s.state;
        p.b = t.b + group * s.state, p.c = t.c + group * s.state;
        p.first = ifThere(t.first, channel * s.state), p.last = ifThere(t.last, channel * s.state);
        p.y = t.y + channel;
        k.scanStep(p);
    });
    return {0, workers};
}

} // namespace

RunCost fusedScan(const SelectiveShape& s, const SelectiveTensors<float>& t, const RunOptions& options) {
    const int workers = workersFor(s, options.threads);
    if (s.length == 1)
        return oneStep(s, t, workers, options);
    const int64_t lanes = selectiveKernels().lanes;
    const Bundles cut(s, lanes, workers);
    const int64_t each = roundUp(bundleFloats(s, lanes, cut.tiles), mostLanes);
    Workspace space;
    float* all = space.take<float>(workers * each);
    parallelItems(s.batch * s.groups * cut.perGroup, workers, options.cancel, [&](int64_t item, int worker) {
        const int64_t group = item / cut.perGroup, inGroup = item % cut.perGroup * cut.tiles * lanes;
        Bundle(s, t, all + worker * each, cut.tiles)
            .run(group / s.groups, group % s.groups * s.perGroup() + inGroup,
                 std::min(cut.tiles * lanes, s.perGroup() - inGroup), options.cancel);
    });
    return {space.bytes(), workers};
}

int64_t fusedBytesAtMost(const SelectiveShape& s, int threads) {
    const int64_t workers = workersFor(s, threads);
    if (s.length == 1)
        return 0;
    const Bundles cut(s, selectiveKernels().lanes, workers);
    return buffers({floats(workers, roundUp(bundleFloats(s, selectiveKernels().lanes, cut.tiles), mostLanes))});
}

} // namespace warplight::cpu
