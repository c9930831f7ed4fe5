// SPDX-License-Identifier: GPL-3.0-or-later
// The gradients of the selective scan with channels in lanes, as selective_backward.cpp has them channel by channel.
#include "core/cpu/memory.h"
#include "core/cpu/parallel.h"
#include "core/cpu/rounding.h"
#include "core/cpu/ssm/selective_back_kernels.h"
#include "core/cpu/ssm/selective_rungs.h"
#include "core/cpu/workspace.h"
#include "core/error.h"
#include "gpu/host/memory_budget.h"

#include <algorithm>
#include <cstdint>
#include <numbers>

namespace warplight::cpu {
namespace {

constexpr int64_t bundleTiles = 8; ///< whose parts of dB and dC are added up before others', whatever the threads

class FusedBackward {
  public:
    FusedBackward(const SelectiveShape& shape, const SelectiveTensors<float>& tensors,
                  const SelectiveGradients<float>& gradients, const RunOptions& o)
        : s(shape),
          t(tensors),
          g(gradients),
          options(o),
          k(selectiveBackKernels()),
          workers(workerCount(o.threads)),
          lanes(k.lanes),
          tilesOfGroup(ceilDiv(s.perGroup(), lanes)),
          bundles(ceilDiv(tilesOfGroup, bundleTiles)),
          tiles(s.batch * s.groups * tilesOfGroup),
          chunks(ceilDiv(s.length, backSteps)) {
        const int64_t states = s.state * lanes;
        a = space.take<float>(tiles * states);
        carry = space.take<float>(tiles * states);
        da = space.take<float>(tiles * states);
        vectors = space.take<float>(tiles * 4 * lanes);
        kept = space.take<float>(tiles * (chunks + 1) * states);
        parts = space.take<float>(s.batch * s.groups * bundles * 2 * backSteps * s.state);
        mixing = space.take<float>(workers * 2 * backSteps * s.state);
        sums = space.take<float>(workers * 2 * backSteps * states);
        scratch = space.take<float>(workers * backFloats(lanes, s.state));
    }

    RunCost run() {
        parallelItems(tiles, workers, options.cancel, [&](int64_t tile, int worker) { forward(tile, worker); });
        for (int64_t chunk = chunks - 1; chunk >= 0; --chunk)
            backward(chunk);
        for (int64_t e = 0; e < s.dim; ++e)
            finish(e);
        return {space.bytes(), workers};
    }

  private:
    struct Place { ///< of a tile: its sequence and group as one index, and its first channel in [batch, dim]
        int64_t group, channel, count;
    };
    Place placeOf(int64_t tile) const {
        const int64_t group = tile / tilesOfGroup, from = tile % tilesOfGroup * lanes;
        return {group, group / s.groups * s.dim + group % s.groups * s.perGroup() + from,
                std::min(lanes, s.perGroup() - from)};
    }
    float* statesOf(float* x, int64_t tile) const { return x + tile * s.state * lanes; }
    float* checkpoint(int64_t tile, int64_t chunk) const {
        return kept + (tile * (chunks + 1) + chunk) * s.state * lanes;
    }

    BackTile tileOf(int64_t tile, int64_t chunk, int worker) const {
        const Place at = placeOf(tile);
        const int64_t row = at.channel * s.length + chunk * backSteps;
        BackTile p;
        p.channels = at.count;
        p.steps = std::min(backSteps, s.length - chunk * backSteps);
        p.state = s.state, p.stride = s.length;
        p.softplus = s.softplus;
        p.u = t.u + row, p.delta = t.delta + row;
        p.dy = g.dy + row, p.z = t.z ? t.z + row : nullptr;
        p.b = mixing + worker * 2 * backSteps * s.state, p.c = p.b + backSteps * s.state;
        p.a = statesOf(a, tile), p.carry = statesOf(carry, tile), p.da = statesOf(da, tile);
        float* own = vectors + tile * 4 * lanes;
        p.d = t.d ? own : nullptr, p.bias = own + lanes, p.dd = own + 2 * lanes, p.dbias = own + 3 * lanes;
        p.h = checkpoint(tile, chunk);
        p.du = g.du + row, p.ddelta = g.ddelta + row, p.dz = t.z ? g.dz + row : nullptr;
        p.db = sums + worker * 2 * backSteps * s.state * lanes, p.dc = p.db + backSteps * s.state * lanes;
        p.scratch = scratch + worker * backFloats(lanes, s.state);
        return p;
    }

    void turnMixing(int64_t group, int64_t chunk, int worker) const {
        const int64_t from = group * s.state * s.length + chunk * backSteps,
                      steps = std::min(backSteps, s.length - chunk * backSteps);
        float* to = mixing + worker * 2 * backSteps * s.state;
        k.transpose(t.b + from, s.length, s.state, steps, to);
        k.transpose(t.c + from, s.length, s.state, steps, to + backSteps * s.state);
    }

