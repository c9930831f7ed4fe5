// SPDX-License-Identifier: GPL-3.0-or-later
// Gradients of SSD on the virtual GPU with all checks: against loops in f64, formulas of the bytes that are what is
// counted, and what holds whatever the numbers are.
#include "core/cpu/ssm/ssd_backward.h"
#include "gpu/error.h"
#include "gpu/ops/ssd_backward.h"
#include "gpu/virtual/virtual_device.h"
#include "tests/core/cpu/gau_case.h"
#include "tests/core/cpu/ssd_case.h"
#include "tests/gpu/counted.h"
#include "tests/gpu/metered_device.h"
#include "tests/sentence.h"
#include "tests/thinned.h"

#include <QTest>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace warplight;
using namespace warplight::test;

namespace {

gpu::SsdShape shapeOf(const SsdCase& c) {
    gpu::SsdShape s;
    s.batch = c.shape.batch, s.length = c.shape.length, s.heads = c.shape.heads, s.groups = c.shape.groups;
    s.headDim = c.shape.headDim, s.stateDim = c.shape.stateDim, s.begins = !c.initial.empty();
    return s;
}
gpu::SsdTensors tensorsOf(const SsdCase& c) {
    return {c.x.data(), c.a.data(), c.b.data(), c.c.data(), c.initial.empty() ? nullptr : c.initial.data()};
}
/// In double precision, rounded once.
gpu::SsdBackwardRun reference(SsdCase& c, const std::vector<float>& dy) {
    gpu::SsdBackwardRun made;
    made.dx.resize(c.x.size()), made.da.resize(c.a.size()), made.db.resize(c.b.size()), made.dc.resize(c.c.size());
    made.dinitial.resize(c.initial.size());
    cpu::ssdBackward(cpu::SsdRung::Reference, c.shape, c.tensors(),
                     {dy.data(), made.dx.data(), made.da.data(), made.db.data(), made.dc.data(), made.dinitial.data()});
    return made;
}

/// The largest error of all five, each by the largest that is expected; zeros are expected to be zeros.
double apart(const gpu::SsdBackwardRun& found, const gpu::SsdBackwardRun& expected) {
    const auto of = [](const std::vector<float>& a, const std::vector<float>& b) {
        return a == b ? 0 : worstError(a, b);
    };
    return std::max({of(found.dx, expected.dx), of(found.da, expected.da), of(found.db, expected.db),
                     of(found.dc, expected.dc), of(found.dinitial, expected.dinitial)});
}

} // namespace

class SsdBackwardKernelsTest : public QObject {
    Q_OBJECT
    std::unique_ptr<gpu::Device> device = vgpu::makeVirtualDevice();
    gpu::KernelLibrary library{*device};

    gpu::SsdBackwardRun run(const SsdCase& c, const std::vector<float>& dy) {
        gpu::LaunchOptions options;
        options.checks = true;
        gpu::SsdBackwardRun result = gpu::ssdBackward(library, shapeOf(c), tensorsOf(c), dy.data(), options);
        failUnlessClean(result, *device);
        return result;
    }

  private slots:
    /// Ragged and whole tiles of steps, columns and features; heads that share a group, and that do not.
    void equalLoopsInDoublePrecisionAndTheirFormula() {
        int row = 0;
        for (const int64_t length : {1, 31, 32, 33, 64, 100})
            for (const auto& [heads, groups] : {std::pair(1, 1), std::pair(4, 2), std::pair(3, 3)})
                for (const auto& [p, n] : {std::pair(1, 1), std::pair(20, 33), std::pair(64, 32), std::pair(70, 100)})
                    for (const bool begins : {false, true}) {
                        if (row++ % thinned(11, 5) != 0)
                            continue;
                        SsdCase c(ssdShape(heads == 4 ? 2 : 1, length, heads, groups, p, n, 64), begins);
                        const std::vector<float> dy = gradientOfY(c);
                        const gpu::SsdBackwardRun got = run(c, dy);
                        const double error = apart(got, reference(c, dy));
                        QVERIFY2(error < 4e-6, qPrintable(QString("%1 steps, %2 heads of %3 × %4: %5")
                                                              .arg(length)
                                                              .arg(heads)
                                                              .arg(p)
                                                              .arg(n)
                                                              .arg(error)));
                        const QString different = otherThanFormula(got, gpu::backwardTraffic(shapeOf(c)), {});
                        QVERIFY2(different.isEmpty(), qPrintable(different));
                    }
    }

