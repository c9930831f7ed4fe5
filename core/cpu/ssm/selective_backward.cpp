// SPDX-License-Identifier: GPL-3.0-or-later
// Backwards through time: with p_t = C_t · h_t + D u_t, y_t = p_t silu(z_t), dp = dy silu(z) and a_t = exp(Δ_t A),
//   g_t = C_t dp_t + a_{t+1} g_{t+1}            the gradient of h_t
//   dC_t = Σ h_t dp_t,  dB_t = Σ Δ_t u_t g_t     over the channels of a group
//   du_t = D dp_t + Δ_t B_t · g_t
//   dΔ_t = g_t · (A a_t h_{t-1} + B_t u_t),  dA = Σ_t Δ_t g_t a_t h_{t-1}
#include "core/cpu/ssm/selective_backward.h"

#include "core/cpu/memory.h"
#include "core/cpu/parallel.h"
#include "core/cpu/rounding.h"
#include "core/cpu/ssm/selective_rungs.h"
#include "core/cpu/workspace.h"
#include "core/error.h"
#include "gpu/host/memory_budget.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

namespace warplight::cpu {
namespace {

constexpr std::array<RungInfo<SelectiveRung>, 3> rungs{{
    {SelectiveRung::Reference, "reference", "double precision, step by step",
     "nothing: this is the formula that every other rung is judged by"},
    {SelectiveRung::Plain, "stepwise", "states computed again, chunk by chunk",
     "the formula in f32; of states only those at the beginnings of chunks are kept"},
    {SelectiveRung::Fused, "fused", "channels in lanes, states computed again",
     "a vector of channels goes forwards through a chunk and back while all that belongs to it is in the cache"},
}};

constexpr int64_t chunkSteps = 64;
constexpr int64_t bundleChannels = 32; ///< whose parts of dB and dC are added up before others'

int64_t chunksOf(const SelectiveShape& s) { return ceilDiv(s.length, chunkSteps); }
int64_t bundlesOf(const SelectiveShape& s) { return ceilDiv(s.perGroup(), bundleChannels); }

/// T is what is computed in, In what is stored.
template <class In, class T>
class Backward {
  public:
    Backward(const SelectiveShape& shape, const SelectiveTensors<In>& tensors, const SelectiveGradients<In>& gradients,
             const RunOptions& o)
        : s(shape), t(tensors), g(gradients), options(o), workers(workerCount(o.threads)), channels(s.batch * s.dim) {
        const int64_t items = s.batch * s.groups * bundlesOf(s);
        kept = space.take<T>(channels * chunksOf(s) * s.state);
        carried = space.take<T>(channels * s.state);
        ofA = space.take<T>(channels * s.state);
        ofD = space.take<T>(channels);
        ofBias = space.take<T>(channels);
        parts = space.take<T>(items * 2 * chunkSteps * s.state);
        states = space.take<T>(workers * (chunkSteps + 1) * s.state);
    }

    RunCost run() {
        parallelItems(channels, workers, options.cancel, [&](int64_t channel, int worker) {
            forward(channel, states + worker * (chunkSteps + 1) * s.state);
        });
        for (int64_t chunk = chunksOf(s) - 1; chunk >= 0; --chunk)
            backward(chunk);
        overBatch(ofA, s.dim * s.state, g.da);
        overBatch(ofD, s.dim, g.dd);
        overBatch(ofBias, s.dim, g.dbias);
        return {space.bytes(), workers};
    }

  private:
    T number(const In* x, int64_t i) const { return x ? static_cast<T>(x[i]) : T{0}; }
    T sizeAt(int64_t channel, int64_t step) const {
        return stepSize<T>(static_cast<T>(t.delta[channel * s.length + step]), number(t.bias, channel % s.dim),
                           s.softplus);
    }
    const In* ofGroup(const In* x, int64_t channel) const { return x + groupOf(s, channel) * s.state * s.length; }

