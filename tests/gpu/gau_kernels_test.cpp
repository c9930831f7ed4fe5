// SPDX-License-Identifier: GPL-3.0-or-later
// The GPU kernels of the gated attention unit on the virtual GPU with all checks: every rung and function against loops
// in f64, and formulas of the bytes that are what is counted.
#include "gpu/error.h"
#include "gpu/ops/gau.h"
#include "gpu/virtual/virtual_device.h"
#include "tests/core/cpu/gau_case.h"
#include "tests/gpu/counted.h"
#include "tests/gpu/metered_device.h"
#include "tests/sentence.h"
#include "tests/thinned.h"

#include <QTest>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace warplight;
using namespace warplight::test;
using cpu::GauFunction;
using cpu::GauShape;

namespace {

struct Sizes {
    int64_t batch, length, features, expanded, shared;
};
/// Ragged and whole tiles of rows, keys, columns and features.
constexpr Sizes sizes[] = {{1, 1, 1, 1, 1},       {2, 101, 24, 33, 9},   {1, 64, 64, 64, 32},
                           {1, 130, 20, 300, 70}, {3, 33, 70, 129, 100}, {1, 65, 5, 516, 33}};
constexpr int64_t chunks[] = {0, 1, 20, 40, 64};

gpu::GauShape shapeOf(const GauShape& p) {
    gpu::GauShape s;
    s.batch = p.batch, s.length = p.length;
    s.features = p.features, s.expanded = p.expanded, s.shared = p.shared;
    s.function = static_cast<gpu::GauFunction>(p.function);
    s.causal = p.causal, s.seenKeys = p.seenKeys, s.chunk = p.chunk;
    return s;
}

GauShape withSizes(const Sizes& z) {
    GauShape p;
    p.batch = z.batch, p.length = z.length;
    p.features = z.features, p.expanded = z.expanded, p.shared = z.shared;
    return p;
}

} // namespace

class GauKernelsTest : public QObject {
    Q_OBJECT
    std::unique_ptr<gpu::Device> device = vgpu::makeVirtualDevice();
    gpu::KernelLibrary library{*device};
    std::vector<GauShape> cases;

    static gpu::GauTensors tensorsOf(const GauCase& c) {
        return {c.x.data(), c.wu.data(), c.wv.data(), c.wz.data(), c.gamma.data(), c.beta.data(), c.wo.data()};
    }
    gpu::GauRun run(gpu::GauRung rung, const GauCase& c) {
        gpu::LaunchOptions options;
        options.checks = true;
        gpu::GauRun result = gpu::gau(library, rung, shapeOf(c.shape), tensorsOf(c), options);
        failUnlessClean(result, *device);
        return result;
    }
    static gpu::GauRung fetched() {
        QFETCH_GLOBAL(int, rung);
        return static_cast<gpu::GauRung>(rung);
    }

  private slots:
    void initTestCase_data() {
        QTest::addColumn<int>("rung");
        for (const gpu::GauRungInfo& rung : gpu::gauRungs())
            QTest::newRow(std::string(rung.name).c_str()) << static_cast<int>(rung.id);
    }

    void equalsLoopsInDoublePrecisionAndItsFormula_data() {
        QTest::addColumn<int>("at");
        int row = 0;
        cases.clear();
        for (const Sizes& z : sizes)
            for (const cpu::RungInfo<GauFunction>& function : cpu::gauFunctions())
                for (const int64_t chunk : chunks)
                    for (const int mask : {0, 1, 2}) { // none, causal, causal with the keys that are seen
                        GauShape p = withSizes(z);
                        p.function = function.id;
                        p.chunk = std::min(chunk, p.length);
                        p.causal = mask > 0, p.seenKeys = mask == 2;
                        if (p.length == 1 && chunk > 1)
                            continue;
                        if (row++ % thinned(29, 11) != 0)
                            continue;
                        QTest::addRow("%s, %d x %d tokens of %d, e %d, s %d, chunk %d, mask %d",
                                      std::string(function.name).c_str(), int(p.batch), int(p.length), int(p.features),
                                      int(p.expanded), int(p.shared), int(p.chunk), mask)
                            << static_cast<int>(cases.size());
                        cases.push_back(p);
                    }
    }
    void equalsLoopsInDoublePrecisionAndItsFormula() {
        QFETCH(const int, at);
        const GauShape& shape = cases[static_cast<size_t>(at)];
        GauCase c(shape);
        const std::vector<float> exact = c.run(cpu::GauRung::Reference);
        const gpu::GauRun got = run(fetched(), c);
        const double error = worstError(got.y, exact);
        QVERIFY2(error <= 4e-6, qPrintable(QString::number(error)));
        const QString different = otherThanFormula(got, gpu::algorithmicTraffic(fetched(), shapeOf(shape)),
                                                   gpu::compulsoryTraffic(shapeOf(shape)));
        QVERIFY2(different.isEmpty(), qPrintable(different));
    }

