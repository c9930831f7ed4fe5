// SPDX-License-Identifier: GPL-3.0-or-later
// The kernels of the selective scan on the virtual GPU, with its checks, against double precision on the CPU; their
// bytes against the formulas.
#include "gpu/ops/selective_scan.h"

#include "counted.h"
#include "gpu/error.h"
#include "gpu/virtual/virtual_device.h"
#include "metered_device.h"
#include "tests/core/cpu/selective_case.h"

#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

using namespace warplight;
using namespace warplight::test;

namespace {

struct Sizes {
    int64_t batch, dim, length, state, groups;
};
/// Lengths below and above what a thread, a warp, a block and a tile take; more states than threads.
constexpr Sizes sizes[] = {{1, 1, 1, 1, 1},    {2, 6, 101, 5, 3},  {1, 3, 128, 16, 1}, {1, 2, 129, 3, 1},
                           {1, 4, 1024, 2, 2}, {1, 2, 1025, 4, 1}, {1, 1, 2500, 2, 1}, {1, 2, 40, 256, 1}};

gpu::SelectiveShape shapeOf(const SelectiveCase<float>& c) {
    gpu::SelectiveShape s;
    s.batch = c.shape.batch, s.dim = c.shape.dim, s.length = c.shape.length;
    s.state = c.shape.state, s.groups = c.shape.groups, s.softplus = c.shape.softplus;
    s.skip = !c.d.empty(), s.gate = !c.z.empty(), s.bias = !c.bias.empty(), s.first = !c.first.empty();
    return s;
}

SelectiveCase<float> caseOf(const Sizes& z, int variant) {
    cpu::SelectiveShape s;
    s.batch = z.batch, s.dim = z.dim, s.length = z.length, s.state = z.state, s.groups = z.groups;
    s.softplus = variant % 2 == 0;
    SelectiveCase<float> c(s);
    if (variant & 2)
        c.z.clear(), c.first.clear();
    if (variant & 1)
        c.d.clear();
    return c;
}

} // namespace

class SelectiveScanKernelsTest : public QObject {
    Q_OBJECT
    std::unique_ptr<gpu::Device> device = vgpu::makeVirtualDevice();
    gpu::KernelLibrary library{*device};

    static gpu::SelectiveTensors tensorsOf(const SelectiveCase<float>& c) {
        return {c.u.data(), c.delta.data(), c.a.data(),    c.b.data(),    c.c.data(),
                c.d.data(), c.z.data(),     c.bias.data(), c.first.data()};
    }
    gpu::SelectiveRun run(gpu::SelectiveRung rung, const SelectiveCase<float>& c) {
        gpu::LaunchOptions options;
        options.checks = true;
        gpu::SelectiveRun result = gpu::selectiveScan(library, rung, shapeOf(c), tensorsOf(c), options);
        failUnlessClean(result, *device);
        return result;
    }
    static gpu::SelectiveRung fetched() {
        QFETCH_GLOBAL(int, rung);
        return static_cast<gpu::SelectiveRung>(rung);
    }

  private slots:
    void initTestCase_data() {
        QTest::addColumn<int>("rung");
        for (const gpu::SelectiveRungInfo& rung : gpu::selectiveRungs())
            QTest::newRow(std::string(rung.name).c_str()) << static_cast<int>(rung.id);
    }

    void equalsDoublePrecisionAndItsFormula() {
        for (const Sizes& z : sizes)
            for (int variant = 0; variant < 4; ++variant) {
                SelectiveCase<float> c = caseOf(z, variant);
                const auto [y, last] = c.run(cpu::SelectiveRung::Reference);
                const gpu::SelectiveRun made = run(fetched(), c);
                const double error = std::max(apartBy(made.y, y), apartBy(made.last, last));
                QVERIFY2(error < 3e-6,
                         qPrintable(QString("length %1, variant %2: %3").arg(z.length).arg(variant).arg(error)));
                const QString other =
                    otherThanFormula(made, gpu::algorithmicTraffic(fetched(), shapeOf(c)), gpu::TensorTraffic());
                QVERIFY2(other.isEmpty(), qPrintable(other));
            }
    }

