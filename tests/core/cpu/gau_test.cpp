// SPDX-License-Identifier: GPL-3.0-or-later
// Gated attention units against their formulas, on each instruction set.
#include "core/cpu/gau/gau.h"
#include "core/cpu/gau/kernels.h"
#include "core/cpu/target.h"
#include "core/error.h"
#include "tests/core/cpu/each_rung.h"
#include "tests/core/cpu/gau_case.h"
#include "tests/sentence.h"
#include "tests/thinned.h"

#include <QTest>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

using namespace warplight;
using namespace warplight::cpu;
using test::GauCase;
using test::worstError;

namespace {

GauShape shapeOf(GauFunction function, bool causal, int64_t chunk, int64_t length = 150) {
    GauShape p;
    p.batch = 2;
    p.length = length;
    p.features = 20;
    p.expanded = 37;
    p.shared = 11;
    p.function = function;
    p.causal = causal;
    p.chunk = chunk;
    return p;
}

std::string messageOf(const GauShape& shape) {
    return test::sentenceOf([&] { check(shape); });
}

bool sameBits(const std::vector<float>& a, const std::vector<float>& b, size_t count) {
    return std::memcmp(a.data(), b.data(), count * sizeof(float)) == 0;
}

} // namespace

class GauTest : public QObject {
    Q_OBJECT
    GauRung rung = GauRung::Reference;

  private slots:
    void initTestCase_data() {
        test::addRungs(gauRungs(), [](GauRung r) { return r != GauRung::Reference; });
    }
    void init() {
        test::useTargetOfRow();
        QFETCH_GLOBAL(int, rung);
        this->rung = static_cast<GauRung>(rung);
    }
    void cleanupTestCase() { useTarget(""); }

    /// Ragged tiles, blocks and chunks, every function, with and without a mask.
    void equalsDoublePrecision() {
        int row = 0;
        for (const auto& function : gauFunctions())
            for (const bool causal : {false, true})
                for (const int64_t chunk : {0, 1, 64, 100, 150})
                    for (const bool seen : {false, true}) {
                        if (row++ % test::thinned(3) != 0)
                            continue;
                        GauShape p = shapeOf(function.id, causal, chunk);
                        p.seenKeys = seen;
                        GauCase c(p);
                        const auto exact = c.run(GauRung::Reference), made = c.run(rung);
                        const double error = worstError(made, exact);
                        QVERIFY2(error < 2e-6, qPrintable(QString("%1, causal %2, chunk %3, seen %4: %5")
                                                              .arg(function.name.data())
                                                              .arg(causal)
                                                              .arg(chunk)
                                                              .arg(seen)
                                                              .arg(error)));
                    }
    }

    /// Of orthogonal rows of Z with the right size, A is the identity: what is left is a gated linear unit.
    void withTheIdentityAsAttentionItIsAGatedLinearUnit() {
        GauShape p = shapeOf(GauFunction::Relu2, false, 0, 18);
        p.shared = 18;
        GauCase c(p);
        const double z = 2 / (1 + std::exp(-2.0));
        c.x.assign(c.x.size(), 0.3f);
        c.wz.assign(c.wz.size(), 0.0f);
        for (int64_t t = 0; t < 36; ++t)
            for (int64_t i = 0; i < 18; ++i)
                c.x[static_cast<size_t>(t * 20 + i)] = i == t % 18 ? 1.0f : 0.0f;
        for (size_t i = 0; i < 18; ++i)
            c.wz[i * 18 + i] = 2;
        c.gamma.assign(c.gamma.size(), static_cast<float>(std::sqrt(18.0) / z)); // q·k = n
        c.beta.assign(c.beta.size(), 0.0f);
        std::vector<double> glu(c.y.size());
        const auto silu = [](double x) { return x / (1 + std::exp(-x)); };
        for (size_t t = 0; t < 36; ++t)
            for (size_t k = 0; k < 37; ++k) {
                double u = 0, v = 0;
                for (size_t i = 0; i < 20; ++i) {
                    u += static_cast<double>(c.x[t * 20 + i]) * static_cast<double>(c.wu[i * 37 + k]);
                    v += static_cast<double>(c.x[t * 20 + i]) * static_cast<double>(c.wv[i * 37 + k]);
                }
                for (size_t i = 0; i < 20; ++i)
                    glu[t * 20 + i] += silu(u) * silu(v) * static_cast<double>(c.wo[k * 20 + i]);
            }
        const double error = worstError(c.run(rung), glu);
        QVERIFY2(error < 1e-6, qPrintable(QString::number(error)));
    }

