// SPDX-License-Identifier: GPL-3.0-or-later
// Bytes of a state against those of a cache of keys and values, and the time of one decode step that reads each.
#include "core/labs/ssm/state_cache_page.h"

#include "core/cpu/attention/attention.h"
#include "core/cpu/ssm/selective_scan.h"
#include "core/lab/headline.h"
#include "core/tensor/random.h"
#include "core/workbench/stopwatch.h"
#include "gpu/host/memory_budget.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::ssm {
namespace {

using namespace lab;

constexpr int64_t number = 4; ///< bytes: everything is f32 here

/// Of one layer.
struct Sizes {
    int64_t width, heads, keyHeads, headDim, channels, states, convolution;

    explicit Sizes(const Settings& s)
        : width(s.integer("dModel")),
          heads(std::max<int64_t>(1, width / s.integer("headDim"))),
          keyHeads(std::max<int64_t>(1, heads / s.integer("group"))),
          headDim(s.integer("headDim")),
          channels(s.integer("expand") * width),
          states(s.integer("states")),
          convolution(3 * channels) {
        while (heads % keyHeads != 0) // each key head serves as many queries
            --keyHeads;
    }
    int64_t cacheBytes(int64_t length) const { return 2 * number * keyHeads * headDim * length; }
    int64_t stateBytes() const { return number * (channels * states + convolution); }
};

std::vector<float> gaussian(int64_t count, uint64_t stream, const std::atomic<bool>* cancel) {
    std::vector<float> x(static_cast<size_t>(count));
    tensor::fillGaussian(x, 7, stream, 1, cancel);
    return x;
}

/// One query against a cache.
class AttentionStep {
  public:
    AttentionStep(const Sizes& s, int64_t length, const std::atomic<bool>* cancel)
        : q(gaussian(s.heads * s.headDim, 0, cancel)),
          k(gaussian(s.keyHeads * length * s.headDim, 1, cancel)),
          v(gaussian(s.keyHeads * length * s.headDim, 2, cancel)),
          o(q.size()) {
        p.queryHeads = s.heads, p.keyHeads = s.keyHeads;
        p.queryLen = 1, p.keyLen = length, p.headDim = s.headDim;
        p.scale = 1 / std::sqrt(static_cast<float>(s.headDim));
        p.q = q.data(), p.k = k.data(), p.v = v.data(), p.o = o.data();
    }
    void run(const std::atomic<bool>* cancel) const {
        cpu::Execution how;
        how.cancel = cancel;
        cpu::attentionForward(cpu::Implementation::Flash, p, how);
    }

  private:
    std::vector<float> q, k, v, o;
    cpu::AttentionProblem p;
};

/// One step of a selective scan; its state is replaced.
class ScanStep {
  public:
    ScanStep(const Sizes& s, const std::atomic<bool>* cancel)
        : u(gaussian(s.channels, 3, cancel)),
          delta(u.size(), 0.01f),
          a(static_cast<size_t>(s.channels * s.states)),
          b(gaussian(s.states, 4, cancel)),
          c(gaussian(s.states, 5, cancel)),
          d(u.size(), 1.0f),
          z(gaussian(s.channels, 6, cancel)),
          state(gaussian(s.channels * s.states, 8, cancel)),
          y(u.size()) {
        for (size_t i = 0; i < a.size(); ++i)
            a[i] = -static_cast<float>(i % static_cast<size_t>(s.states) + 1);
        shape.dim = s.channels, shape.length = 1, shape.state = s.states;
    }
    void run(const std::atomic<bool>* cancel) {
        cpu::SelectiveTensors<float> t;
        t.u = u.data(), t.delta = delta.data(), t.a = a.data(), t.b = b.data(), t.c = c.data();
        t.d = d.data(), t.z = z.data(), t.first = state.data(), t.last = state.data(), t.y = y.data();
        cpu::selectiveScan(cpu::SelectiveRung::Fused, shape, t, {0, cancel});
    }

