// SPDX-License-Identifier: GPL-3.0-or-later
// Signals from WAV files, tables and tensors, and the sentences about those that are none.
#include "core/formats/signal_file.h"

#include "core/error.h"

#include <QFile>
#include <QTemporaryDir>
#include <QTest>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

using namespace warplight;
using formats::Signal;

namespace {

std::string little(uint32_t x, int bytes) {
    std::string text;
    for (int i = 0; i < bytes; ++i)
        text += static_cast<char>(x >> (8 * i));
    return text;
}

std::string chunk(const char* id, const std::string& content) {
    return id + little(static_cast<uint32_t>(content.size()), 4) + content +
           (content.size() % 2 ? std::string(1, 0) : "");
}

std::string formatOf(uint32_t coding, uint32_t channels, uint32_t bits, uint32_t rate = 8000) {
    const uint32_t frame = channels * bits / 8;
    return little(coding, 2) + little(channels, 2) + little(rate, 4) + little(rate * frame, 4) + little(frame, 2) +
           little(bits, 2);
}

std::string wav(const std::string& format, const std::string& data, const std::string& between = "") {
    const std::string rest = "WAVE" + chunk("fmt ", format) + between + chunk("data", data);
    return "RIFF" + little(static_cast<uint32_t>(rest.size()), 4) + rest;
}

Signal readWav(const std::string& bytes) { return formats::readWav(std::as_bytes(std::span(bytes)), "x.wav"); }

/// The sentence with which it is refused; empty when it is read.
template <class Read>
std::string complaint(const Read& read) {
    try {
        read();
    } catch (const InputError& error) {
        return error.what();
    }
    return {};
}

std::string tableComplaint(const std::string& text, const std::string& column = "") {
    return complaint([&] { formats::readSignalTable(text, "x.csv", column); });
}

std::string ofFloats(const std::vector<float>& x) {
    std::string bytes(x.size() * 4, 0);
    std::memcpy(bytes.data(), x.data(), bytes.size());
    return bytes;
}

} // namespace

class SignalFileTest : public QObject {
    Q_OBJECT
  private slots:
    void wavOfEveryWidth_data() {
        QTest::addColumn<QByteArray>("file");
        const auto row = [](const char* name, const std::string& bytes) {
            QTest::addRow("%s", name) << QByteArray::fromStdString(bytes);
        };
        // -1, 0, 0.5 and nearly 1 in each.
        row("8 bits", wav(formatOf(1, 1, 8), std::string("\x00\x80\xC0\xFF", 4)));
        row("16 bits", wav(formatOf(1, 1, 16), std::string("\x00\x80\x00\x00\x00\x40\x00\x7F", 8)));
        row("24 bits", wav(formatOf(1, 1, 24), std::string("\x00\x00\x80\x00\x00\x00\x00\x00\x40\x00\x00\x7F", 12)));
        row("32 bits", wav(formatOf(1, 1, 32),
                           std::string("\x00\x00\x00\x80\x00\x00\x00\x00\x00\x00\x00\x40\x00\x00\x00\x7F", 16)));
        row("f32", wav(formatOf(3, 1, 32), ofFloats({-1, 0, 0.5f, 0.992f})));
        row("extensible", wav(formatOf(0xFFFE, 1, 16) + little(22, 2) + little(16, 2) + little(4, 4) + little(1, 2) +
                                  std::string(14, 'x'),
                              std::string("\x00\x80\x00\x00\x00\x40\x00\x7F", 8)));
        row("a chunk of odd size between",
            wav(formatOf(1, 1, 8), std::string("\x00\x80\xC0\xFF", 4), chunk("LIST", "odd")));
        row("two channels", wav(formatOf(3, 2, 32), ofFloats({-2, 0, 1, -1, 0.75f, 0.25f, 0.992f, 0.992f})));
        std::string streamed = wav(formatOf(1, 1, 8), std::string("\x00\x80\xC0\xFF", 4));
        streamed.replace(streamed.size() - 8, 4, little(0xFFFFFFFF, 4));
        row("of unknown length", streamed);
    }
    void wavOfEveryWidth() {
        QFETCH(QByteArray, file);
        const Signal signal = readWav(file.toStdString());
        QCOMPARE(signal.rate.value(), 8000.0);
        QCOMPARE(signal.samples.size(), size_t{4});
        const float want[] = {-1, 0, 0.5f, 0.992f};
        for (size_t i = 0; i < 4; ++i)
            QVERIFY2(std::abs(signal.samples[i] - want[i]) < 2e-3f,
                     qPrintable(QString("%1: %2").arg(i).arg(static_cast<double>(signal.samples[i]))));
    }

