// SPDX-License-Identifier: GPL-3.0-or-later
// Files written by NumPy, ml_dtypes and the safetensors library (tests/data/formats/make_files.py), whole and damaged.
#include "core/error.h"
#include "core/formats/npy.h"
#include "core/formats/npz.h"
#include "core/formats/safetensors.h"
#include "core/formats/tensor_file.h"

#include <QDir>
#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <sys/stat.h>
#include <variant>
#include <vector>

#include <cmath>
#include <set>

using namespace warplight;
using namespace warplight::formats;

namespace {

const QString data = WARPLIGHT_TEST_DATA "/data/formats/";

std::string path(const QString& name) { return (data + name).toStdString(); }

QByteArray bytesOf(const QString& file) {
    QFile in(file);
    return in.open(QIODevice::ReadOnly) ? in.readAll() : QByteArray();
}

std::span<const std::byte> span(const QByteArray& bytes) {
    return std::as_bytes(std::span(bytes.constData(), static_cast<size_t>(bytes.size())));
}

} // namespace

class TensorFileTest : public QObject {
    Q_OBJECT
  private slots:
    /// Opening one would wait for somebody who writes.
    void aPipeIsRefusedAndNotWaitedFor() {
        const QTemporaryDir place;
        for (const char* name : {"p.npy", "p.npz", "p.safetensors", "p.safetensors.index.json"}) {
            const std::string pipe = place.filePath(name).toStdString();
            QCOMPARE(mkfifo(pipe.c_str(), 0600), 0);
            for (const bool lists : {true, false})
                try {
                    lists ? void(listTensors(pipe)) : void(loadTensor(pipe));
                    QFAIL(name);
                } catch (const InputError& error) {
                    QVERIFY2(QByteArray(error.what()).contains("is a pipe"), error.what());
                }
        }
    }

    void everyTypeAndOrderReadsTheSame_data() {
        QTest::addColumn<QString>("spec");
        for (const QString& file : QDir(data).entryList({"*.npy"}))
            if (!file.startsWith("bad_") && file != "scalar.npy" && file != "empty.npy" && file != "special.npy")
                QTest::newRow(qPrintable(file)) << file;
        for (const char* spec : {"stored.npz:x", "stored.npz:layer.0/k", "deflated.npz", "deflated.npz:x",
                                 "several.safetensors:x", "several.safetensors:half", "several.safetensors:bf16",
                                 "one.safetensors", "fp8.safetensors:e4m3_one", "fp8.safetensors:e5m2_one"})
            QTest::newRow(spec) << spec;
    }
    void everyTypeAndOrderReadsTheSame() {
        QFETCH(QString, spec);
        const tensor::Tensor tensor = loadTensor(path(spec));
        QCOMPARE(tensor.shape, (std::vector<int64_t>{2, 3}));
        QCOMPARE(tensor.values, (std::vector<float>{0, 1, 2, 3, 4, 5}));
    }

    void scalarsEmptiesAndSpecialNumbers() {
        for (const char* spec : {"scalar.npy", "several.safetensors:scalar"}) {
            QVERIFY(loadTensor(path(spec)).shape.empty());
            QCOMPARE(loadTensor(path(spec)).values, std::vector<float>{7});
        }
        for (const char* spec : {"empty.npy", "several.safetensors:empty"})
            QCOMPARE(loadTensor(path(spec)).shape, (std::vector<int64_t>{0, 3}));
        const auto special = loadTensor(path("special.npy")).values;
        QVERIFY(std::isnan(special[0]) && special[1] == INFINITY && special[2] == -INFINITY &&
                std::signbit(special[3]));
    }

