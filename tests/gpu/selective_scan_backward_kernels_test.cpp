// SPDX-License-Identifier: GPL-3.0-or-later
// The kernels of the selective scan's gradients on the virtual GPU, with its checks, against double precision on the
// CPU, which is held against finite differences elsewhere; their bytes against the formulas.
#include "gpu/ops/selective_scan_backward.h"

#include "core/cpu/ssm/selective_backward.h"
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
#include <map>
#include <memory>
#include <string>
#include <vector>

using namespace warplight;
using namespace warplight::test;

namespace {

struct Sizes {
    int64_t batch, dim, length, state, groups;
};
/// Lengths below and above what a warp and a chunk take; blocks with fewer than four channels; more states than
/// threads.
constexpr Sizes sizes[] = {{1, 1, 1, 1, 1},   {2, 6, 101, 5, 3},  {1, 5, 128, 16, 1}, {3, 3, 129, 2, 1},
                           {1, 9, 512, 2, 1}, {2, 10, 513, 3, 2}, {1, 2, 1300, 3, 1}, {1, 2, 40, 256, 1}};

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
    if (s.softplus && !c.delta.empty())
        c.delta[c.delta.size() / 2] = 21; // where it is its argument
    if (variant & 2)
        c.z.clear(), c.first.clear();
    if (variant & 1)
        c.d.clear();
    return c;
}

using Gradients = std::map<std::string, std::vector<float>>;

Gradients named(const gpu::SelectiveGradients& g) {
    return {{"u", g.du}, {"delta", g.ddelta}, {"A", g.da}, {"B", g.db},
            {"C", g.dc}, {"D", g.dd},         {"z", g.dz}, {"bias", g.dbias}};
}

Gradients exactly(SelectiveCase<float>& c) {
    Gradients made{{"u", c.u}, {"delta", c.delta}, {"A", c.a}, {"B", c.b},
                   {"C", c.c}, {"D", c.d},         {"z", c.z}, {"bias", c.bias}};
    const auto of = [&](const char* name) { return made.at(name).empty() ? nullptr : made.at(name).data(); };
    cpu::selectiveScanBackward(
        cpu::SelectiveRung::Reference, c.shape, c.tensors(),
        {c.dy.data(), of("u"), of("delta"), of("A"), of("B"), of("C"), of("D"), of("z"), of("bias")});
    return made;
}

} // namespace

class SelectiveScanBackwardKernelsTest : public QObject {
    Q_OBJECT
    std::unique_ptr<gpu::Device> device = vgpu::makeVirtualDevice();
    gpu::KernelLibrary library{*device};

    static gpu::SelectiveGradients runOn(gpu::KernelLibrary& kernels, const SelectiveCase<float>& c,
                                         const gpu::LaunchOptions& options) {
        return gpu::selectiveScanBackward(kernels, shapeOf(c),
                                          {c.u.data(), c.delta.data(), c.a.data(), c.b.data(), c.c.data(), c.d.data(),
                                           c.z.data(), c.bias.data(), c.first.data()},
                                          c.dy.data(), options);
    }
    gpu::SelectiveGradients run(const SelectiveCase<float>& c, int threads = 0) {
        gpu::LaunchOptions options;
        options.checks = true;
        options.threads = threads;
        gpu::SelectiveGradients result = runOn(library, c, options);
        failUnlessClean(result, *device);
        return result;
    }

  private slots:
    void equalsDoublePrecisionAndItsFormula() {
        double worst = 0;
        for (const Sizes& z : sizes)
            for (int variant = 0; variant < 4; ++variant) {
                SelectiveCase<float> c = caseOf(z, variant);
                const Gradients exact = exactly(c);
                const gpu::SelectiveGradients made = run(c);
                for (const auto& [name, gradient] : named(made)) {
                    const double error = apartBy(gradient, exact.at(name));
                    worst = std::max(worst, error);
                    QVERIFY2(error < 4e-6, qPrintable(QString("length %1, variant %2, %3: %4")
                                                          .arg(z.length)
                                                          .arg(variant)
                                                          .arg(name.c_str())
                                                          .arg(error)));
                }
                const QString other =
                    otherThanFormula(made, gpu::algorithmicBackwardTraffic(shapeOf(c)), gpu::TensorTraffic());
                QVERIFY2(other.isEmpty(), qPrintable(other));
            }
        qInfo("largest error %.2g", worst);
    }

