// SPDX-License-Identifier: GPL-3.0-or-later
// The program with an NVIDIA GPU, as a user starts it: the driver is the stand-in of tests/gpu/standin.
#include "core/formats/tensor_file.h"

#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QProcess>
#include <QTemporaryDir>
#include <QTest>

#include <cmath>

using namespace warplight;

namespace {

const QString folder = WARPLIGHT_STANDIN_FOLDER, oracles = WARPLIGHT_TEST_DATA "/oracles/attention/";

struct Outcome {
    int exitCode;
    QByteArray out, err;
};

Outcome runProgram(const QStringList& arguments, const QString& standIn = "",
                   const QString& library = folder + "/libcuda.so.1") {
    QProcess process;
    QProcessEnvironment environment = QProcessEnvironment::systemEnvironment();
    environment.insert("WARPLIGHT_LIBCUDA", library);
    environment.insert("WARPLIGHT_LIBNVML", folder + "/libnvidia-ml.so.1");
    environment.insert("WARPLIGHT_LIBCUBLAS", folder + "/libcublas.so.13");
    environment.insert("WARPLIGHT_LIBCUFFT", folder + "/libcufft.so.12");
    environment.insert("WARPLIGHT_STANDIN", standIn);
    process.setProcessEnvironment(environment);
    process.start(WARPLIGHT_CLI, arguments);
    process.waitForFinished(120'000);
    return {process.exitCode(), process.readAllStandardOutput(), process.readAllStandardError()};
}

QStringList computeOn(const QString& device, const QString& implementation, const QString& output) {
    const QString file = oracles + "gqa.npz";
    return {"compute",   "attention", "--q",  file + ":q", "--k",  file + ":k",        "--v",
            file + ":v", "-o",        output, "--device",  device, "--implementation", implementation};
}

QJsonArray devicesOf(const Outcome& outcome) { return QJsonDocument::fromJson(outcome.out).array(); }

} // namespace

class CudaCommandTest : public QObject {
    Q_OBJECT
    QTemporaryDir scratch;

  private slots:
    void devicesNameTheGpus() {
        const QJsonArray list = devicesOf(runProgram({"devices", "--json"}, "devices=2"));
        QCOMPARE(list.size(), 4);
        QCOMPARE(list[3]["id"].toString(), "cuda:1");
        QCOMPARE(list[3]["title"].toString(), "Stand-in GPU");
        QCOMPARE(list[3]["detail"].toString(), "compute capability 8.0, 4 multiprocessors, 2 GB, CUDA 13.0");
        QVERIFY(list[3]["available"].toBool());
    }

    void devicesSayWhyThereIsNoGpu() {
        const QJsonArray list = devicesOf(runProgram({"devices", "--json"}, "devices=0"));
        QCOMPARE(list.size(), 3);
        QCOMPARE(list[2]["detail"].toString(), "The NVIDIA driver finds no GPU.");
        QVERIFY(!list[2]["available"].toBool());
        const QJsonArray other = devicesOf(runProgram({"devices", "--json"}, "", "/no/libcuda.so.1"));
        QCOMPARE(other[2]["detail"].toString(), "There is no NVIDIA driver: /no/libcuda.so.1 was not found.");
    }

    void computeGivesTheCpusResult_data() {
        QTest::addColumn<QString>("implementation");
        for (const char* name : {"naive", "flash2", "flash-decode", "cublas"})
            QTest::newRow(name) << QString(name);
    }
    void computeGivesTheCpusResult() {
        QFETCH(QString, implementation);
        const QString expected = scratch.filePath("cpu.npy"), got = scratch.filePath(implementation + ".npy");
        QCOMPARE(runProgram(computeOn("cpu", "reference", expected)).exitCode, 0);
        const Outcome outcome = runProgram(computeOn("cuda:0", implementation, got));
        QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
        const tensor::Tensor a = formats::loadTensor(expected.toStdString()),
                             b = formats::loadTensor(got.toStdString());
        QVERIFY(!a.values.empty());
        QCOMPARE(a.shape, b.shape);
        for (size_t i = 0; i < a.values.size(); ++i)
            QVERIFY(std::fabs(a.values[i] - b.values[i]) < 1e-5f);
    }

    void whatCannotBeIsOneSentenceAndExitCode2_data() {
        QTest::addColumn<QString>("device");
        QTest::addColumn<QString>("standIn");
        QTest::addColumn<QByteArray>("sentence");
        QTest::newRow("no such GPU") << "cuda:3"
                                     << "" << QByteArray("device cuda:3: there is 1 NVIDIA GPU here, counted from 0");
        QTest::newRow("no GPU") << "cuda:0"
                                << "devices=0" << QByteArray("The NVIDIA driver finds no GPU.");
        QTest::newRow("no number") << "cuda:first"
                                   << "" << QByteArray("device 'cuda:first': expected cuda:0, cuda:1 …");
        QTest::newRow("little memory") << "cuda:0"
                                       << "memory=1000" << QByteArray("'Q' needs ");
    }
    void whatCannotBeIsOneSentenceAndExitCode2() {
        QFETCH(QString, device);
        QFETCH(QString, standIn);
        QFETCH(QByteArray, sentence);
        const Outcome outcome = runProgram(computeOn(device, "flash2", scratch.filePath("never.npy")), standIn);
        QCOMPARE(outcome.exitCode, 2);
        QVERIFY2(outcome.err.startsWith("warplight-cli: " + sentence) && outcome.err.count('\n') == 1,
                 outcome.err.constData());
        QVERIFY(!QFile::exists(scratch.filePath("never.npy")));
    }

    void aLostGpuIsOneSentenceAndExitCode1() {
        const Outcome outcome =
            runProgram(computeOn("cuda:0", "naive", scratch.filePath("never.npy")), "kernelFault=2:700");
        QCOMPARE(outcome.exitCode, 1);
        QCOMPARE(outcome.err, "warplight-cli: Stand-in GPU (cuda:0): kernel naive_softmax failed with "
                              "CUDA_ERROR_ILLEGAL_ADDRESS (an illegal memory access was encountered); the GPU takes no "
                              "further work from this process\n");
        QVERIFY(!QFile::exists(scratch.filePath("never.npy")));
    }
};

QTEST_GUILESS_MAIN(CudaCommandTest)
#include "cuda_command_test.moc"