    /// Not by a bit, whatever comes behind; and it does change what comes after it.
    void nothingBeforeATokenChangesWithIt() {
        int row = 0;
        for (const cpu::RungInfo<GauFunction>& function : cpu::gauFunctions())
            for (const int64_t chunk : {0, 40}) {
                GauShape p = withSizes({1, 101, 24, 33, 9});
                p.function = function.id;
                p.causal = true, p.chunk = chunk;
                const GauCase c(p);
                const std::vector<float> before = run(fetched(), c).y;
                for (const int64_t token : {1, 40, 70})
                    for (const float becomes :
                         {-3.0f, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
                        if (row++ % thinned(5) != 0)
                            continue;
                        GauCase changed = c;
                        std::fill_n(changed.x.begin() + token * p.features, p.features, becomes);
                        const std::vector<float> after = run(fetched(), changed).y;
                        QVERIFY2(std::memcmp(before.data(), after.data(),
                                             static_cast<size_t>(token * p.features) * sizeof(float)) == 0,
                                 qPrintable(QString("%1, chunk %2: token %3 became %4")
                                                .arg(std::string(function.name).c_str())
                                                .arg(chunk)
                                                .arg(token)
                                                .arg(static_cast<double>(becomes))));
                        QVERIFY(std::memcmp(before.data(), after.data(), before.size() * sizeof(float)) != 0);
                    }
            }
    }

    void noBankConflicts() {
        int lines = 0;
        for (const cpu::RungInfo<GauFunction>& function : cpu::gauFunctions()) {
            GauShape p = withSizes({1, 192, 64, 256, 64});
            p.function = function.id;
            p.causal = true, p.chunk = 64;
            for (const gpu::LaunchRecord& launch : run(fetched(), GauCase(p)).launches) {
                const QString conflict = bankConflict(launch);
                QVERIFY2(conflict.isEmpty(), qPrintable(conflict));
                for (const gpu::LineCount& line : launch.stats.lines)
                    lines += line.wavefronts > 0;
            }
        }
        QVERIFY(lines > 20);
    }

    void memoryIsWhatWasSaid() {
        for (const bool causal : {false, true})
            for (const int64_t chunk : {0, 40, 101}) {
                GauShape p = withSizes({2, 101, 24, 33, 9});
                p.causal = causal, p.chunk = chunk;
                const GauCase c(p);
                MeteredDevice metered;
                gpu::KernelLibrary kernels(metered);
                gpu::gau(kernels, fetched(), shapeOf(p), tensorsOf(c));
                QCOMPARE(metered.most, gpu::deviceBytes(fetched(), shapeOf(p)));
            }
    }

    void emptyProblems() {
        for (const auto& [batch, length] : {std::pair(0, 5), std::pair(2, 0)}) {
            const GauCase c(withSizes({batch, length, 4, 8, 2}));
            const gpu::GauRun got = run(fetched(), c);
            QVERIFY(got.launches.empty() && got.y.empty());
            QVERIFY(gpu::algorithmicTraffic(fetched(), shapeOf(c.shape)).empty());
        }
    }

    void whatTheKernelsCannotDoIsRefusedWithASentence() {
        const auto sentence = [&](const gpu::GauShape& s) {
            return QString::fromStdString(sentenceOf([&] { gpu::gau(library, fetched(), s, {}); }));
        };
        gpu::GauShape s = shapeOf(withSizes({1, 10, 4, 8, 2}));
        s.chunk = 11;
        QVERIFY(sentence(s).contains("chunk 11, expected 0 to 10"));
        s.chunk = 0, s.batch = 70000;
        QVERIFY(sentence(s).contains("too many"));
        s.batch = 1, s.length = int64_t{1} << 40;
        QVERIFY(sentence(s).contains("too many"));
        s.length = 70000, s.chunk = 1;
        QVERIFY(sentence(s).contains("chunks of 1"));
        s.chunk = 0, s.shared = 0;
        QVERIFY(sentence(s).contains("s 0"));
        s.shared = 40000;
        QVERIFY(sentence(s).contains("s 40000"));
    }

    void whatIsCancelledStops() {
        const GauCase c(withSizes({1, 10, 4, 8, 2}));
        std::atomic<bool> cancel{true};
        gpu::LaunchOptions options;
        options.cancel = &cancel;
        QVERIFY_THROWS_EXCEPTION(Cancelled, gpu::gau(library, fetched(), shapeOf(c.shape), tensorsOf(c), options));
    }
};

QTEST_GUILESS_MAIN(GauKernelsTest)
#include "gau_kernels_test.moc"