    void step(int64_t channel, int64_t at, const T* before, T* h) const {
        const T size = sizeAt(channel, at), in = size * static_cast<T>(t.u[channel * s.length + at]);
        const In *a = t.a + channel % s.dim * s.state, *b = ofGroup(t.b, channel) + at;
        for (int64_t n = 0; n < s.state; ++n)
            h[n] = std::exp(size * static_cast<T>(a[n])) * before[n] + in * static_cast<T>(b[n * s.length]);
    }

    /// The states at the beginnings of chunks.
    void forward(int64_t channel, T* h) {
        std::fill_n(carried + channel * s.state, s.state, T{0});
        std::fill_n(ofA + channel * s.state, s.state, T{0});
        ofD[channel] = ofBias[channel] = 0;
        for (int64_t n = 0; n < s.state; ++n)
            h[n] = number(t.first, channel * s.state + n);
        for (int64_t at = 0; at < s.length; ++at) {
            if (at % chunkSteps == 0) {
                checkCancelled(options.cancel);
                std::copy_n(h, s.state, kept + (channel * chunksOf(s) + at / chunkSteps) * s.state);
            }
            step(channel, at, h, h);
        }
    }

    void backward(int64_t chunk) {
        const int64_t begin = chunk * chunkSteps, steps = std::min(chunkSteps, s.length - begin),
                      size = 2 * chunkSteps * s.state, bundles = bundlesOf(s);
        parallelItems(s.batch * s.groups * bundles, workers, options.cancel, [&](int64_t item, int worker) {
            const int64_t group = item / bundles, inGroup = item % bundles * bundleChannels;
            const int64_t first = group / s.groups * s.dim + group % s.groups * s.perGroup() + inGroup;
            std::fill_n(parts + item * size, size, T{0});
            for (int64_t i = 0; i < std::min(bundleChannels, s.perGroup() - inGroup); ++i) {
                checkCancelled(options.cancel);
                channelBack(first + i, chunk, begin, steps, states + worker * (chunkSteps + 1) * s.state,
                            parts + item * size);
            }
        });
        parallelItems(s.batch * s.groups, workers, options.cancel, [&](int64_t group, int) {
            for (int64_t n = 0; n < s.state; ++n)
                for (int64_t i = 0; i < steps; ++i) {
                    T b = 0, c = 0;
                    for (int64_t bundle = 0; bundle < bundles; ++bundle) {
                        const T* part = parts + (group * bundles + bundle) * size + i * s.state + n;
                        b += part[0];
                        c += part[chunkSteps * s.state];
                    }
                    const int64_t to = (group * s.state + n) * s.length + begin + i;
                    g.db[to] = static_cast<In>(b);
                    g.dc[to] = static_cast<In>(c);
                }
        });
    }

    /// One channel of a chunk: `h` holds its states, `db` its part of dB, behind which that of dC lies.
    void channelBack(int64_t channel, int64_t chunk, int64_t begin, int64_t steps, T* h, T* db) {
        const int64_t e = channel % s.dim;
        std::copy_n(kept + (channel * chunksOf(s) + chunk) * s.state, s.state, h);
        for (int64_t i = 0; i < steps; ++i)
            step(channel, begin + i, h + i * s.state, h + (i + 1) * s.state);
        const In* a = t.a + e * s.state;
        T *carry = carried + channel * s.state, *da = ofA + channel * s.state;
        for (int64_t i = steps - 1; i >= 0; --i) {
            const int64_t at = channel * s.length + begin + i;
            const In *b = ofGroup(t.b, channel) + begin + i, *c = ofGroup(t.c, channel) + begin + i;
            const T size = sizeAt(channel, begin + i), u = static_cast<T>(t.u[at]), in = size * u, d = number(t.d, e);
            const T *before = h + i * s.state, *after = before + s.state;
            T dp = static_cast<T>(g.dy[at]);
            if (t.z) {
                T p = 0;
                for (int64_t n = 0; n < s.state; ++n)
                    p += static_cast<T>(c[n * s.length]) * after[n];
                if (t.d)
                    p += d * u;
                const T z = static_cast<T>(t.z[at]), gate = sigmoid(z);
                g.dz[at] = static_cast<In>(dp * p * gate * (1 + z * (1 - gate)));
                dp *= z * gate;
            }
            T *ofB = db + i * s.state, *ofC = ofB + chunkSteps * s.state, read = 0, decayed = 0;
            for (int64_t n = 0; n < s.state; ++n) {
                const T wa = static_cast<T>(a[n]), wb = static_cast<T>(b[n * s.length]), decay = std::exp(size * wa);
                const T dh = static_cast<T>(c[n * s.length]) * dp + carry[n], back = dh * (decay * before[n]);
                ofC[n] += dp * after[n];
                ofB[n] += in * dh;
                read += wb * dh;
                decayed += wa * back;
                da[n] += size * back;
                carry[n] = decay * dh;
            }
            g.du[at] = static_cast<In>(t.d ? size * read + d * dp : size * read);
            T ddelta = decayed + u * read;
            if (s.softplus)
                if (const T x = static_cast<T>(t.delta[at]) + number(t.bias, e); !(x > 20))
                    ddelta *= sigmoid(x);
            g.ddelta[at] = static_cast<In>(ddelta);
            ofD[channel] += dp * u;
            ofBias[channel] += ddelta;
        }
    }

