// SPDX-License-Identifier: GPL-3.0-or-later
// `pattern`, and sparse and low-rank attention on files, as programs are called.
#include "core/formats/tensor_file.h"

#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
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

const QString oracles = WARPLIGHT_TEST_DATA "/oracles/sparse/";

struct Outcome {
    int exitCode;
    QByteArray out, err;
    QJsonObject json() const { return QJsonDocument::fromJson(out).object(); }
};

Outcome call(const QStringList& arguments) {
    QProcess process;
    process.start(WARPLIGHT_CLI, arguments);
    process.waitForFinished();
    return {process.exitCode(), process.readAllStandardOutput(), process.readAllStandardError()};
}

tensor::Tensor load(const QString& spec) { return formats::loadTensor(spec.toStdString()); }

double largestDifference(const tensor::Tensor& a, const tensor::Tensor& b) {
    double worst = a.shape == b.shape ? 0 : INFINITY;
    for (size_t i = 0; i < std::min(a.values.size(), b.values.size()); ++i)
        worst = std::max(worst, std::fabs(static_cast<double>(a.values[i]) - static_cast<double>(b.values[i])));
    return worst;
}

} // namespace

class PatternCommandTest : public QObject {
    Q_OBJECT
    QTemporaryDir folder;
    QString at(const char* name) const { return folder.filePath(name); }

    /// `compute OPERATOR` on the oracle's Q, K and V.
    Outcome compute(const char* op, const QStringList& more, const QString& prefix = "") const {
        const QString from = oracles + "outputs.npz:";
        return call(QStringList{"compute", op, "--q", from + prefix + "q", "--k", from + prefix + "k", "--v",
                                from + "v", "-o", at("o.npy")} +
                    more);
    }

  private slots:
    void countsOfAPattern() {
        const Outcome outcome = call({"pattern", "atrous-local", "--n", "1024", "--format", "json"});
        QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
        const QJsonObject j = outcome.json();
        QCOMPARE(j["pairs"].toInt(), 95264); // the science page's
        QCOMPARE(j["density"].toDouble(), 95264.0 / (1024 * 1024));
        QCOMPARE(j["parameters"].toObject().keys(), (QStringList{"stride", "window"}));
        QCOMPARE(j["blocks"].toArray().size(), 3);
        QCOMPARE(j["blocks"].toArray()[0].toObject()["all"].toInt(), 64 * 64);
        QCOMPARE(j["reach"].toArray().size(), 4);
        QCOMPARE(j["reach"].toArray()[1].toObject()["share"].toDouble(), 1.0);
        QCOMPARE(j["mask"].toArray().size(), 1024);
        QCOMPARE(j["mask"].toArray()[0].toString().count('1'), 33 + 30); // its window, and each 32nd behind it
    }

    void aMaskIsWritten() {
        const Outcome outcome =
            call({"pattern", "longformer", "--n", "64", "--window", "8", "--global", "2", "-o", at("m.npy")});
        QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
        QCOMPARE(largestDifference(load(at("m.npy")), load(oracles + "patterns.npz:longformer_64")), 0.0);
        QVERIFY(formats::tensorEntry(at("m.npy").toStdString()).dtype == number::Format::U8);
    }

    void aSmallMaskIsDrawn() {
        const Outcome outcome = call({"pattern", "causal", "--n", "3"});
        QCOMPARE(outcome.exitCode, 0);
        QVERIFY(QString::fromUtf8(outcome.out).endsWith("█··\n██·\n███\n"));
        QVERIFY(outcome.out.contains("pairs kept                   6  of 9"));
    }

    void inputsDecideWhereTheyAreGiven() {
        const QString from = oracles + "outputs.npz:";
        const Outcome outcome =
            call({"pattern", "topk", "--top", "5", "--q", from + "q", "--k", from + "k", "--format", "json"});
        QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
        QCOMPARE(outcome.json()["pairs"].toInt(), 5 * 64);
        const Outcome made = call({"pattern", "lsh", "--n", "256", "--format", "json", "-o", at("p.json")});
        QVERIFY2(made.exitCode == 0, made.err.constData());
        QFile file(at("p.json"));
        QVERIFY(file.open(QIODevice::ReadOnly));
        const int pairs = QJsonDocument::fromJson(file.readAll()).object()["pairs"].toInt();
        QVERIFY(pairs > 256 && pairs < 256 * 256 / 2);
    }

    void wrongWordsAreOneSentence_data() {
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<QString>("says");
        QTest::newRow("pattern") << QStringList{"pattern", "hexagonal", "--n", "8"} << "'hexagonal' is not known";
        QTest::newRow("no length") << QStringList{"pattern", "local"} << "--n: expected the length";
        QTest::newRow("length") << QStringList{"pattern", "local", "--n", "0"} << "--n";
        QTest::newRow("stride") << QStringList{"pattern", "atrous", "--n", "8", "--stride", "0"}
                                << "--stride 0: expected 1 to";
        QTest::newRow("buckets") << QStringList{"pattern", "lsh", "--n", "8", "--buckets", "5"}
                                 << "--buckets 5: expected 1 or an even number";
        QTest::newRow("no mask") << QStringList{"pattern", "bitmap", "--n", "8"} << "--mask: expected the file";
        QTest::newRow("one input") << QStringList{"pattern", "topk", "--q", oracles + "outputs.npz:q"}
                                   << "--k: expected beside --q";
        QTest::newRow("no file") << QStringList{"pattern", "local", "--n", "8", "--format", "npy"} << "-o FILE.npy";
        QTest::newRow("mask of a vector")
            << QStringList{"pattern", "bitmap", "--mask", WARPLIGHT_TEST_DATA "/oracles/attention/causal.npz:q"}
            << "expected [queries, keys]";
    }
    void wrongWordsAreOneSentence() {
        QFETCH(QStringList, arguments);
        QFETCH(QString, says);
        const Outcome outcome = call(arguments);
        QCOMPARE(outcome.exitCode, 2);
        QCOMPARE(outcome.err.count('\n'), 1);
        QVERIFY2(QString::fromUtf8(outcome.err).contains(says), outcome.err.constData());
    }

