// SPDX-License-Identifier: GPL-3.0-or-later
// Low-rank attention against NumPy's results, exact attention where rank is full, and double precision.
#include "core/error.h"
#include "core/formats/tensor_file.h"
#include "core/sparse/low_rank.h"
#include "core/sparse/low_rank_factors.h"
#include "tests/core/cpu/each_rung.h"
#include "tests/core/cpu/problem.h"
#include "tests/core/sparse/low_rank_case.h"

#include <QTest>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

using namespace warplight;
using namespace warplight::test;
using sparse::LowRankMethod;
using sparse::LowRankProblem;
using sparse::LowRankRung;

namespace {

constexpr LowRankMethod all[] = {LowRankMethod::Linformer, LowRankMethod::Nystrom, LowRankMethod::NystromIterated,
                                 LowRankMethod::Pooling};

/// ‖A⁺‖∞ of the landmarks of all heads.
double inverseNorm(const LowRankCase& x) {
    const auto& p = x.attention.shape;
    const auto mean = [&](const std::vector<float>& rows, int64_t head, int64_t count, int64_t segment, int64_t c) {
        const int64_t begin = segment * count / x.rank, end = (segment + 1) * count / x.rank;
        double sum = 0;
        for (int64_t i = begin; i < end; ++i)
            sum += static_cast<double>(rows[static_cast<size_t>((head * count + i) * p.headDim + c)]);
        return sum / static_cast<double>(end - begin);
    };
    double largest = 0;
    for (int64_t head = 0; head < p.batch * p.queryHeads; ++head) {
        const int64_t keyHead = head / (p.queryHeads / p.keyHeads), r = x.rank;
        std::vector<double> a(static_cast<size_t>(r * r));
        for (int64_t i = 0; i < r; ++i) {
            double sum = 0;
            for (int64_t j = 0; j < r; ++j) {
                double score = 0;
                for (int64_t c = 0; c < p.headDim; ++c)
                    score += mean(x.attention.q, head, p.queryLen, i, c) * mean(x.attention.k, keyHead, p.keyLen, j, c);
                sum += a[static_cast<size_t>(i * r + j)] = std::exp(score * static_cast<double>(p.scale));
            }
            for (int64_t j = 0; j < r; ++j)
                a[static_cast<size_t>(i * r + j)] /= sum;
        }
        const std::vector<double> z = sparse::pseudoInverse(a, r, 0);
        for (int64_t i = 0; i < r; ++i) {
            double row = 0;
            for (int64_t j = 0; j < r; ++j)
                row += std::fabs(z[static_cast<size_t>(i * r + j)]);
            largest = std::max(largest, row);
        }
    }
    return largest;
}

/// How far f32 may be off. A pseudo-inverse changes by at most ‖A⁺‖² times what A does (Wedin 1973).
double allowed(const LowRankCase& x, double size) {
    constexpr double u = 0x1p-24;
    const double inverse = x.method == LowRankMethod::Nystrom ? 1 + inverseNorm(x) : 1;
    return size * 4 * u * (1 + logitMagnitude(x)) * inverse * inverse;
}

std::vector<float> oracle(const char* name) {
    return formats::loadTensor(std::string(WARPLIGHT_TEST_DATA "/oracles/sparse/outputs.npz:") + name).values;
}

std::string sentence(const LowRankProblem& x) {
    try {
        lowRankForward(LowRankRung::Flash, x);
    } catch (const InputError& error) {
        return error.what();
    }
    return "";
}

} // namespace

class LowRankTest : public QObject {
    Q_OBJECT

    static LowRankRung fetched() {
        QFETCH_GLOBAL(int, rung);
        return static_cast<LowRankRung>(rung);
    }
    static bool isReference() { return fetched() == LowRankRung::Reference; }

  private slots:
    void initTestCase_data() {
        addRungs(sparse::lowRankRungs(), [](LowRankRung id) { return id == LowRankRung::Flash; });
    }
    void init() { useTargetOfRow(); }
    void cleanup() { cpu::useTarget(""); }

