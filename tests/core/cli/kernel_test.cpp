// SPDX-License-Identifier: GPL-3.0-or-later
// `kernel run`, as a user calls it: arrays in and out, counters as JSON, and what is said of mistakes.
#include "core/formats/npy.h"

#include <QDir>
#include <QJsonDocument>
#include <QJsonObject>
#include <QProcess>
#include <QTemporaryDir>
#include <QTest>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <cstring>

using namespace warplight;

namespace {

const QString ptx = WARPLIGHT_TEST_DATA "/data/ptx/clang_kernels.ptx";

struct Outcome {
    int exitCode;
    QByteArray out, err;
};

Outcome kernel(const QStringList& arguments) {
    QProcess process;
    process.start(WARPLIGHT_CLI, QStringList{"kernel", "run"} + arguments);
    process.waitForFinished();
    return {process.exitCode(), process.readAllStandardOutput(), process.readAllStandardError()};
}

} // namespace

class KernelTest : public QObject {
    Q_OBJECT
    QTemporaryDir folder;

    QString at(const char* name) const { return folder.filePath(name); }

  private slots:
    void initTestCase() {
        formats::RawArray x{number::Format::F32, {1000}, std::vector<std::byte>(4000)};
        for (int i = 0; i < 1000; ++i) {
            const auto value = static_cast<float>(i);
            std::memcpy(x.bytes.data() + 4 * i, &value, 4);
        }
        formats::writeRawNpy(at("x.npy").toStdString(), x);
    }

    void runsAndCounts() {
        const Outcome run = kernel({ptx,        "--entry",
                                    "saxpy",    "--grid",
                                    "8",        "--block",
                                    "128",      "--check",
                                    "--gpu",    "T4",
                                    "--format", "json",
                                    "--arg",    "f32:2.5",
                                    "--arg",    "in:" + at("x.npy"),
                                    "--arg",    "inout:" + at("x.npy") + ":" + at("y.npy"),
                                    "--arg",    "i32:1000"});
        QCOMPARE(run.exitCode, 0);
        const formats::RawArray y = formats::readRawNpy(at("y.npy").toStdString());
        QVERIFY(y.dtype == number::Format::F32 && y.shape == std::vector<int64_t>{1000});
        for (int i = 0; i < 1000; ++i) {
            float value;
            std::memcpy(&value, y.bytes.data() + 4 * i, 4);
            QCOMPARE(value, 3.5f * static_cast<float>(i));
        }
        const QJsonObject counts = QJsonDocument::fromJson(run.out).object();
        QCOMPARE(counts["provenance"].toString(), QString("counted"));
        QCOMPARE(counts["globalBytes"].toInt(), 3 * 4000);
        QCOMPARE(counts["globalSectors"].toInt(), 3 * 125);
        QCOMPARE(counts["flops"].toInt(), 2000);
        QCOMPARE(counts["modelled"].toObject()["dramReadBytes"].toInt(), 2 * 4000);
    }

    /// What nobody wants may go to one device, however many there are of it.
    void outputsMayBeThrownAway() {
        const Outcome run =
            kernel({ptx, "--entry", "saxpy", "--grid", "8", "--block", "128", "--arg", "f32:2.5", "--arg",
                    "inout:" + at("x.npy") + ":/dev/null", "--arg", "out:f32[1000]:/dev/null", "--arg", "i32:1000"});
        QVERIFY2(run.exitCode == 0, run.err.constData());
    }

    void cudaFilesRunWithEitherCompiler() {
        QFile source(at("scale.cu"));
        QVERIFY(source.open(QIODevice::WriteOnly));
        source.write("__global__ void scale(const float* x, float* y) {\n    int i = blockIdx.x * blockDim.x + "
                     "threadIdx.x;\n    if (i < 1000) y[i] = 3 * x[i];\n}\n");
        source.close();
        for (const char* compiler : {"nvcc", "nvrtc"}) {
            qputenv("WARPLIGHT_CUDA_COMPILER", compiler);
            const Outcome run = kernel({at("scale.cu"), "--grid", "8", "--block", "128", "--arg", "in:" + at("x.npy"),
                                        "--arg", "out:f32[1000]:" + at("scaled.npy")});
            qunsetenv("WARPLIGHT_CUDA_COMPILER");
            if (run.err.contains("was found; install the CUDA toolkit"))
                QSKIP(qPrintable(QString("%1 is not here").arg(compiler)));
            QVERIFY2(run.exitCode == 0, run.err.constData());
            const formats::RawArray y = formats::readRawNpy(at("scaled.npy").toStdString());
            for (int i = 0; i < 1000; ++i) {
                float value;
                std::memcpy(&value, y.bytes.data() + 4 * i, 4);
                QCOMPARE(value, 3.0f * static_cast<float>(i));
            }
            QVERIFY(QFile::remove(at("scaled.npy")));
        }
    }

