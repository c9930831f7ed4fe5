// SPDX-License-Identifier: GPL-3.0-or-later
// Gradients of SSD: finite differences of the quadratic form in double precision, PyTorch's autograd, and what holds
// whatever the numbers are.
#include "core/cpu/ssm/ssd_backward.h"

#include "core/cpu/target.h"
#include "core/error.h"
#include "core/formats/tensor_file.h"
#include "tests/core/cpu/each_rung.h"
#include "tests/core/cpu/gau_case.h"
#include "tests/core/cpu/ssd_case.h"
#include "tests/thinned.h"

#include <QTest>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

using namespace warplight;
using namespace warplight::cpu;
using test::gradientOfY;
using test::SsdCase;
using test::ssdShape;

namespace {

constexpr float inf = std::numeric_limits<float>::infinity();

/// By the largest that is expected; zeros are expected to be zeros.
double apart(const std::vector<float>& found, const std::vector<float>& expected) {
    return found == expected ? 0 : test::worstError(found, expected);
}

using Gradients = std::map<std::string, std::vector<float>>; ///< by the names of what they are of

std::vector<float>& inputOf(SsdCase& c, const std::string& name) {
    const std::map<std::string, std::vector<float>*> all{
        {"x", &c.x}, {"a", &c.a}, {"b", &c.b}, {"c", &c.c}, {"initial", &c.initial}};
    return *all.at(name);
}

Gradients backward(SsdCase& c, const std::vector<float>& dy, SsdRung rung, const RunOptions& options = {},
                   int64_t* held = nullptr) {
    Gradients made;
    const auto of = [&](const char* name) -> float* {
        std::vector<float>& to = made[name];
        to.assign(inputOf(c, name).size(), NAN);
        return to.empty() ? nullptr : to.data();
    };
    const SsdGradients g{dy.data(), of("x"), of("a"), of("b"), of("c"), of("initial")};
    const RunCost cost = ssdBackward(rung, c.shape, c.tensors(), g, options);
    if (held)
        *held = cost.extraBytes;
    return made;
}

/// Σ dY ∘ Y with one input moved, as sums over pairs of steps: no state, unlike all that is tested.
double loss(const SsdCase& k, const std::vector<float>& dy, const std::string& moved, size_t at, double by) {
    const SsdShape& s = k.shape;
    const auto value = [&](const char* name, const std::vector<float>& from, int64_t i) {
        return static_cast<double>(from[static_cast<size_t>(i)]) +
               (name == moved && static_cast<size_t>(i) == at ? by : 0);
    };
    double sum = 0;
    for (int64_t head = 0; head < s.allHeads(); ++head)
        for (int64_t i = 0; i < s.length; ++i) {
            const auto row = [&](int64_t step) {
                return (head / s.heads * s.length + step) * s.heads + head % s.heads;
            };
            const auto shared = [&](int64_t step) {
                return ((head / s.heads * s.length + step) * s.groups + head % s.heads / s.perGroup()) * s.stateDim;
            };
            double logarithm = 0;
            for (int64_t j = i; j >= 0; logarithm += value("a", k.a, row(j)), --j) {
                double score = 0, weight = 0;
                for (int64_t n = 0; n < s.stateDim; ++n)
                    score += value("c", k.c, shared(i) + n) * value("b", k.b, shared(j) + n);
                for (int64_t p = 0; p < s.headDim; ++p)
                    weight += static_cast<double>(dy[static_cast<size_t>(row(i) * s.headDim + p)]) *
                              value("x", k.x, row(j) * s.headDim + p);
                sum += std::exp(logarithm) * score * weight;
            }
            for (int64_t p = 0; !k.initial.empty() && p < s.headDim; ++p)
                for (int64_t n = 0; n < s.stateDim; ++n)
                    sum += std::exp(logarithm) * value("c", k.c, shared(i) + n) *
                           static_cast<double>(dy[static_cast<size_t>(row(i) * s.headDim + p)]) *
                           value("initial", k.initial, (head * s.headDim + p) * s.stateDim + n);
        }
    return sum;
}

} // namespace

class SsdBackwardTest : public QObject {
    Q_OBJECT
    SsdRung rung = SsdRung::Reference;

    void equalsReference(SsdCase& c, double bound = 4e-6) {
        const std::vector<float> dy = gradientOfY(c);
        const Gradients exact = backward(c, dy, SsdRung::Reference);
        for (const auto& [name, gradient] : backward(c, dy, rung)) {
            const double error = apart(gradient, exact.at(name));
            QVERIFY2(error < bound, qPrintable(QString("d%1 of %2 steps in chunks of %3, %4 heads of %5 × %6: %7")
                                                   .arg(name.c_str())
                                                   .arg(c.shape.length)
                                                   .arg(c.shape.chunk)
                                                   .arg(c.shape.heads)
                                                   .arg(c.shape.headDim)
                                                   .arg(c.shape.stateDim)
                                                   .arg(error)));
        }
    }

