// SPDX-License-Identifier: GPL-3.0-or-later
// The GPU kernels of linear attention: nothing passes through the causal mask, what is no number is hidden nowhere,
// decays may be anything, tensor cores have no bank conflicts, and what no kernel does is refused.
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
#include <cstring>
#include <iterator>
#include <limits>
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

LinearShape shapeOf(LinearRule rule, int64_t n, int64_t d, int64_t dv, FeatureMap map = FeatureMap::Elu1) {
    LinearShape s;
    s.queryLen = s.keyLen = n, s.headDim = d, s.valueDim = dv, s.rule = rule, s.map = map;
    s.normalised = !gpu::takesBeta(rule);
    return s;
}

struct Way {
    LinearRung rung;
    Format format;
};
constexpr Way ways[] = {{LinearRung::Recurrent, Format::F32},
                        {LinearRung::Chunked, Format::F32},
                        {LinearRung::ChunkedMma, Format::F16},
                        {LinearRung::ChunkedMma, Format::BF16}};
constexpr LinearRule rules[] = {LinearRule::Add, LinearRule::Retention, LinearRule::Gla, LinearRule::Delta,
                                LinearRule::GatedDelta};

} // namespace

class LinearMaskTest : public QObject {
    Q_OBJECT
    std::unique_ptr<gpu::Device> device = vgpu::makeVirtualDevice();
    gpu::KernelLibrary library{*device};

    gpu::LinearRun run(const Way& way, const OwnedLinear& p) {
        gpu::LaunchOptions options;
        options.checks = true;
        gpu::LinearRun result = gpu::linearAttention(library, way.rung, p.shape, p.tensors(), way.format, options);
        failOnFindings(result);
        return result;
    }
    static void addRows() {
        QTest::addColumn<int>("way");
        QTest::addColumn<int>("rule");
        QTest::addColumn<int>("chunk");
        int row = 0;
        for (size_t w = 0; w < std::size(ways); ++w)
            for (const LinearRule rule : rules)
                for (const int64_t chunk : gpu::linearChunks) {
                    LinearShape s = shapeOf(rule, 1, 1, 1);
                    s.chunk = chunk;
                    if (gpu::whyNot(ways[w].rung, s, ways[w].format).empty() &&
                        (ways[w].rung != LinearRung::Recurrent || chunk == 64) && row++ % thinned(7, 3) == 0)
                        QTest::addRow("%s, %s, %s, %d", std::string(gpu::info(ways[w].rung).name).c_str(),
                                      number::name(ways[w].format).c_str(), std::string(gpu::name(rule)).c_str(),
                                      static_cast<int>(chunk))
                            << static_cast<int>(w) << static_cast<int>(rule) << static_cast<int>(chunk);
                }
    }

