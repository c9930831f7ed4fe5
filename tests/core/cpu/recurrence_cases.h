// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/ssm/lru.h"
#include "core/cpu/ssm/rwkv.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace warplight::test {

/// Numbers of tests, the same on every machine.
class Numbers {
  public:
    explicit Numbers(unsigned seed) : random(seed) {}
    std::vector<float> normal(int64_t count) {
        std::normal_distribution<float> numbers(0, 1);
        return filled(count, numbers);
    }
    std::vector<float> uniform(int64_t count, float low, float high) {
        std::uniform_real_distribution<float> numbers(low, high);
        return filled(count, numbers);
    }

  private:
    template <class Distribution>
    std::vector<float> filled(int64_t count, Distribution& numbers) {
        std::vector<float> made(static_cast<size_t>(count));
        for (float& each : made)
            each = numbers(random);
        return made;
    }
    std::mt19937 random;
};

/// Each case has clear(), which makes room for what comes out and forgets what came; again(), which runs into that
/// room; and run(), which does both.
struct LruCase {
    cpu::LruShape shape;
    std::vector<float> u, nu, theta, out;

    explicit LruCase(const cpu::LruShape& s) : shape(s) {
        Numbers numbers(1);
        u = numbers.normal(2 * s.batch * s.length * s.channels);
        nu = numbers.uniform(s.channels, -7, 0);
        theta = numbers.uniform(s.channels, -3, 1.8f);
    }
    void clear() { out.assign(u.size(), NAN); }
    cpu::RunCost run(cpu::RecurrenceRung rung, const cpu::RunOptions& options = {}) {
        clear();
        return again(rung, options);
    }
    cpu::RunCost again(cpu::RecurrenceRung rung, const cpu::RunOptions& options) {
        return cpu::lru(rung, shape, {u.data(), nu.data(), theta.data(), out.data()}, options);
    }
    std::vector<float>& input() { return u; }
    static LruCase of(int64_t batch, int64_t length, int64_t channels) { return LruCase({batch, length, channels}); }
    int64_t width() const { return 2 * shape.channels; }
};

struct Rwkv4Case {
    cpu::Rwkv4Shape shape;
    std::vector<float> k, v, w, u, out;

    explicit Rwkv4Case(const cpu::Rwkv4Shape& s) : shape(s) {
        Numbers numbers(2);
        k = numbers.normal(s.batch * s.length * s.channels);
        v = numbers.normal(s.batch * s.length * s.channels);
        w = numbers.uniform(s.channels, -3, 0);
        u = numbers.normal(s.channels);
    }
    void clear() { out.assign(k.size(), NAN); }
    cpu::RunCost run(cpu::RecurrenceRung rung, const cpu::RunOptions& options = {}) {
        clear();
        return again(rung, options);
    }
    cpu::RunCost again(cpu::RecurrenceRung rung, const cpu::RunOptions& options) {
        return cpu::rwkv4(rung, shape, {k.data(), v.data(), w.data(), u.data(), out.data()}, options);
    }
    std::vector<float>& input() { return k; }
    static Rwkv4Case of(int64_t batch, int64_t length, int64_t channels) {
        return Rwkv4Case({batch, length, channels});
    }
    int64_t width() const { return shape.channels; }
};

struct Rwkv6Case {
    cpu::Rwkv6Shape shape;
    std::vector<float> r, k, v, w, u, out, last;

    explicit Rwkv6Case(const cpu::Rwkv6Shape& s) : shape(s) {
        Numbers numbers(3);
        const int64_t rows = s.allHeads() * s.length;
        r = numbers.normal(rows * s.keyDim);
        k = numbers.normal(rows * s.keyDim);
        v = numbers.normal(rows * s.valueDim);
        w = numbers.uniform(rows * s.keyDim, -2, 0);
        u = numbers.normal(s.heads * s.keyDim);
    }
    cpu::Rwkv6Tensors tensors() { return {r.data(), k.data(), v.data(), w.data(), u.data(), out.data(), last.data()}; }
    void clear() {
        out.assign(v.size(), NAN);
        last.assign(static_cast<size_t>(shape.allHeads() * shape.keyDim * shape.valueDim), NAN);
    }
    cpu::RunCost run(cpu::RecurrenceRung rung, const cpu::RunOptions& options = {}) {
        clear();
        return again(rung, options);
    }
    cpu::RunCost again(cpu::RecurrenceRung rung, const cpu::RunOptions& options) {
        return cpu::rwkv6(rung, shape, tensors(), options);
    }
    std::vector<float>& input() { return v; }
    /// As many heads of one column as there are channels.
    static Rwkv6Case of(int64_t batch, int64_t length, int64_t channels) {
        return Rwkv6Case({batch, length, channels, 5, 1});
    }
    int64_t width() const { return shape.heads * shape.valueDim; }
};

} // namespace warplight::test
