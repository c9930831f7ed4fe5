// `warplight report` on a real session, as a user calls it.
#include <QDir>
#include <QFile>
#include <QProcess>
#include <QSysInfo>
#include <QTemporaryDir>
#include <QTest>

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
    }
};

QTEST_MAIN(ReportTest)
#include "report_test.moc"
