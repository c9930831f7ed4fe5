// SPDX-License-Identifier: GPL-3.0-or-later
// The selective scan as a framework's operators do it: decays, inputs and states of all steps are tensors.
#include "core/cpu/parallel.h"
#include "core/cpu/ssm/selective_kernels.h"
#include "core/cpu/ssm/selective_rungs.h"
#include "core/cpu/workspace.h"
#include "core/error.h"

#include <algorithm>
#include <cstdint>
#include <numbers>

namespace warplight::cpu {

RunCost unfusedScan(const SelectiveShape& s, const SelectiveTensors<float>& t, const RunOptions& options) {
    const int workers = workerCount(options.threads);
    const SelectiveKernels& k = selectiveKernels();
    const int64_t channels = s.batch * s.dim, numbers = channels * s.length * s.state;
    Workspace space;
    float *decays = space.take<float>(numbers), *inputs = space.take<float>(numbers),
          *states = space.take<float>(numbers), *rows = space.take<float>(workers * s.state);
    const auto of = [&](float* x, int64_t channel) { return x + channel * s.length * s.state; };
    const auto each = [&](const auto& work) { parallelItems(channels, workers, options.cancel, work); };
    each([&](int64_t channel, int worker) {
        const int64_t e = channel % s.dim;
        const float *a = t.a + e * s.state, *b = t.b + groupOf(s, channel) * s.state * s.length;
        float *decay = of(decays, channel), *input = of(inputs, channel), *row = rows + worker * s.state;
        for (int64_t n = 0; n < s.state; ++n)
            row[n] = a[n] * std::numbers::log2e_v<float>;
        for (int64_t step = 0; step < s.length; ++step, decay += s.state, input += s.state) {
            if (step % 1024 == 0)
                checkCancelled(options.cancel);
            const int64_t at = channel * s.length + step;
            const float size = stepSize(t.delta[at], t.bias ? t.bias[e] : 0.0f, s.softplus), u = size * t.u[at];
            for (int64_t n = 0; n < s.state; ++n) {
                decay[n] = size * row[n];
                input[n] = u * b[n * s.length + step];
            }
            k.exp2(decay, s.state);
        }
    });
    each([&](int64_t channel, int) {
        const float *decay = of(decays, channel), *input = of(inputs, channel);
        float* h = of(states, channel);
        for (int64_t step = 0; step < s.length; ++step, decay += s.state, input += s.state, h += s.state) {
            if (step % 1024 == 0)
                checkCancelled(options.cancel);
            for (int64_t n = 0; n < s.state; ++n) {
                const float before = step > 0 ? h[n - s.state] : t.first ? t.first[channel * s.state + n] : 0.0f;
                h[n] = decay[n] * before + input[n];
            }
        }
    });
    each([&](int64_t channel, int) {
        const int64_t e = channel % s.dim;
        const float *c = t.c + groupOf(s, channel) * s.state * s.length, *h = of(states, channel);
        float* y = t.y + channel * s.length;
        for (int64_t step = 0; step < s.length; ++step, h += s.state) {
            if (step % 1024 == 0)
                checkCancelled(options.cancel);
            float sum = 0;
            for (int64_t n = 0; n < s.state; ++n)
                sum += c[n * s.length + step] * h[n];
            y[step] = t.d ? sum + t.d[e] * t.u[channel * s.length + step] : sum;
        }
        if (t.z)
            k.gate(t.z + channel * s.length, y, s.length);
        for (int64_t n = 0; t.last && n < s.state; ++n)
            t.last[channel * s.state + n] = s.length > 0 ? h[n - s.state]
                                            : t.first    ? t.first[channel * s.state + n]
                                                         : 0.0f;
    });
    return {space.bytes(), workers};
}

} // namespace warplight::cpu