    void sharedMemoryMeetsNoBankTwice() {
        int lines = 0;
        for (const int64_t length : {100, 1100}) {
            const SelectiveCase<float> c = caseOf({2, 5, length, 3, 1}, 0);
            for (const gpu::LaunchRecord& launch : run(c).launches) {
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
            runOn(kernels, c, {});
            QCOMPARE(metered.most, gpu::backwardDeviceBytes(shapeOf(c)));
        }
    }

    void bitsDoNotDependOnThreads() {
        const SelectiveCase<float> c = caseOf({2, 10, 600, 3, 2}, 0);
        const Gradients one = named(run(c, 1));
        for (const int threads : {2, 5})
            QVERIFY(named(run(c, threads)) == one);
    }

    void whatIsNoNumberStaysInItsChannel() {
        constexpr size_t dim = 6, length = 530, states = 2; // channel 1 shares its block with three others
        for (const auto member : {&SelectiveCase<float>::u, &SelectiveCase<float>::delta, &SelectiveCase<float>::z,
                                  &SelectiveCase<float>::dy, &SelectiveCase<float>::a, &SelectiveCase<float>::d,
                                  &SelectiveCase<float>::bias, &SelectiveCase<float>::first})
            for (const double where : {0.5, 1.0}) { // in the middle, and where nothing comes behind it
                SelectiveCase<float> c = caseOf({1, dim, length, states, 1}, 0);
                const Gradients before = named(run(c));
                auto& x = c.*member;
                const size_t width = x.size() / dim;
                x[width + static_cast<size_t>(where * static_cast<double>(width - 1))] =
                    std::numeric_limits<float>::quiet_NaN();
                const Gradients after = named(run(c)), exact = exactly(c);
                for (const auto& [name, gradient] : after) {
                    const size_t each = name == "B" || name == "C" ? 0 : gradient.size() / dim; // of a channel
                    for (size_t i = 0; i < gradient.size(); ++i) {
                        QVERIFY2(std::isnan(gradient[i]) == std::isnan(exact.at(name)[i]),
                                 qPrintable(QString("%1 %2").arg(name.c_str()).arg(i)));
                        if (each && i / each != 1)
                            QVERIFY(gradient[i] == before.at(name)[i]);
                    }
                }
            }
    }

    void groupsDoNotTouch() {
        SelectiveCase<float> c = caseOf({1, 6, 50, 2, 2}, 0);
        const Gradients before = named(run(c));
        c.u[10] = std::numeric_limits<float>::infinity(); // of group 0
        const Gradients after = named(run(c));
        for (const char* name : {"B", "C"})
            for (size_t i = 100; i < 200; ++i)
                QVERIFY(after.at(name)[i] == before.at(name)[i]);
        QVERIFY(after.at("B") != before.at("B"));
    }

    void emptySequencesHaveGradientsOfZero() {
        const gpu::SelectiveGradients made = run(caseOf({1, 3, 0, 2, 1}, 0));
        QVERIFY(made.launches.empty() && made.du.empty());
        QVERIFY(made.da == std::vector<float>(6, 0.0f) && made.dd == std::vector<float>(3, 0.0f));
        QVERIFY(run(caseOf({0, 3, 5, 2, 1}, 0)).da == std::vector<float>(6, 0.0f));
    }

    void shapesThatCannotBeLaunchedAreRefused() {
        SelectiveCase<float> c = caseOf({1, 4, 3, 257, 1}, 0);
        QVERIFY_THROWS_EXCEPTION(InputError, runOn(library, c, {}));
    }
};

QTEST_GUILESS_MAIN(SelectiveScanBackwardKernelsTest)
#include "selective_scan_backward_kernels_test.moc"
