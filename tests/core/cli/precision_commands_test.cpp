// SPDX-License-Identifier: GPL-3.0-or-later
// `number` and `compute round`, as programs are called.
#include "core/formats/npy.h"
#include "core/formats/tensor_file.h"

#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QProcess>
#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

using namespace warplight;

namespace {

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

QJsonObject formatOf(const Outcome& outcome, const char* id) {
    for (const QJsonValue& format : outcome.json()["formats"].toArray())
        if (format["format"] == id)
            return format.toObject();
    return {};
}

} // namespace

class PrecisionCommandsTest : public QObject {
    Q_OBJECT
    QTemporaryDir folder;
    QString at(const char* name) const { return folder.filePath(name); }

  private slots:
    void aNumberInEveryFormat() {
        const Outcome outcome = call({"number", "0.1", "--format", "json"});
        QCOMPARE(outcome.exitCode, 0);
        QCOMPARE(outcome.json()["formats"].toArray().size(), 10);
        const QJsonObject f16 = formatOf(outcome, "f16");
        QCOMPARE(f16["stored"].toDouble(), 0.0999755859375); // precision.md
        QCOMPARE(f16["code"].toString(), "0x2e66");
        QCOMPARE(f16["bits"].toString(), "0 01011 1001100110");
        QCOMPARE(f16["below"].toDouble(), 0.09991455078125);
        QCOMPARE(f16["above"].toDouble(), 0.10003662109375);
        QCOMPARE(f16["spacing"].toDouble(), 0x1p-14);
        QCOMPARE(f16["state"].toString(), "rounded");
        QCOMPARE(formatOf(outcome, "f32")["stored"].toDouble(), static_cast<double>(0.1f));
        QCOMPARE(formatOf(outcome, "e2m1")["state"].toString(), "flushed to 0");
    }

    void roundingAndSaturationAreChosen() {
        QCOMPARE(formatOf(call({"number", "65520", "--format", "json"}), "f16")["stored"].toString(), "inf");
        QCOMPARE(formatOf(call({"number", "65520", "--saturate", "--format", "json"}), "f16")["stored"].toDouble(),
                 65504.0);
        QCOMPARE(formatOf(call({"number", "2049", "--rounding", "up", "--format", "json"}), "f16")["stored"].toDouble(),
                 2050.0);
        QCOMPARE(formatOf(call({"number", "0x1p-24", "--format", "json"}), "f16")["code"].toString(), "0x0001");
        QCOMPARE(formatOf(call({"number", "--format", "json", "--", "-inf"}), "e4m3")["stored"].toString(), "nan");
    }

    void whatIsNoNumberIsOneSentence_data() {
        QTest::addColumn<QString>("value");
        for (const char* value : {"", "abc", "0.1x", "1e999", "--", "0x", "1,5"})
            QTest::newRow(value) << value;
    }
    void whatIsNoNumberIsOneSentence() {
        QFETCH(QString, value);
        const Outcome outcome = call({"number", "--", value});
        QCOMPARE(outcome.exitCode, 2);
        QCOMPARE(outcome.err.count('\n'), 1);
    }

    void aTensorIsRounded() {
        formats::saveTensors(
            {{at("x.npy").toStdString(), {"x", {{2, 3}, {1, 0.1f, 65520, 0x1p-26f, -2049, 0}}, number::Format::F32}}});
        const Outcome outcome =
            call({"compute", "round", "--in", at("x.npy"), "--to", "f16", "-o", at("y.npy"), "--format", "json"});
        QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
        const QJsonObject told = outcome.json();
        QCOMPARE(told["values"].toInt(), 6);
        QCOMPARE(told["overflowed"].toInt(), 1);
        QCOMPARE(told["flushed"].toInt(), 1);
        QCOMPARE(told["exact"].toInt(), 2);
        const tensor::Tensor y = formats::loadTensor(at("y.npy").toStdString());
        QVERIFY(y.shape == (std::vector<int64_t>{2, 3}));
        QVERIFY(y.values == (std::vector<float>{1, 0.0999755859375f, INFINITY, 0, -2048, 0}));
        QVERIFY(call({"compute", "round", "--in", at("x.npy"), "--to", "f16", "-o", at("z.npy")})
                    .out.contains("overflowed"));
    }

