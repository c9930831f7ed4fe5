// SPDX-License-Identifier: GPL-3.0-or-later
// Sparse and low-rank attention as operators: against NumPy under its masks, and exact attention where a pattern keeps
// everything.
#include "core/cpu/target.h"
#include "core/error.h"
#include "core/formats/tensor_file.h"
#include "core/labs/linear/sparse_lab.h"
#include "core/sparse/pattern.h"
#include "core/sparse/statistics.h"
#include "core/tensor/random.h"
#include "core/workbench/runner.h"

#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

using namespace warplight;
using namespace warplight::workbench;

namespace {

using Numbers = std::map<std::string, double, std::less<>>;

tensor::Tensor oracle(const std::string& name) {
    return formats::loadTensor(WARPLIGHT_TEST_DATA "/oracles/sparse/outputs.npz:" + name);
}

double placeOf(const char* pattern) { return static_cast<double>(sparse::kindByName(pattern)); }

/// The oracle's tensors under a pattern, or others of these numbers.
struct Case {
    const Operator& op;
    Problem problem;
    Tensors tensors;

    Case(const Operator& o, Numbers numbers, bool fromOracle = true) : op(o), problem{std::move(numbers)} {
        if (fromOracle)
            problem.numbers.merge(Numbers{{"seqLen", 64}, {"headDim", 16}});
        op.complete(problem);
        tensors = makeTensors(op, problem, "gaussian", 3, nullptr);
        if (op.derive)
            op.derive(problem, tensors, {});
        for (const auto& [tensor, name] : {std::pair("Q", "q"), std::pair("K", "k"), std::pair("V", "v")})
            if (fromOracle)
                tensors[tensor].values = oracle(name).values;
    }
    const std::vector<float>& run(const Implementation& i) {
        i.onCpu(problem, tensors, {2, nullptr});
        return tensors.at("O").values;
    }
};

double worst(const std::vector<float>& a, const std::vector<float>& b) {
    double found = a.size() == b.size() ? 0 : INFINITY;
    for (size_t i = 0; i < std::min(a.size(), b.size()); ++i)
        found = std::max(found, std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
    return found;
}

const Operator& sparseAttention() {
    static const Operator op = labs::linear::sparseAttentionOperator();
    return op;
}

std::string sentence(const std::function<void()>& run) {
    try {
        run();
    } catch (const InputError& error) {
        return error.what();
    }
    return "";
}

} // namespace

class SparseOperatorsTest : public QObject {
    Q_OBJECT

    static const Implementation& fetched() {
        QFETCH_GLOBAL(QString, implementation);
        return sparseAttention().implementation(implementation.toStdString(), Implementation::Device::Cpu);
    }

  private slots:
    void initTestCase_data() {
        QTest::addColumn<QString>("implementation");
        QTest::addColumn<QString>("target");
        for (const std::string& target : cpu::supportedTargets())
            for (const Implementation* i : sparseAttention().onDevice(Implementation::Device::Cpu))
                QTest::addRow("%s, %s", target.c_str(), i->id.c_str())
                    << QString::fromStdString(i->id) << QString::fromStdString(target);
    }
    void init() {
        QFETCH_GLOBAL(QString, target);
        cpu::useTarget(target.toStdString());
    }
    void cleanup() { cpu::useTarget(""); }

    void equalsNumPyUnderItsMasks_data() {
        QTest::addColumn<QString>("name");
        QTest::addColumn<QString>("pattern");
        QTest::newRow("strided") << "strided_64"
                                 << "strided";
        QTest::newRow("fixed") << "fixed_64"
                               << "fixed";
        QTest::newRow("local") << "local_64"
                               << "local";
        QTest::newRow("longformer") << "longformer_64"
                                    << "longformer";
        QTest::newRow("top 8") << "top8"
                               << "topk";
    }
    void equalsNumPyUnderItsMasks() {
        QFETCH(QString, name);
        QFETCH(QString, pattern);
        for (const double block : {7, 16, 64}) {
            Case c(sparseAttention(), {{"pattern", placeOf(pattern.toUtf8().constData())},
                                       {"stride", 8},
                                       {"window", 8},
                                       {"top", 8},
                                       {"global", pattern == "longformer" ? 2 : 1},
                                       {"block", block}});
            const double error = worst(c.run(fetched()), oracle(name.toStdString()).values);
            QVERIFY2(error < 1e-6, qPrintable(QString::number(error)));
        }
    }