  private:
    cpu::SelectiveShape shape;
    std::vector<float> u, delta, a, b, c, d, z, state, y;
};

Axis axis(const char* title, const char* unit, Scale scale) { return {title, unit, scale, {}, {}, {}, false}; }

Curve curveOf(const char* id, const char* label, Provenance provenance) {
    Curve c;
    c.id = c.colourKey = id;
    c.label = label;
    c.provenance = provenance;
    return c;
}

class StateCache : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "ssm.state-cache";
        d.lab = "State space models";
        d.title = "State against cache";
        d.sentence =
            "What one layer has to keep of a sequence, and what one more token costs: a state, or keys and values.";
        d.question = "From which length on is a state smaller than a cache, and a step over it faster?";
        d.about =
            "**Cache**: keys and values of every token, 2 · key heads · d · 4 bytes each, all of which the next token "
            "reads. "
            "**State**: channels · N numbers and the last 3 inputs of the convolution, whatever the length, read and "
            "written "
            "by each token. Both are one layer of a model of that width, in f32, without projections. The bytes are "
            "**counted** from the tensors; the times are **measured** on this machine: attention of one query "
            "(`flash`) and one step of the fused selective scan.";
        d.devices = {"cpu"};
        d.colours = {{"kv-cache", 2}, {"scan-state", 7}};
        Parameter width = Parameter::integer("dModel", "Width", 768, 64, 8192, "Features of a token.");
        width.powersOfTwo = true;
        Parameter seconds =
            Parameter::real("pointSeconds", "Seconds a point", 0.1, 0.001, 60, "How long a point is repeated at most.");
        seconds.advanced = true;
        d.parameters = {
            width,
            Parameter::integer("headDim", "Features of a head", 64, 8, 256, "Of attention."),
            Parameter::integer("group", "Queries a key head", 1, 1, 64,
                               "Heads that share keys and values: the cache is as many times smaller."),
            Parameter::integer("expand", "Expansion", 2, 1, 8, "Channels of the scan: so many times the width."),
            Parameter::integer("states", "States", 16, 1, 256, "N of each channel."),
            Parameter::sweep("lengths", "Lengths", {64, 256, 1024, 4096, 16384, 65536}, 1, 1 << 20,
                             "Tokens that came before, one a point."),
            seconds};
        return d;
    }

    double estimatedSeconds(const Settings& s) const override {
        const Sizes sizes(s);
        double seconds = s.real("pointSeconds");
        for (const int64_t length : s.sweep("lengths"))
            seconds += s.real("pointSeconds") + static_cast<double>(sizes.cacheBytes(length)) * 2e-9;
        return seconds;
    }

    MemoryNeed neededMemory(const Settings& s, const std::string& /*device*/) const override {
        const Sizes sizes(s);
        const auto& lengths = s.sweep("lengths");
        const int64_t longest = lengths.empty() ? 0 : *std::max_element(lengths.begin(), lengths.end());
        return {saturatedSum(sizes.cacheBytes(longest), 2 * sizes.stateBytes()), 0,
                fmt::format("Keys and values of {} tokens", longest), "lengths or dModel"};
    }

    void run(const Settings& settings, Run& run) override {
        const Sizes sizes(settings);
        std::vector<int64_t> lengths = settings.sweep("lengths");
        std::sort(lengths.begin(), lengths.end());
        putBytes(run, sizes, lengths);
        const double most = settings.real("pointSeconds");
        putTimes(run);
        ScanStep scan(sizes, run.cancelToken());
        const workbench::Timing step = workbench::timeRepeatedly([&] { scan.run(run.cancelToken()); }, most);
        std::optional<double> crossing;
        double attention = 0;
        for (const int64_t length : lengths) {
            append(run, "scan-state", "one step of the scan", length, step);
            const AttentionStep cache(sizes, length, run.cancelToken());
            const workbench::Timing timing = workbench::timeRepeatedly([&] { cache.run(run.cancelToken()); }, most);
            append(run, "kv-cache", "one query against the cache", length, timing);
            if (!crossing && timing.median > step.median)
                crossing = static_cast<double>(length);
            attention = timing.median;
            run.progress(static_cast<double>(length) / static_cast<double>(lengths.back()),
                         fmt::format("{} tokens", length));
        }
        putHeadline(run, "faster", crossing, "", "{:.0f}",
                    "tokens: the first length at which a step of the scan is faster", Provenance::Measured);
        if (!lengths.empty())
            putHeadline(run, "ratio", attention / step.median, "", "{:.0f} ×",
                        fmt::format("time of attention at {} tokens over that of the scan", lengths.back()),
                        Provenance::Measured);
    }

  private:
    static void putBytes(Run& run, const Sizes& sizes, const std::vector<int64_t>& lengths) {
        Series s;
        s.x = axis("tokens", "", Scale::Log2);
        s.y = axis("kept", "B", Scale::Log10);
        Curve cache = curveOf("kv-cache", "keys and values", Provenance::Counted),
              state = curveOf("scan-state", "state and convolution", Provenance::Counted);
        for (const int64_t length : lengths) {
            cache.x.push_back(static_cast<double>(length));
            cache.y.push_back(static_cast<double>(sizes.cacheBytes(length)));
            state.x.push_back(static_cast<double>(length));
            state.y.push_back(static_cast<double>(sizes.stateBytes()));
        }
        s.curves = {std::move(cache), std::move(state)};
        run.put({"bytes", "Kept", "bytes of one layer, f32",
                 fmt::format(
                     "Cache: 2 · {} · {} · 4 bytes a token. State: ({} · {} + 3 · {}) · 4 bytes. **Counted** from the "
                     "tensors' sizes.",
                     sizes.keyHeads, sizes.headDim, sizes.channels, sizes.states, sizes.channels),
                 Figure::Place::Main, std::move(s)});
        putHeadline(run, "smaller",
                    std::ceil(static_cast<double>(sizes.stateBytes()) / static_cast<double>(sizes.cacheBytes(1))), "",
                    "{:.0f}", "tokens whose keys and values are as large as the state");
        putHeadline(run, "state", static_cast<double>(sizes.stateBytes()), "B", "",
                    fmt::format("state of {} channels with {} numbers each", sizes.channels, sizes.states));
    }

    static void putTimes(Run& run) {
        Series s;
        s.x = axis("tokens", "", Scale::Log2);
        s.y = axis("time of one step", "s", Scale::Log10);
        s.dispersion = "10th to 90th percentile";
        run.put({"time", "One decode step", "median with 10–90 %, one layer, without projections",
                 "Attention of one query against all keys and values, and one step of the fused selective scan with "
                 "its gate; "
                 "repeated on the same tensors, so that what fits the caches stays there. **Measured.**",
                 Figure::Place::Main, std::move(s)});
    }

    static void append(Run& run, const char* id, const char* label, int64_t length, const workbench::Timing& t) {
        Curve c = curveOf(id, label, Provenance::Measured);
        c.x = {static_cast<double>(length)};
        c.y = {t.median};
        c.low = {t.p10};
        c.high = {t.p90};
        run.appendPoint("time", c);
    }
};

} // namespace

std::unique_ptr<Experiment> makeStateCache() { return std::make_unique<StateCache>(); }

} // namespace warplight::labs::ssm
