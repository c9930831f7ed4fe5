// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/linear/gau_ledger.h"

#include "core/cpu/attention/attention.h"
#include "core/cpu/attention/attention_memory.h"
#include "core/cpu/matmul/matmul.h"
#include "core/cpu/memory.h"
#include "core/labs/linear/gau_strips.h"
#include "core/model/heads.h"
#include "core/model/layers.h"
#include "core/tensor/random.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

namespace warplight::labs::linear {
namespace {

constexpr int64_t headFeatures = 64;

using Numbers = std::vector<float>;

Numbers gaussian(int64_t count, double deviation, uint64_t stream) {
    Numbers made(static_cast<size_t>(count));
    tensor::fillGaussian(made, 42, stream, static_cast<float>(deviation));
    return made;
}

/// The e of units that have `all` parameters together.
int64_t expandedOf(const LedgerSizes& s, int64_t all, int64_t units, bool chunked) {
    const double d = static_cast<double>(s.features), rest = static_cast<double>(s.shared) * (d + (chunked ? 8 : 4));
    return std::max<int64_t>(1, std::llround((static_cast<double>(all) / static_cast<double>(units) - rest) / (3 * d)));
}

class Units : public LedgerRun {
  public:
    Units(const LedgerEntry& entry, int64_t length) : shape(entry.shape(length)) {
        const int64_t d = shape.features, e = shape.expanded, s = shape.shared;
        const double in = 1 / std::sqrt(static_cast<double>(d)), out = 1 / std::sqrt(static_cast<double>(e));
        x = gaussian(shape.rows() * d, 1, 0);
        uint64_t stream = 1;
        for (int64_t i = 0; i < entry.units; ++i) {
            Weights w;
            w.u = gaussian(d * e, in, stream++);
            w.v = gaussian(d * e, in, stream++);
            w.z = gaussian(d * s, in, stream++);
            // Weights of the size that a trained unit has: without, a second unit would get numbers near nothing.
            const double size = viewSize(shape.function, static_cast<double>(shape.segment()), static_cast<double>(s));
            w.gamma = Numbers(static_cast<size_t>(shape.views() * s), static_cast<float>(size));
            w.beta = Numbers(w.gamma.size(), static_cast<float>(-meanOfGates * size));
            w.o = gaussian(e * d, out, stream++);
            weights.push_back(std::move(w));
        }
        for (Numbers& each : y)
            each.resize(x.size());
    }

    int64_t run(const cpu::RunOptions& options) override {
        int64_t held = 0;
        const float* in = x.data();
        for (size_t i = 0; i < weights.size(); ++i) {
            const Weights& w = weights[i];
            float* to = y[(weights.size() - 1 - i) % 2].data(); // the last one's is the output
            held = std::max(held, cpu::gau(cpu::GauRung::Chunked,
                                           {shape, in, w.u.data(), w.v.data(), w.z.data(), w.gamma.data(),
                                            w.beta.data(), w.o.data(), to},
                                           options)
                                      .extraBytes);
            in = to;
        }
        return held + (weights.size() > 1 ? static_cast<int64_t>(x.size() * sizeof(float)) : 0);
    }
    const Numbers& output() const override { return y[0]; }

  private:
    struct Weights {
        Numbers u, v, z, gamma, beta, o;
    };
    const cpu::GauShape shape;
    Numbers x, y[2];
    std::vector<Weights> weights;
};

class AttentionAndMlp : public LedgerRun {
  public:
    AttentionAndMlp(const LedgerEntry& entry, const LedgerSizes& s, int64_t length)
        : n(length),
          d(s.features),
          hidden(entry.expanded()),
          causal(s.causal),
          heads{1, length, entry.heads(), s.features / entry.heads()} {
        const double in = 1 / std::sqrt(static_cast<double>(d)), out = 1 / std::sqrt(static_cast<double>(hidden));
        x = gaussian(n * d, 1, 0);
        attention = gaussian(d * 3 * d, in, 1);
        projection = gaussian(d * d, in, 2);
        up = gaussian(d * hidden, in, 3);
        down = gaussian(hidden * d, out, 4);
        bias.resize(static_cast<size_t>(3 * d));
        wide.resize(static_cast<size_t>(n * std::max(3 * d, hidden)));
        y.resize(x.size());
        for (Numbers* each : {&q, &k, &v, &o})
            each->resize(x.size());
        lse.resize(static_cast<size_t>(n * heads.heads));
    }

