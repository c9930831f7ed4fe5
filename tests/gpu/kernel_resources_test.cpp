// SPDX-License-Identifier: GPL-3.0-or-later
// The kept PTX belongs to the kernels' sources, and the compiler's report says what they need.
#include "gpu/ops/kernel_library.h"
#include "gpu/virtual/virtual_device.h"

#include <QCryptographicHash>
#include <QDir>
#include <QFile>
#include <QRegularExpression>
#include <QTest>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include <set>

using namespace warplight;

namespace {

QByteArray contents(const QString& file) {
    QFile f(file);
    return f.open(QIODevice::ReadOnly) ? f.readAll() : QByteArray();
}

const QString root = WARPLIGHT_TEST_DATA "/../";

/// A source and those of our headers that it includes, each once, in the order in which they are met.
QByteArray withHeaders(const QDir& kernels, const QString& source) {
    static const QRegularExpression include("^#include \"(.*\\.cuh)\"$", QRegularExpression::MultilineOption);
    QStringList files{source};
    QByteArray all;
    for (qsizetype i = 0; i < files.size(); ++i) {
        const QByteArray text = contents(kernels.filePath(files[i]));
        all += text;
        for (auto match = include.globalMatch(QString::fromUtf8(text)); match.hasNext();)
            if (const QString header = match.next().captured(1); !files.contains(header))
                files += header;
    }
    return all;
}

} // namespace

class KernelResourcesTest : public QObject {
    Q_OBJECT
  private slots:
    void ptxIsNotStale() { // run cmake/compile_kernels.sh when it is
        const QDir kernels(root + "gpu/kernels");
        const QStringList sources = kernels.entryList({"*.cu"}, QDir::Files, QDir::Name);
        QCOMPARE(static_cast<size_t>(sources.size()), gpu::kernelFamilies().size());
        for (const QString& source : sources) {
            const QByteArray digest =
                QCryptographicHash::hash(withHeaders(kernels, source), QCryptographicHash::Sha256).toHex();
            const std::string_view text = gpu::kernelText(source.chopped(3).toStdString());
            const QByteArray first = QByteArray(text.data(), static_cast<int>(text.find('\n')));
            QVERIFY2(
                first.endsWith(digest),
                qPrintable(source + " has changed since resources/ptx was compiled: run cmake/compile_kernels.sh"));
        }
    }

    void everyFamilyHasMachineCodeOfTheArchitecturesItRunsOn() {
        for (const std::string_view family : gpu::kernelFamilies()) {
            const std::string_view code = gpu::kernelMachineCode(family);
            QVERIFY(code.starts_with(std::string_view("\x50\xed\x55\xba", 4))); // a fat binary's first word
            // Each image has a header that names its architecture, 64 bytes and more apart; the first follows at 16.
            std::set<int> architectures;
            for (size_t at = 16; at + 32 <= code.size();) {
                uint32_t header = 0, architecture = 0;
                uint64_t size = 0;
                std::memcpy(&header, code.data() + at + 4, 4);
                std::memcpy(&size, code.data() + at + 8, 8);
                std::memcpy(&architecture, code.data() + at + 28, 4);
                architectures.insert(static_cast<int>(architecture));
                at += header + size;
            }
            std::set<int> expected{80, 86, 89, 90, 100, 120};
            expected.erase(expected.begin(), expected.lower_bound(gpu::architectureOf(family)));
            QCOMPARE(architectures, expected);
        }
    }

    void onlyWhatNeedsNewerGpusIsCompiledForThem() {
        std::set<std::string> newer;
        for (const std::string_view family : gpu::kernelFamilies())
            if (gpu::architectureOf(family) != gpu::oldestGpu)
                newer.insert(std::string(family) + ": " + std::to_string(gpu::architectureOf(family)));
        QCOMPARE(newer, (std::set<std::string>{"attention_f8: 89", "cast_f8: 89", "matmul_f8: 89"}));
        QCOMPARE(gpu::whyNotOn(80, 89, "an A100"), "it needs compute capability 8.9 or later, and an A100 has 8.0");
        QCOMPARE(gpu::whyNotOn(120, 89, "it"), "");
        QCOMPARE(gpu::whyNotOn({}, 89, "it"), "");
    }

    void everyKernelDecodes() {
        const auto device = vgpu::makeVirtualDevice();
        gpu::KernelLibrary library(*device);
        for (const std::string_view family : gpu::kernelFamilies())
            for (const std::string& kernel : device->load(std::string(gpu::kernelText(family)), "test")->kernels())
                library.kernel(std::string(family), kernel);
    }

    void productsCastsAndStepsDoNotSpill() {
        int checked = 0;
        for (const QByteArray& line : contents(root + "resources/ptx/resources.txt").split('\n')) {
            const QList<QByteArray> words = line.split(' ');
            if (words.size() != 6 ||
                !(words[0].startsWith("matmul") || words[0].startsWith("cast") || words[0] == "adamw"))
                continue;
            QVERIFY2(words[5].toInt() == 0, line.constData());
            QVERIFY2(words[3].toInt() <= 128, line.constData()); // four blocks of 128 threads a multiprocessor
            ++checked;
        }
        QCOMPARE(checked, 6 * (3 + 4 + 3 + 3) + 4 * (2 + 6)); // architectures × kernels, and those of 8 bits
    }