    void equalsNumPy_data() {
        QTest::addColumn<int>("method");
        QTest::addColumn<QString>("name");
        QTest::newRow("linformer") << int(LowRankMethod::Linformer) << "linformer";
        QTest::newRow("exact pseudo-inverse") << int(LowRankMethod::Nystrom) << "nystrom_8_exact_pinv";
        QTest::newRow("six iterations") << int(LowRankMethod::NystromIterated) << "nystrom_8_six_iterations";
    }
    void equalsNumPy() {
        QFETCH(int, method);
        QFETCH(QString, name);
        LowRankCase x({1, 1, 1, 64, 64, 16, 0, false}, static_cast<LowRankMethod>(method), 8);
        const bool linformer = x.method == LowRankMethod::Linformer;
        x.attention.q = oracle(linformer ? "q" : "nystrom_q");
        x.attention.k = oracle(linformer ? "k" : "nystrom_k");
        x.attention.v = oracle("v");
        x.e = oracle("linformer_E");
        x.f = oracle("linformer_F");
        const double error = worst(x.run(fetched()), oracle(name.toUtf8().constData()));
        QVERIFY2(error < (isReference() ? 2e-7 : 1e-6), qPrintable(QString::number(error)));
    }

    void fullRankIsExactAttention() {
        for (const LowRankMethod method : {LowRankMethod::Linformer, LowRankMethod::Nystrom, LowRankMethod::Pooling}) {
            LowRankCase x({1, 2, 1, 40, 40, 16, 0, false}, method, 40);
            std::fill(x.e.begin(), x.e.end(), 0.0f);
            for (size_t i = 0; i < 40; ++i)
                x.e[i * 41] = 1;
            x.f = x.e;
            const std::vector<float> made = x.run(fetched());
            const Truth truth(x.attention);
            double error = 0;
            for (size_t i = 0; i < made.size(); ++i)
                error = std::max(error, std::fabs(static_cast<double>(made[i]) - truth.o[i]));
            const double bound = isReference() ? 1e-6 : allowed(x, 1);
            QVERIFY2(error < bound, qPrintable(QString("%1: %2 above %3").arg(int(method)).arg(error).arg(bound)));
        }
    }

    void equalsDoublePrecision() {
        const cpu::AttentionProblem shapes[] = {{1, 1, 1, 5, 5, 8, 0, false},     {2, 4, 2, 70, 130, 24, 0, false},
                                                {1, 2, 2, 200, 64, 40, 0, false}, {1, 3, 1, 33, 700, 64, 0, false},
                                                {1, 1, 1, 1, 300, 16, 0, false},  {1, 1, 1, 130, 7, 1, 0, false}};
        for (const auto& shape : shapes)
            for (const LowRankMethod method : all)
                for (const int64_t rank : {1, 5, 20}) {
                    const bool landmarks = method == LowRankMethod::Nystrom || method == LowRankMethod::NystromIterated;
                    if ((landmarks && rank > shape.queryLen) ||
                        (method != LowRankMethod::Linformer && rank > shape.keyLen))
                        continue;
                    LowRankCase x(shape, method, rank);
                    const std::vector<float> exact = x.run(LowRankRung::Reference);
                    for (const int threads : {1, 2}) {
                        const std::vector<float> made = x.run(fetched(), {threads, nullptr});
                        QVERIFY(x.attention.guardsIntact());
                        QVERIFY2(x.held <= x.most, qPrintable(QString("%1 above %2").arg(x.held).arg(x.most)));
                        double size = 1;
                        for (const float o : exact)
                            size = std::max(size, std::fabs(static_cast<double>(o)));
                        const double bound = allowed(x, size);
                        QVERIFY2(worst(made, exact) <= bound,
                                 qPrintable(QString("method %1, rank %2 of %3 keys: %4 above %5")
                                                .arg(int(method))
                                                .arg(rank)
                                                .arg(shape.keyLen)
                                                .arg(worst(made, exact))
                                                .arg(bound)));
                    }
                }
    }

    /// left · rightᵀ · V is what the method itself gives.
    void factorsMultiplyVAsTheMethodDoes() {
        constexpr int64_t n = 61, m = 83, d = 24, r = 9;
        for (const LowRankMethod method : all) {
            LowRankCase x({1, 1, 1, n, m, d, 0.2f, false}, method, r);
            const std::vector<float> want = x.run(LowRankRung::Reference);
            const sparse::Factors factors = factorsOf(x.problem());
            for (int64_t i = 0; i < n; ++i)
                for (int64_t c = 0; c < d; ++c) {
                    double o = 0, size = 0;
                    for (int64_t l = 0; l < r; ++l)
                        for (int64_t j = 0; j < m; ++j) {
                            const double term = static_cast<double>(factors.left[static_cast<size_t>(i * r + l)]) *
                                                static_cast<double>(factors.right[static_cast<size_t>(j * r + l)]) *
                                                static_cast<double>(x.attention.v[static_cast<size_t>(j * d + c)]);
                            o += term;
                            size += std::fabs(term);
                        }
                    QVERIFY(std::fabs(o - static_cast<double>(want[static_cast<size_t>(i * d + c)])) <=
                            1e-6 * (1 + size));
                }
        }
    }