    /// A decay of 0 forgets everything and has no gradient, one of 1 nothing.
    void decaysOfExactlyZeroAndOne() {
        for (const int which : {0, 1, 2}) { // all kept, some forgotten, all forgotten
            SsdCase c(ssdShape(1, 100, 2, 1, 16, 24, 64), true);
            for (size_t i = 0; i < c.a.size(); ++i)
                c.a[i] = which == 2 || (which == 1 && i % 14 == 0) ? -INFINITY : 0;
            const std::vector<float> dy = gradientOfY(c);
            const gpu::SsdBackwardRun got = run(c, dy);
            QVERIFY(apart(got, reference(c, dy)) < 4e-6);
            for (size_t i = 0; i < c.a.size(); ++i)
                QVERIFY(c.a[i] == 0 || got.da[i] == 0);
        }
    }

    /// What is no number stays in its head; sums over the heads have it where its group does. No gradient of x or c
    /// knows of what comes after a step, or before.
    void numbersThatAreNoneStayWhereTheyBelong() {
        const size_t heads = 4, p = 16, n = 24, length = 70;
        for (const size_t step : {0, 31, 32, 69})
            for (const bool ofX : {true, false}) {
                SsdCase c(ssdShape(1, length, heads, 2, p, n, 64));
                std::vector<float> dy = gradientOfY(c);
                const gpu::SsdBackwardRun before = run(c, dy);
                (ofX ? c.x : dy)[(step * heads + 1) * p + 3] = NAN;
                const gpu::SsdBackwardRun after = run(c, dy);
                for (size_t t = 0; t < length; ++t)
                    for (size_t h = 0; h < heads; ++h) {
                        const bool mayChange = h == 1;
                        const size_t at = t * heads + h;
                        QVERIFY(mayChange || after.da[at] == before.da[at]);
                        for (size_t i = 0; i < p; ++i)
                            QVERIFY((mayChange && !ofX && t <= step) || after.dx[at * p + i] == before.dx[at * p + i]);
                    }
                for (size_t t = 0; t < length; ++t)
                    for (size_t i = 0; i < 2 * n; ++i)
                        QVERIFY((i < n && (ofX ? t >= step : t == step)) ||
                                after.dc[t * 2 * n + i] == before.dc[t * 2 * n + i]);
            }
    }

    void noBankConflicts() {
        const SsdCase c(ssdShape(1, 64, 33, 1, 32, 32, 64));
        for (const gpu::LaunchRecord& launch : run(c, gradientOfY(c)).launches) {
            const QString conflict = bankConflict(launch);
            QVERIFY2(conflict.isEmpty(), qPrintable(conflict));
        }
    }

    void memoryIsWhatWasSaid() {
        for (const bool begins : {false, true}) {
            const SsdCase c(ssdShape(2, 100, 4, 2, 20, 33, 64), begins);
            MeteredDevice metered;
            gpu::KernelLibrary kernels(metered);
            gpu::ssdBackward(kernels, shapeOf(c), tensorsOf(c), gradientOfY(c).data());
            QCOMPARE(metered.most, gpu::backwardDeviceBytes(shapeOf(c)));
        }
    }

    void emptyProblems() {
        const SsdCase none(ssdShape(1, 0, 2, 1, 16, 24, 64), true);
        QVERIFY(run(none, {}).dinitial == std::vector<float>(none.initial.size(), 0.0f));
        const SsdCase nobody(ssdShape(0, 10, 2, 1, 16, 24, 64));
        QVERIFY(run(nobody, {}).launches.empty());
    }

    void refusalsAndCancelling() {
        const SsdCase c(ssdShape(1, 100, 2, 1, 16, 24, 64));
        gpu::SsdShape s = shapeOf(c);
        s.groups = 3;
        QVERIFY(sentenceOf([&] { gpu::ssdBackward(library, s, {}, nullptr); }).find("3 groups") != std::string::npos);
        std::atomic<bool> cancel{true};
        gpu::LaunchOptions options;
        options.cancel = &cancel;
        QVERIFY_THROWS_EXCEPTION(Cancelled,
                                 gpu::ssdBackward(library, shapeOf(c), tensorsOf(c), gradientOfY(c).data(), options));
    }
};

QTEST_GUILESS_MAIN(SsdBackwardKernelsTest)
#include "ssd_backward_kernels_test.moc"
