// SPDX-License-Identifier: GPL-3.0-or-later
// The GPU kernels of LRU, RWKV-4 and RWKV-6 on the virtual GPU with all checks: against loops in f64, and formulas of
// the bytes that are what is counted.
#include "gpu/error.h"
#include "gpu/ops/recurrences.h"
#include "gpu/virtual/virtual_device.h"
#include "tests/core/cpu/gau_case.h"
#include "tests/core/cpu/recurrence_cases.h"
#include "tests/gpu/counted.h"
#include "tests/gpu/metered_device.h"
#include "tests/sentence.h"
#include "tests/thinned.h"

#include <QTest>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

using namespace warplight;
using namespace warplight::test;
using cpu::RecurrenceRung;

namespace {

std::vector<float> lambdaOf(const LruCase& c) {
    std::vector<float> lambda;
    for (size_t i = 0; i < c.nu.size(); ++i) {
        const cpu::LruCoefficients exact =
            cpu::lruCoefficients(static_cast<double>(c.nu[i]), static_cast<double>(c.theta[i]));
        for (const double x : {exact.re, exact.im, exact.gamma, 0.0})
            lambda.push_back(static_cast<float>(x));
    }
    return lambda;
}

gpu::ChannelShape shapeOf(int64_t batch, int64_t length, int64_t channels) { return {batch, length, channels}; }
gpu::Rwkv6Shape shapeOf(const cpu::Rwkv6Shape& s) { return {s.batch, s.length, s.heads, s.keyDim, s.valueDim}; }

} // namespace

class RecurrenceKernelsTest : public QObject {
    Q_OBJECT
    std::unique_ptr<gpu::Device> device = vgpu::makeVirtualDevice();
    gpu::KernelLibrary library{*device};

    static gpu::LaunchOptions checked() {
        gpu::LaunchOptions options;
        options.checks = true;
        return options;
    }
    gpu::RecurrenceRun run(gpu::KernelLibrary& on, LruCase& c) {
        return gpu::lru(on, shapeOf(c.shape.batch, c.shape.length, c.shape.channels), c.u.data(), lambdaOf(c).data(),
                        checked());
    }
    gpu::RecurrenceRun run(gpu::KernelLibrary& on, Rwkv4Case& c) {
        return gpu::rwkv4(on, shapeOf(c.shape.batch, c.shape.length, c.shape.channels), c.k.data(), c.v.data(),
                          c.w.data(), c.u.data(), checked());
    }
    gpu::RecurrenceRun run(gpu::KernelLibrary& on, Rwkv6Case& c) {
        return gpu::rwkv6(on, shapeOf(c.shape), {c.r.data(), c.k.data(), c.v.data(), c.w.data(), c.u.data()},
                          checked());
    }

    template <class Case>
    void equals(Case c, const gpu::TensorTraffic& formula) {
        const gpu::RecurrenceRun got = run(library, c);
        for (const gpu::LaunchRecord& launch : got.launches) {
            const QString conflict = bankConflict(launch);
            QVERIFY2(conflict.isEmpty(), qPrintable(conflict));
        }
        failUnlessClean(got, *device);
        c.run(RecurrenceRung::Reference);
        QVERIFY2(c.out.empty() || worstError(got.out, c.out) < 2e-6,
                 qPrintable(QString::number(worstError(got.out, c.out))));
        if constexpr (std::is_same_v<Case, Rwkv6Case>)
            QVERIFY(c.shape.length == 0 || worstError(got.last, c.last) < 2e-6);
        const QString different = otherThanFormula(got, formula, {});
        QVERIFY2(different.isEmpty(), qPrintable(different));
    }

