// SPDX-License-Identifier: GPL-3.0-or-later
// `compute linear-attention` on files: every rule and map against the oracles, shapes and layouts, and sentences.
#include "core/formats/tensor_file.h"
#include "core/tensor/random.h"

#include <QProcess>
#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

using namespace warplight;

namespace {

const QString linearOracle = WARPLIGHT_TEST_DATA "/oracles/linear/linear.npz:",
              gatedOracle = WARPLIGHT_TEST_DATA "/oracles/linear/gated_and_delta.npz:";
constexpr const char* forms[] = {"reference", "parallel", "recurrent", "cumsum", "chunked"};

struct Outcome {
    int exitCode;
    QByteArray err;
};

Outcome compute(const QStringList& arguments) {
    QProcess process;
    process.start(WARPLIGHT_CLI, QStringList{"compute", "linear-attention"} + arguments);
    process.waitForFinished();
    return {process.exitCode(), process.readAllStandardError()};
}

tensor::Tensor load(const QString& spec) { return formats::loadTensor(spec.toStdString()); }

/// Over the largest; infinite for another shape.
double apart(const tensor::Tensor& made, const tensor::Tensor& exact) {
    if (made.shape != exact.shape)
        return INFINITY;
    double worst = 0, largest = 0;
    for (size_t i = 0; i < exact.values.size(); ++i) {
        worst = std::max(worst, std::fabs(static_cast<double>(made.values[i]) - static_cast<double>(exact.values[i])));
        largest = std::max(largest, std::fabs(static_cast<double>(exact.values[i])));
    }
    return worst / largest;
}

} // namespace

class LinearCommandTest : public QObject {
    Q_OBJECT
    QTemporaryDir folder;

    QString at(const char* name) const { return folder.filePath(name); }
    QString save(const char* name, std::vector<int64_t> shape, std::vector<float> values) const {
        formats::saveTensors(
            {{at(name).toStdString(), {"x", {std::move(shape), std::move(values)}, number::Format::F32}}});
        return at(name);
    }
    QString random(const char* name, const std::vector<int64_t>& shape, uint64_t stream) const {
        std::vector<float> x(static_cast<size_t>(tensor::elementCount(shape)));
        tensor::fillGaussian(x, 3, stream);
        return save(name, shape, std::move(x));
    }
    static QStringList inputs(const QString& oracle, const char* k = "k") {
        return {"--q", oracle + "q", "--k", oracle + k, "--v", oracle + "v"};
    }

  private slots:
    void oraclesAgree_data() {
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<QString>("expected");
        QTest::addColumn<QString>("state");
        const QStringList plain{"--feature-map", "identity", "--no-normalise", "--causal"};
        QTest::newRow("elu + 1, causal") << inputs(linearOracle) + QStringList{"--causal"}
                                         << linearOracle + "elu_causal" << QString();
        QTest::newRow("elu + 1") << inputs(linearOracle) << linearOracle + "elu_full" << QString();
        QTest::newRow("double softmax") << inputs(linearOracle) + QStringList{"--feature-map", "softmax"}
                                        << linearOracle + "efficient" << QString();
        QTest::newRow("retention") << inputs(linearOracle) + plain +
                                          QStringList{"--rule", "retention", "--decay",
                                                      save("gamma.npy", {37}, std::vector<float>(37, 0.9f))}
                                   << linearOracle + "retention" << QString();
        QTest::newRow("gla") << inputs(gatedOracle) + plain +
                                    QStringList{"--rule", "gla", "--decay", gatedOracle + "gate"}
                             << gatedOracle + "gla" << gatedOracle + "state_gla";
        QTest::newRow("delta") << inputs(gatedOracle, "k_normalised") + plain +
                                      QStringList{"--rule", "delta", "--beta", gatedOracle + "beta"}
                               << gatedOracle + "delta_rule" << gatedOracle + "state_delta";
        QTest::newRow("gated delta whose gates are 1")
            << inputs(gatedOracle, "k_normalised") + plain +
                   QStringList{"--rule",  "gated-delta",
                               "--beta",  gatedOracle + "beta",
                               "--decay", save("ones.npy", {37}, std::vector<float>(37, 1))}
            << gatedOracle + "delta_rule" << gatedOracle + "state_delta";
    }
    void oraclesAgree() {
        QFETCH(QStringList, arguments);
        QFETCH(QString, expected);
        QFETCH(QString, state);
        for (const char* form : forms) {
            const Outcome outcome = compute(arguments + QStringList{"--form", form, "--chunk", "8", "-o", at("o.npy"),
                                                                    "--state", at("state.npy"), "--z", at("z.npy")});
            QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
            QCOMPARE_LE(apart(load(at("o.npy")), load(expected)), 1e-6);
            if (!state.isEmpty())
                QCOMPARE_LE(apart(load(at("state.npy")), load(state)), 1e-6);
            QCOMPARE(load(at("z.npy")).shape, std::vector<int64_t>{8});
        }
    }