    void badOrdersWriteNothing_data() {
        QTest::addColumn<QStringList>("more");
        QTest::newRow("format") << QStringList{"--to", "f17"};
        QTest::newRow("rounding") << QStringList{"--to", "f16", "--rounding", "sideways"};
        QTest::newRow("scale") << QStringList{"--to", "f16", "--scale", "0"};
        QTest::newRow("no format") << QStringList{};
    }
    void badOrdersWriteNothing() {
        QFETCH(QStringList, more);
        formats::saveTensors({{at("x.npy").toStdString(), {"x", {{1}, {1}}, number::Format::F32}}});
        const Outcome outcome = call(QStringList{"compute", "round", "--in", at("x.npy"), "-o", at("bad.npy")} + more);
        QCOMPARE(outcome.exitCode, 2);
        QCOMPARE(outcome.err.count('\n'), 1);
        QVERIFY(!QFile::exists(at("bad.npy")));
    }

    void everyTensorOfAFileIsInspected_data() {
        QTest::addColumn<QString>("file");
        for (const char* file : {"two.npz", "two.safetensors"})
            QTest::newRow(file) << file;
    }
    void everyTensorOfAFileIsInspected() {
        QFETCH(QString, file);
        const std::string path = at(file.toUtf8().constData()).toStdString();
        // More than a piece of the file, so that pieces have to be joined.
        std::vector<float> many(3'000'001, 0x1p-30f);
        many[1'500'000] = 70000;
        formats::saveTensors({{path + ":a", {"a", {{2, 2}, {1, -2, 0, 0x1p-9f}}, number::Format::F32}},
                              {path + ":b", {"b", {{3'000'001}, many}, number::Format::F32}}});
        const Outcome outcome = call({"inspect-tensor", QString::fromStdString(path), "--format", "json"});
        QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
        const QJsonArray all = QJsonDocument::fromJson(outcome.out).array();
        QCOMPARE(all.size(), 2);
        QJsonObject a = all[0].toObject(), b = all[1].toObject();
        if (a["name"] == "b")
            std::swap(a, b);
        QCOMPARE(a["min"].toDouble(), -2.0);
        QCOMPARE(a["zeros"].toInt(), 1);
        QCOMPARE(a["exponent"].toObject()["p50"].toInt(), 0);
        QCOMPARE(b["values"].toInt(), 3'000'001);
        QCOMPARE(b["formats"].toObject()["f16"].toObject()["flushed"].toInt(), 3'000'000);
        QCOMPARE(b["formats"].toObject()["f16"].toObject()["overflowed"].toInt(), 1);
        QCOMPARE(b["formats"].toObject()["bf16"].toObject()["flushed"].toInt(), 0);
        QCOMPARE(b["formats"].toObject()["f16"].toObject()["best_scale_log2"].toInt(), -1);
        const Outcome csv = call({"inspect-tensor", QString::fromStdString(path) + ":a", "--format", "csv"});
        QCOMPARE(csv.out.count('\n'), 2);
        QVERIFY(csv.out.startsWith("name,dtype,shape,values,"));
    }

    /// A causal mask as NumPy makes it, filled with np.finfo(np.float64).min, which f32 cannot hold.
    void doublesAreNotRoundedBeforeTheyAreCounted() {
        const double least = -1.7976931348623157e308;
        std::vector<double> mask(16);
        for (size_t row = 0; row < 4; ++row)
            std::fill(mask.begin() + static_cast<std::ptrdiff_t>(5 * row + 1),
                      mask.begin() + static_cast<std::ptrdiff_t>(4 * row + 4), least);
        const auto bytes = std::as_bytes(std::span(mask));
        formats::writeRawNpy(at("mask.npy").toStdString(), {number::Format::F64, {4, 4}, {bytes.begin(), bytes.end()}});
        const QJsonObject m = QJsonDocument::fromJson(call({"inspect-tensor", at("mask.npy"), "--format", "json"}).out)
                                  .array()[0]
                                  .toObject();
        QCOMPARE(m["zeros"].toInt(), 10);
        QCOMPARE(m["inf"].toInt(-1), 0);
        QCOMPARE(m["min"].toDouble(), least);
        QCOMPARE(m["absmax"].toDouble(), -least);
        QCOMPARE(m["exponent"].toObject()["p50"].toInt(), 1023);
        for (const char* format : {"f16", "bf16", "e4m3", "e5m2"})
            QCOMPARE(m["formats"].toObject()[format].toObject()["overflowed"].toInt(), 6);
        const Outcome csv = call({"inspect-tensor", at("mask.npy"), "--format", "csv"});
        QVERIFY2(csv.out.contains(",16,10,0,0,-1.7976931348623157e+308,0,1.7976931348623157e+308,"),
                 csv.out.constData());
        const Outcome text = call({"inspect-tensor", at("mask.npy")});
        QVERIFY2(text.out.contains("16 values, 10 zero, 0 NaN, 0 infinite\n  from -1.79769e+308 to 0;") &&
                     text.out.contains("f16   flushes 0 %, overflows 37.5 %"),
                 text.out.constData());
    }