    void eightBitsAreReadAndWritten_data() {
        QTest::addColumn<QString>("name");
        QTest::addColumn<int>("format");
        QTest::newRow("e4m3") << "e4m3" << static_cast<int>(number::Format::E4M3);
        QTest::newRow("e5m2") << "e5m2" << static_cast<int>(number::Format::E5M2);
    }
    void eightBitsAreReadAndWritten() {
        QFETCH(QString, name);
        QFETCH(int, format);
        const auto dtype = static_cast<number::Format>(format);
        const std::string file = path("fp8.safetensors") + ":", own = file + name.toStdString();
        const auto same = [](const std::vector<float>& a, const std::vector<float>& b) {
            return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](float x, float y) {
                return std::isnan(x) ? std::isnan(y) : x == y && std::signbit(x) == std::signbit(y);
            });
        };
        QVERIFY(tensorEntry(own).dtype == dtype);
        const tensor::Tensor codes = loadTensor(own);
        QCOMPARE(codes.values.size(), size_t{256});
        QVERIFY(same(codes.values, loadTensor(own + "_numbers").values));
        QTemporaryDir folder;
        const std::string written = folder.filePath("y.safetensors").toStdString();
        saveTensors({{written + ":y", {"y", loadTensor(file + "wide"), dtype}}, {written + ":z", {"z", codes, dtype}}});
        QVERIFY(tensorEntry(written + ":y").dtype == dtype);
        QVERIFY(same(loadTensor(written + ":y").values, loadTensor(own + "_wide").values));
        QVERIFY(same(loadTensor(written + ":z").values, codes.values));
        for (const char* npy : {"y.npy", "y.npz"})
            try {
                saveTensors({{folder.filePath(npy).toStdString(), {"y", codes, dtype}}});
                QFAIL("was written");
            } catch (const InputError& error) {
                QVERIFY2(QString(error.what()).startsWith(name + " has no name in a .npy"), error.what());
            }
        QVERIFY(!QFile::exists(folder.filePath("y.npy")) && !QFile::exists(folder.filePath("y.npz")));
    }

    void whatCannotBeReadIsRefusedInASentence_data() {
        QTest::addColumn<QString>("spec");
        QTest::addColumn<QString>("names");
        QTest::newRow("pickle") << "bad_object.npy"
                                << "pickled";
        QTest::newRow("record") << "bad_record.npy"
                                << "record";
        QTest::newRow("complex") << "bad_complex.npy"
                                 << "c8";
        QTest::newRow("fp8") << "bad_fp8.safetensors"
                             << "is F8_E8M0, expected F16, BF16, F32, F64, F8_E4M3, F8_E5M2, BOOL";
        QTest::newRow("wrong key") << "stored.npz:q"
                                   << "layer.0/k";
        QTest::newRow("wrong name") << "several.safetensors:q"
                                    << "half";
        QTest::newRow("which of several") << "several.safetensors"
                                          << "half";
        QTest::newRow("absent") << "absent.npy"
                                << "absent.npy";
        QTest::newRow("other ending") << "make_files.py"
                                      << ".safetensors";
    }
    void whatCannotBeReadIsRefusedInASentence() {
        QFETCH(QString, spec);
        QFETCH(QString, names);
        try {
            loadTensor(path(spec));
            QFAIL("was read");
        } catch (const InputError& error) {
            QVERIFY2(QString(error.what()).contains(names), error.what());
        }
    }

    void numbersAreStreamedAsTheFileHasThem_data() {
        QTest::addColumn<QString>("spec");
        QTest::addColumn<bool>("wide");
        for (const char* file : {"f8.npy", "f8_big.npy", "fortran_big.npy", "i4.npy", "i8_big.npy", "one.safetensors"})
            QTest::newRow(file) << file << true;
        for (const char* spec : {"f4.npy", "f4_big.npy", "f2.npy", "bf16.npy", "u2.npy", "i1.npy", "deflated.npz",
                                 "several.safetensors:half", "fp8.safetensors:e4m3_one"})
            QTest::newRow(spec) << spec << false;
    }
    void numbersAreStreamedAsTheFileHasThem() {
        QFETCH(QString, spec);
        QFETCH(bool, wide);
        std::vector<double> all;
        streamExactly(path(spec), [&](const Numbers& numbers) {
            QCOMPARE(std::holds_alternative<std::span<const double>>(numbers), wide);
            std::visit([&](auto values) { all.insert(all.end(), values.begin(), values.end()); }, numbers);
        });
        if (spec.startsWith("fortran")) // as they lie
            QCOMPARE(all, (std::vector<double>{0, 3, 1, 4, 2, 5}));
        else
            QCOMPARE(all, (std::vector<double>{0, 1, 2, 3, 4, 5}));
    }

    void whatF32CannotHoldIsStreamedWhole() {
        QTemporaryDir folder;
        const auto streamed = [&](number::Format dtype, const auto& values) {
            const std::string file = folder.filePath("x.npy").toStdString();
            const auto bytes = std::as_bytes(std::span(values));
            writeRawNpy(file, {dtype, {static_cast<int64_t>(values.size())}, {bytes.begin(), bytes.end()}});
            std::vector<double> all;
            streamExactly(file, [&](const Numbers& numbers) {
                std::visit([&](auto piece) { all.insert(all.end(), piece.begin(), piece.end()); }, numbers);
            });
            return all;
        };
        const std::vector<double> doubles{-1.7976931348623157e308, 1e-310, 65519.9999999999, 0.1};
        QCOMPARE(streamed(number::Format::F64, doubles), doubles);
        const std::vector<int32_t> small{16777217, INT32_MIN};
        QCOMPARE(streamed(number::Format::I32, small), (std::vector<double>{16777217, -2147483648.0}));
        const std::vector<uint32_t> natural{UINT32_MAX};
        QCOMPARE(streamed(number::Format::U32, natural), std::vector<double>{4294967295.0});
        const std::vector<int64_t> large{9007199254740991, INT64_MIN};
        QCOMPARE(streamed(number::Format::I64, large), (std::vector<double>{9007199254740991.0, -0x1p63}));
        const std::vector<uint64_t> largest{9007199254740992};
        QCOMPARE(streamed(number::Format::U64, largest), std::vector<double>{0x1p53});
    }

    void membersThatNobodyAskedForDoNotMatter() { // texts, objects and complex numbers beside the tensors
        for (const char* file : {"with_str.npz", "with_meta.npz"})
            for (const char* name : {"q", "k", "v"}) {
                const std::string spec = path(file) + ":" + name;
                QCOMPARE(tensorEntry(spec).name, std::string(name));
                QVERIFY(tensorEntry(spec).shape == loadTensor(spec).shape);
            }
        QCOMPARE(listTensors(path("with_str.npz")).size(), size_t{3});
        QVERIFY_EXCEPTION_THROWN(loadTensor(path("with_str.npz") + ":name"), InputError);
    }

    void whatIsNotReadIsNamed_data() {
        QTest::addColumn<QString>("file");
        QTest::addColumn<int>("tensors");
        QTest::addColumn<QString>("others");
        QTest::newRow("arrays") << "with_meta.npz" << 3
                                << "meta (pickled objects), name (text), tags (text), ids (complex numbers)";
        QTest::newRow("other members") << "with_readme.npz" << 1
                                       << "__MACOSX/._x (damaged, or packed in a way that is not read), "
                                          "README.txt (not a .npy)";
        QTest::newRow("safetensors") << "bad_fp8.safetensors" << 0 << "x (F8_E8M0)";
        QTest::newRow("nothing") << "stored.npz" << 2 << "";
    }
    void whatIsNotReadIsNamed() {
        QFETCH(QString, file);
        QFETCH(int, tensors);
        QFETCH(QString, others);
        std::vector<NotRead> notRead;
        QCOMPARE(listTensors(path(file), &notRead).size(), static_cast<size_t>(tensors));
        QCOMPARE(QString::fromStdString(listed(notRead)), others);
        if (tensors > 0) {
            notRead.clear();
            QCOMPARE(tensorsOf(path(file), &notRead).size(), static_cast<size_t>(tensors));
            QCOMPARE(QString::fromStdString(listed(notRead)), others);
        }
    }

    void shardsSayWhatIsNotRead() {
        QTemporaryDir folder;
        QVERIFY(QFile::copy(data + "bad_fp8.safetensors", folder.filePath("one.safetensors")));
        QFile index(folder.filePath("m.safetensors.index.json"));
        QVERIFY(index.open(QIODevice::WriteOnly) && index.write(R"({"weight_map":{"x":"one.safetensors"}})") > 0);
        index.close();
        std::vector<NotRead> notRead;
        QVERIFY(listTensors(index.fileName().toStdString(), &notRead).empty());
        QCOMPARE(QString::fromStdString(listed(notRead)), QString("x (F8_E8M0)"));
    }

    /// All that NumPy stores. The text itself is damaged: whoever unpacked it would miss its checksum.
    void onlyHeadersOfOtherMembersAreRead() {
        const auto npy = [](const char* descr) {
            const std::string header =
                std::string("{'descr': ") + descr + ", 'fortran_order': False, 'shape': (1000000,)}\n";
            return std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) + '\0' + header;
        };
        QTemporaryDir folder;
        const std::string file = folder.filePath("all.npz").toStdString();
        writeNpz(file, {{"a", npy("'<U4'") + "a text that nobody asked for"},
                        {"b", npy("'|S7'")},
                        {"c", npy("'|O'")},
                        {"d", npy("'>c16'")},
                        {"e", npy("'<M8[D]'")},
                        {"f", npy("'<m8[ns]'")},
                        {"g", npy("'<f16'")},
                        {"h", npy("[('x', '<f4')]")},
                        {"i", npy("'|V16'")},
                        {"x", npyBytes({{1}, {7}}, number::Format::F32)}});
        QByteArray bytes = bytesOf(QString::fromStdString(file));
        bytes.replace("nobody", "NOBODY");
        QFile out(QString::fromStdString(file));
        QVERIFY(out.open(QIODevice::WriteOnly) && out.write(bytes) == bytes.size());
        out.close();
        QVERIFY_EXCEPTION_THROWN(readNpzMember(file, "a"), InputError);
        std::vector<NotRead> notRead;
        QCOMPARE(listTensors(file, &notRead).size(), size_t{1});
        QCOMPARE(QString::fromStdString(listed(notRead)),
                 QString("a (text), b (text), c (pickled objects), d (complex numbers), e (dates), f (time spans), g "
                         "(floats of 16 bytes), h (records), i (raw bytes, V16)"));
        QCOMPARE(QString::fromStdString(listed(notRead, 2)), QString("a (text), b (text) and 7 more"));
        QCOMPARE(loadTensor(file).values, std::vector<float>{7}); // the only one that can be meant
    }

    void aFileWithoutTensorsSaysWhatItHolds() {
        QTemporaryDir folder;
        const std::string npz = folder.filePath("texts.npz").toStdString();
        const std::string header = "{'descr': '<U1', 'fortran_order': False, 'shape': ()}\n";
        const std::string text = std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) +
                                 std::string(1, '\0') + header + std::string("a\0\0\0", 4);
        writeNpz(npz, {{"name", text}, {"title", text}});
        const auto sentenceOfAll = [](const std::string& spec, const char* says) {
            for (const auto& ask : std::vector<std::function<void()>>{
                     [&] { tensorsOf(spec); }, [&] { tensorEntry(spec); },
                     [&] { streamExactly(spec, [](const auto&) {}); }, [&] { loadTensor(spec); }})
                try {
                    ask();
                    QFAIL("was read");
                } catch (const InputError& error) {
                    QVERIFY2(QString(error.what()).contains(says), error.what());
                }
        };
        sentenceOfAll(npz, "holds no tensor of numbers that can be read: name (text), title (text)");
        sentenceOfAll(npz + ":title", "descr '<U1' (text) is not read");
        sentenceOfAll(path("bad_fp8.safetensors"), "F8_E8M0");
        sentenceOfAll(path("bad_fp8.safetensors") + ":x", "F8_E8M0");
    }

    void whatStandsUnderATensorsNameIsToldForWhatItIs_data() {
        QTest::addColumn<QByteArray>("bytes");
        QTest::addColumn<QString>("says");
        QTest::newRow("Git LFS") << QByteArray(
                                        "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 4980\n")
                                 << "a Git LFS pointer to 4980 bytes";
        QTest::newRow("HTML") << QByteArray("\n<!DOCTYPE html><html><head>") << "an HTML or XML page";
        QTest::newRow("JSON") << QByteArray("{\"error\":\"Repository not found\"}") << "Repository not found";
        QTest::newRow("text") << QByteArray("Entry not found") << "Entry not found";
        QTest::newRow("empty") << QByteArray() << "is empty";
        QTest::newRow("gzip") << QByteArray("\x1f\x8b\x08\x00", 4) << "packed with gzip";
    }
    void whatStandsUnderATensorsNameIsToldForWhatItIs() {
        QFETCH(QByteArray, bytes);
        QFETCH(QString, says);
        QTemporaryDir folder;
        for (const char* ending : {"npy", "npz", "safetensors"}) {
            const QString name = folder.filePath(QString("q.") + ending);
            QFile file(name);
            QVERIFY(file.open(QIODevice::WriteOnly) && file.write(bytes) == bytes.size());
            file.close();
            for (const bool list : {false, true})
                try {
                    list ? static_cast<void>(listTensors(name.toStdString()))
                         : static_cast<void>(loadTensor(name.toStdString() + ":q"));
                    QFAIL("was read");
                } catch (const InputError& error) {
                    const QString what = error.what();
                    QVERIFY2(what.startsWith(name + ": the file is ") && what.contains(says), error.what());
                    QVERIFY2(what.endsWith(QString("expected a .%1 file").arg(ending)), error.what());
                }
        }
    }

    void truncatedAtEveryByteIsRefused_data() {
        QTest::addColumn<QString>("file");
        for (const char* file :
             {"f4.npy", "fortran_big.npy", "version2.npy", "stored.npz", "deflated.npz", "several.safetensors"})
            QTest::newRow(file) << file;
    }
    void truncatedAtEveryByteIsRefused() {
        QFETCH(QString, file);
        const QByteArray whole = bytesOf(data + file);
        QTemporaryDir folder;
        const QString cut = folder.filePath(file);
        for (qsizetype length = 0; length < whole.size(); ++length) {
            QFile out(cut);
            QVERIFY(out.open(QIODevice::WriteOnly | QIODevice::Truncate));
            out.write(whole.first(length));
            out.close();
            QVERIFY_EXCEPTION_THROWN(
                loadTensor(cut.toStdString() + (file.contains("s.") || file.startsWith("stored") ? ":x" : "")),
                InputError);
        }
    }

    void flippedBitsNeverCrash() {
        for (const char* file : {"f4.npy", "version3.npy", "several.safetensors"}) {
            const QByteArray whole = bytesOf(data + file);
            int refused = 0;
            for (qsizetype at = 0; at < whole.size(); ++at)
                for (int bit = 0; bit < 8; ++bit) {
                    QByteArray damaged = whole;
                    damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
                    try {
                        if (QString(file).endsWith(".npy"))
                            readNpy(span(damaged), file);
                        else
                            readSafetensors(span(damaged), "x", file);
                    } catch (const InputError&) {
                        ++refused;
                    }
                }
            QVERIFY(refused > 0);
        }
    }

    void headersThatLieAboutSizesAreRefused() {
        const auto npy = [](const char* shape) {
            const QByteArray header = QByteArray("{'descr': '<f4', 'fortran_order': False, 'shape': ") + shape + "}\n";
            return QByteArray("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) + '\0' + header;
        };
        for (const char* shape : {"(4611686018427387904, 4)", "(9223372036854775807,)", "(1,)", "(-1,)", "(2.0,)",
                                  "(99999999999999999999,)"})
            QVERIFY_EXCEPTION_THROWN(readNpy(span(npy(shape)), "test"), InputError);
        QCOMPARE(readNpy(span(npy("(0,)")), "test").values.size(), size_t{0});
    }

    void safetensorsHeadersThatLieAreRefused_data() {
        QTest::addColumn<QByteArray>("header");
        QTest::newRow("hole") << QByteArray(
            R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[1],"data_offsets":[3,4]}})");
        QTest::newRow("overlap") << QByteArray(
            R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}})");
        QTest::newRow("too short") << QByteArray(R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}})");
        QTest::newRow("wrong size") << QByteArray(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,4]}})");
        QTest::newRow("half a byte") << QByteArray(R"({"a":{"dtype":"F4","shape":[9],"data_offsets":[0,4]}})");
        QTest::newRow("backwards") << QByteArray(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[4,0]}})");
        QTest::newRow("overflow") << QByteArray(
            R"({"a":{"dtype":"U8","shape":[9223372036854775807,4],"data_offsets":[0,4]}})");
        QTest::newRow("twice") << QByteArray(
            R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})");
        QTest::newRow("unknown type") << QByteArray(R"({"a":{"dtype":"Q8","shape":[4],"data_offsets":[0,4]}})");
        QTest::newRow("no object") << QByteArray("[1]");
    }
    void safetensorsHeadersThatLieAreRefused() {
        QFETCH(QByteArray, header);
        QByteArray file(8, '\0');
        file[0] = static_cast<char>(header.size());
        QVERIFY(header.size() < 256);
        file += header + "abcd";
        QVERIFY_EXCEPTION_THROWN(readSafetensors(span(file), "a", "test"), InputError);
    }

    void shardsOpenAsOneModel() {
        const std::string index = path("sharded.safetensors.index.json");
        std::set<std::string> names;
        for (const TensorEntry& entry : listTensors(index))
            names.insert(entry.name);
        QCOMPARE(names, (std::set<std::string>{"h.0.q", "h.0.k", "h.1.q"}));
        QCOMPARE(loadTensor(index + ":h.0.q").values, (std::vector<float>{0, 1, 2, 3, 4, 5}));
        QCOMPARE(loadTensor(index + ":h.1.q").values, (std::vector<float>{10, 11, 12, 13, 14, 15}));
        QVERIFY(tensorEntry(index + ":h.0.k").dtype == number::Format::BF16);
        QVERIFY_EXCEPTION_THROWN(loadTensor(index + ":absent"), InputError);
    }

    void shardIndexesThatLieAreRefused_data() {
        QTest::addColumn<QByteArray>("index");
        QTest::newRow("no json") << QByteArray("{");
        QTest::newRow("no map") << QByteArray("{}");
        QTest::newRow("list") << QByteArray(R"({"weight_map":[1]})");
        QTest::newRow("number") << QByteArray(R"({"weight_map":{"a":1}})");
        QTest::newRow("outside") << QByteArray(R"({"weight_map":{"a":"../several.safetensors"}})");
        QTest::newRow("root") << QByteArray(R"({"weight_map":{"a":"/etc/passwd"}})");
        QTest::newRow("folder") << QByteArray(R"({"weight_map":{"a":".."}})");
        QTest::newRow("absent") << QByteArray(R"({"weight_map":{"a":"absent.safetensors"}})");
    }
    void shardIndexesThatLieAreRefused() {
        QFETCH(QByteArray, index);
        QTemporaryDir folder;
        const QString file = folder.filePath("m.safetensors.index.json");
        QFile out(file);
        QVERIFY(out.open(QIODevice::WriteOnly));
        out.write(index);
        out.close();
        try {
            loadTensor(file.toStdString() + ":a");
            QFAIL("it was taken");
        } catch (const InputError& error) {
            QVERIFY2(QString(error.what()).contains(".safetensors"), error.what());
        }
    }

    void tensorsOfOneFileAreWrittenTogether() {
        QTemporaryDir folder;
        const tensor::Tensor o{{2}, {1, 2}}, lse{{1}, {3}};
        for (const char* ending : {".npz", ".safetensors"}) {
            const std::string file = folder.filePath("both").toStdString() + ending;
            saveTensors({{file, {"o", o, number::Format::F16}}, {file + ":l", {"lse", lse, number::Format::F32}}});
            QCOMPARE(loadTensor(file + ":o").values, o.values);
            QCOMPARE(loadTensor(file + ":l").values, lse.values);
            QVERIFY(tensorEntry(file + ":o").dtype == number::Format::F16);
            QVERIFY_EXCEPTION_THROWN(
                saveTensors({{file, {"o", o, number::Format::F16}}, {file, {"o", o, number::Format::F16}}}),
                InputError);
        }
        const std::string npy = folder.filePath("one.npy").toStdString();
        QVERIFY_EXCEPTION_THROWN(
            saveTensors({{npy, {"o", o, number::Format::F16}}, {npy, {"lse", lse, number::Format::F16}}}), InputError);
        QVERIFY(!QFile::exists(QString::fromStdString(npy)));
        QVERIFY_EXCEPTION_THROWN(
            saveTensors({{folder.filePath("no/x.npz").toStdString(), {"o", o, number::Format::F32}}}), InputError);
        QCOMPARE(QDir(folder.path()).entryList(QDir::Files | QDir::Hidden).size(), 2);
    }

    void whatIsWrittenReadsBack() {
        const tensor::Tensor tensor{{2, 2}, {0.5f, -1.25f, 3.0f, 65504.0f}};
        QTemporaryDir folder;
        for (const number::Format dtype : {number::Format::F32, number::Format::F16, number::Format::F64}) {
            for (const char* name : {"a b.npy", "ü.safetensors:o", "c.npz:layer.0/o", "d.npz"}) {
                const std::string spec = folder.filePath(name).toStdString();
                saveTensors({{spec, {"o", tensor, dtype}}});
                QCOMPARE(loadTensor(spec).values, tensor.values);
                QCOMPARE(loadTensor(spec).shape, tensor.shape);
            }
        }
        QCOMPARE(npyBytes(tensor, number::Format::F32).size() % 64,
                 size_t{16}); // 16 bytes of data after a multiple of 64
        QVERIFY_EXCEPTION_THROWN(
            saveTensors({{folder.filePath("x.txt").toStdString(), {"o", tensor, number::Format::F32}}}), InputError);
    }
};

QTEST_GUILESS_MAIN(TensorFileTest)
#include "tensor_file_test.moc"