    template <class Case>
    void staysInItsChannel(Case c) {
        const std::vector<float> before = run(library, c).out;
        const auto width = static_cast<size_t>(c.width()), perChannel = width / 37;
        for (const float value : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
            for (const size_t step : {0, 16, 49}) {
                Case changed = c;
                changed.input()[step * width + 5 * perChannel] = value;
                const std::vector<float> after = run(library, changed).out;
                changed.run(RecurrenceRung::Reference);
                for (size_t at = 0; at < before.size(); ++at) {
                    const bool mayChange = at / width >= step && at % width / perChannel == 5;
                    QVERIFY(mayChange || after[at] == before[at]);
                    QCOMPARE(std::isfinite(after[at]), std::isfinite(changed.out[at]));
                }
            }
    }

    template <class Case>
    void memoryIs(Case c, int64_t said) {
        MeteredDevice metered;
        gpu::KernelLibrary kernels(metered);
        run(kernels, c);
        QCOMPARE(metered.most, said);
    }

  private slots:
    void equalLoopsInDoublePrecisionAndTheirFormulas() {
        for (const int64_t length : {0, 1, 16, 17, 100})
            for (const int64_t channels : {1, 31, 128, 200}) {
                const gpu::ChannelShape s = shapeOf(2, length, channels);
                equals(LruCase::of(2, length, channels), gpu::lruTraffic(s));
                equals(Rwkv4Case::of(2, length, channels), gpu::rwkv4Traffic(s));
            }
        int row = 0;
        for (const int64_t length : {0, 1, 16, 17, 100})
            for (const int64_t k : {1, 20, 64, 100, 128})
                for (const int64_t v : {1, 32, 70}) {
                    if (row++ % thinned(4, 2) != 0)
                        continue;
                    const cpu::Rwkv6Shape s{2, length, 3, k, v};
                    equals(Rwkv6Case(s), gpu::rwkv6Traffic(shapeOf(s)));
                }
    }

    void keysOfAnySize() {
        Rwkv4Case c(Rwkv4Case::of(1, 100, 40));
        for (float& k : c.k)
            k *= 100;
        c.run(RecurrenceRung::Reference);
        QVERIFY(worstError(run(library, c).out, c.out) < 2e-4);
    }

    void decaysOfExactlyZeroAndOne() {
        for (const float decay : {0.0f, -std::numeric_limits<float>::infinity()}) {
            Rwkv6Case c({1, 50, 2, 20, 24});
            c.w.assign(c.w.size(), decay);
            equals(c, gpu::rwkv6Traffic(shapeOf(c.shape)));
        }
    }

    void numbersThatAreNoneStayWhereTheyBelong() {
        staysInItsChannel(LruCase::of(1, 50, 37));
        staysInItsChannel(Rwkv4Case::of(1, 50, 37));
        staysInItsChannel(Rwkv6Case::of(1, 50, 37));
    }

    void memoryIsWhatWasSaid() {
        const gpu::ChannelShape s = shapeOf(2, 20, 33);
        memoryIs(LruCase::of(2, 20, 33), gpu::lruBytes(s));
        memoryIs(Rwkv4Case::of(2, 20, 33), gpu::rwkv4Bytes(s));
        const cpu::Rwkv6Shape six{2, 20, 3, 20, 33};
        memoryIs(Rwkv6Case(six), gpu::rwkv6Bytes(shapeOf(six)));
    }

    void whatTheKernelsCannotDoIsRefusedWithASentence() {
        const auto sentence = [](const auto& call) { return QString::fromStdString(sentenceOf([&] { call(); })); };
        QVERIFY(sentence([&] { gpu::lru(library, shapeOf(70000, 1, 1), nullptr, nullptr); }).contains("too many"));
        QVERIFY(sentence([&] {
                    gpu::rwkv4(library, shapeOf(1, 1, 0), nullptr, nullptr, nullptr, nullptr);
                }).contains("0 channels"));
        QVERIFY(sentence([&] { gpu::rwkv6(library, {1, 1, 1, 200, 8}, {}); }).contains("up to 128 numbers"));
        QVERIFY(sentence([&] { gpu::rwkv6(library, {1, 1, 70000, 8, 8}, {}); }).contains("too many"));
    }

    void whatIsCancelledStops() {
        std::atomic<bool> cancel{true};
        gpu::LaunchOptions options;
        options.cancel = &cancel;
        LruCase c(LruCase::of(1, 10, 4));
        QVERIFY_THROWS_EXCEPTION(Cancelled,
                                 gpu::lru(library, shapeOf(1, 10, 4), c.u.data(), lambdaOf(c).data(), options));
    }
};

QTEST_GUILESS_MAIN(RecurrenceKernelsTest)
#include "recurrence_kernels_test.moc"