    void whatIsNotReadIsNamedBesideTheTensors() {
        const QString file = WARPLIGHT_TEST_DATA "/data/formats/with_str.npz"; // np.savez(q=q, k=k, v=v, name='bert')
        const Outcome text = call({"inspect-tensor", file});
        QCOMPARE(text.exitCode, 0);
        QVERIFY2(text.out.endsWith("\nnot read: name (text)\n"), text.out.constData());
        QVERIFY(text.err.isEmpty());
        const QJsonArray all = QJsonDocument::fromJson(call({"inspect-tensor", file, "--format", "json"}).out).array();
        QCOMPARE(all.size(), 4);
        QCOMPARE(all[3].toObject(), (QJsonObject{{"name", "name"}, {"not_read", "text"}}));
        const Outcome csv = call({"inspect-tensor", file, "--format", "csv"});
        QCOMPARE(csv.out.count('\n'), 4); // the head and the tensors
        QCOMPARE(csv.err, QByteArray("warplight-cli: not read: name (text)\n"));
        QVERIFY(!call({"inspect-tensor", file + ":q"}).out.contains("not read")); // nobody asked for more
    }

    void whatBecomesInfiniteInF32IsTold() {
        const auto err = [&](const char* name, const std::vector<double>& numbers) {
            const auto bytes = std::as_bytes(std::span(numbers));
            const QString file = at(name);
            formats::writeRawNpy(
                file.toStdString(),
                {number::Format::F64, {1, static_cast<int64_t>(numbers.size())}, {bytes.begin(), bytes.end()}});
            const QByteArray rounding =
                call({"compute", "round", "--in", file, "--to", "bf16", "-o", at("out.npy")}).err;
            if (call({"compute", "softmax", "--x", file, "-o", at("out.npy")}).err != rounding)
                return QByteArray("two commands say two things");
            return rounding.isEmpty() ? rounding : rounding.sliced(rounding.indexOf(name));
        };
        QCOMPARE(err("beyond.npy", {1e300, 2, -1e39, std::numeric_limits<double>::infinity()}),
                 QByteArray("beyond.npy: finite but beyond f32, and infinite from here on: 2 of 4 numbers\n"));
        QCOMPARE(err("within.npy", {3e38, 2, 1, 0}), QByteArray());
        QCOMPARE(err("infinite.npy", {-std::numeric_limits<double>::infinity(), 2, 1, 0}), QByteArray());
    }

    void whatCannotBeInspectedIsOneSentence() {
        QFile file(at("cut.safetensors"));
        QVERIFY(file.open(QIODevice::WriteOnly));
        file.write(QByteArray("\x10\0\0\0\0\0\0\0{\"a\":", 13));
        file.close();
        const QString noTensor = WARPLIGHT_TEST_DATA "/data/formats/bad_fp8.safetensors";
        QVERIFY(call({"inspect-tensor", noTensor})
                    .err.endsWith("holds no tensor of numbers that can be read: x (F8_E8M0)\n"));
        for (const QString& path : {at("cut.safetensors"), at("nothing.npy"), QString("notes.txt"), noTensor}) {
            const Outcome outcome = call({"inspect-tensor", path});
            QCOMPARE(outcome.exitCode, 2);
            QCOMPARE(outcome.err.count('\n'), 1);
        }
    }
};

QTEST_GUILESS_MAIN(PrecisionCommandsTest)
#include "precision_commands_test.moc"