    void pseudoInversesAreThose() { // Penrose's conditions; diag(2, 0) has diag(1/2, 0)
        if (!isReference())
            QSKIP("the same for every rung");
        const std::vector<double> singular = sparse::pseudoInverse({2, 0, 0, 0}, 2, 0);
        QCOMPARE(singular, (std::vector<double>{0.5, 0, 0, 0}));
        const std::vector<double> a{0.5, 0.3, 0.2, 0.1, 0.8, 0.1, 0.25, 0.25, 0.5};
        const std::vector<double> exact = sparse::pseudoInverse(a, 3, 0);
        for (size_t i = 0; i < 3; ++i)
            for (size_t j = 0; j < 3; ++j) {
                double sum = 0;
                for (size_t k = 0; k < 3; ++k)
                    sum += a[i * 3 + k] * exact[k * 3 + j];
                QVERIFY(std::fabs(sum - (i == j)) < 1e-13);
            }
        const auto distance = [&](int iterations) {
            const std::vector<double> z = sparse::pseudoInverse(a, 3, iterations);
            double found = 0;
            for (size_t i = 0; i < 9; ++i)
                found = std::max(found, std::fabs(z[i] - exact[i]));
            return found;
        };
        QVERIFY(distance(6) < 1e-6 && distance(10) < 1e-12 && distance(2) > 1e-3);
        QVERIFY(std::isnan(sparse::pseudoInverse({NAN, 0, 0, 1}, 2, 0)[3]));
    }

    void bitsDoNotDependOnThreads() {
        for (const LowRankMethod method : all) {
            LowRankCase x({1, 3, 1, 150, 300, 40, 0, false}, method, 12);
            const std::vector<float> first = x.run(fetched(), {1, nullptr});
            for (const int threads : {2, 3, 4})
                QVERIFY(x.run(fetched(), {threads, nullptr}) == first);
        }
    }

    void noKeysGiveZeros() {
        for (const LowRankMethod method : all) {
            LowRankCase x({1, 1, 1, 3, 0, 8, 0, false}, method, 1);
            for (const float o : x.run(fetched()))
                QCOMPARE(o, 0.0f);
        }
    }

    void cancelEndsSoon() {
        for (const LowRankMethod method : all) {
            LowRankCase x({1, 2, 2, 4096, 4096, 64, 0, false}, method, 64);
            const auto waited = untilCancelled(std::chrono::milliseconds(10), [&](const std::atomic<bool>* cancel) {
                for (int i = 0; i < 1000; ++i)
                    x.run(fetched(), {0, cancel});
            });
            QVERIFY(waited);
            QVERIFY2(*waited < 100 * slowdown, qPrintable(QString("%1 ms").arg(*waited)));
        }
    }

    void badProblemsAreRefusedWithASentence() {
        LowRankCase x({1, 1, 1, 10, 20, 8, 0, false}, LowRankMethod::Nystrom, 11);
        QCOMPARE(sentence(x.problem()), "rank 11: expected 1 to 10, the rows that it makes landmarks of");
        x.method = LowRankMethod::Pooling;
        x.rank = 21;
        QCOMPARE(sentence(x.problem()), "rank 21: expected 1 to 20, the rows that it makes means of");
        x.rank = 0;
        QVERIFY(sentence(x.problem()).find("rank 0") == 0);
        LowRankProblem causal = x.problem();
        causal.attention.causal = true;
        QVERIFY(sentence(causal).find("expected no causal mask") != std::string::npos);
        LowRankCase many({1, 1, 1, 600, 600, 8, 0, false}, LowRankMethod::Nystrom, 600);
        QVERIFY(sentence(many.problem()).find("nystrom-iterated takes more") != std::string::npos);
    }
};

QTEST_GUILESS_MAIN(LowRankTest)
#include "low_rank_test.moc"