    void whatKeepsEverythingIsExactAttention_data() {
        QTest::addColumn<QString>("pattern");
        for (const char* pattern : {"full", "local", "bigbird", "topk", "lsh", "atrous"})
            QTest::newRow(pattern) << pattern;
    }
    void whatKeepsEverythingIsExactAttention() {
        QFETCH(QString, pattern);
        Case c(sparseAttention(), {{"pattern", placeOf(pattern.toUtf8().constData())},
                                   {"window", 64},
                                   {"stride", 1},
                                   {"top", 64},
                                   {"buckets", 1},
                                   {"block", 16}});
        const double error = worst(c.run(fetched()), oracle("exact").values);
        QVERIFY2(error < 1e-6, qPrintable(QString::number(error)));
    }

    void aMaskOfTheUsersIsApplied() {
        Case c(sparseAttention(), {{"pattern", placeOf("bitmap")}, {"maskRows", 64}, {"maskColumns", 64}});
        c.tensors["mask"] = formats::loadTensor(WARPLIGHT_TEST_DATA "/oracles/sparse/patterns.npz:longformer_64");
        const double error = worst(c.run(fetched()), oracle("longformer_64").values);
        QVERIFY2(error < 1e-6, qPrintable(QString::number(error)));
    }

    /// Rounds one by one, merged by their log-sum-exp, where each round divides a pair's weight by the number of rounds
    /// in which the pair meets (Kitaev et al. 2020, section 2): the softmax over all pairs that meet.
    void roundsOfHashingMergeByLogSumExp() {
        Case c(sparseAttention(), {{"pattern", placeOf("lsh")}, {"hashes", 3}, {"buckets", 6}, {"block", 16}});
        const std::vector<float> made = c.run(fetched());
        const auto row = [&](const char* name, int64_t i) { return c.tensors.at(name).values.data() + i * 16; };
        sparse::Parameters p;
        p.hashes = 3;
        p.buckets = 6;
        for (int64_t i = 0; i < 64; ++i) {
            std::vector<std::vector<int64_t>> keys(3);
            std::vector<int> meets(64);
            for (int64_t round = 0; round < 3; ++round)
                for (int64_t j = 0; j < 64; ++j)
                    if (sparse::bucketOf({row("Q", i), 16}, p, round) ==
                        sparse::bucketOf({row("K", j), 16}, p, round)) {
                        keys[static_cast<size_t>(round)].push_back(j);
                        ++meets[static_cast<size_t>(j)];
                    }
            double total = 0;
            std::vector<double> o(16);
            for (const auto& round : keys) {
                double sum = 0; // e^lse of the round
                std::vector<double> mean(16);
                for (const int64_t j : round) {
                    double score = 0;
                    for (int64_t f = 0; f < 16; ++f)
                        score += static_cast<double>(row("Q", i)[f]) * static_cast<double>(row("K", j)[f]);
                    const double weight = std::exp(score / 4) / meets[static_cast<size_t>(j)];
                    sum += weight;
                    for (int64_t f = 0; f < 16; ++f)
                        mean[static_cast<size_t>(f)] += weight * static_cast<double>(row("V", j)[f]);
                }
                for (size_t f = 0; f < 16 && sum > 0; ++f)
                    o[f] = (o[f] * total + mean[f] / sum * sum) / (total + sum);
                total += sum;
            }
            for (size_t f = 0; f < 16; ++f)
                QVERIFY(std::fabs(o[f] - static_cast<double>(made[static_cast<size_t>(i) * 16 + f])) < 2e-6);
        }
    }

