// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/error.h"
#include "core/lab/cbor.h"
#include "core/lab/figure_csv.h"
#include "core/lab/session.h"
#include "every_figure.h"

#include <QFile>
#include <QTemporaryDir>
#include <QTest>
#include <QtEndian>
#include <cstddef>
#include <string>
#include <vector>

#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>
#include <zlib.h>

using namespace warplight;
using namespace warplight::lab;

class SessionTest : public QObject {
    Q_OBJECT

    QTemporaryDir folder;
    RunRecord run;
    QByteArray whole;

    std::string path(const char* name) const { return folder.filePath(name).toStdString(); }
    static Session read(const QByteArray& bytes) {
        std::istringstream stream(bytes.toStdString());
        return readSession(stream, "test");
    }

  private slots:
    void initTestCase() {
        for (const Frame& frame : test::everyFrame())
            run.apply(frame);
        saveSession(path("two.warplight"), {&run, &run});
        QFile file(folder.filePath("two.warplight"));
        QVERIFY(file.open(QIODevice::ReadOnly));
        whole = file.readAll();
    }

    void whatWasSavedOpens() {
        const Session session = openSession(path("two.warplight"));
        QVERIFY2(session.damage.empty(), session.damage.c_str());
        QCOMPARE(session.runs.size(), size_t{2});
        QVERIFY(session.runs[1].figures() == run.figures());
        QVERIFY(session.runs[1].tiles() == run.tiles());
        QVERIFY(session.runs[0].start() == run.start() && session.runs[0].ended() == run.ended());
    }

    void truncatedAtEveryByteItOpensAsFarAsItIsWhole() {
        size_t figuresBefore = 0;
        for (qsizetype length = 0; length < whole.size(); ++length) {
            const QByteArray part = whole.first(length);
            if (length < 12) {
                QVERIFY_EXCEPTION_THROWN(read(part), InputError);
                continue;
            }
            const Session session = read(part);
            QVERIFY2(!session.damage.empty(), qPrintable(QString::number(length)));
            size_t figures = 0;
            for (const auto& r : session.runs)
                figures += r.figures().size();
            QVERIFY(figures >= figuresBefore);
            figuresBefore = figures;
        }
        QCOMPARE(figuresBefore, 2 * run.figures().size());
    }

    void flippedBitsAreNoticed() {
        for (qsizetype at = 12; at < whole.size(); at += 7) {
            QByteArray damaged = whole;
            damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
            QVERIFY2(!read(damaged).damage.empty(), qPrintable(QString::number(at)));
        }
    }

