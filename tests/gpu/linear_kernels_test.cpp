// SPDX-License-Identifier: GPL-3.0-or-later
// The GPU kernels of linear attention on the virtual GPU with all checks: every rung, rule and feature map against
// loops in f64, and formulas of the bytes that are what is counted.
#include "gpu/error.h"
#include "gpu/number/format.h"
#include "gpu/ops/linear_attention.h"
#include "gpu/virtual/virtual_device.h"
#include "tests/gpu/counted.h"
#include "tests/gpu/linear_table.h"
#include "tests/thinned.h"

#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

using namespace warplight;
using namespace warplight::test;
using gpu::FeatureMap;
using gpu::LinearRule;
using gpu::LinearRung;
using gpu::LinearShape;
using number::Format;

namespace {

constexpr FeatureMap allMaps[] = {FeatureMap::Elu1,    FeatureMap::Relu,    FeatureMap::Relu2,
                                  FeatureMap::Exp,     FeatureMap::Softmax, FeatureMap::Cos,
                                  FeatureMap::Taylor2, FeatureMap::Favor,   FeatureMap::Identity};
constexpr LinearRule allRules[] = {LinearRule::Add, LinearRule::Retention, LinearRule::Gla, LinearRule::Delta,
                                   LinearRule::GatedDelta};
constexpr int64_t oddLengths[] = {1, 15, 16, 17, 63, 65, 200};

/// Maps whose denominators stay away from 0, so that what is compared is the kernel and not the problem.
bool isPositive(FeatureMap map) {
    return map != FeatureMap::Identity && map != FeatureMap::Relu && map != FeatureMap::Relu2;
}

std::string nameOf(const LinearShape& s) {
    return std::string(gpu::name(s.map)) + ", " + std::string(gpu::name(s.rule)) + (s.causal ? ", causal" : "") +
           (s.normalised ? "" : ", not normalised") + ", " + std::to_string(s.queryLen) + " × " +
           std::to_string(s.keyLen) + ", d " + std::to_string(s.headDim) + ", dv " + std::to_string(s.valueDim) +
           ", chunk " + std::to_string(s.chunk);
}

struct Case {
    LinearRung rung;
    Format format;
    LinearShape shape;
};

/// The problems that a rung takes; the same for all, so that none is left out by accident.
std::vector<Case> casesOf(LinearRung rung, Format format) {
    std::vector<Case> cases;
    const auto add = [&](LinearShape s) {
        s.causal = s.causal || s.rule != LinearRule::Add;
        if (rung == LinearRung::ChunkedMma) // which has no shorter chunks
            s.chunk = std::max<int64_t>(s.chunk, 64);
        if (s.map == FeatureMap::Taylor2 || s.map == FeatureMap::Favor || s.map == FeatureMap::Exp)
            s.scale = 1 / std::sqrt(static_cast<float>(s.headDim));
        s.normalised = s.normalised && isPositive(s.map) && (!gpu::takesBeta(s.rule) || s.keepsState);
        if (gpu::whyNot(rung, s, format).empty())
            cases.push_back({rung, format, s});
    };
    const auto shape = [](int64_t n, int64_t d, int64_t dv, FeatureMap map, LinearRule rule, bool causal,
                          int64_t chunk = 64) {
        LinearShape s;
        s.queryLen = s.keyLen = n, s.headDim = d, s.valueDim = dv, s.map = map, s.rule = rule, s.causal = causal,
        s.chunk = chunk;
        s.randomFeatures = 20;
        return s;
    };
    for (const FeatureMap map : allMaps) // every map × rule × odd length
        for (const LinearRule rule : allRules)
            for (const int64_t n : oddLengths)
                if (map != FeatureMap::Softmax)
                    add(shape(n, 8, 16, map, rule, true, n == 200 ? 64 : 16));
    for (const FeatureMap map : allMaps) // not causal, other lengths of queries and keys
        for (const auto& [n, m] : {std::pair(17, 70), std::pair(70, 1), std::pair(33, 200)}) {
            LinearShape s = shape(n, 8, 16, map, LinearRule::Add, false);
            s.keyLen = m, s.keepsState = true;
            add(s);
        }
    for (const LinearRule rule : allRules) { // sizes, chunks, several heads and batches, and what is left at the end
        for (const auto& [d, dv, chunk] :
             {std::tuple(16, 16, 16), std::tuple(32, 64, 32), std::tuple(64, 32, 128), std::tuple(64, 64, 64),
              std::tuple(128, 128, 128), std::tuple(33, 70, 64), std::tuple(1, 1, 32), std::tuple(20, 130, 64)}) {
            LinearShape s = shape(140, d, dv, FeatureMap::Elu1, rule, true, chunk);
            s.heads = d <= 64 ? 2 : 1, s.batch = d <= 32 ? 2 : 1, s.keepsState = d != 64;
            add(s);
            s.normalised = false, s.batch = 1;
            if (d <= 33)
                add(s);
        }
        LinearShape wide = shape(40, 200, 40, FeatureMap::Identity, rule, true, 16);
        wide.keepsState = true, wide.normalised = false;
        add(wide);
    }
    LinearShape cos = shape(150, 64, 64, FeatureMap::Cos, LinearRule::Add, true);
    add(cos);
    LinearShape scaled = shape(70, 16, 16, FeatureMap::Elu1, LinearRule::Retention, true);
    scaled.scale = 0.3f;
    add(scaled);
    return cases;
}

/// One of the format's own errors beside f32's.
double unitOf(Format format) { return format == Format::F16 ? 0x1p-11 : format == Format::BF16 ? 0x1p-8 : 0x1p-24; }

} // namespace

