// SPDX-License-Identifier: GPL-3.0-or-later
// The GPU kernels of SSD on the virtual GPU with all checks: every rung against loops in f64, formulas of the bytes
// that are what is counted, and what holds whatever the numbers are.
#include "gpu/error.h"
#include "gpu/number/format.h"
#include "gpu/ops/ssd.h"
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
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

using namespace warplight;
using namespace warplight::test;
using gpu::SsdRung;
using number::Format;

namespace {

struct Row {
    SsdRung rung;
    Format format;
    cpu::SsdShape shape;
    bool begins;
};

gpu::SsdShape shapeOf(const cpu::SsdShape& from, bool begins) {
    gpu::SsdShape s;
    s.batch = from.batch, s.length = from.length, s.heads = from.heads, s.groups = from.groups;
    s.headDim = from.headDim, s.stateDim = from.stateDim, s.chunk = from.chunk;
    s.begins = begins;
    return s;
}

/// Ragged and whole tiles of steps, columns and features; heads that share a group, and that do not.
std::vector<Row> rowsOf(SsdRung rung, Format format) {
    std::vector<Row> rows;
    for (const int64_t length : {1, 15, 32, 63, 64, 65, 130, 200, 257})
        for (const int64_t chunk : {16, 32, 64, 128})
            for (const auto& [heads, groups] : {std::pair(1, 1), std::pair(4, 2), std::pair(3, 3), std::pair(40, 1)})
                for (const auto& [p, n] :
                     {std::pair(1, 1), std::pair(20, 33), std::pair(64, 64), std::pair(32, 128), std::pair(70, 200)})
                    for (const bool begins : {false, true}) {
                        const cpu::SsdShape s = ssdShape(heads == 4 ? 2 : 1, length, heads, groups, p, n, chunk);
                        if ((heads < 40 || p < 64) && gpu::whyNot(rung, shapeOf(s, begins), format).empty())
                            rows.push_back({rung, format, s, begins});
                    }
    return rows;
}

/// One of the format's own errors beside f32's.
double unitOf(Format format) { return format == Format::F16 ? 0x1p-11 : format == Format::BF16 ? 0x1p-8 : 0x1p-24; }

void roundTo(SsdCase& c, Format format) {
    for (std::vector<float>* x : {&c.x, &c.b, &c.c, &c.initial})
        for (float& value : *x)
            value = number::rounded(value, format);
}

} // namespace

class SsdKernelsTest : public QObject {
    Q_OBJECT
    std::unique_ptr<gpu::Device> device = vgpu::makeVirtualDevice();
    gpu::KernelLibrary library{*device};
    std::vector<Row> rows;

    static gpu::SsdTensors tensorsOf(const SsdCase& c) {
        return {c.x.data(), c.a.data(), c.b.data(), c.c.data(), c.initial.empty() ? nullptr : c.initial.data()};
    }
    gpu::SsdRun run(SsdRung rung, const SsdCase& c, Format format) {
        gpu::LaunchOptions options;
        options.checks = true;
        gpu::SsdRun result =
            gpu::ssd(library, rung, shapeOf(c.shape, !c.initial.empty()), tensorsOf(c), format, options);
        failUnlessClean(result, *device);
        return result;
    }
    static Format formatOf(SsdRung rung) { return gpu::info(rung).halfInputs ? Format::BF16 : Format::F32; }

