// SPDX-License-Identifier: GPL-3.0-or-later
// `compute attention` on files, as a user calls it, against oracles of NumPy and PyTorch.
#include "core/formats/tensor_file.h"

#include <QDir>
#include <QProcess>
#include <QTemporaryDir>
#include <QTest>
#include <cstdint>
#include <string>
#include <vector>

#include <cmath>
#include <functional>

using namespace warplight;

namespace {

const QString oracles = WARPLIGHT_TEST_DATA "/oracles/attention/";

const QString nanFiles = WARPLIGHT_TEST_DATA "/data/attention_nan/";

struct Outcome {
    int exitCode;
    QByteArray err;
};

Outcome compute(const QStringList& arguments) {
    QProcess process;
    process.start(WARPLIGHT_CLI, QStringList{"compute", "attention"} + arguments);
    process.waitForFinished();
    return {process.exitCode(), process.readAllStandardError()};
}

QStringList inputs(const QString& file) {
    return {"--q", oracles + file + ":q", "--k", oracles + file + ":k", "--v", oracles + file + ":v"};
}

tensor::Tensor load(const QString& spec) { return formats::loadTensor(spec.toStdString()); }

double largestDifference(const tensor::Tensor& a, const tensor::Tensor& b) {
    double worst = a.values.size() == b.values.size() ? 0 : INFINITY;
    for (size_t i = 0; i < a.values.size() && worst < INFINITY; ++i)
        if (a.values[i] != b.values[i])
            worst = std::fmax(worst, std::fabs(static_cast<double>(a.values[i]) - static_cast<double>(b.values[i])));
    return worst;
}

/// [b, x, y, d] to [b, y, x, d], written plainly.
tensor::Tensor swapped(const tensor::Tensor& t) {
    tensor::Tensor result{{t.shape[0], t.shape[2], t.shape[1], t.shape[3]}, {}};
    for (int64_t b = 0; b < t.shape[0]; ++b)
        for (int64_t y = 0; y < t.shape[2]; ++y)
            for (int64_t x = 0; x < t.shape[1]; ++x)
                for (int64_t c = 0; c < t.shape[3]; ++c)
                    result.values.push_back(
                        t.values[static_cast<size_t>(((b * t.shape[1] + x) * t.shape[2] + y) * t.shape[3] + c)]);
    return result;
}

} // namespace

class ComputeTest : public QObject {
    Q_OBJECT
    QTemporaryDir folder;

    QString at(const char* name) const { return folder.filePath(name); }

  private slots:
    void filesGiveTheOracle_data() {
        QTest::addColumn<QString>("file");
        QTest::addColumn<bool>("causal");
        QTest::newRow("square") << "square.npz" << false;
        QTest::newRow("causal") << "causal.npz" << true;
        QTest::newRow("grouped queries") << "gqa.npz" << (load(oracles + "gqa.npz:causal").values[0] != 0);
        QTest::newRow("cross") << "cross.npz" << (load(oracles + "cross.npz:causal").values[0] != 0);
        QTest::newRow("rows without keys") << "tall.npz" << true;
    }
    void filesGiveTheOracle() {
        QFETCH(QString, file);
        QFETCH(bool, causal);
        const QString scale = QString::number(static_cast<double>(load(oracles + file + ":scale").values[0]), 'g', 9);
        const Outcome outcome = compute(
            inputs(file) + QStringList{"-o", at("o.npy"), "--lse", at("lse.safetensors:lse"), "--scale", scale} +
            (causal ? QStringList{"--causal"} : QStringList{}));
        QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
        QVERIFY(load(at("o.npy")).shape == load(oracles + file + ":o").shape);
        QVERIFY(largestDifference(load(at("o.npy")), load(oracles + file + ":o")) < 1e-5);
        QVERIFY(largestDifference(load(at("lse.safetensors")), load(oracles + file + ":lse")) < 1e-5);
    }

    void nanAndInfinityReachTheFiles_data() {
        QTest::addColumn<QString>("device");
        QTest::addColumn<QString>("implementation");
        for (const char* name : {"reference", "standard", "online", "flash", "flash-packed", "flash-bf16"})
            QTest::newRow(name) << "cpu" << name;
        for (const char* name : {"naive", "tiled", "fused-2pass", "flash1", "flash2", "flash-decode"})
            QTest::newRow(name) << "vgpu" << name;
        QTest::newRow("flash2-mma") << "vgpu"
                                    << "flash2-mma";
    }
    void nanAndInfinityReachTheFiles() { // of which rows, is told by where they stand in the inputs
        QFETCH(QString, device);
        QFETCH(QString, implementation);
        struct {
            const char *q, *k, *v;
            bool causal;
            std::function<bool(int64_t)> rowIsNan;
        } const cases[] = {
            {"q_nan_row3", "k", "v", false, [](int64_t row) { return row == 3; }},
            {"q", "k_nan_last", "v", true, [](int64_t row) { return row == 15; }},
            {"q", "k_minus_inf", "v", false,
             [q = load(nanFiles + "q.npy")](int64_t row) { return q.values[static_cast<size_t>(row * 64)] < 0; }},
            {"q", "k", "v_nan_last", true, [](int64_t row) { return row == 15; }},
            {"q_5e20", "k_5e20", "v", false, [](int64_t) { return true; }},
        };
        for (const auto& c : cases) {
            const bool overflow = c.q == std::string("q_5e20"), values = c.v == std::string("v_nan_last");
            if (overflow && implementation == "reference")
                continue; // has room for such scores
            const Outcome outcome =
                compute({"--q", nanFiles + c.q + ".npy", "--k", nanFiles + c.k + ".npy", "--v", nanFiles + c.v + ".npy",
                         "--device", device, "--implementation", implementation, "--dtype",
                         implementation == "flash2-mma" ? "bf16" : "f32", c.causal ? "--causal" : "--threads=0", "-o",
                         at("o.npy"), "--lse", at("lse.npy")});
            QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
            const tensor::Tensor o = load(at("o.npy")), lse = load(at("lse.npy"));
            for (int64_t row = 0; row < o.shape[2]; ++row) {
                QCOMPARE(std::isnan(lse.values[static_cast<size_t>(row)]), c.rowIsNan(row) && !values);
                for (int64_t i = row * 64; i < (row + 1) * 64; ++i)
                    QCOMPARE(std::isnan(o.values[static_cast<size_t>(i)]), c.rowIsNan(row));
            }
        }
    }