class LinearKernelsTest : public QObject {
    Q_OBJECT
    std::unique_ptr<gpu::Device> device = vgpu::makeVirtualDevice();
    gpu::KernelLibrary library{*device};
    std::vector<Case> cases;

    gpu::LinearRun run(LinearRung rung, const OwnedLinear& p, Format format) {
        gpu::LaunchOptions options;
        options.checks = true;
        gpu::LinearRun result = gpu::linearAttention(library, rung, p.shape, p.tensors(), format, options);
        failUnlessClean(result, *device);
        return result;
    }

  private slots:
    void equalsLoopsInDoublePrecisionAndItsFormula_data() {
        QTest::addColumn<int>("at");
        int row = 0;
        for (const gpu::LinearRungInfo& rung : gpu::linearRungs())
            for (const Format format : {Format::F32, Format::F16, Format::BF16}) {
                const std::vector<Case> taken = casesOf(rung.id, format);
                QCOMPARE(taken.empty(), rung.halfInputs == (format == Format::F32));
                QVERIFY(taken.empty() || taken.size() >= 100);
                for (const Case& c : taken) {
                    if (row++ % thinned(11, 3) != 0)
                        continue;
                    QTest::addRow("%s, %s: %s", std::string(rung.name).c_str(), number::name(format).c_str(),
                                  nameOf(c.shape).c_str())
                        << static_cast<int>(cases.size());
                    cases.push_back(c);
                }
            }
    }
    void equalsLoopsInDoublePrecisionAndItsFormula() {
        QFETCH(const int, at);
        const Case& c = cases[static_cast<size_t>(at)];
        OwnedLinear p(c.shape);
        p.roundTo(c.format);
        const gpu::LinearRun got = run(c.rung, p, c.format);
        const LinearTruth truth(p);
        compare(
            "O", got.o, truth.o, [&](size_t i) { return truth.magnitude[i]; }, c.format);
        if (c.shape.keepsState) {
            const auto largest = [](const std::vector<double>& x) {
                return [most = LinearTruth::largest(x)](size_t) { return most; };
            };
            compare("state", got.state, truth.state, largest(truth.state), c.format);
            compare("z", got.z, truth.z, largest(truth.z), c.format);
        }
        countsAreTheFormula(c, got);
    }

  private:
    template <class Size>
    static void compare(const char* what, const std::vector<float>& got, const std::vector<double>& expected,
                        const Size& sizeOf, Format format) {
        QCOMPARE(got.size(), expected.size());
        const double unit = 8 * unitOf(format) + 64 * 0x1p-24, smallest = format == Format::F16 ? 0x1p-21 : 1e-30;
        for (size_t i = 0; i < got.size(); ++i) {
            const double off = std::fabs(static_cast<double>(got[i]) - expected[i]);
            QVERIFY2(off <= unit * sizeOf(i) + smallest,
                     qPrintable(QString("%1 %2 is %3, expected %4, off by %5 of its bound")
                                    .arg(what)
                                    .arg(i)
                                    .arg(static_cast<double>(got[i]))
                                    .arg(expected[i])
                                    .arg(off / (unit * sizeOf(i)))));
        }
    }
    static void countsAreTheFormula(const Case& c, const gpu::LinearRun& got) {
        const QString different = otherThanFormula(got, gpu::algorithmicTraffic(c.rung, c.shape, c.format),
                                                   gpu::compulsoryTraffic(c.shape, c.format));
        QVERIFY2(different.isEmpty(), qPrintable(different));
    }
};

QTEST_GUILESS_MAIN(LinearKernelsTest)
#include "linear_kernels_test.moc"
