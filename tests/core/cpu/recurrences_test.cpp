// SPDX-License-Identifier: GPL-3.0-or-later
// LRU, RWKV-4 and RWKV-6: every rung against double precision on each instruction set, closed forms, and what holds
// whatever the numbers are.
#include "core/cpu/target.h"
#include "core/error.h"
#include "tests/core/cpu/each_rung.h"
#include "tests/core/cpu/gau_case.h"
#include "tests/core/cpu/recurrence_cases.h"
#include "tests/thinned.h"

#include <QTest>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

using namespace warplight;
using namespace warplight::cpu;
using namespace warplight::test;

class RecurrencesTest : public QObject {
    Q_OBJECT
    RecurrenceRung rung = RecurrenceRung::Reference;

    template <class Case>
    void equalsReference(Case c, double bound) {
        c.run(RecurrenceRung::Reference);
        const auto exact = c.out;
        c.run(rung);
        const double error = worstError(c.out, exact);
        QVERIFY2(c.out.empty() || error < bound, qPrintable(QString::number(error)));
    }

    /// What becomes of a channel whose input holds no number at a step: others keep their bits, and so do steps before.
    template <class Case>
    void staysInItsChannel(Case c) {
        c.run(rung);
        const auto before = c.out;
        const auto width = static_cast<size_t>(c.width()), perChannel = width / static_cast<size_t>(37);
        for (const float value : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
            for (const size_t step : {0, 1, 63, 64, 99})
                for (const size_t channel : {0, 5, 36}) {
                    Case changed = c;
                    changed.input()[step * width + channel * perChannel] = value;
                    changed.run(RecurrenceRung::Reference);
                    const auto exact = changed.out;
                    changed.run(rung);
                    for (size_t at = 0; at < before.size(); ++at) {
                        const bool mayChange = at / width >= step && at % width / perChannel == channel;
                        QVERIFY(mayChange || changed.out[at] == before[at]);
                        QCOMPARE(std::isfinite(changed.out[at]), std::isfinite(exact[at]));
                    }
                }
    }

    template <class Case>
    void bitsAreTheSame(Case c) {
        c.run(rung, {1, nullptr});
        const auto one = c.out;
        for (const int threads : {2, 3, 7}) {
            c.run(rung, {threads, nullptr});
            QVERIFY(c.out == one);
        }
    }

    template <class Case>
    void memoryIs(Case c) {
        for (const int threads : {1, 2}) {
            const int64_t held = c.run(rung, {threads, nullptr}).extraBytes,
                          said = extraBytesAtMost(rung, c.shape, threads);
            QVERIFY2(held <= said && said <= 2 * held + 2048, qPrintable(QString("%1 of %2").arg(held).arg(said)));
        }
    }

    template <class Case>
    void stops(Case c) {
        c.clear(); // the first touch of all these pages takes long itself
        const auto waited = untilCancelled(std::chrono::milliseconds(2), [&](const std::atomic<bool>* cancel) {
            c.again(rung, {2, cancel});
        });
        if (waited)
            QVERIFY2(*waited < 50 * slowdown, qPrintable(QString::number(*waited)));
    }

  private slots:
    void initTestCase_data() {
        addRungs(recurrenceRungs(), [](RecurrenceRung r) { return r == RecurrenceRung::Vectors; });
    }
    void init() {
        useTargetOfRow();
        QFETCH_GLOBAL(int, rung);
        this->rung = static_cast<RecurrenceRung>(rung);
    }
    void cleanupTestCase() { useTarget(""); }

    /// Whole vectors of channels, parts of one, several blocks; steps that are no multiple of what a call takes.
    void equalsDoublePrecision() {
        for (const int64_t length : {0, 1, 63, 64, 65, 300})
            for (const int64_t channels : {1, 3, 16, 31, 128, 200}) {
                equalsReference(LruCase::of(2, length, channels), 2e-6);
                equalsReference(Rwkv4Case::of(2, length, channels), 2e-6);
                equalsReference(Rwkv6Case::of(2, length, channels), 2e-6);
            }
        for (const auto& [k, v] : {std::pair(1, 1), std::pair(5, 7), std::pair(64, 64), std::pair(20, 130)})
            equalsReference(Rwkv6Case({2, 130, 3, k, v}), 2e-6);
    }

    void theStateOfRwkv6IsThatOfDoublePrecision() {
        Rwkv6Case c({2, 100, 3, 24, 20});
        c.run(RecurrenceRung::Reference);
        const auto exact = c.last;
        c.run(rung);
        QVERIFY(worstError(c.last, exact) < 2e-6);
    }

    /// Of a constant input, x_t = γ (1 - λ^t) / (1 - λ) u.
    void lruOfAConstantIsAGeometricSum() {
        LruCase c(LruCase::of(1, 500, 20));
        for (size_t i = 0; i < c.u.size(); ++i)
            c.u[i] = i % 2 == 0 ? 1 : 0;
        c.run(rung);
        for (size_t channel = 0; channel < 20; ++channel) {
            const double size = std::exp(-std::exp(static_cast<double>(c.nu[channel]))),
                         angle = std::exp(static_cast<double>(c.theta[channel])), gamma = std::sqrt(1 - size * size);
            const double re = 1 - size * std::cos(angle), im = -size * std::sin(angle), square = re * re + im * im;
            const size_t t = 499;
            const double powerRe = 1 - std::pow(size, 500) * std::cos(500 * angle),
                         powerIm = -std::pow(size, 500) * std::sin(500 * angle);
            const double x = gamma * (powerRe * re + powerIm * im) / square,
                         y = gamma * (powerIm * re - powerRe * im) / square;
            const float* made = &c.out[(t * 20 + channel) * 2];
            QVERIFY(std::hypot(x - static_cast<double>(made[0]), y - static_cast<double>(made[1])) <
                    2e-4 * std::hypot(x, y) + 1e-5);
        }
    }

    /// Weights from e^-300 to e^300, which a sum without a running maximum cannot hold.
    void rwkv4TakesKeysOfAnySize() {
        Rwkv4Case c(Rwkv4Case::of(1, 200, 40));
        for (float& k : c.k)
            k *= 100;
        equalsReference(c, 2e-4); // u + k of 300 is rounded by 2e-5, which is what its exponential is off by
        for (size_t i = 0; i < c.k.size(); ++i)
            c.k[i] = i < 40 ? 300.0f : -300.0f; // the first step outweighs all: w is at least -3 a step
        for (float& w : c.w)
            w = 0;
        c.run(rung);
        for (size_t i = 0; i < c.out.size(); ++i)
            QVERIFY(std::fabs(c.out[i] - c.v[i % 40]) < 1e-6f);
    }

    /// Without decay and bonus a weighted mean; where nothing is kept, the value itself.
    void rwkv4IsAMeanOfValues() {
        Rwkv4Case c(Rwkv4Case::of(1, 50, 33));
        std::fill(c.w.begin(), c.w.end(), 0.0f);
        std::fill(c.u.begin(), c.u.end(), 0.0f);
        std::fill(c.k.begin(), c.k.end(), 1.5f);
        c.run(rung);
        for (size_t channel = 0; channel < 33; ++channel) {
            double sum = 0;
            for (size_t t = 0; t < 50; ++t) {
                sum += static_cast<double>(c.v[t * 33 + channel]);
                QVERIFY(std::fabs(static_cast<double>(c.out[t * 33 + channel]) - sum / static_cast<double>(t + 1)) <
                        1e-6);
            }
        }
        std::fill(c.w.begin(), c.w.end(), -std::numeric_limits<float>::infinity());
        c.run(rung);
        for (size_t i = 66; i < c.out.size(); ++i) // (v_{t-1} + v_t) / 2: what is kept is taken in after it has faded
            QVERIFY(std::fabs(c.out[i] - (c.v[i] + c.v[i - 33]) / 2) < 1e-6f);
    }

    /// A decay of 0 at a step, or of 1 at all.
    void decaysOfExactlyZeroAndOne() {
        Rwkv6Case c({1, 100, 2, 20, 24});
        std::fill(c.w.begin(), c.w.end(), 0.0f);
        equalsReference(c, 2e-6);
        std::fill(c.w.begin(), c.w.end(), -std::numeric_limits<float>::infinity());
        equalsReference(c, 2e-6);
        for (size_t i = 0; i < c.w.size(); ++i)
            c.w[i] = i / 40 % 16 == 15 ? -std::numeric_limits<float>::infinity() : 0;
        equalsReference(c, 2e-6);
    }

    void numbersThatAreNoneStayWhereTheyBelong() {
        staysInItsChannel(LruCase::of(1, 100, 37));
        staysInItsChannel(Rwkv4Case::of(1, 100, 37));
        staysInItsChannel(Rwkv6Case::of(1, 100, 37));
    }

    void bitsDoNotDependOnThreads() {
        bitsAreTheSame(LruCase::of(2, 200, 300));
        bitsAreTheSame(Rwkv4Case::of(2, 200, 300));
        bitsAreTheSame(Rwkv6Case({2, 200, 3, 20, 33}));
    }

    void memoryIsAtMostWhatIsSaid() {
        memoryIs(LruCase::of(1, 10, 200));
        memoryIs(Rwkv4Case::of(1, 10, 200));
        memoryIs(Rwkv6Case({1, 10, 3, 20, 64}));
    }

    void stopsWhenCancelled() {
        stops(LruCase::of(1, shortened(20000, 2000), 256));
        stops(Rwkv4Case::of(1, shortened(20000, 2000), 256));
        stops(Rwkv6Case({1, shortened(5000, 500), 2, 64, 64}));
    }

    void shapesThatThereAreNoneOf() {
        QVERIFY_THROWS_EXCEPTION(InputError, checkShape(LruShape{1, 4, 0}));
        QVERIFY_THROWS_EXCEPTION(InputError, checkShape(Rwkv4Shape{1, -1, 4}));
        QVERIFY_THROWS_EXCEPTION(InputError, checkShape(Rwkv6Shape{1, 4, 2, 0, 4}));
        QVERIFY_THROWS_EXCEPTION(InputError, checkShape(Rwkv6Shape{1, 4, 2, 4, 513}));
        checkShape(Rwkv6Shape{0, 0, 1, 1, 1});
    }
};

QTEST_GUILESS_MAIN(RecurrencesTest)
#include "recurrences_test.moc"