    void theOtherLayoutGivesTheSame() {
        QStringList arguments;
        for (const char* name : {"q", "k", "v"}) {
            formats::saveTensors({{at(name).toStdString() + ".npy",
                                   {"o", swapped(load(oracles + "gqa.npz:" + name)), number::Format::F32}}});
            arguments += {QString("--") + name, at(name) + ".npy"};
        }
        QCOMPARE(compute(inputs("gqa.npz") + QStringList{"-o", at("a.npy")}).exitCode, 0);
        QCOMPARE(compute(arguments + QStringList{"--layout", "BNHD", "-o", at("b.npy")}).exitCode, 0);
        QCOMPARE(largestDifference(swapped(load(at("b.npy"))), load(at("a.npy"))), 0.0);
    }

    void outputHasTheTypeOfQ() {
        const tensor::Tensor q{{3, 4}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}};
        formats::saveTensors({{at("h.npy").toStdString(), {"o", q, number::Format::F16}}});
        const QStringList same{"--q", at("h.npy"), "--k", at("h.npy"), "--v", at("h.npy")};
        QCOMPARE(compute(same + QStringList{"-o", at("ho.npy")}).exitCode, 0);
        QVERIFY(formats::tensorEntry(at("ho.npy").toStdString()).dtype == number::Format::F16);
        QCOMPARE(compute(same + QStringList{"-o", at("both.npz:o"), "--lse", at("both.npz:lse")}).exitCode, 0);
        QCOMPARE(load(at("both.npz:o")).shape, q.shape);
        QCOMPARE(load(at("both.npz:lse")).shape, std::vector<int64_t>{3}); // as Q has neither batch nor heads
        QCOMPARE(compute(same + QStringList{"-o", at("hb.safetensors:out"), "--dtype", "bf16"}).exitCode, 0);
        QVERIFY(formats::tensorEntry(at("hb.safetensors:out").toStdString()).dtype == number::Format::BF16);
    }

    void badInputIsOneSentenceAndWritesNothing_data() {
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<QString>("names");
        const QString o = at("never.npy");
        QTest::newRow("absent file") << QStringList{"--q", "absent.npy", "--k", "absent.npy",
                                                    "--v", "absent.npy", "-o",  o}
                                     << "absent.npy";
        QTest::newRow("other head dimension")
            << QStringList{"--q", oracles + "square.npz:q", "--k", oracles + "tiny.npz:k",
                           "--v", oracles + "tiny.npz:v",   "-o",  o}
            << "tiny.npz:k";
        QTest::newRow("K and V differ") << QStringList{"--q", oracles + "square.npz:q", "--k", oracles + "square.npz:k",
                                                       "--v", oracles + "cross.npz:v",  "-o",  o}
                                        << "cross.npz:v";
        QTest::newRow("a scalar") << QStringList{"--q", oracles + "square.npz:scale",
                                                 "--k", oracles + "square.npz:scale",
                                                 "--v", oracles + "square.npz:scale",
                                                 "-o",  o}
                                  << "headDim";
        QTest::newRow("unknown rung") << inputs("square.npz") + QStringList{"--implementation", "fast", "-o", o}
                                      << "flash-packed";
        QTest::newRow("unknown type") << inputs("square.npz") + QStringList{"--dtype", "f8", "-o", o} << "bf16";
        QTest::newRow("unknown layout") << inputs("square.npz") + QStringList{"--layout", "NBHD", "-o", o} << "BNHD";
        QTest::newRow("no such folder") << inputs("square.npz") + QStringList{"-o", "/no/such/folder/o.npy"}
                                        << "/no/such/folder/o.npy";
        QTest::newRow("unknown ending") << inputs("square.npz") + QStringList{"-o", at("o.txt")} << ".safetensors";
    }
    void badInputIsOneSentenceAndWritesNothing() {
        QFETCH(QStringList, arguments);
        QFETCH(QString, names);
        const Outcome outcome = compute(arguments);
        QCOMPARE(outcome.exitCode, 2);
        QVERIFY2(outcome.err.contains(names.toUtf8()) && outcome.err.count('\n') == 1, outcome.err.constData());
        QVERIFY(QDir(folder.path()).entryList({"never*", "*.txt*", "*.part*"}).isEmpty());
    }
};

QTEST_GUILESS_MAIN(ComputeTest)
#include "compute_test.moc"