  private slots:
    void initTestCase_data() {
        test::addRungs(ssdBackwardRungs(), [](SsdRung r) { return r != SsdRung::Reference; });
    }
    void init() {
        test::useTargetOfRow();
        QFETCH_GLOBAL(int, rung);
        this->rung = static_cast<SsdRung>(rung);
    }
    void cleanupTestCase() { useTarget(""); }

    void areThoseOfFiniteDifferences() {
        for (const bool begins : {false, true})
            for (const int64_t length : {1, 11, 70}) {
                SsdCase c(ssdShape(length == 70 ? 1 : 2, length, 4, 2, 3, 2, 16), begins);
                c.a[static_cast<size_t>(c.shape.length / 2 * 4 + 1)] = -inf; // stays so, however it is moved
                const std::vector<float> dy = gradientOfY(c);
                for (const auto& [name, gradient] : backward(c, dy, rung)) {
                    std::vector<float> differences(gradient.size());
                    constexpr double step = 1e-5;
                    for (size_t i = 0; i < differences.size(); i += length == 70 ? 7 : 1)
                        differences[i] =
                            static_cast<float>((loss(c, dy, name, i, step) - loss(c, dy, name, i, -step)) / (2 * step));
                    std::vector<float> made = gradient;
                    for (size_t i = 0; i < made.size(); ++i)
                        made[i] = length == 70 && i % 7 != 0 ? 0 : made[i];
                    const double error = apart(made, differences);
                    QVERIFY2(error < 2e-6,
                             qPrintable(QString("d%1 of %2 steps: %3").arg(name.c_str()).arg(length).arg(error)));
                }
            }
    }

    void equalAutograd() {
        const auto oracle = [](const std::string& key) {
            return formats::loadTensor(WARPLIGHT_TEST_DATA "/oracles/ssm/ssd_gradients.npz:" + key);
        };
        const tensor::Tensor x = oracle("x"), b = oracle("b");
        SsdCase c(ssdShape(x.shape[0], x.shape[1], x.shape[2], b.shape[2], x.shape[3], b.shape[3], 32), true);
        for (const char* name : {"x", "a", "b", "c", "initial"})
            inputOf(c, name) = oracle(name).values;
        c.run(SsdRung::Reference);
        QVERIFY(apart(c.y, oracle("y").values) < 1e-7);
        for (const auto& [name, gradient] : backward(c, oracle("dy").values, rung)) {
            const double error = apart(gradient, oracle("d" + name).values);
            QVERIFY2(error < (rung == SsdRung::Reference ? 2e-7 : 2e-6),
                     qPrintable(QString("d%1: %2").arg(name.c_str()).arg(error)));
        }
    }

    /// Lengths and chunks that are multiples of nothing, heads that share a group and that do not.
    void equalDoublePrecision() {
        int row = 0;
        for (const int64_t length : {1, 2, 15, 63, 64, 65, 97, 200})
            for (const int64_t chunk : {1, 7, 64, 100, 1000})
                for (const auto& [heads, groups] : {std::pair(1, 1), std::pair(4, 1), std::pair(4, 2), std::pair(3, 3)})
                    for (const auto& [p, n] : {std::pair(1, 1), std::pair(7, 5), std::pair(16, 24), std::pair(64, 33)})
                        for (const bool begins : {false, true}) {
                            if (row++ % test::thinned(41, 11) != 0)
                                continue;
                            SsdCase c(ssdShape(2, length, heads, groups, p, n, chunk), begins);
                            equalsReference(c);
                        }
    }

    /// A decay of 0 forgets everything and has no gradient, one of 1 nothing, in any place of a chunk.
    void decaysOfExactlyZeroAndOne() {
        for (const int64_t chunk : {16, 50, 130}) {
            SsdCase c(ssdShape(1, 130, 2, 1, 16, 8, chunk), true);
            std::fill(c.a.begin(), c.a.end(), 0.0f);
            equalsReference(c);
            for (size_t i = 0; i < c.a.size(); i += 6)
                c.a[i] = -inf;
            equalsReference(c);
            const Gradients made = backward(c, gradientOfY(c), rung);
            for (size_t i = 0; i < c.a.size(); i += 6)
                QCOMPARE(made.at("a")[i], 0.0f);
            QVERIFY(std::all_of(made.at("initial").begin(), made.at("initial").begin() + 16 * 8,
                                [](float v) { return v == 0; })); // of the head that forgets it at once
        }
    }

