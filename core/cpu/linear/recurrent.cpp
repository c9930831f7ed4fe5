// SPDX-License-Identifier: GPL-3.0-or-later
// Step by step, and with all outer products kept.
#include "core/cpu/linear/forms.h"
#include "core/cpu/linear/linear_state.h"
#include "core/cpu/linear/pairs.h"
#include "core/cpu/parallel.h"
#include "core/error.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace warplight::cpu {
namespace {

template <class T>
const T* decayOf(const Head<T>& head, Gates gates, int64_t step) {
    return head.decay ? head.decay + step * gates.perStep : nullptr;
}

template <class T>
T betaOf(const Head<T>& head, int64_t step) {
    return head.beta ? head.beta[step] : T{1};
}

/// state [features, columns] = decay · before + k uᵀ, with u = v or, of a rule that overwrites, what is missing of v.
template <class T>
void stepInto(T* state, const T* before, const Head<T>& head, const LinearShape& s, int64_t t, T* u) {
    const int64_t d = head.features, c = head.columns;
    const Gates gates = gatesOf(s);
    const T *decay = decayOf(head, gates, t), *key = head.k + t * d;
    for (int64_t f = 0; f < d; ++f) {
        const T factor = decay ? decay[gates.perStep == 1 ? 0 : f] : T{1};
        for (int64_t x = 0; x < c; ++x)
            state[f * c + x] = before ? factor * before[f * c + x] : T{0};
    }
    std::copy_n(head.v + t * c, c, u);
    if (overwrites(s)) {
        for (int64_t f = 0; f < d; ++f)
            addTimes(-key[f], state + f * c, c, u);
        for (int64_t x = 0; x < c; ++x)
            u[x] *= head.beta[t];
    }
    for (int64_t f = 0; f < d; ++f)
        addTimes(key[f], u, c, state + f * c);
}

template <class T>
void readInto(T* o, const T* query, const T* state, int64_t features, int64_t columns) {
    std::fill_n(o, columns, T{0});
    for (int64_t f = 0; f < features; ++f)
        addTimes(query[f], state + f * columns, columns, o);
}

} // namespace

template <class T>
RunCost recurrentForm(const LinearShape& s, const LinearTensors<T>& t, const RunOptions& options) {
    Workspace space;
    const Prepared<T> all(s, t, options, space);
    const int64_t c = all.columns;
    T* rows = space.take<T>(all.workers * c);
    parallelItems(all.heads(), all.workers, options.cancel, [&](int64_t h, int worker) {
        const Head<T> head = all.head(h);
        StateOf<T> state(s.rule, all.features, c);
        T* o = rows + worker * c;
        const auto write = [&](int64_t row) {
            checkCancelled(options.cancel);
            state.read(head.q + row * all.features, o);
            all.writeRow(h, row, o);
        };
        for (int64_t step = 0; step < s.keyLen; ++step) {
            checkCancelled(options.cancel);
            state.step(head.k + step * all.features, head.v + step * c, decayOf(head, gatesOf(s), step),
                       betaOf(head, step));
            if (s.causal)
                write(step);
        }
        for (int64_t row = 0; !s.causal && row < s.queryLen; ++row)
            write(row);
        all.writeState(h, state.data());
    });
    const auto states = static_cast<int64_t>(sizeof(T)) * all.workers * (all.features + 2) * c;
    return {space.bytes() + all.omegaBytes + states, all.workers};
}

template <class T>
RunCost cumsumForm(const LinearShape& s, const LinearTensors<T>& t, const RunOptions& options) {
    Workspace space;
    const Prepared<T> all(s, t, options, space);
    const int64_t c = all.columns, size = all.features * c, kept = std::max<int64_t>(s.keyLen, 1);
    T* products = space.take<T>(kept * size); // of one head at a time: each is n · d² numbers
    T* rows = space.take<T>(all.workers * c);
    for (int64_t h = 0; h < all.heads(); ++h) {
        const Head<T> head = all.head(h);
        if (s.keyLen == 0)
            std::fill_n(products, size, T{0});
        if (!overwrites(s)) { // all at once, then added up, each row of the state for itself
            parallelItems(s.keyLen, all.workers, options.cancel, [&](int64_t step, int) {
                for (int64_t f = 0; f < all.features; ++f)
                    for (int64_t x = 0; x < c; ++x)
                        products[step * size + f * c + x] = head.k[step * all.features + f] * head.v[step * c + x];
            });
            parallelItems(all.features, all.workers, options.cancel, [&](int64_t f, int) {
                for (int64_t step = 1; step < s.keyLen; ++step) {
                    checkCancelled(options.cancel);
                    const T* decay = decayOf(head, gatesOf(s), step);
                    const T factor = decay ? decay[gatesOf(s).perStep == 1 ? 0 : f] : T{1};
                    T* now = products + step * size + f * c;
                    for (int64_t x = 0; x < c; ++x)
                        now[x] += factor * now[x - size];
                }
            });
        }
        for (int64_t step = 0; overwrites(s) && step < s.keyLen; ++step) { // a value needs the state before it
            checkCancelled(options.cancel);
            T* now = products + step * size;
            stepInto(now, step > 0 ? now - size : nullptr, head, s, step, rows);
        }
        const T* last = products + (kept - 1) * size;
        parallelItems(s.queryLen, all.workers, options.cancel, [&](int64_t row, int worker) {
            T* o = rows + worker * c;
            readInto(o, head.q + row * all.features, s.causal ? products + row * size : last, all.features, c);
            all.writeRow(h, row, o);
        });
        all.writeState(h, last);
    }
    return {space.bytes() + all.omegaBytes, all.workers};
}

template RunCost recurrentForm(const LinearShape&, const LinearTensors<float>&, const RunOptions&);
template RunCost recurrentForm(const LinearShape&, const LinearTensors<double>&, const RunOptions&);
template RunCost cumsumForm(const LinearShape&, const LinearTensors<float>&, const RunOptions&);
template RunCost cumsumForm(const LinearShape&, const LinearTensors<double>&, const RunOptions&);

} // namespace warplight::cpu