    void wrongWavsAreRefused_data() {
        QTest::addColumn<QByteArray>("file");
        QTest::addColumn<QString>("says");
        const auto row = [](const char* name, const std::string& bytes, const char* says) {
            QTest::addRow("%s", name) << QByteArray::fromStdString(bytes) << says;
        };
        const std::string good = wav(formatOf(1, 1, 16), std::string(8, 0));
        row("empty", "", "does not begin as RIFF WAVE");
        row("other", "RIFX    WAVE", "does not begin as RIFF WAVE");
        row("cut off", good.substr(0, good.size() - 3), "chunk 'data' has 8 bytes, expected at most the 5");
        row("no samples", wav(formatOf(1, 1, 16), ""), "no samples");
        row("half a sample", wav(formatOf(1, 1, 16), "x"), "no samples");
        row("no format", "RIFF    WAVE" + chunk("data", "1234"), "no chunk 'fmt '");
        row("no data", "RIFF    WAVE" + chunk("fmt ", formatOf(1, 1, 16)), "no chunk 'data'");
        row("short format", wav("abc", "1234"), "chunk 'fmt ' has 3 bytes");
        row("short extensible", wav(formatOf(0xFFFE, 1, 16), "1234"), "expected at least 26");
        row("compressed", wav(formatOf(2, 1, 16), "1234"), "format 2 of 16 bits");
        row("12 bits", wav(formatOf(1, 1, 12), "1234"), "format 1 of 12 bits");
        row("f64", wav(formatOf(3, 1, 64), "12345678"), "format 3 of 64 bits");
        row("no channels", wav(formatOf(1, 0, 16), "1234"), "0 channels");
        row("no rate", wav(formatOf(1, 1, 16, 0), "1234"), "a rate of 0");
        std::string frames = formatOf(1, 2, 16);
        frames[12] = 3;
        row("frames", wav(frames, "1234"), "frames of 3 bytes, expected 4");
        row("chunk beyond the file", "RIFF    WAVE" + std::string("LIST") + little(0xFFFFFFF0, 4) + "abc",
            "expected at most the 3");
    }
    void wrongWavsAreRefused() {
        QFETCH(QByteArray, file);
        QFETCH(QString, says);
        const std::string said = complaint([&] { readWav(file.toStdString()); });
        QVERIFY2(said.starts_with("x.wav: ") && QString::fromStdString(said).contains(says), said.c_str());
    }

    void tables_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<QString>("column");
        const auto row = [](const char* name, const char* text, const char* column = "") {
            QTest::addRow("%s", name) << QByteArray(text) << column;
        };
        row("one column", "1\n-2.5\n3e2\n");
        row("a name above", "value\n1\n-2.5\n3e2");
        row("commas", "time,x\n1,0\n-2.5,0\n3e2,0\n", "");
        row("by name", "time,x\n0,1\n1,-2.5\n2,3e2\n", "x");
        row("by quoted name", "\"a, b\",\"x\"\n0,1\n0,-2.5\n0,3e2\n", "x");
        row("words first", "day,x\nMo,1\nTu,-2.5\nWe,3e2\n");
        row("semicolons and decimal commas", "x;y\n1;0\n-2,5;0\n300,0;0\n");
        row("tabs", "1\t7\n-2.5\t7\n300\t7\n");
        row("Windows, a mark, blank lines and remarks",
            "\xEF\xBB\xBF# made today\r\nx\r\n\r\n1\r\n# half\r\n-2.5\r\n+300\r\n");
    }
    void tables() {
        QFETCH(QByteArray, text);
        QFETCH(QString, column);
        const Signal signal = formats::readSignalTable(text.toStdString(), "x.csv", column.toStdString());
        QCOMPARE(signal.samples, (std::vector<float>{1, -2.5f, 300}));
        QVERIFY(!signal.rate);
    }

    void wrongTablesAreRefused() {
        QVERIFY(tableComplaint("").find("no samples") != std::string::npos);
        QVERIFY(tableComplaint("\n# only this\n").find("no samples") != std::string::npos);
        QVERIFY(tableComplaint("x\n").find("no samples below its first line") != std::string::npos);
        QCOMPARE(tableComplaint("x\n1\ntwo\n"), std::string("x.csv: line 3, column 1: 'two', expected a number"));
        QCOMPARE(tableComplaint("a,x\n1,1\n2\n", "x"), std::string("x.csv: line 3, column 2: '', expected a number"));
        QVERIFY(tableComplaint("a,b\nc,d\n").find("line 2: 'c,d' holds no number") != std::string::npos);
        QVERIFY(tableComplaint("a,b\n1,2\n", "c").find("no column 'c' in its first line, expected one of a, b") !=
                std::string::npos);
    }

    void filesByTheirEnding() {
        QTemporaryDir folder;
        const auto write = [&](const char* name, const std::string& bytes) {
            QFile file(folder.filePath(name));
            const bool isOpen = file.open(QIODevice::WriteOnly);
            file.write(bytes.data(), static_cast<qint64>(bytes.size()));
            return isOpen ? folder.filePath(name).toStdString() : std::string();
        };
        QCOMPARE(formats::readSignal(write("a.CSV", "x\n1\n2\n")).samples, (std::vector<float>{1, 2}));
        QCOMPARE(formats::readSignal(write("a.wav", wav(formatOf(3, 1, 32), ofFloats({3, 4})))).samples,
                 (std::vector<float>{3, 4}));
        const std::string oracle = WARPLIGHT_TEST_DATA "/oracles/ssm/hippo_4.npz:";
        QCOMPARE(formats::readSignal(oracle + "u").samples.size(), size_t{64});
        QVERIFY(complaint([&] { formats::readSignal(oracle + "A"); }).find("shape [4, 4], expected a signal") !=
                std::string::npos);
        QVERIFY(complaint([&] { formats::readSignal(oracle + "u", "x"); }).find("to take the column 'x' from") !=
                std::string::npos);
        QVERIFY(!complaint([] { formats::readSignal("/nowhere.wav"); }).empty());
    }
};

QTEST_GUILESS_MAIN(SignalFileTest)
#include "signal_file_test.moc"