    /// One chunk of n tokens is FLASH-Quad: causal, there is nothing before it, so that the linear views play no part.
    void oneChunkIsQuadratic() {
        for (const auto& function : gauFunctions()) {
            GauCase mixed(shapeOf(function.id, true, 150));
            GauShape whole = mixed.shape;
            whole.chunk = 0;
            GauCase quad(whole);
            quad.x = mixed.x, quad.wu = mixed.wu, quad.wv = mixed.wv, quad.wz = mixed.wz, quad.wo = mixed.wo;
            for (size_t i = 0; i < 11; ++i) { // queries are view 0, keys view 2
                quad.gamma[i] = mixed.gamma[i], quad.gamma[11 + i] = mixed.gamma[22 + i];
                quad.beta[i] = mixed.beta[i], quad.beta[11 + i] = mixed.beta[22 + i];
            }
            QVERIFY(mixed.run(rung) == quad.run(rung));
            mixed.shape.causal = quad.shape.causal = false;
            for (size_t i = 0; i < 11; ++i) // linear queries of 0
                mixed.gamma[11 + i] = mixed.beta[11 + i] = 0;
            QVERIFY(mixed.run(rung) == quad.run(rung));
        }
    }

    /// Not by a bit, and not even where what is behind the mask is no number.
    void nothingLeaksAcrossTheMask() {
        int row = 0;
        for (const auto& function : gauFunctions())
            for (const int64_t chunk : {0, 40})
                for (const int64_t token : {1, 39, 40, 97, 149}) {
                    if (row++ % test::thinned(3) != 0)
                        continue;
                    GauCase c(shapeOf(function.id, true, chunk));
                    c.shape.seenKeys = token % 2 == 0;
                    const auto before = c.run(rung);
                    for (const float value :
                         {7.0f, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
                        for (size_t i = 0; i < 20; ++i)
                            c.x[static_cast<size_t>(token) * 20 + i] = value;
                        const auto after = c.run(rung);
                        QVERIFY2(
                            sameBits(before, after, static_cast<size_t>(token) * 20),
                            qPrintable(
                                QString("%1, chunk %2, token %3").arg(function.name.data()).arg(chunk).arg(token)));
                        QVERIFY(!sameBits(before, after, static_cast<size_t>(token + 1) * 20));
                        QVERIFY(sameBits({before.begin() + 3000, before.end()}, {after.begin() + 3000, after.end()},
                                         3000)); // the other sequence
                    }
                }
    }

    /// Divided by the keys that a row sees, what a token becomes does not depend on what follows it.
    void seenKeysMakePrefixesIndependentOfTheLength() {
        for (const auto& function : gauFunctions())
            for (const int64_t chunk : {0, 32}) {
                GauShape p = shapeOf(function.id, true, chunk);
                p.seenKeys = true;
                p.batch = 1;
                GauCase whole(p);
                p.length = 70;
                GauCase part(p);
                part.x.assign(whole.x.begin(), whole.x.begin() + 70 * 20);
                part.wu = whole.wu, part.wv = whole.wv, part.wz = whole.wz, part.wo = whole.wo;
                part.gamma = whole.gamma, part.beta = whole.beta;
                const auto a = whole.run(rung), b = part.run(rung);
                QVERIFY(worstError(std::vector<float>(a.begin(), a.begin() + 70 * 20), b) < 1e-6);
            }
    }

    void memoryIsAtMostWhatIsSaid() {
        for (const int64_t length : {1L, 63L, 200L, test::shortened(700, 300)})
            for (const int64_t chunk : {0, 1, 100})
                for (const bool causal : {false, true})
                    for (const int threads : {1, 2}) {
                        if (chunk > length)
                            continue;
                        GauCase c(shapeOf(GauFunction::Relu2, causal, chunk, length));
                        const int64_t held = gau(rung, c.problem(), {threads, nullptr}).extraBytes;
                        const int64_t said = extraBytesAtMost(rung, c.shape, threads);
                        QVERIFY2(held <= said && said <= 8 * held, // panels are as wide as AVX-512's there
                                 qPrintable(QString("%1 of %2").arg(held).arg(said)));
                    }
    }

    void emptyIsEmpty() {
        GauCase c(shapeOf(GauFunction::Relu2, false, 0, 0));
        QCOMPARE(gau(rung, c.problem()).extraBytes, 0);
    }

    void stopsWhenCancelled() {
        GauShape p = shapeOf(GauFunction::Softmax, true, 0, rung == GauRung::Reference ? 1500 : 6000);
        p.expanded = 256;
        GauCase c(p);
        const auto waited = test::untilCancelled(std::chrono::milliseconds(30), [&](auto* cancel) {
            c.run(rung, {0, cancel});
        });
        QVERIFY(!waited || *waited < 100 * test::slowdown);
    }

    /// q = k = (1, 2): scores 1, 2, 2, 4.
    void weightsAreThoseOfTheFormulas() {
        GauShape p;
        p.shared = 1;
        p.length = 2;
        const auto of = [&](GauFunction function, double score, int64_t m) {
            p.function = function;
            return weightOf(p, score, m);
        };
        const double scores[] = {1, 2, 2, 4}, paper[] = {0.25, 1, 1, 4}, su[] = {0.5, 2, 2, 8};
        for (int i = 0; i < 4; ++i) {
            QCOMPARE(of(GauFunction::Relu2, scores[i], 2), paper[i]);
            QCOMPARE(of(GauFunction::Relu2Root, scores[i], 2), su[i]);
            QCOMPARE(of(GauFunction::Relu2, -scores[i], 2), 0.0);
        }
        p.shared = 128; // Su over the paper is n / s
        QVERIFY(std::fabs(of(GauFunction::Relu2Root, 3, 1024) / of(GauFunction::Relu2, 3, 1024) - 8) < 1e-12);
        QVERIFY(std::fabs(of(GauFunction::Laplace, std::sqrt(0.5), 1) - 0.5) < 1e-15);
        QVERIFY(std::fabs(of(GauFunction::Laplace, std::sqrt(0.5) + std::sqrt(1 / (4 * M_PI)), 1) -
                          0.8413447460685429) < 1e-12); // one standard deviation above the mean
        QVERIFY(std::isnan(of(GauFunction::Relu2, NAN, 1)));
    }

    void kernelsAreWithinRounding() {
        const GauKernels& k = gauKernels();
        std::vector<float> x, y(4001), dy(4001, 1.0f);
        for (int i = 0; i <= 4000; ++i)
            x.push_back(static_cast<float>(i - 2000) / 100);
        k.silu(x.data(), y.data(), 4001);
        k.siluBackward(x.data(), dy.data(), 4001);
        std::vector<float> weights = x;
        k.laplace(weights.data(), 4001);
        GauShape p;
        p.function = GauFunction::Laplace;
        for (size_t i = 0; i < x.size(); ++i) {
            const double v = static_cast<double>(x[i]), s = 1 / (1 + std::exp(-v)), weight = weightOf(p, v, 1);
            // The power of two is rounded: e^v has an error of |v| roundings.
            QVERIFY(std::fabs(static_cast<double>(y[i]) - v * s) <= (3e-7 + 1.2e-7 * std::fabs(v)) * std::fabs(v * s));
            QVERIFY(std::fabs(static_cast<double>(dy[i]) - s * (1 + v * (1 - s))) < 1e-6);
            const double z2 = 2 * M_PI * (std::sqrt(0.5) - v) * (std::sqrt(0.5) - v);
            if (weight > 1e-35) // e^(-z²) has the error of z²: six roundings
                QVERIFY2(std::fabs(static_cast<double>(weights[i]) - weight) <= (6e-7 + 3.6e-7 * z2) * weight,
                         qPrintable(QString("%1: %2, not %3").arg(v).arg(weights[i]).arg(weight)));
            QVERIFY(std::fabs(static_cast<double>(weights[i]) - weight) <= 3e-7);
        }
        float odd[] = {NAN, INFINITY, -INFINITY};
        k.laplace(odd, 3);
        QVERIFY(std::isnan(odd[0]) && odd[1] == 1.0f && odd[2] == 0.0f);
        float rectified[] = {NAN, INFINITY, -INFINITY, -1, 3};
        k.relu2(rectified, 5);
        QVERIFY(std::isnan(rectified[0]) && rectified[1] == INFINITY && rectified[2] == 0.0f && rectified[4] == 9.0f);
    }

    void countsFollowTheFormulas() {
        GauShape p = shapeOf(GauFunction::Relu2, false, 0, 1024);
        p.features = 64;
        p.expanded = 128;
        p.shared = 32;
        QCOMPARE(parameterCount(p), int64_t{6 * 64 * 64 + 64 * 32 + 4 * 32}); // 3de = 6d² where e = 2d
        QCOMPARE(usefulFlops(p), 2.0 * (2.0 * 1024 * 64 * 288 + 2.0 * 1024 * 1024 * 160 + 2.0 * 1024 * 128 * 64));
        p.chunk = 256;
        QCOMPARE(parameterCount(p), int64_t{6 * 64 * 64 + 64 * 32 + 8 * 32});
        QCOMPARE(usefulFlops(p), 2.0 * (2.0 * 1024 * 64 * 288 + 2.0 * 1024 * 256 * 160 + 4.0 * 1024 * 32 * 128 +
                                        2.0 * 1024 * 128 * 64));
        p.causal = true; // the first chunk reads nothing, what the last leaves nobody reads
        QCOMPARE(quadraticPairs(p), 2.0 * 4 * 256 * 257 / 2);
        QCOMPARE(usefulFlops(p), 2.0 * (2.0 * 1024 * 64 * 288 + 2.0 * 4 * 256 * 257 / 2 * 160 + 4.0 * 768 * 32 * 128 +
                                        2.0 * 1024 * 128 * 64));
    }

    void sizesThatMakeNoUnitAreRefused() {
        GauShape p = shapeOf(GauFunction::Relu2, false, 151);
        QCOMPARE(messageOf(p), "gau: chunk is 151, expected 1 to 150, the tokens of a sequence, or 0 for none");
        p.chunk = -1;
        QVERIFY(!messageOf(p).empty());
        p = shapeOf(GauFunction::Relu2, false, 0);
        p.shared = 0;
        QCOMPARE(messageOf(p), "gau: s is 0, expected at least 1");
        p = shapeOf(GauFunction::Relu2, false, 0);
        p.length = -1;
        QVERIFY(!messageOf(p).empty());
    }
};

QTEST_GUILESS_MAIN(GauTest)
#include "gau_test.moc"