    void headsAreOnTheirOwnInBothLayouts() {
        const std::vector<int64_t> bhnd{2, 3, 20, 4}, bnhd{2, 20, 3, 4};
        const auto swapped = [&](const QString& from, const char* name, int64_t width) {
            const tensor::Tensor x = load(from);
            std::vector<float> to(x.values.size());
            for (int64_t b = 0; b < 2; ++b)
                for (int64_t h = 0; h < 3; ++h)
                    for (int64_t n = 0; n < 20; ++n)
                        std::copy_n(x.values.begin() + ((b * 3 + h) * 20 + n) * width, width,
                                    to.begin() + ((b * 20 + n) * 3 + h) * width);
            return save(name, width == 1 ? std::vector<int64_t>{2, 20, 3} : bnhd, to);
        };
        const QString q = random("q.npy", bhnd, 0), k = random("k.npy", bhnd, 1), v = random("v.npy", bhnd, 2);
        std::vector<float> gates(120);
        tensor::fillUniform(gates, 1, 7, 0.5f, 1);
        const QString decay = save("decay.npy", {2, 3, 20}, gates);
        const QStringList how{"--causal", "--rule", "retention"};
        Outcome outcome = compute(
            QStringList{"--q", q, "--k", k, "--v", v, "--decay", decay, "-o", at("o.npy"), "--state", at("s.npy")} +
            how);
        QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
        QCOMPARE(load(at("s.npy")).shape, (std::vector<int64_t>{2, 3, 4, 4}));
        outcome = compute(QStringList{"--q", swapped(q, "q2.npy", 4), "--k", swapped(k, "k2.npy", 4), "--v",
                                      swapped(v, "v2.npy", 4), "--decay", swapped(decay, "decay2.npy", 1), "--layout",
                                      "BNHD", "-o", at("o2.npy")} +
                          how);
        QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
        QCOMPARE(apart(load(at("o2.npy")), load(swapped(at("o.npy"), "o3.npy", 4))), 0.0);
        // Without decays each head has RetNet's own.
        std::vector<float> retnet(60);
        for (size_t i = 0; i < retnet.size(); ++i)
            retnet[i] = 1 - std::exp2(-5.0f - static_cast<float>(i / 20));
        const auto three = [&](const char* name, uint64_t stream) { return random(name, {3, 20, 4}, stream); };
        const QStringList heads{"--q",      three("q4.npy", 4), "--k",      three("k4.npy", 5),
                                "--v",      three("v4.npy", 6), "--causal", "--rule",
                                "retention"};
        QVERIFY(compute(heads + QStringList{"-o", at("o4.npy")}).exitCode == 0);
        QVERIFY(
            compute(heads + QStringList{"-o", at("o5.npy"), "--decay", save("retnet.npy", {3, 20}, retnet)}).exitCode ==
            0);
        QCOMPARE(apart(load(at("o4.npy")), load(at("o5.npy"))), 0.0);
    }

    void randomFeaturesFollowTheirSeed() {
        const QStringList favor =
            inputs(linearOracle) + QStringList{"--feature-map", "favor", "--features", "32", "--causal"};
        const auto run = [&](const char* name, const QStringList& more) {
            const Outcome outcome = compute(favor + more + QStringList{"-o", at(name)});
            return outcome.exitCode == 0 ? load(at(name)).values : std::vector<float>{};
        };
        const std::vector<float> first = run("a.npy", {}), again = run("b.npy", {"--seed", "0"});
        QVERIFY(!first.empty() && first == again);
        QVERIFY(run("c.npy", {"--seed", "1"}) != first);
        QVERIFY(run("d.npy", {"--no-orthogonal"}) != first);
    }

    void whatCannotBeIsASentence_data() {
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<QString>("sentence");
        const auto row = [](const char* name, const QStringList& more, const char* sentence) {
            QTest::newRow(name) << inputs(linearOracle) + more << QString(sentence);
        };
        row("gla without decay", {"--rule", "gla", "--causal"}, "--decay is missing");
        row("delta without beta", {"--rule", "delta", "--causal"}, "--beta is missing");
        row("rules are causal", {"--rule", "retention"}, "rule retention is causal");
        row("softmax is not", {"--feature-map", "softmax", "--causal"}, "not causal");
        row("no features", {"--feature-map", "favor", "--features", "0"}, "--features: expected a whole number from 1");
        row("no chunk", {"--chunk", "0"}, "--chunk: expected a whole number from 1");
        row("no such rule", {"--rule", "forget"}, "--rule: expected one of add, retention");
        row("no such map", {"--feature-map", "tanh"}, "--feature-map: expected one of elu1");
        row("no such form", {"--form", "fast"}, "form 'fast'");
        row("decay for add", {"--decay", gatedOracle + "beta"}, "--decay: rule add has none");
        row("decay of one number for gla", {"--rule", "gla", "--causal", "--decay", gatedOracle + "beta"},
            "1 factors a step, expected 8");
        row("beta with features", {"--rule", "delta", "--causal", "--beta", gatedOracle + "gate"},
            "--beta: 8 numbers a step");
        row("values of another length", {"--v", gatedOracle + "state_gla"}, "length 8, expected 37 as in K");
    }
    void whatCannotBeIsASentence() {
        QFETCH(QStringList, arguments);
        QFETCH(QString, sentence);
        if (arguments.count("--v") > 1) // the second one counts
            arguments.remove(4, 2);
        const Outcome outcome = compute(arguments + QStringList{"-o", at("none.npy")});
        QVERIFY(outcome.exitCode != 0);
        QVERIFY2(outcome.err.contains(sentence.toUtf8()), outcome.err.constData());
        QCOMPARE(outcome.err.count('\n'), 1);
    }
};

QTEST_GUILESS_MAIN(LinearCommandTest)
#include "linear_command_test.moc"