    void tensorCoreKernelDoesNotSpill() { // headDim 64 and 128, on every architecture
        int checked = 0;
        for (const QByteArray& line : contents(root + "resources/ptx/resources.txt").split('\n')) {
            const QList<QByteArray> words = line.split(' ');
            if (words.size() != 6 ||
                !(words[2].startsWith("flash2_mma") || words[2].startsWith("attention_e4m3_d") ||
                  words[2].startsWith("attention_tf32_d")) ||
                !(words[2].endsWith("_d64") || words[2].endsWith("_d128")))
                continue;
            QCOMPARE(words[5].toInt(), 0);
            // Two blocks of 128 threads share 65,536 registers; three at headDim 64.
            QVERIFY(words[3].toInt() <= (words[2].endsWith("_d64") ? 168 : 255));
            ++checked;
        }
        QCOMPARE(checked, 6 * 2 * 3 + 4 * 2); // architectures × head dimensions × formats, and 8 bits
    }

    void linearAttentionOnTensorCoresDoesNotSpill() {
        int checked = 0;
        for (const QByteArray& line : contents(root + "resources/ptx/resources.txt").split('\n')) {
            const QList<QByteArray> words = line.split(' ');
            if (words.size() != 6 || words[0] != "linear_attention_mma")
                continue;
            QVERIFY2(words[5].toInt() == 0, line.constData());
            QVERIFY2(words[3].toInt() <= (words[2].endsWith("_c128") ? 255 : 168), line.constData());
            ++checked;
        }
        QCOMPARE(checked, 6 * 3 * 2); // architectures × kernels × formats
    }

    void ssdAndRecurrencesDoNotSpill() {
        int checked = 0;
        for (const QByteArray& line : contents(root + "resources/ptx/resources.txt").split('\n')) {
            const QList<QByteArray> words = line.split(' ');
            if (words.size() != 6 || !(words[0].startsWith("ssd") || words[0] == "recurrences"))
                continue;
            QVERIFY2(words[5].toInt() == 0, line.constData());
            // Three blocks of 128 threads a multiprocessor, two of the outputs in chunks of 128 on tensor cores.
            const bool large = words[0] == "ssd_mma" && words[2].endsWith("_c128");
            QVERIFY2(words[3].toInt() <= (large ? 255 : 168), line.constData());
            ++checked;
        }
        QCOMPARE(checked,
                 6 * (1 + 4 + 5 + 2 * 3 + 4 + 5)); // architectures × kernels, of dimensions, chunks and formats
    }

    void lowRankAttentionGatedUnitsAndScansDoNotSpill() {
        int checked = 0;
        for (const QByteArray& line : contents(root + "resources/ptx/resources.txt").split('\n')) {
            const QList<QByteArray> words = line.split(' ');
            if (words.size() != 6 || (words[0] != "low_rank" && words[0] != "selective_scan" &&
                                      words[0] != "causal_conv" && !words[0].startsWith("gau")))
                continue;
            QVERIFY2(words[5].toInt() == 0, line.constData());
            QVERIFY2(words[3].toInt() <= 128, line.constData()); // two blocks of 256 threads a multiprocessor
            ++checked;
        }
        // architectures × kernels, of head dimensions and of functions, and of the selective scan with its convolution
        QCOMPARE(checked, 6 * (5 + 2 * 4 + 5 + 4 + 5 + 1));
    }

    void gradientsOfTheSelectiveScanDoNotSpill() {
        int checked = 0;
        for (const QByteArray& line : contents(root + "resources/ptx/resources.txt").split('\n')) {
            const QList<QByteArray> words = line.split(' ');
            if (words.size() != 6 || words[0] != "selective_scan_backward")
                continue;
            QVERIFY2(words[5].toInt() == 0, line.constData());
            // Three blocks of 128 threads a multiprocessor; one warp as many as it likes.
            QVERIFY2(words[3].toInt() <= (words[2].endsWith("_short") ? 255 : 168), line.constData());
            ++checked;
        }
        QCOMPARE(checked, 6 * 3); // architectures × kernels
    }

    void stateSpacesDoNotSpill() {
        int checked = 0;
        for (const QByteArray& line : contents(root + "resources/ptx/resources.txt").split('\n')) {
            const QList<QByteArray> words = line.split(' ');
            if (words.size() != 6 ||
                (words[0] != "s4" && words[0] != "hippo" && words[0] != "scan" && !words[0].startsWith("scan_")))
                continue;
            QVERIFY2(words[5].toInt() == 0, line.constData());
            // Eight blocks of 128 threads a multiprocessor, four where a lane holds eight states or a thread eight
            // sums.
            const bool large = words[2] == "hippo_linear_8" || words[2] == "hippo_dense";
            QVERIFY2(words[3].toInt() <= (large ? 128 : 64), line.constData());
            ++checked;
        }
        // architectures × kernels of S4, of linear scans, complex and backward, and of HiPPO
        QCOMPARE(checked, 6 * (11 + 9 + 8 + 4 + 5));
    }
};

QTEST_GUILESS_MAIN(KernelResourcesTest)
#include "kernel_resources_test.moc"