  private slots:
    void equalsLoopsInDoublePrecisionAndItsFormula_data() {
        QTest::addColumn<int>("at");
        int row = 0;
        rows.clear();
        for (const gpu::SsdRungInfo& rung : gpu::ssdRungs())
            for (const Format format : {Format::F32, Format::F16, Format::BF16}) {
                const std::vector<Row> taken = rowsOf(rung.id, format);
                QCOMPARE(taken.empty(), rung.halfInputs == (format == Format::F32));
                for (const Row& r : taken) {
                    if (row++ % thinned(97, 37) != 0)
                        continue;
                    const cpu::SsdShape& s = r.shape;
                    QTest::addRow("%s, %s: %d steps in chunks of %d, %d heads and %d groups, %d × %d%s",
                                  std::string(rung.name).c_str(), number::name(format).c_str(), int(s.length),
                                  int(s.chunk), int(s.heads), int(s.groups), int(s.headDim), int(s.stateDim),
                                  r.begins ? ", goes on" : "")
                        << static_cast<int>(rows.size());
                    rows.push_back(r);
                }
            }
    }
    void equalsLoopsInDoublePrecisionAndItsFormula() {
        QFETCH(const int, at);
        const Row& r = rows[static_cast<size_t>(at)];
        SsdCase c(r.shape, r.begins);
        roundTo(c, r.format);
        c.run(cpu::SsdRung::Reference);
        const gpu::SsdRun got = run(r.rung, c, r.format);
        // What is summed up is larger than what it comes to: the error is measured by the norm of all.
        const double bound = 8 * unitOf(r.format) + 0x1p-18;
        QVERIFY2(worstError(got.y, c.y) <= bound, qPrintable(QString::number(worstError(got.y, c.y) / bound)));
        QVERIFY2(worstError(got.last, c.last) <= bound,
                 qPrintable(QString::number(worstError(got.last, c.last) / bound)));
        const gpu::SsdShape s = shapeOf(r.shape, r.begins);
        const QString different =
            otherThanFormula(got, gpu::algorithmicTraffic(r.rung, s, r.format), gpu::compulsoryTraffic(s, r.format));
        QVERIFY2(different.isEmpty(), qPrintable(different));
    }

    void decaysOfExactlyZeroAndOne() {
        for (const gpu::SsdRungInfo& rung : gpu::ssdRungs())
            for (const int which : {0, 1, 2}) { // all kept, some forgotten, all forgotten
                SsdCase c(ssdShape(1, 150, 2, 1, 32, 64, 64), true);
                roundTo(c, formatOf(rung.id));
                for (size_t i = 0; i < c.a.size(); ++i)
                    c.a[i] = which == 2 || (which == 1 && i % 14 == 0) ? -INFINITY : 0;
                c.run(cpu::SsdRung::Reference);
                const gpu::SsdRun got = run(rung.id, c, formatOf(rung.id));
                const double bound = 8 * unitOf(formatOf(rung.id)) + 0x1p-18;
                QVERIFY2(
                    worstError(got.y, c.y) <= bound && worstError(got.last, c.last) <= bound,
                    qPrintable(
                        QString("%1, %2: %3").arg(rung.name.data()).arg(which).arg(worstError(got.y, c.y) / bound)));
            }
    }

