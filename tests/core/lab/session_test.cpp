#include "core/error.h"
#include "core/lab/figure_csv.h"
#include "core/lab/session.h"
#include "every_figure.h"

#include <QFile>
#include <QTemporaryDir>
#include <QTest>

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

    void aSessionOfAnotherFormatSaysWhich() {
        for (const auto& [bytes, number] :
             {std::pair("WARPLIGHT 2\nand so on", "format 2)"), std::pair("WARPLIGHT 17\nand so on", "format 17)")}) {
            try {
                read(bytes);
                QFAIL("it was read");
            } catch (const InputError& error) {
                QVERIFY2(QByteArray(error.what()).contains(number), error.what());
            }
        }
    }

    void aSessionWithoutARunIsSaidToBeOne() {
        const QTemporaryDir other;
        const std::string file = other.filePath("empty.warplight").toStdString();
        saveSession(file, {});
        try {
            openSession(file);
            QFAIL("it was opened");
        } catch (const InputError& error) {
            QVERIFY2(QByteArray(error.what()).contains("empty.warplight: is a session without a run"), error.what());
        }
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