    void sparseAttentionOnFiles_data() {
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<QString>("expected");
        QTest::newRow("strided") << QStringList{"--pattern", "strided", "--stride", "8"} << "strided_64";
        QTest::newRow("fixed, in small blocks")
            << QStringList{"--pattern", "fixed", "--stride", "8", "--block", "16"} << "fixed_64";
        QTest::newRow("local, every score")
            << QStringList{"--pattern", "local", "--window", "8", "--implementation", "masked-dense"} << "local_64";
        QTest::newRow("top 8") << QStringList{"--pattern", "topk", "--top", "8"} << "top8";
        QTest::newRow("a mask") << QStringList{"--mask", oracles + "patterns.npz:longformer_64"} << "longformer_64";
        QTest::newRow("a mask by name") << QStringList{"--pattern", "bitmap", "--mask",
                                                       oracles + "patterns.npz:local_64"}
                                        << "local_64";
        QTest::newRow("BigBird with a wide window") << QStringList{"--pattern", "bigbird", "--window", "64"} << "exact";
        QTest::newRow("strided, on a GPU")
            << QStringList{"--pattern", "strided", "--stride", "8", "--device", "vgpu"} << "strided_64";
        QTest::newRow("top 8, on a GPU") << QStringList{"--pattern", "topk", "--top",    "8",
                                                        "--block",   "16",   "--device", "vgpu"}
                                         << "top8";
        QTest::newRow("everything, on a GPU") << QStringList{"--pattern", "full", "--device", "vgpu"} << "exact";
    }
    void sparseAttentionOnFiles() {
        QFETCH(QStringList, arguments);
        QFETCH(QString, expected);
        const Outcome outcome = compute("sparse-attention", arguments);
        QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
        QVERIFY(largestDifference(load(at("o.npy")), load(oracles + "outputs.npz:" + expected)) < 1e-6);
    }

    void lowRankAttentionOnFiles() {
        const QString from = oracles + "outputs.npz:";
        Outcome outcome = compute("low-rank-attention", {"--e", from + "linformer_E", "--f", from + "linformer_F"});
        QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
        QVERIFY(largestDifference(load(at("o.npy")), load(from + "linformer")) < 1e-6);
        for (const auto& [method, expected] : {std::pair("nystrom", "nystrom_8_exact_pinv"),
                                               std::pair("nystrom-iterated", "nystrom_8_six_iterations")}) {
            outcome = compute("low-rank-attention", {"--method", method, "--rank", "8"}, "nystrom_");
            QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
            QVERIFY(largestDifference(load(at("o.npy")), load(from + expected)) < 1e-6);
        }
        outcome = compute("low-rank-attention", {"--method", "pooling", "--rank", "64"});
        QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
        QVERIFY(largestDifference(load(at("o.npy")), load(from + "exact")) < 1e-6);
    }

    void whatCannotBeComputedIsOneSentence_data() {
        QTest::addColumn<QString>("op");
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<QString>("says");
        const char* sparse = "sparse-attention";
        const char* low = "low-rank-attention";
        QTest::newRow("pattern") << sparse << QStringList{"--pattern", "none"} << "--pattern";
        QTest::newRow("no mask") << sparse << QStringList{"--pattern", "bitmap"} << "--mask: expected the file";
        QTest::newRow("a mask too many") << sparse
                                         << QStringList{"--pattern", "local", "--mask",
                                                        oracles + "patterns.npz:local_64"}
                                         << "beside --pattern bitmap alone";
        QTest::newRow("another shape") << sparse << QStringList{"--mask", oracles + "patterns.npz:local_16"}
                                       << "--mask: shape [16, 16], expected [64, 64]";
        QTest::newRow("pairs on a GPU") << sparse << QStringList{"--pattern",        "local",       "--device", "vgpu",
                                                                 "--implementation", "masked-dense"}
                                        << "not pairs within blocks";
        QTest::newRow("rank") << low << QStringList{"--method", "nystrom", "--rank", "65"}
                              << "rank 65: expected 1 to 64";
        QTest::newRow("E alone") << low << QStringList{"--e", oracles + "outputs.npz:linformer_E"}
                                 << "expected --f beside it";
        QTest::newRow("another rank") << low << QStringList{"--e",    oracles + "outputs.npz:linformer_E",
                                                            "--f",    oracles + "outputs.npz:linformer_F",
                                                            "--rank", "9"}
                                      << "--rank 9: expected 8";
        QTest::newRow("no causal mask") << low << QStringList{"--causal"} << "--causal";
    }
    void whatCannotBeComputedIsOneSentence() {
        QFETCH(QString, op);
        QFETCH(QStringList, arguments);
        QFETCH(QString, says);
        const Outcome outcome = compute(op.toUtf8().constData(), arguments);
        QCOMPARE(outcome.exitCode, 2);
        QCOMPARE(outcome.err.count('\n'), 1);
        QVERIFY2(QString::fromUtf8(outcome.err).contains(says), outcome.err.constData());
    }
};

QTEST_GUILESS_MAIN(PatternCommandTest)
#include "pattern_command_test.moc"