    /// What is no number stays in its head, or in the heads of its group, and never reaches a step before it.
    void numbersThatAreNoneStayWhereTheyBelong() {
        const size_t heads = 4, p = 16, n = 24, length = 100;
        int row = 0;
        for (const gpu::SsdRungInfo& rung : gpu::ssdRungs())
            for (const float value : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
                for (const size_t step : {0, 1, 40, 63, 64, 99})
                    for (const int which : {0, 1, 2, 3}) { // x, a, b, c
                        if (row++ % thinned(17, 5) != 0)
                            continue;
                        SsdCase c(ssdShape(1, length, heads, 2, p, n, 64));
                        roundTo(c, formatOf(rung.id));
                        const std::vector<float> before = run(rung.id, c, formatOf(rung.id)).y;
                        const size_t head = 1;
                        (which == 0   ? c.x[(step * heads + head) * p + 3]
                         : which == 1 ? c.a[step * heads + head]
                         : which == 2 ? c.b[step * 2 * n + 3]
                                      : c.c[step * 2 * n + 3]) = value;
                        const std::vector<float> after = run(rung.id, c, formatOf(rung.id)).y;
                        c.run(cpu::SsdRung::Reference);
                        for (size_t t = 0; t < length; ++t)
                            for (size_t h = 0; h < heads; ++h)
                                for (size_t i = 0; i < p; ++i) {
                                    const size_t at = (t * heads + h) * p + i;
                                    const bool mayChange = t >= step && (which < 2 ? h == head : h < 2);
                                    QVERIFY2((mayChange || after[at] == before[at]) &&
                                                 std::isfinite(after[at]) == std::isfinite(c.y[at]),
                                             qPrintable(QString("%1, tensor %2, step %3: step %4 of head %5")
                                                            .arg(rung.name.data())
                                                            .arg(which)
                                                            .arg(step)
                                                            .arg(t)
                                                            .arg(h)));
                                }
                    }
    }

    void noBankConflicts() { // but where f32 stores its tiles of scores
        for (const gpu::SsdRungInfo& rung : gpu::ssdRungs()) {
            if (rung.id == SsdRung::Chunked)
                continue;
            int lines = 0;
            const SsdCase c(ssdShape(1, 256, 33, 1, 64, 128, 128));
            for (const gpu::LaunchRecord& launch : run(rung.id, c, formatOf(rung.id)).launches) {
                const QString conflict = bankConflict(launch);
                QVERIFY2(conflict.isEmpty(), qPrintable(conflict));
                for (const gpu::LineCount& line : launch.stats.lines)
                    lines += line.wavefronts > 0;
            }
            QVERIFY(lines > 5);
        }
    }

    void memoryIsWhatWasSaid() {
        for (const gpu::SsdRungInfo& rung : gpu::ssdRungs())
            for (const bool begins : {false, true}) {
                const SsdCase c(ssdShape(2, 200, 4, 2, 20, 33, 64), begins);
                MeteredDevice metered;
                gpu::KernelLibrary kernels(metered);
                gpu::ssd(kernels, rung.id, shapeOf(c.shape, begins), tensorsOf(c), formatOf(rung.id));
                QCOMPARE(metered.most, gpu::deviceBytes(rung.id, shapeOf(c.shape, begins), formatOf(rung.id)));
            }
    }

    void emptyProblems() {
        for (const gpu::SsdRungInfo& rung : gpu::ssdRungs()) {
            SsdCase none(ssdShape(1, 0, 2, 1, 16, 24, 64), true);
            roundTo(none, formatOf(rung.id));
            QVERIFY(run(rung.id, none, formatOf(rung.id)).last == none.initial);
            const SsdCase nobody(ssdShape(0, 10, 2, 1, 16, 24, 64));
            QVERIFY(run(rung.id, nobody, formatOf(rung.id)).launches.empty());
        }
    }

    void whatTheKernelsCannotDoIsRefusedWithASentence() {
        const auto sentence = [&](SsdRung rung, const gpu::SsdShape& s, Format format) {
            return QString::fromStdString(sentenceOf([&] { gpu::ssd(library, rung, s, {}, format); }));
        };
        gpu::SsdShape s = shapeOf(ssdShape(1, 10, 4, 2, 8, 8, 64), false);
        s.groups = 3;
        QVERIFY(sentence(SsdRung::Chunked, s, Format::F32).contains("3 groups"));
        s.groups = 1, s.chunk = 256;
        QVERIFY(sentence(SsdRung::Chunked, s, Format::F32).contains("chunks of 256 are not compiled"));
        s.chunk = 32;
        QVERIFY(sentence(SsdRung::ChunkedMma, s, Format::F16).contains("chunks of 64 and 128, not 32"));
        QVERIFY(sentence(SsdRung::ChunkedMma, s, Format::F32).contains("f16 and bf16, not f32"));
        s.stateDim = 300;
        QVERIFY(sentence(SsdRung::Recurrent, s, Format::F32).contains("up to 256 numbers"));
        s.batch = 70000;
        QVERIFY(sentence(SsdRung::Chunked, s, Format::F32).contains("too many"));
    }

    void whatIsCancelledStops() {
        const SsdCase c(ssdShape(1, 100, 2, 1, 16, 24, 64));
        std::atomic<bool> cancel{true};
        gpu::LaunchOptions options;
        options.cancel = &cancel;
        for (const gpu::SsdRungInfo& rung : gpu::ssdRungs())
            QVERIFY_THROWS_EXCEPTION(Cancelled, gpu::ssd(library, rung.id, shapeOf(c.shape, false), tensorsOf(c),
                                                         formatOf(rung.id), options));
    }
};

QTEST_GUILESS_MAIN(SsdKernelsTest)
#include "ssd_kernels_test.moc"