    void aClosingMarkThatIsNoneIsTold_data() {
        QTest::addColumn<QByteArray>("mark"); // as JSON
        QTest::addColumn<QString>("says");
        const QString frame = QString("test: frame %1 cannot be read (").arg(run.frames().size() + 1);
        QTest::newRow("text") << QByteArray(R"({"type":"sessionEnded","frames":"many"})")
                              << frame + "sessionEnded.frames: expected a whole number, not string)";
        QTest::newRow("nothing") << QByteArray(R"({"type":"sessionEnded","frames":null})")
                                 << frame + "sessionEnded.frames: expected a whole number, not null)";
        QTest::newRow("left out") << QByteArray(R"({"type":"sessionEnded"})")
                                  << frame + "sessionEnded.frames is missing)";
        QTest::newRow("below 0") << QByteArray(R"({"type":"sessionEnded","frames":-1})") << "test: frames are missing";
        QTest::newRow("type") << QByteArray(R"({"type":5,"frames":1})") << frame + "frame.type is missing)";
    }
    void aClosingMarkThatIsNoneIsTold() {
        QFETCH(QByteArray, mark);
        QFETCH(QString, says);
        saveSession(path("one.warplight"), {&run});
        QFile file(folder.filePath("one.warplight"));
        QVERIFY(file.open(QIODevice::ReadOnly));
        const QByteArray one = file.readAll();
        file.remove();
        const auto record = [](const std::vector<std::byte>& payload) {
            const QByteArray bytes(reinterpret_cast<const char*>(payload.data()),
                                   static_cast<qsizetype>(payload.size()));
            QByteArray head(8, '\0');
            qToLittleEndian(static_cast<quint32>(bytes.size()), head.data());
            qToLittleEndian(
                static_cast<quint32>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), payload.size())),
                head.data() + 4);
            return head + bytes;
        };
        const QByteArray right = record(toCbor({{"type", "sessionEnded"}, {"frames", run.frames().size()}}));
        QVERIFY(one.endsWith(right));
        const Session session =
            read(one.chopped(right.size()) + record(toCbor(nlohmann::json::parse(mark.toStdString()))));
        QVERIFY2(QString::fromStdString(session.damage).startsWith(says), session.damage.c_str());
        QCOMPARE(session.runs.size(), size_t{1});
    }

    void whatStandsBehindTheEndIsTold() {
        for (const QByteArray& more : {whole, QByteArray(" ")}) {
            const Session session = read(whole + more);
            const QString says = more.size() == 1 ? "1 byte behind its end is not read"
                                                  : QString("%1 bytes behind its end are not read").arg(more.size());
            QVERIFY2(QString::fromStdString(session.damage).startsWith("test: " + says), session.damage.c_str());
            QCOMPARE(session.runs.size(), size_t{2});
        }
    }

    void otherFilesAreRefusedWithASentence() {
        QVERIFY_EXCEPTION_THROWN(openSession(path("absent.warplight")), InputError);
        QVERIFY_EXCEPTION_THROWN(read("PK\x03\x04 something else altogether"), InputError);
    }

    void whatHoldsNothingToShowIsRefusedWithASentence() {
        const auto said = [](const std::function<void()>& work) {
            try {
                work();
            } catch (const InputError& error) {
                return QString(error.what());
            }
            return QString();
        };
        QVERIFY(said([] {
                    read("WARPLIGHT 2\n and what that will hold");
                }).contains("newer Warplight (session version 2)"));
        QVERIFY(said([] { read("WARPLIGHT 10\n"); }).contains("session version 10)"));
        QVERIFY(said([] { read("WARPLIGHT 99999999999"); }).contains("session version 99999999999)"));
        QVERIFY(
            said([] { read("WARPLIGHT 18446744073709551617\n"); }).contains("session version 18446744073709551617)"));
        QVERIFY(said([] {
                    read("WARPLIGHT 2" + QByteArray(100'000, '0'));
                }).contains("session version 2" + QString(199, '0') + "…"));
        QVERIFY(said([] { read("WARPLIGHT 01\n"); }).contains("does not begin with"));
        QVERIFY(said([] { read("WARPLIGHT two\n"); }).contains("does not begin with"));
        QVERIFY(said([] { read("WARPLIGHT 1 of many"); }).contains("does not begin with"));
        saveSession(path("none.warplight"), {});
        QVERIFY(said([&] { openSession(path("none.warplight")); }).contains("holds no runs"));
        QFile::remove(folder.filePath("none.warplight"));
        QVERIFY(said([] { openSession("/dev/zero"); }).contains("is a device"));
        QVERIFY(said([&] { openSession(folder.path().toStdString()); }).contains("is a folder"));
    }

    void nothingHalfWrittenIsLeft() {
        QVERIFY_EXCEPTION_THROWN(saveSession(path("no/such/folder/x.warplight"), {&run}), InputError);
        QCOMPARE(QDir(folder.path()).entryList(QDir::Files), QStringList{"two.warplight"});
    }

    void csvQuotesAndKeepsEveryDigit() {
        const std::string csv = figureCsv(run, *run.figure("table"));
        QVERIFY2(csv.find("\"x,\"\"y\"\"\n\"") != std::string::npos, csv.c_str());
        const std::string series = figureCsv(run, *run.figure("series"));
        QVERIFY2(series.find("0.10000000000000001") != std::string::npos, series.c_str());
    }
};

QTEST_GUILESS_MAIN(SessionTest)
#include "session_test.moc"
