// SPDX-License-Identifier: GPL-3.0-or-later
// `compute hippo` on files, as programs are called.
#include "core/formats/tensor_file.h"

#include <QByteArray>
#include <QFile>
#include <QProcess>
#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

using namespace warplight;

namespace {

struct Outcome {
    int exitCode;
    QByteArray err;
};

Outcome call(const QStringList& arguments) {
    QProcess process;
    process.start(WARPLIGHT_CLI, QStringList{"compute", "hippo"} + arguments);
    process.waitForFinished();
    return {process.exitCode(), process.readAllStandardError()};
}

tensor::Tensor load(const QString& spec) { return formats::loadTensor(spec.toStdString()); }

} // namespace

class HippoCommandTest : public QObject {
    Q_OBJECT
    QTemporaryDir folder;
    QString at(const char* name) const { return folder.filePath(name); }
    bool write(const char* name, const QByteArray& bytes) const {
        QFile file(at(name));
        return file.open(QIODevice::WriteOnly) && file.write(bytes) == bytes.size();
    }

  private slots:
    void initTestCase() {
        QVERIFY(write("ones.csv", QByteArray("1\n").repeated(10)));
        QByteArray table("t;u\n"), samples;
        for (int i = 0; i < 400; ++i) {
            const double u = std::sin(i * 2 * 3.141592653589793 * 3 / 400);
            table += QByteArray::number(i) + ';' + QByteArray::number(u, 'g', 9) + '\n';
            const auto level = static_cast<int16_t>(std::lround(u * 32767));
            samples += static_cast<char>(level & 0xFF);
            samples += static_cast<char>(level >> 8);
        }
        QVERIFY(write("sine.csv", table));
        // 8,000 samples a second, one channel of 16 bits
        QVERIFY(write(
            "sine.wav",
            QByteArray(
                "RIFF\x44\x03\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data\x20\x03\0\0",
                44) +
                samples));
    }

    void constantsAreThoseOfTheFormula() {
        const Outcome outcome = call({"--measure", "legs", "--n", "4", "--signal", at("ones.csv"), "-o", at("c.npy")});
        QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
        const tensor::Tensor c = load(at("c.npy"));
        QCOMPARE(c.shape, (std::vector<int64_t>{4}));
        QVERIFY(std::abs(c.values[0] - 20.0f / 21) < 1e-6f);
        QCOMPARE(call({"--measure", "legs", "--n", "4", "--rule", "zoh", "--every", "5", "--signal", at("ones.csv"),
                       "-o", at("c.npy")})
                     .exitCode,
                 0);
        const tensor::Tensor both = load(at("c.npy"));
        QCOMPARE(both.shape, (std::vector<int64_t>{2, 4}));
        QVERIFY(std::abs(both.values[0] - 5.0f / 6) < 1e-6f && std::abs(both.values[4] - 10.0f / 11) < 1e-6f);
    }

    void signalsComeBack_data() {
        QTest::addColumn<QString>("measure");
        QTest::addColumn<double>("bound");
        QTest::newRow("legs") << "legs" << 0.02;
        QTest::newRow("legt") << "legt" << 0.03;
        QTest::newRow("lmu") << "lmu" << 0.03;
        QTest::newRow("lagt") << "lagt" << 0.25;
        QTest::newRow("fout") << "fout" << 0.25;
    }
    void signalsComeBack() {
        QFETCH(QString, measure);
        QFETCH(double, bound);
        for (const char* file : {"sine.csv", "sine.wav"}) {
            QStringList arguments{"--measure", measure,         "--n",           "32",           "--signal", at(file),
                                  "-o",        at("all.npz:c"), "--reconstruct", at("all.npz:r")};
            if (QString(file).endsWith("csv"))
                arguments += {"--column", "u"};
            const Outcome outcome = call(arguments);
            QVERIFY2(outcome.exitCode == 0 && outcome.err.isEmpty(), outcome.err.constData());
            const tensor::Tensor r = load(at("all.npz:r"));
            QCOMPARE(r.shape, (std::vector<int64_t>{400}));
            double worst = 0;
            for (int i = 20; i < 380; ++i) // the ends are the hardest
                worst = std::max(worst, std::abs(static_cast<double>(r.values[static_cast<size_t>(i)]) -
                                                 std::sin(i * 2 * 3.141592653589793 * 3 / 400)));
            QVERIFY2(worst < bound, qPrintable(QString("off by %1").arg(worst)));
        }
    }

    void whatLiesBeforeTheWindowIsNotKnown() {
        const Outcome outcome = call({"--measure", "legt", "--theta", "100", "--n", "16", "--signal", at("sine.csv"),
                                      "--column", "u", "-o", at("c.npy"), "--reconstruct", at("r.npy")});
        QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
        const tensor::Tensor r = load(at("r.npy"));
        for (size_t i = 0; i < 400; ++i)
            QCOMPARE(std::isnan(r.values[i]), i < 300);
    }

    void instabilityIsSaid() {
        const Outcome outcome = call({"--measure", "legt", "--theta", "2", "--rule", "forward-euler", "--n", "32",
                                      "--signal", at("sine.csv"), "--column", "u", "-o", at("c.npy")});
        QCOMPARE(outcome.exitCode, 0);
        QVERIFY2(outcome.err.contains("forward-euler with a step of 1 is unstable"), outcome.err.constData());
    }

    void wrongWordsAreOneSentence_data() {
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<QString>("says");
        const QStringList good{"--signal", at("ones.csv"), "-o", at("c.npy")};
        QTest::newRow("measure") << QStringList{"--measure", "legx", "--n", "4"} + good << "--measure";
        QTest::newRow("n") << QStringList{"--measure", "legs", "--n", "0"} + good << "--n";
        QTest::newRow("odd n") << QStringList{"--measure", "fout", "--n", "5"} + good << "an even number for fout";
        QTest::newRow("rule") << QStringList{"--measure", "legs", "--n", "4", "--rule", "tustin"} + good << "--rule";
        QTest::newRow("theta") << QStringList{"--measure", "legt", "--n", "4", "--theta", "-1"} + good << "theta is -1";
        QTest::newRow("step") << QStringList{"--measure", "legt", "--n", "4", "--step", "0"} + good
                              << "--step 0: expected a number above 0";
        QTest::newRow("every") << QStringList{"--measure", "legs", "--n", "4", "--every", "11"} + good
                               << "--every 11: expected at most the 10 samples";
        QTest::newRow("column") << QStringList{"--measure", "legs", "--n", "4", "--column", "z"} + good
                                << "no column 'z'";
        QTest::newRow("file") << QStringList{"--measure", "legs",         "--n", "4",
                                             "--signal",  at("none.wav"), "-o",  at("c.npy")}
                              << "none.wav";
        QTest::newRow("place") << QStringList{"--measure", "legs",         "--n", "4",
                                              "--signal",  at("ones.csv"), "-o",  at("c.xls")}
                               << "c.xls: expected a file to write";
    }
    void wrongWordsAreOneSentence() {
        QFETCH(QStringList, arguments);
        QFETCH(QString, says);
        const Outcome outcome = call(arguments);
        QCOMPARE(outcome.exitCode, 2);
        QVERIFY2(QString::fromUtf8(outcome.err).contains(says), outcome.err.constData());
        QCOMPARE(outcome.err.count('\n'), 1);
    }
};

QTEST_GUILESS_MAIN(HippoCommandTest)
#include "hippo_command_test.moc"