    /// What differences of running sums would lose: gradients behind a strong decay, far below those before it.
    void smallGradientsKeepTheirDigits() {
        SsdCase c(ssdShape(1, 200, 1, 1, 16, 8, 200));
        std::fill(c.a.begin(), c.a.end(), -1e-6f);
        c.a[100] = -30.0f;
        const std::vector<float> dy = gradientOfY(c);
        const float exact = backward(c, dy, SsdRung::Reference).at("a")[100], made = backward(c, dy, rung).at("a")[100];
        QVERIFY(std::fabs(made - exact) < 1e-4f * std::fabs(exact));
    }

    /// What is no number stays in its head; sums over the heads have it where its group does.
    void numbersThatAreNoneStayWhereTheyBelong() {
        const size_t heads = 4, p = 16, length = 100;
        for (const float value : {static_cast<float>(NAN), inf, -inf})
            for (const size_t step : {0, 40, 63, 64, 99})
                for (const int which : {0, 1, 2}) { // x, a, dy
                    SsdCase c(ssdShape(1, length, heads, 2, p, 8, 64));
                    std::vector<float> dy = gradientOfY(c);
                    const Gradients before = backward(c, dy, rung);
                    (which == 0   ? c.x[(step * heads + 1) * p + 3]
                     : which == 1 ? c.a[step * heads + 1]
                                  : dy[(step * heads + 1) * p + 3]) = value;
                    const Gradients after = backward(c, dy, rung);
                    for (size_t row = 0; row < length * heads; ++row) {
                        if (row % heads == 1)
                            continue;
                        QCOMPARE(after.at("a")[row], before.at("a")[row]);
                        for (size_t i = 0; i < p; ++i)
                            QCOMPARE(after.at("x")[row * p + i], before.at("x")[row * p + i]);
                    }
                    for (const char* name : {"b", "c"})
                        for (size_t i = 0; i < length * 2 * 8; ++i)
                            if (i / 8 % 2 == 1)
                                QCOMPARE(after.at(name)[i], before.at(name)[i]);
                }
    }

    void bitsDoNotDependOnThreads() {
        for (const auto& [heads, groups] : {std::pair(1, 1), std::pair(6, 2)}) {
            SsdCase c(ssdShape(2, 333, heads, groups, 20, 24, 64), true);
            const std::vector<float> dy = gradientOfY(c);
            const Gradients one = backward(c, dy, rung, {1, nullptr});
            for (const int threads : {2, 3, 7})
                QVERIFY(backward(c, dy, rung, {threads, nullptr}) == one);
        }
    }

    void memoryIsAtMostWhatIsSaid() {
        for (const int64_t length : {0L, 1L, 63L, 500L})
            for (const int64_t chunk : {1, 100, 1000})
                for (const int threads : {1, 2}) {
                    SsdCase c(ssdShape(2, length, 4, 2, 20, 24, chunk), true);
                    int64_t held = 0;
                    backward(c, gradientOfY(c), rung, {threads, nullptr}, &held);
                    const int64_t said = ssdBackwardBytesAtMost(rung, c.shape, threads);
                    QVERIFY2(held <= said && said <= 2 * held + 1024,
                             qPrintable(QString("%1 of %2").arg(held).arg(said)));
                }
    }

    void emptyProblems() {
        SsdCase none(ssdShape(1, 0, 2, 1, 5, 3, 64), true);
        const Gradients made = backward(none, {}, rung);
        QVERIFY(made.at("initial") == std::vector<float>(30, 0.0f)); // nothing is read of it
        SsdCase nobody(ssdShape(0, 10, 2, 1, 5, 3, 64));
        backward(nobody, {}, rung);
    }

    void stopWhenCancelled() {
        SsdCase c(ssdShape(1, test::shortened(8000, 2000), 4, 1, 64, 128, 128));
        const std::vector<float> dy = gradientOfY(c);
        const auto waited = test::untilCancelled(std::chrono::milliseconds(20), [&](const std::atomic<bool>* cancel) {
            backward(c, dy, rung, {2, cancel});
        });
        QVERIFY(waited);
        QVERIFY2(*waited < 50 * test::slowdown, qPrintable(QString::number(*waited)));
    }

    void otherRungsAreRefused() {
        SsdCase c(ssdShape(1, 3, 2, 1, 5, 3, 64));
        QVERIFY_THROWS_EXCEPTION(InputError, backward(c, gradientOfY(c), SsdRung::Quadratic));
    }
};

QTEST_GUILESS_MAIN(SsdBackwardTest)
#include "ssd_backward_test.moc"