  private slots:
    void nothingBeforeAStepChangesWithIt_data() { addRows(); }
    /// By a bit, whatever the step becomes.
    void nothingBeforeAStepChangesWithIt() {
        QFETCH(const int, way);
        QFETCH(const int, rule);
        QFETCH(const int, chunk);
        LinearShape s = shapeOf(static_cast<LinearRule>(rule), 133, 12, 20);
        s.chunk = chunk;
        const OwnedLinear p(s);
        const std::vector<float> before = run(ways[way], p).o;
        for (const int64_t step : {1, 16, 63, 100, 132})
            for (const float becomes :
                 {-3.0f, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
                OwnedLinear changed = p;
                const auto set = [&](std::vector<float>& x) {
                    const auto columns = static_cast<int64_t>(x.size()) / s.keyLen;
                    std::fill_n(x.begin() + step * columns, columns, becomes);
                };
                for (std::vector<float>* x : {&changed.q, &changed.k, &changed.v, &changed.decay, &changed.beta})
                    set(*x);
                const std::vector<float> after = run(ways[way], changed).o;
                QVERIFY2(std::memcmp(before.data(), after.data(), static_cast<size_t>(step * s.valueDim) * 4) == 0,
                         qPrintable(QString("step %1 became %2").arg(step).arg(static_cast<double>(becomes))));
                QVERIFY(std::memcmp(before.data(), after.data(), before.size() * 4) != 0);
            }
    }

    void nothingThatIsNoNumberIsHidden_data() { addRows(); }
    /// NaN where loops in f64 say so, and nowhere else.
    void nothingThatIsNoNumberIsHidden() {
        QFETCH(const int, way);
        QFETCH(const int, rule);
        QFETCH(const int, chunk);
        for (const FeatureMap map : {FeatureMap::Elu1, FeatureMap::Relu}) {
            LinearShape s = shapeOf(static_cast<LinearRule>(rule), 133, 12, 20, map);
            s.chunk = chunk, s.normalised = s.normalised && map == FeatureMap::Elu1;
            OwnedLinear p(s);
            p.roundTo(ways[way].format);
            const float nan = std::numeric_limits<float>::quiet_NaN(),
                        infinity = std::numeric_limits<float>::infinity();
            for (const auto& [tensor, at, becomes] :
                 {std::tuple(0, 50 * 12 + 3, nan), std::tuple(1, 50 * 12 + 3, nan), std::tuple(2, 50 * 20 + 7, nan),
                  std::tuple(2, 131 * 20 + 7, infinity), std::tuple(1, 90 * 12 + 5, infinity)}) {
                // What an infinity comes to depends on the order of sums: a feature of 0 times it is NaN in a state and
                // nothing in a score, and of what an overwriting rule holds of an infinite key some is ∞ and some -∞.
                if (std::isinf(becomes) && (map == FeatureMap::Relu || (tensor == 1 && gpu::takesBeta(s.rule))))
                    continue;
                OwnedLinear poisoned = p;
                (tensor == 0 ? poisoned.q : tensor == 1 ? poisoned.k : poisoned.v)[static_cast<size_t>(at)] = becomes;
                const LinearTruth truth(poisoned);
                const std::vector<float> o = run(ways[way], poisoned).o;
                for (size_t i = 0; i < o.size(); ++i)
                    QVERIFY2(std::isnan(o[i]) == std::isnan(truth.o[i]) &&
                                 (std::isnan(o[i]) || std::isinf(o[i]) == std::isinf(truth.o[i])),
                             qPrintable(QString("%1: tensor %2, row %3, column %4: %5, expected %6")
                                            .arg(QString::fromStdString(std::string(gpu::name(map))))
                                            .arg(tensor)
                                            .arg(i / 20)
                                            .arg(i % 20)
                                            .arg(static_cast<double>(o[i]))
                                            .arg(truth.o[i])));
            }
        }
    }

    void decaysMayBeAnything_data() { addRows(); }
    /// 0, negative ones and ones above 1: they are multiplied up, never divided out.
    void decaysMayBeAnything() {
        QFETCH(const int, way);
        QFETCH(const int, rule);
        QFETCH(const int, chunk);
        LinearShape s = shapeOf(static_cast<LinearRule>(rule), 200, 16, 24);
        s.chunk = chunk, s.normalised = false, s.keepsState = true;
        OwnedLinear p(s, 2);
        p.roundTo(ways[way].format);
        for (size_t i = 0; i < p.decay.size(); ++i)
            p.decay[i] = i % 23 == 5 ? 0 : i % 7 == 3 ? -0.9f : i % 11 == 0 ? 1.2f : p.decay[i];
        const double unit = ways[way].format == Format::F32   ? 0x1p-18
                            : ways[way].format == Format::F16 ? 0x1p-8
                                                              : 0x1p-5;
        for (int given = 0; given < 2; ++given) {
            const LinearTruth truth(p);
            const gpu::LinearRun got = run(ways[way], p);
            for (size_t i = 0; i < got.o.size(); ++i)
                QVERIFY2(std::fabs(static_cast<double>(got.o[i]) - truth.o[i]) <= unit * truth.magnitude[i],
                         qPrintable(
                             QString("%1: %2, expected %3").arg(i).arg(static_cast<double>(got.o[i])).arg(truth.o[i])));
            if (s.rule != LinearRule::Retention)
                break;
            p.decay.clear(); // RetNet's own
        }
    }

    void tensorCoresHaveNoBankConflicts() {
        int kernels = 0;
        for (const int64_t chunk : {64, 128})
            for (const Format format : {Format::F16, Format::BF16})
                for (const auto& [d, dv] : {std::pair(64, 64), std::pair(128, 128)})
                    for (const LinearRule rule : {LinearRule::Add, LinearRule::Retention}) {
                        LinearShape s = shapeOf(rule, 300, d, dv);
                        s.chunk = chunk, s.keepsState = true;
                        for (const gpu::LaunchRecord& launch :
                             run({LinearRung::ChunkedMma, format}, OwnedLinear(s)).launches) {
                            const QString conflict = bankConflict(launch);
                            QVERIFY2(conflict.isEmpty(), qPrintable(conflict));
                            QVERIFY(launch.stats.sharedWavefronts > 0);
                            QVERIFY(launch.stats.tensorFlops > 0);
                            ++kernels;
                        }
                    }
        QCOMPARE(kernels, 2 * 2 * 2 * 2 * 2);
    }

    void whatTheKernelsCannotDoIsRefusedWithASentence() {
        const auto refused = [&](LinearRung rung, const LinearShape& s, const char* part, Format format = Format::F32,
                                 bool complete = true) {
            OwnedLinear p(shapeOf(LinearRule::Add, 4, 4, 4));
            gpu::LinearTensors t = p.tensors();
            if (complete)
                t.decay = t.beta = p.q.data();
            try {
                gpu::linearAttention(library, rung, s, t, format);
            } catch (const InputError& e) {
                if (std::string(e.what()).find(part) != std::string::npos)
                    return true;
                qWarning("%s", e.what());
            }
            return false;
        };
        LinearShape s = shapeOf(LinearRule::Add, 4, 4, 4);
        s.chunk = 24;
        QVERIFY(refused(LinearRung::Chunked, s, "16, 32, 64, 128"));
        s.chunk = 0;
        QVERIFY(refused(LinearRung::Chunked, s, "at least 1"));
        s.chunk = 32;
        QVERIFY(refused(LinearRung::ChunkedMma, s, "64 and 128", Format::F16));
        QVERIFY(refused(LinearRung::ChunkedMma, s, "f16 and bf16, not f32"));
        QVERIFY(refused(LinearRung::Recurrent, s, "takes f32, not bf16", Format::BF16));
        s.keyLen = 5;
        QVERIFY(refused(LinearRung::Chunked, s, "4 queries and 5 keys"));
        s.causal = false, s.rule = LinearRule::Retention;
        QVERIFY(refused(LinearRung::Recurrent, s, "retention is causal"));
        s = shapeOf(LinearRule::Add, 4, 4, 4, FeatureMap::Softmax);
        QVERIFY(refused(LinearRung::Recurrent, s, "softmax is not causal"));
        QVERIFY(refused(LinearRung::Recurrent, shapeOf(LinearRule::Add, 4, 513, 4), "headDim is 513"));
        QVERIFY(refused(LinearRung::Recurrent, shapeOf(LinearRule::Add, 4, 4, 0), "valueDim is 0"));
        QVERIFY(refused(LinearRung::Recurrent, shapeOf(LinearRule::Add, 4, 300, 4), "up to 256 features"));
        QVERIFY(
            refused(LinearRung::Recurrent, shapeOf(LinearRule::Add, 4, 4, 4, FeatureMap::Favor), "0 random features"));
        QVERIFY(
            refused(LinearRung::Recurrent, shapeOf(LinearRule::Gla, 4, 4, 4), "decay is missing", Format::F32, false));
        QVERIFY(
            refused(LinearRung::Recurrent, shapeOf(LinearRule::Delta, 4, 4, 4), "beta is missing", Format::F32, false));
        QVERIFY(refused(LinearRung::ChunkedMma, shapeOf(LinearRule::Gla, 4, 4, 4), "gla", Format::F16));
        s = shapeOf(LinearRule::Add, 4, 4, 4, FeatureMap::Favor);
        s.randomFeatures = 8;
        QVERIFY(refused(LinearRung::Chunked, s, "projection is missing"));
        s = shapeOf(LinearRule::Add, 4, 4, 4);
        s.heads = 70000;
        QVERIFY(refused(LinearRung::Recurrent, s, "too many"));
        s.heads = 0;
        QVERIFY(refused(LinearRung::Recurrent, s, "0 heads"));
        s = shapeOf(LinearRule::Add, 4, 4, 4);
        s.scale = -1;
        QVERIFY(refused(LinearRung::Recurrent, s, "scale is -1"));
    }

    void emptyProblemsAreNoProblems() {
        for (const Way& way : ways) {
            LinearShape s = shapeOf(LinearRule::Add, 0, 4, 4);
            s.keepsState = true;
            const gpu::LinearRun none = run(way, OwnedLinear(s));
            QVERIFY(none.o.empty());
            QCOMPARE(none.state, std::vector<float>(16));
            s.causal = false, s.queryLen = 3;
            const gpu::LinearRun noKeys = run(way, OwnedLinear(s)); // 0 / 0
            QVERIFY(noKeys.o.size() == 12 &&
                    std::all_of(noKeys.o.begin(), noKeys.o.end(), [](float x) { return std::isnan(x); }));
            QCOMPARE(noKeys.z, std::vector<float>(4));
            s.batch = 0;
            QVERIFY(run(way, OwnedLinear(s)).o.empty());
        }
    }
};

QTEST_GUILESS_MAIN(LinearMaskTest)
#include "linear_mask_test.moc"