    void sharedMemoryMeetsNoBankTwice() {
        int lines = 0;
        for (const int64_t length : {100, 1500}) {
            SelectiveCase<float> c = caseOf({1, 2, length, 3, 1}, 0);
            for (const gpu::LaunchRecord& launch : run(fetched(), c).launches) {
                const QString conflict = bankConflict(launch);
                QVERIFY2(conflict.isEmpty(), qPrintable(conflict));
                for (const gpu::LineCount& line : launch.stats.lines)
                    lines += line.wavefronts > 0;
            }
        }
        QVERIFY(lines > 10);
    }

    void takesTheMemoryThatItSays() {
        for (const Sizes& z : sizes) {
            const SelectiveCase<float> c = caseOf(z, 0);
            MeteredDevice metered;
            gpu::KernelLibrary kernels(metered);
            gpu::selectiveScan(kernels, fetched(), shapeOf(c), tensorsOf(c));
            QCOMPARE(metered.most, gpu::deviceBytes(fetched(), shapeOf(c)));
        }
    }

    void whatIsNoNumberStaysInItsChannel() {
        constexpr int64_t dim = 3, length = 1100;
        for (const auto member : {&SelectiveCase<float>::u, &SelectiveCase<float>::delta, &SelectiveCase<float>::z,
                                  &SelectiveCase<float>::a, &SelectiveCase<float>::d, &SelectiveCase<float>::bias,
                                  &SelectiveCase<float>::first}) {
            SelectiveCase<float> c = caseOf({1, dim, length, 2, 1}, 0);
            const std::vector<float> before = run(fetched(), c).y;
            auto& x = c.*member;
            const size_t width = x.size() / dim;
            x[width + width / 2] = std::numeric_limits<float>::quiet_NaN(); // of channel 1
            const std::vector<float> after = run(fetched(), c).y, exact = c.run(cpu::SelectiveRung::Reference).first;
            for (size_t i = 0; i < after.size(); ++i)
                if (i / length == 1)
                    QCOMPARE(std::isnan(after[i]), std::isnan(exact[i]));
                else
                    QVERIFY(after[i] == before[i]);
        }
    }

    void decaysOfOneAddUp() {
        SelectiveCase<float> c = caseOf({1, 2, 1030, 2, 1}, 3);
        for (auto* x : {&c.u, &c.b, &c.c, &c.delta})
            x->assign(x->size(), 1.0f);
        c.a.assign(c.a.size(), 0.0f);
        const gpu::SelectiveRun made = run(fetched(), c);
        for (size_t i = 0; i < made.y.size(); ++i)
            QCOMPARE(made.y[i], 2 * static_cast<float>(i % 1030 + 1));
        QCOMPARE(made.last[0], 1030.0f);
    }

    void nothingToDoIsNothingLaunched() {
        SelectiveCase<float> c = caseOf({1, 3, 0, 2, 1}, 0);
        const gpu::SelectiveRun made = run(fetched(), c);
        QVERIFY(made.launches.empty() && made.y.empty());
        QVERIFY(made.last == c.first);
        c = caseOf({0, 3, 5, 2, 1}, 0);
        QVERIFY(run(fetched(), c).last.empty());
    }

    void shapesThatCannotBeLaunchedAreRefused() {
        gpu::SelectiveShape s;
        s.dim = 6, s.length = 3, s.groups = 4;
        QVERIFY_THROWS_EXCEPTION(InputError, gpu::checkShape(s));
        s.groups = 1, s.state = 257;
        QVERIFY_THROWS_EXCEPTION(InputError, gpu::checkShape(s));
        s.state = 16, s.dim = 70000;
        QVERIFY_THROWS_EXCEPTION(InputError, gpu::checkShape(s));
    }
};

QTEST_GUILESS_MAIN(SelectiveScanKernelsTest)
#include "selective_scan_kernels_test.moc"
