// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/error.h"
#include "core/lab/figure_csv.h"
#include "core/lab/session.h"
#include "every_figure.h"

#include <QFile>
#include <QTemporaryDir>
#include <QTest>
#include <string>

#include <functional>
#include <sstream>

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
        QVERIFY(said([] { read("WARPLIGHT 10\n"); }).contains("session version 10"));
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