    int64_t run(const cpu::RunOptions& options) override {
        model::multiply({n, d, 3 * d}, x.data(), attention.data(), wide.data(), options);
        model::splitHeads(heads, wide.data(), bias.data(), q.data(), k.data(), v.data(), options);
        cpu::AttentionProblem problem = model::attentionOf(heads, q.data(), k.data(), v.data(), o.data(), lse.data());
        problem.causal = causal;
        cpu::Execution execution;
        execution.threads = options.threads;
        execution.cancel = options.cancel;
        const int64_t inside = cpu::attentionForward(cpu::Implementation::FlashPacked, problem, execution).extraBytes;
        model::mergeHeads(heads, o.data(), q.data(), options);
        model::multiply({n, d, d}, q.data(), projection.data(), k.data(), options);
        model::multiply({n, d, hidden}, k.data(), up.data(), wide.data(), options);
        model::gelu(n * hidden, wide.data(), wide.data(), options);
        model::multiply({n, hidden, d}, wide.data(), down.data(), y.data(), options);
        const size_t numbers = wide.size() + 4 * x.size() + lse.size();
        return static_cast<int64_t>(numbers * sizeof(float)) + inside;
    }
    const Numbers& output() const override { return y; }

  private:
    const int64_t n, d, hidden;
    const bool causal;
    const model::Heads heads;
    Numbers x, attention, projection, up, down, bias, wide, q, k, v, o, lse, y;
};

} // namespace

LedgerEntry::LedgerEntry(std::string i, std::string t, int64_t count, bool chunks, const LedgerSizes& s)
    : id(std::move(i)), title(std::move(t)), units(count), sizes(s), chunked(chunks) {
    const int64_t all = 12 * s.features * s.features;
    e = units == 0 ? 4 * s.features : expandedOf(s, all, units, chunked);
}

int64_t LedgerEntry::heads() const { return sizes.features % headFeatures == 0 ? sizes.features / headFeatures : 1; }

cpu::GauShape LedgerEntry::shape(int64_t length) const {
    cpu::GauShape p;
    p.length = length;
    p.features = sizes.features;
    p.expanded = e;
    p.shared = sizes.shared;
    p.function = sizes.function;
    p.causal = sizes.causal;
    p.chunk = chunked ? std::min(sizes.chunk, length) : 0;
    return p;
}

int64_t LedgerEntry::parameters() const {
    return units == 0 ? 12 * sizes.features * sizes.features
                      : units * cpu::parameterCount(shape(std::max<int64_t>(sizes.chunk, 1)));
}

double LedgerEntry::flops(int64_t length) const {
    if (units > 0)
        return static_cast<double>(units) * cpu::usefulFlops(shape(length));
    const double n = static_cast<double>(length), d = static_cast<double>(sizes.features);
    return 24 * n * d * d + 4 * d * (sizes.causal ? n * (n + 1) / 2 : n * n);
}

double LedgerEntry::scoreBytes(int64_t length) const {
    const double n = static_cast<double>(length);
    if (units == 0)
        return 4 * static_cast<double>(heads()) * n * n;
    return 4 * n * static_cast<double>(shape(length).segment());
}

int64_t LedgerEntry::heldBytes(int64_t length) const {
    const int64_t d = sizes.features, row = cpu::floats(length, d);
    if (units > 0)
        return saturatedSum(cpu::extraBytesAtMost(cpu::GauRung::Chunked, shape(length)), row);
    const cpu::AttentionProblem problem =
        model::attentionOf({1, length, heads(), d / heads()}, nullptr, nullptr, nullptr, nullptr, nullptr);
    int64_t inside = cpu::extraBytesAtMost(cpu::Implementation::FlashPacked, problem);
    for (const cpu::MatmulProblem product :
         {cpu::MatmulProblem{length, 3 * d, d}, cpu::MatmulProblem{length, d, e}, cpu::MatmulProblem{length, e, d}})
        inside = std::max(inside, cpu::extraBytesAtMost(cpu::MatmulRung::Packed, product));
    return saturatedSum(saturatedSum(cpu::floats(length, std::max(3 * d, e)), cpu::floats(length, 4 * d + heads())),
                        inside);
}

std::vector<LedgerEntry> ledgerEntries(const LedgerSizes& sizes) {
    return {{"mha", "attention + feed-forward", 0, false, sizes},
            {"gau", "one GAU", 1, false, sizes},
            {"flash-quad", "FLASH-Quad: two GAUs", 2, false, sizes},
            {"flash", "FLASH: two GAUs, chunks", 2, true, sizes}};
}

std::unique_ptr<LedgerRun> prepare(const LedgerEntry& entry, const LedgerSizes& sizes, int64_t length) {
    if (entry.units == 0)
        return std::make_unique<AttentionAndMlp>(entry, sizes, length);
    return std::make_unique<Units>(entry, length);
}

} // namespace warplight::labs::linear