    /// A, D, bias and the first states to lanes; the states at the beginnings of chunks.
    void forward(int64_t tile, int worker) {
        const Place at = placeOf(tile);
        float *ofA = statesOf(a, tile), *h = checkpoint(tile, 0), *own = vectors + tile * 4 * lanes;
        std::fill_n(own, 4 * lanes, 0.0f);
        std::fill_n(statesOf(carry, tile), s.state * lanes, 0.0f);
        std::fill_n(statesOf(da, tile), s.state * lanes, 0.0f);
        for (int64_t i = 0; i < lanes; ++i) {
            const bool there = i < at.count;
            const int64_t channel = at.channel + i, e = channel % s.dim;
            for (int64_t n = 0; n < s.state; ++n) {
                ofA[n * lanes + i] = there ? t.a[e * s.state + n] * std::numbers::log2e_v<float> : 0;
                h[n * lanes + i] = there && t.first ? t.first[channel * s.state + n] : 0;
            }
            own[i] = there && t.d ? t.d[e] : 0;
            own[lanes + i] = there && t.bias ? t.bias[e] : 0;
        }
        for (int64_t chunk = 0; chunk + 1 < chunks; ++chunk) {
            checkCancelled(options.cancel);
            turnMixing(at.group, chunk, worker);
            BackTile p = tileOf(tile, chunk, worker);
            p.h = checkpoint(tile, chunk + 1);
            std::copy_n(checkpoint(tile, chunk), s.state * lanes, p.h);
            k.advanceTile(p);
        }
    }

    void backward(int64_t chunk) {
        const int64_t steps = std::min(backSteps, s.length - chunk * backSteps), half = backSteps * s.state;
        parallelItems(s.batch * s.groups * bundles, workers, options.cancel, [&](int64_t item, int worker) {
            const int64_t group = item / bundles, first = item % bundles * bundleTiles;
            turnMixing(group, chunk, worker);
            float* own = sums + worker * 2 * half * lanes;
            std::fill_n(own, 2 * half * lanes, 0.0f);
            for (int64_t i = first; i < std::min(first + bundleTiles, tilesOfGroup); ++i) {
                checkCancelled(options.cancel);
                k.backTile(tileOf(group * tilesOfGroup + i, chunk, worker));
            }
            k.sumLanes(own, 2 * half, parts + item * 2 * half);
        });
        for (int64_t group = 0; group < s.batch * s.groups; ++group)
            for (int64_t n = 0; n < s.state; ++n)
                for (int64_t i = 0; i < steps; ++i) {
                    float b = 0, c = 0;
                    for (int64_t bundle = 0; bundle < bundles; ++bundle) {
                        const float* part = parts + (group * bundles + bundle) * 2 * half + i * s.state + n;
                        b += part[0];
                        c += part[half];
                    }
                    const int64_t to = (group * s.state + n) * s.length + chunk * backSteps + i;
                    g.db[to] = b;
                    g.dc[to] = c;
                }
    }

    /// What a channel's parameters get from all sequences.
    void finish(int64_t e) const {
        const auto overBatch = [&](const auto& of) {
            float sum = 0;
            for (int64_t batch = 0; batch < s.batch; ++batch) {
                const int64_t tile = (batch * s.groups + e / s.perGroup()) * tilesOfGroup + e % s.perGroup() / lanes;
                sum += of(tile, e % s.perGroup() % lanes);
            }
            return sum;
        };
        for (int64_t n = 0; n < s.state; ++n)
            g.da[e * s.state + n] =
                overBatch([&](int64_t tile, int64_t lane) { return statesOf(da, tile)[n * lanes + lane]; });
        if (g.dd)
            g.dd[e] = overBatch([&](int64_t tile, int64_t lane) { return vectors[(tile * 4 + 2) * lanes + lane]; });
        if (g.dbias)
            g.dbias[e] = overBatch([&](int64_t tile, int64_t lane) { return vectors[(tile * 4 + 3) * lanes + lane]; });
    }

    const SelectiveShape& s;
    const SelectiveTensors<float>& t;
    const SelectiveGradients<float>& g;
    const RunOptions& options;
    const SelectiveBackKernels& k;
    const int workers;
    const int64_t lanes, tilesOfGroup, bundles, tiles, chunks;
    Workspace space;
    float *a, *carry, *da, *vectors, *kept, *parts, *mixing, *sums, *scratch;
};

} // namespace

RunCost fusedBackward(const SelectiveShape& s, const SelectiveTensors<float>& t, const SelectiveGradients<float>& g,
                      const RunOptions& options) {
    return FusedBackward(s, t, g, options).run();
}

int64_t fusedBackwardBytesAtMost(const SelectiveShape& s, int threads) {
    const int64_t lanes = selectiveBackKernels().lanes, workers = workerCount(threads), states = s.state * lanes;
    const int64_t tilesOfGroup = ceilDiv(s.perGroup(), lanes),
                  tiles = saturatedProduct(s.batch, s.groups * tilesOfGroup);
    const int64_t half = backSteps * s.state, chunks = ceilDiv(s.length, backSteps);
    return buffers({floats(tiles, states), floats(tiles, states), floats(tiles, states), floats(tiles, 4 * lanes),
                    floats(tiles, saturatedProduct(chunks + 1, states)),
                    floats(saturatedProduct(s.batch, s.groups * ceilDiv(tilesOfGroup, bundleTiles)), 2 * half),
                    floats(workers, 2 * half), floats(workers, 2 * half * lanes),
                    floats(workers, backFloats(lanes, s.state))});
}

} // namespace warplight::cpu
