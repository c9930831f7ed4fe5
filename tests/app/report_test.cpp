// SPDX-License-Identifier: GPL-3.0-or-later
// `warplight report` on a real session, as a user calls it; and a report in pieces, as the window writes it.
#include "app/report/report.h"
#include "app/views/theme.h"
#include "tests/core/lab/every_figure.h"

#include <QDir>
#include <QDirIterator>
#include <QFile>
#include <QProcess>
#include <QSysInfo>
#include <QTemporaryDir>
#include <QTest>
#include <cstddef>
#include <exception>
#include <vector>

using namespace warplight;
using namespace warplight::app;

class ReportTest : public QObject {
    Q_OBJECT
    QTemporaryDir folder;
    QString session;

    static int run(const QString& program, const QStringList& arguments, QByteArray* err = nullptr) {
        QProcess process;
        process.start(program, arguments);
        process.waitForFinished(60'000);
        if (err)
            *err = process.readAllStandardError();
        return process.exitCode();
    }
    static QByteArray read(const QString& file) {
        QFile in(file);
        return in.open(QIODevice::ReadOnly) ? in.readAll() : QByteArray();
    }

    static std::vector<lab::RunRecord> everyFigure() {
        lab::RunRecord run;
        run.apply(lab::RunStarted{1, "test.every", "Every figure", {}, "cpu", "", {}});
        for (const lab::Figure& figure : test::everyFigure())
            run.apply(lab::FigurePut{1, figure});
        run.apply(lab::RunEnded{1, lab::RunEnded::Outcome::Finished, "", 1});
        return {run, run};
    }
    /// Everything in and below a folder; of files what they hold.
    static QMap<QString, QByteArray> contentsOf(const QString& path) {
        QMap<QString, QByteArray> all;
        QDirIterator each(path, QDir::AllEntries | QDir::Hidden | QDir::NoDotAndDotDot, QDirIterator::Subdirectories);
        while (each.hasNext()) {
            const QString entry = each.next();
            all[QDir(path).relativeFilePath(entry)] = read(entry);
        }
        return all;
    }

  private slots:
    void initTestCase() {
        session = folder.filePath("a.warplight");
        QCOMPARE(run(WARPLIGHT_CLI,
                     {"run", "attention", "--set", "pointSeconds=0.01", "--set", "seqLen=8,16", "--save", session}),
                 2); // tiles takes one length
        QCOMPARE(run(WARPLIGHT_CLI, {"run", "attention.race", "--set", "pointSeconds=0.01", "--set", "seqLen=32,64",
                                     "--save", session}),
                 0);
    }

    void htmlHoldsEveryFigureTheMachineAndNoLink() {
        const QString file = folder.filePath("r.html");
        QCOMPARE(run(WARPLIGHT_PROGRAM, {"report", session, "-o", file}), 0);
        const QByteArray html = read(file);
        for (const char* text : {"Race", "Processor", "seqLen", "32, 64", "Throughput", "Roofline", "measured", "<svg",
                                 "flash-packed", "fused multiply-add"})
            QVERIFY2(html.contains(text), text);
        QVERIFY(!html.contains("src=\"http") && !html.contains("href=\"http"));
        const QByteArray host = QSysInfo::machineHostName().toUtf8();
        QVERIFY(host.size() < 4 || !html.contains(host));
    }

    void pdfIsAPdf() {
        const QString file = folder.filePath("r.pdf");
        QCOMPARE(run(WARPLIGHT_PROGRAM, {"report", session, "-o", file}), 0);
        QVERIFY(read(file).startsWith("%PDF") && read(file).size() > 5000);
    }

    void aFolderHoldsEveryFormOfEveryFigure() {
        const QString target = folder.filePath("out");
        QCOMPARE(run(WARPLIGHT_PROGRAM, {"report", session, "-o", target}), 0);
        const QDir out(target + "/1-attention.race");
        for (const char* name : {"time.svg", "time.png", "time.csv", "time.json", "points.csv"})
            QVERIFY2(out.exists(name), name);
        QVERIFY(!QImage(out.filePath("time.png")).isNull());
    }

    void badInputIsOneSentenceAndExitCode2() {
        QByteArray err;
        QCOMPARE(run(WARPLIGHT_PROGRAM, {"report", "absent.warplight", "-o", folder.filePath("x.html")}, &err), 2);
        QVERIFY2(err.contains("absent.warplight"), err.constData());
        QCOMPARE(run(WARPLIGHT_PROGRAM, {"report", session, "-o", "/no/such/folder/x.html"}, &err), 2);
        QVERIFY2(err.contains("/no/such/folder/x.html"), err.constData());
        QVERIFY(!QFile::exists(folder.filePath("x.html")));
        QCOMPARE(run(WARPLIGHT_PROGRAM, {"report", session, "-o", ""}, &err), 2);
        QVERIFY2(err.contains("-o with a target"), err.constData());
        QCOMPARE(run(WARPLIGHT_PROGRAM, {"report", session, "-o", "/dev/full"}, &err), 2); // a folder that is none
    }

    void aReportInPiecesIsTheSameWhateverTheWindowLooksLike_data() {
        targets(); // not the PDF, which carries the time at which it was made
    }
    void aReportInPiecesIsTheSameWhateverTheWindowLooksLike() {
        QFETCH(const QString, target);
        const QTemporaryDir plain, changing;
        Theme::setCurrent(Theme::lightTheme());
        writeReport(everyFigure(), plain.filePath(target));
        ReportWriter writer(everyFigure(), changing.filePath(target));
        for (bool dark = true; !writer.done(); dark = !dark) {
            Theme::setCurrent(dark ? Theme::darkTheme() : Theme::lightTheme());
            setUiScale(dark ? 1.4 : 1);
            writer.step();
            QCOMPARE(Theme::current().dark, dark);
            QCOMPARE(uiScale(), dark ? 1.4 : 1);
        }
        setUiScale(1);
        const auto expected = contentsOf(plain.path()), got = contentsOf(changing.path());
        QCOMPARE(got.keys(), expected.keys());
        for (auto file = expected.begin(); file != expected.end(); ++file)
            QVERIFY2(got[file.key()] == file.value(), qPrintable(file.key()));
        QVERIFY(writer.pieceCount() > 2 * test::everyFigure().size());
    }

    void aReportThatIsGivenUpLeavesNothing_data() {
        targets();
        QTest::addRow("paper") << "report.pdf";
    }
    void aReportThatIsGivenUpLeavesNothing() {
        QFETCH(const QString, target);
        const QTemporaryDir where;
        for (const bool nearlyDone : {false, true}) {
            ReportWriter writer(everyFigure(), where.filePath(target));
            while (writer.piecesDone() < (nearlyDone ? writer.pieceCount() - 1 : 8))
                writer.step();
        }
        QVERIFY2(contentsOf(where.path()).isEmpty(), qPrintable(contentsOf(where.path()).keys().join(' ')));
    }

    void aFolderThatCannotBeCompletedKeepsWhatWasThere() {
        const QTemporaryDir where;
        const QString last = QString::fromStdString(test::everyFigure().back().id);
        QVERIFY(QDir(where.path()).mkpath("out/2-test.every/" + last + ".png")); // where a file is to be
        QFile mine(where.filePath("out/mine.txt"));
        QVERIFY(mine.open(QIODevice::WriteOnly) && mine.write("mine") == 4);
        mine.close();
        const auto before = contentsOf(where.path());
        QString said;
        try {
            writeReport(everyFigure(), where.filePath("out"));
        } catch (const std::exception& error) {
            said = error.what();
        }
        QVERIFY2(said.contains(last + ".png: is a folder"), qPrintable(said));
        QCOMPARE(contentsOf(where.path()), before);
    }

    void idsOfASessionFromElsewhereStayInTheFolder() {
        const QTemporaryDir place;
        lab::RunRecord run;
        run.apply(lab::RunStarted{1, "../../up", "A run", {}, "cpu", "", {}});
        lab::Figure figure = test::everyFigure().front();
        figure.id = "../../../out/of:it";
        run.apply(lab::FigurePut{1, figure});
        run.apply(lab::RunEnded{1, lab::RunEnded::Outcome::Finished, "", 1});
        writeReport({run}, place.filePath("a/b/report"));
        for (const QString& entry : contentsOf(place.path()).keys())
            QVERIFY2(entry == "a" || entry == "a/b" || entry.startsWith("a/b/report"), qPrintable(entry));
        QVERIFY(
            QDirIterator(place.filePath("a/b/report"), {"*.png"}, QDir::Files, QDirIterator::Subdirectories).hasNext());
    }

  private:
    static void targets() {
        QTest::addColumn<QString>("target");
        QTest::addRow("page") << "report.html";
        QTest::addRow("folder") << "new/deeper";
    }
};

QTEST_MAIN(ReportTest)
#include "report_test.moc"