    void overBatch(const T* x, int64_t count, In* to) const {
        for (int64_t i = 0; to && i < count; ++i) {
            T sum = 0;
            for (int64_t batch = 0; batch < s.batch; ++batch)
                sum += x[batch * count + i];
            to[i] = static_cast<In>(sum);
        }
    }

    const SelectiveShape& s;
    const SelectiveTensors<In>& t;
    const SelectiveGradients<In>& g;
    const RunOptions& options;
    const int workers;
    const int64_t channels;
    Workspace space;
    T *kept, *carried, *ofA, *ofD, *ofBias, *parts, *states;
};

} // namespace

std::span<const RungInfo<SelectiveRung>> selectiveBackwardRungs() { return rungs; }

RunCost selectiveScanBackward(SelectiveRung rung, const SelectiveShape& s, const SelectiveTensors<float>& t,
                              const SelectiveGradients<float>& g, const RunOptions& options) {
    checkShape(s);
    if (rung == SelectiveRung::Reference)
        return Backward<float, double>(s, t, g, options).run();
    if (rung == SelectiveRung::Plain)
        return Backward<float, float>(s, t, g, options).run();
    if (rung == SelectiveRung::Fused)
        return fusedBackward(s, t, g, options);
    throw InputError("selective scan: unfused does not go backwards");
}

RunCost selectiveScanBackward(const SelectiveShape& s, const SelectiveTensors<double>& t,
                              const SelectiveGradients<double>& g, const RunOptions& options) {
    checkShape(s);
    return Backward<double, double>(s, t, g, options).run();
}

int64_t backwardBytesAtMost(SelectiveRung rung, const SelectiveShape& s, int threads) {
    if (rung == SelectiveRung::Fused)
        return fusedBackwardBytesAtMost(s, threads);
    const int64_t channels = saturatedProduct(s.batch, s.dim),
                  items = saturatedProduct(s.batch * s.groups, bundlesOf(s));
    const auto of = [&](int64_t rows, int64_t numbers) {
        return saturatedProduct(rung == SelectiveRung::Reference ? 2 : 1, floats(rows, numbers));
    };
    return buffers({of(channels, saturatedProduct(chunksOf(s), s.state)), of(channels, s.state), of(channels, s.state),
                    of(channels, 1), of(channels, 1), of(items, 2 * chunkSteps * s.state),
                    of(workerCount(threads), (chunkSteps + 1) * s.state)});
}

double backwardFlopsOf(const SelectiveShape& s) {
    return 20 * static_cast<double>(s.batch) * static_cast<double>(s.dim) * static_cast<double>(s.length) *
           static_cast<double>(s.state);
}

} // namespace warplight::cpu
