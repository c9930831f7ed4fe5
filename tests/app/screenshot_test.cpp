// SPDX-License-Identifier: GPL-3.0-or-later
// `warplight --screenshot`, as a script calls it: a picture, or a sentence and an exit code, and never nothing.
#include "app/shell/screenshot.h"

#include "app/shell/main_window.h"
#include "app/views/theme.h"
#include "core/lab/session.h"

#include <QDir>
#include <QFile>
#include <QImage>
#include <QProcess>
#include <QProcessEnvironment>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>
#include <string>

#include <sys/stat.h>

using namespace warplight;
using namespace warplight::app;

class ScreenshotTest : public QObject {
    Q_OBJECT
    QTemporaryDir folder;

    struct Outcome {
        int exitCode;
        QByteArray said; ///< by the program itself; Qt has its own remarks
    };

    /// `prefix`: what the shell does before the program.
    Outcome run(const QStringList& arguments, const QString& prefix = {}) const {
        QProcess process;
        QProcessEnvironment environment = QProcessEnvironment::systemEnvironment();
        environment.insert("XDG_CONFIG_HOME", folder.path());
        environment.insert("QT_QPA_PLATFORM", "offscreen");
        process.setProcessEnvironment(environment);
        process.start("/bin/sh", QStringList{"-c", prefix + "exec \"$0\" \"$@\"", WARPLIGHT_PROGRAM} + arguments);
        if (!process.waitForFinished(60'000))
            return {-1, "went on for ever"};
        QByteArray said;
        for (const QByteArray& line : process.readAllStandardError().split('\n'))
            if (line.startsWith("warplight: "))
                said += line + '\n';
        return {process.exitCode(), said};
    }
    /// Of a page that runs at once.
    Outcome shoot(const QString& file, const QString& prefix = {}) const {
        return run({"--engine", engine(), "--page", "test.ramp", "--set", "points=3", "--screenshot", file}, prefix);
    }
    static QString engine() { return QString("\"%1\" serve").arg(WARPLIGHT_TEST_ENGINE); }
    static QByteArray read(const QString& file) {
        QFile in(file);
        return in.open(QIODevice::ReadOnly) ? in.readAll() : QByteArray();
    }
    QString write(const char* name, const QByteArray& content) const {
        QFile out(folder.filePath(name));
        return out.open(QIODevice::WriteOnly) && out.write(content) == content.size() ? out.fileName() : QString();
    }

  private slots:
    void initTestCase() { Theme::setCurrent(Theme::lightTheme()); }

    void thePictureHasTheKindOfItsName_data() {
        QTest::addColumn<QString>("name");
        QTest::addColumn<QByteArray>("begin");
        QTest::newRow("PNG") << "a.png" << QByteArray("\x89PNG");
        QTest::newRow("capitals") << "a.PNG" << QByteArray("\x89PNG");
        QTest::newRow("BMP") << "a.bmp" << QByteArray("BM");
    }
    void thePictureHasTheKindOfItsName() {
        QFETCH(QString, name);
        QFETCH(QByteArray, begin);
        const Outcome outcome = shoot(folder.filePath(name));
        QVERIFY2(outcome.exitCode == 0 && outcome.said.isEmpty(), outcome.said.constData());
        QVERIFY(read(folder.filePath(name)).startsWith(begin));
        QCOMPARE(QImage(folder.filePath(name)).size(), QSize(1440, 900));
    }

    void whatCannotBeWrittenIsRefusedBeforeAnythingRuns_data() {
        QTest::addColumn<QString>("file");
        QTest::addColumn<QByteArray>("says");
        QVERIFY(QDir(folder.path()).mkpath("folder.png"));
        QTest::newRow("no kind of picture")
            << folder.filePath("a.txt") << QByteArray("a.txt: expected the name of a picture");
        QTest::newRow("no kind") << folder.filePath("a") << QByteArray("expected the name of a picture");
        QTest::newRow("no name") << "" << QByteArray("--screenshot \"\": expected the name of a picture");
        QTest::newRow("no such folder") << "/no/such/a.png" << QByteArray("/no/such/a.png: cannot be written");
        QTest::newRow("a folder") << folder.filePath("folder.png") << QByteArray("folder.png: is a folder");
    }
    void whatCannotBeWrittenIsRefusedBeforeAnythingRuns() {
        QFETCH(QString, file);
        QFETCH(QByteArray, says);
        const QString begun = folder.filePath("begun"); // by an engine that is not to begin
        const Outcome outcome = run({"--engine", "touch " + begun, "--screenshot", file});
        QCOMPARE(outcome.exitCode, 2);
        QVERIFY2(outcome.said.contains(says), outcome.said.constData());
        QCOMPARE(outcome.said.count('\n'), 1);
        QVERIFY(!QFile::exists(begun));
    }

    void aFullDiskLeavesTheOldPicture() {
        const QTemporaryDir place;
        const QString file = place.filePath("old.png");
        QVERIFY(QFile::copy(write("before.png", "the old picture"), file));
        // No file may grow beyond one block, as if the disk had no more.
        const Outcome outcome = shoot(file, "trap '' XFSZ; ulimit -f 1; ");
        QCOMPARE(outcome.exitCode, 1);
        QVERIFY2(outcome.said.contains("old.png: writing failed"), outcome.said.constData());
        QCOMPARE(outcome.said.count('\n'), 1);
        QCOMPARE(read(file), QByteArray("the old picture"));
        QCOMPARE(QDir(place.path()).entryList(QDir::Files | QDir::Hidden), QStringList{"old.png"});
    }

    void aPipeThatNobodyReadsIsASentence() {
        const QString file = folder.filePath("pipe.png");
        QCOMPARE(::mkfifo(file.toLocal8Bit().constData(), 0600), 0);
        const Outcome outcome = shoot(file);
        QCOMPARE(outcome.exitCode, 2);
        QVERIFY2(outcome.said.contains("is a pipe that nobody reads"), outcome.said.constData());
    }

    void whatKeepsThePictureFromComingIsASentenceAndAnExitCode_data() {
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<int>("exitCode");
        QTest::addColumn<QByteArray>("says");
        const QString empty = folder.filePath("empty.warplight"), tomorrow = folder.filePath("tomorrow.warplight");
        lab::saveSession(empty.toStdString(), {});
        lab::RunRecord foreign;
        foreign.apply(lab::RunStarted{1, "tomorrow.page", "Tomorrow", {}, "cpu", "", {}});
        foreign.apply(lab::RunEnded{1, lab::RunEnded::Outcome::Finished, "", 1});
        lab::saveSession(tomorrow.toStdString(), {&foreign});
        const auto row = [](const char* name, const QStringList& arguments, int exitCode, const QByteArray& says) {
            QTest::newRow(name) << arguments << exitCode << says;
        };
        const QStringList good{"--engine", engine()};
        row("no such session", good + QStringList{"/no/such.warplight"}, 2, "/no/such.warplight: No such file");
        row("an empty session", good + QStringList{empty}, 2, "empty.warplight: holds no runs");
        row("a session of other pages", good + QStringList{tomorrow}, 2, "no page tomorrow.page");
        row("no such tensors", good + QStringList{"/no/x.npy", "/no/y.npy"}, 2, "/no/x.npy: No such file");
        row("a run that fails", good + QStringList{"--page", "profile.open", "--set", "file=/no/such.csv"}, 2,
            "/no/such.csv: No such file");
        row("settings wrong together", good + QStringList{"--page", "attention.map", "--set", "headDim=4"}, 2,
            "headDim is 4");
        row("an engine that ends", {"--engine", "/bin/false"}, 1, "The engine ended (exit code 1).\n");
        row("an engine that is not there", {"--engine", "/no/such/engine"}, 1, "The engine could not be started");
        row("an engine that repeats what it hears", {"--engine", "cat"}, 1, "an answer that cannot be read");
        row("an engine that says something else", {"--engine", "echo nonsense"}, 1, "something that is no message");
    }
    void whatKeepsThePictureFromComingIsASentenceAndAnExitCode() {
        QFETCH(QStringList, arguments);
        QFETCH(int, exitCode);
        QFETCH(QByteArray, says);
        const QString picture = folder.filePath("never.png");
        const Outcome outcome = run(arguments + QStringList{"--screenshot", picture});
        QVERIFY2(outcome.said.contains(says), outcome.said.constData());
        QCOMPARE(outcome.exitCode, exitCode);
        QCOMPARE(outcome.said.count('\n'), 1);
        QVERIFY(!QFile::exists(picture));
    }

    void anEngineThatSaysNothingEndsItWithinTheHangLimit() {
        MainWindow window({"sleep", "1000"});
        Screenshot screenshot(window, folder.filePath("never.png"), {});
        QSignalSpy done(&screenshot, &Screenshot::done);
        window.engine().setHangTimeout(300);
        QVERIFY(done.wait(20'000));
        QCOMPARE(done[0][0].toInt(), 1);
        QVERIFY2(done[0][1].toString().contains("had not answered"), qPrintable(done[0][1].toString()));
        QTest::qWait(1500); // the next engine says nothing either
        QCOMPARE(done.count(), 1);
    }
};

QTEST_MAIN(ScreenshotTest)
#include "screenshot_test.moc"