    void mistakesAreSaidInASentenceAndWriteNothing_data() {
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<QString>("said");
        QTest::addColumn<int>("code");
        const QStringList good{ptx,     "--entry", "saxpy", "--block",          "128",
                               "--arg", "f32:2.5", "--arg", "in:" + at("x.npy")};
        const QString out = "out:f32[1000]:" + at("never.npy");
        QTest::newRow("no such file") << QStringList{at("none.ptx")} << "none.ptx" << 2;
        QTest::newRow("which kernel") << QStringList{ptx}
                                      << "--entry must name one of its 3 kernels: saxpy, softmaxRow, matmul" << 2;
        QTest::newRow("no such kernel") << QStringList{ptx, "--entry", "x"}
                                        << "there is no kernel 'x'; there is saxpy, softmaxRow, matmul" << 2;
        QTest::newRow("too few arguments")
            << good << "saxpy takes 4 arguments, 2 were given with --arg; expected saxpy_param_0 (f32)" << 2;
        QTest::newRow("a bad number") << good + QStringList{"--arg", out, "--arg", "i32:many"}
                                      << "--arg i32:many: expected a number that fits its type" << 2;
        QTest::newRow("a bad kind") << good + QStringList{"--arg", out, "--arg", "int:3"}
                                    << "--arg int:3: expected in, out, inout, " << 2;
        QTest::newRow("a bad shape") << good + QStringList{"--arg", "out:f32:x.npy", "--arg", "i32:1"}
                                     << "expected out:TYPE[SHAPE]:FILE.npy" << 2;
        QTest::newRow("wrong size") << good + QStringList{"--arg", out, "--arg", "i64:1000"}
                                    << "argument 4 of kernel saxpy ('saxpy_param_3') has 4 bytes, 8 were given" << 2;
        QTest::newRow("a bad grid") << good + QStringList{"--arg", out, "--arg", "i32:1000", "--grid", "8,x"}
                                    << "--grid 8,x: expected X, X,Y or X,Y,Z" << 2;
        QTest::newRow("no such GPU") << good + QStringList{"--arg", out, "--arg", "i32:1000", "--gpu", "Z80"}
                                     << "GPU 'Z80': there are profiles of T4, A100" << 2;
        QTest::newRow("two outputs in one file") << QStringList{ptx,
                                                                "--entry",
                                                                "saxpy",
                                                                "--block",
                                                                "128",
                                                                "--arg",
                                                                "f32:2.5",
                                                                "--arg",
                                                                "inout:" + at("x.npy") + ":" + at("never.npy"),
                                                                "--arg",
                                                                "out:f32[1000]:" + at("./never.npy"),
                                                                "--arg",
                                                                "i32:1000"}
                                                 << "never.npy: two arguments would be written there" << 2;
        QTest::newRow("out of bounds") << good + QStringList{"--arg", "out:f32[100]:" + at("never.npy"), "--arg",
                                                             "i32:1000"}
                                       << "0 bytes past the end of 'out' (400 bytes)" << 1;
    }
    void mistakesAreSaidInASentenceAndWriteNothing() {
        QFETCH(QStringList, arguments);
        QFETCH(QString, said);
        QFETCH(int, code);
        const Outcome run = kernel(arguments);
        QVERIFY2(run.err.contains(said.toUtf8()), run.err.constData());
        QCOMPARE(run.exitCode, code);
        QVERIFY(!QFile::exists(at("never.npy")));
    }

    void findingsAreToldAndMakeTheExitCode() {
        const Outcome run = kernel({ptx, "--entry", "saxpy", "--grid", "1", "--block", "32", "--check", "--arg",
                                    "f32:1", "--arg", "in:" + at("x.npy"), "--arg", "out:f32[32]:" + at("z.npy"),
                                    "--arg", "i32:32"}); // saxpy reads y, which nobody has written
        QCOMPARE(run.exitCode, 1);
        QVERIFY2(run.out.contains("unwritten memory: a read of byte 0 of 'out'"), run.out.constData());
    }

    void notesAreToldAndAreNoFault() {
        const Outcome run =
            kernel({WARPLIGHT_TEST_DATA "/data/ptx/orders.ptx", "--entry", "sameValue", "--grid", "1", "--block", "64",
                    "--check", "--arg", "iota:i32[64]", "--arg", "out:i32[64]:" + at("same.npy")});
        QVERIFY2(run.out.contains("note: same value: byte 0 of shared memory is written by warp 0 too"),
                 run.out.constData());
        QCOMPARE(run.exitCode, 0);
    }
};

QTEST_GUILESS_MAIN(KernelTest)
#include "kernel_test.moc"