    void nothingLeaksAcrossACausalMask_data() {
        QTest::addColumn<QString>("pattern");
        for (const sparse::KindInfo& kind : sparse::kinds())
            if (!kind.needsMask)
                QTest::newRow(std::string(kind.name).c_str()) << QString::fromStdString(std::string(kind.name));
    }
    void nothingLeaksAcrossACausalMask() { // a token changes: nothing before it does
        QFETCH(QString, pattern);
        Case c(sparseAttention(), {{"pattern", placeOf(pattern.toUtf8().constData())},
                                   {"causal", 1},
                                   {"window", 5},
                                   {"stride", 7},
                                   {"top", 9},
                                   {"block", 16}});
        const std::vector<float> before = c.run(fetched());
        for (const char* name : {"K", "V"})
            for (size_t f = 0; f < 16; ++f)
                c.tensors.at(name).values[40 * 16 + f] += 3;
        const std::vector<float>& after = c.run(fetched());
        QVERIFY(std::equal(before.begin(), before.begin() + 40 * 16, after.begin()));
        QVERIFY(!std::equal(before.begin(), before.end(), after.begin()));
    }

    void formulasOfPairsAreThoseOfTheMasks() {
        if (fetched().id != "reference")
            QSKIP("the same for every rung");
        for (const sparse::KindInfo& kind : sparse::kinds()) {
            if (kind.needsMask || kind.id == sparse::Kind::Lsh)
                continue;
            for (const bool causal : {false, true}) {
                const Case c(sparseAttention(),
                             {{"pattern", placeOf(std::string(kind.name).c_str())},
                              {"causal", causal},
                              {"seqLen", 150},
                              {"headDim", 8},
                              {"heads", 2},
                              {"batch", 2}},
                             false);
                sparse::Parameters p;
                p.kind = kind.id;
                p.causal = causal;
                const sparse::Inputs inputs{
                    c.tensors.at("Q").values.data(), c.tensors.at("K").values.data(), 4, 1, 150, 150, 8};
                const sparse::Pattern pattern = kind.needsInputs ? makeTopK(p, inputs) : makePattern(p, 150, 150);
                QCOMPARE(sparseAttention().usefulFlops(c.problem),
                         4.0 * 8 * 4 * static_cast<double>(statisticsOf(pattern).pairs));
            }
        }
    }

    void wrongNumbersAreSentences() {
        const auto says = [](Numbers numbers) {
            return sentence([&] { Case(sparseAttention(), std::move(numbers)); });
        };
        QCOMPARE(says({{"pattern", placeOf("bitmap")}}), "--mask: expected the file of a mask for the pattern bitmap");
        QCOMPARE(says({{"pattern", placeOf("local")}, {"maskRows", 64}, {"maskColumns", 64}}),
                 "--mask: expected beside --pattern bitmap alone, not local");
        QCOMPARE(says({{"maskRows", 64}, {"maskColumns", 63}}),
                 "--mask: shape [64, 63], expected [64, 64], queries and keys");
        QCOMPARE(says({{"pattern", placeOf("lsh")}, {"buckets", 3}}), "--buckets 3: expected 1 or an even number");
        QCOMPARE(says({{"window", -1}}), "--window -1: expected 0 to 16777216");
    }

    void gpusHidePairsInF32Alone() {
        const auto why = [&](const char* kernel, const char* pattern, number::Format format) {
            Problem p{{{"pattern", placeOf(pattern)}, {"seqLen", 512}, {"headDim", 16}}, format};
            sparseAttention().complete(p);
            return sparseAttention().implementation(kernel, Implementation::Device::Gpu).whyNot(p);
        };
        for (const char* whole : {"full", "causal"})
            for (const number::Format format : {number::Format::F32, number::Format::F16})
                QCOMPARE(why("block-sparse", whole, format), "");
        for (const char* partly : {"local", "bigbird", "topk", "lsh"}) {
            QCOMPARE(why("block-sparse", partly, number::Format::F32), "");
            for (const auto& [kernel, format] :
                 {std::pair("block-sparse", number::Format::BF16), std::pair("masked-dense", number::Format::F32)})
                QVERIFY(why(kernel, partly, format).find("not pairs within blocks of 64") != std::string::npos);
        }
    }
};

QTEST_GUILESS_MAIN(SparseOperatorsTest)
#include "sparse_operators_test.moc"
