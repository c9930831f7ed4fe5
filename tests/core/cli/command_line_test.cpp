// SPDX-License-Identifier: GPL-3.0-or-later
// The real program, started as a user starts it.
#include "core/lab/session.h"

#include <QDir>
#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QProcess>
#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <tuple>

#include <csignal>

using namespace warplight;

namespace {

struct Outcome {
    int exitCode;
    QByteArray out, err;
};

/// `output`: where standard output goes; empty: it is read.
Outcome runProgram(const QStringList& arguments, const QString& output = {}) {
    QProcess process;
    if (!output.isEmpty())
        process.setStandardOutputFile(output);
    process.start(WARPLIGHT_CLI, arguments);
    process.waitForFinished(120'000);
    return {process.exitCode(), process.readAllStandardOutput(), process.readAllStandardError()};
}

const QStringList smallRace{
    "run",   "attention.race",   "--set", "seqLen=32,64", "--set", "implementations=flash,standard",
    "--set", "pointSeconds=0.01"};

} // namespace

class CommandLineTest : public QObject {
    Q_OBJECT
    QTemporaryDir folder;

  private slots:
    void badInputIsOneSentenceAndExitCode2_data() {
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<QString>("names");
        QTest::newRow("no command") << QStringList{} << "subcommand";
        QTest::newRow("unknown experiment") << QStringList{"run", "attention.rice"} << "attention.race";
        QTest::newRow("unknown setting") << QStringList{"run", "attention.race", "--set", "seqlen=5"} << "seqLen";
        QTest::newRow("setting of no experiment") << QStringList{"run", "attention", "--set", "nope=5"} << "nope";
        QTest::newRow("out of range") << QStringList{"run", "attention.race", "--set", "headDim=513"} << "512";
        QTest::newRow("not name=value") << QStringList{"run", "attention.race", "--set", "causal"} << "name=value";
        QTest::newRow("unknown rung") << QStringList{"run", "attention.race", "--set", "implementations=flush"}
                                      << "flash";
        QTest::newRow("unknown device") << QStringList{"run", "attention.race", "--device", "tpu"} << "device";
        QTest::newRow("device of no experiment") << QStringList{"run", "attention", "--device", "tpu"} << "cuda";
        QTest::newRow("too many sizes") << QStringList{"run", "attention.race", "--set",
                                                       "seqLen=" + QString("64,").repeated(5000) + "64"}
                                        << "4096 values";
        QTest::newRow("sessions are files") << smallRace + QStringList{"--save", "/tmp"} << "/tmp: is a folder";
        QTest::newRow("results go to folders") << smallRace + QStringList{"--out", "/dev/null"} << "/dev/null";
        QTest::newRow("an endless file") << QStringList{"run", "allreduce.race", "--set", "file=/dev/zero"}
                                         << "/dev/zero: is a device";
        QTest::newRow("an endless profile")
            << QStringList{"run", "profile.open", "--set", "file=/dev/zero"} << "/dev/zero: is a device";
        QTest::newRow("endless labels") << QStringList{"run", "attention.map", "--set", "labels=/dev/zero"}
                                        << "/dev/zero: is a device";
        QTest::newRow("an endless kernel")
            << QStringList{"run", "inspect.kernel", "--set", "from=file", "--set", "file=/dev/zero"}
            << "/dev/zero: is a device";
        QTest::newRow("outputs are checked first")
            << QStringList{"compute",   "attention", "--q",       "/no/q.npy", "--k",
                           "/no/k.npy", "--v",       "/no/v.npy", "--output",  "/no/such/folder/o.npy"}
            << "/no/such/folder/o.npy";
        QTest::newRow("two outputs in one file")
            << QStringList{"compute", "attention", "--q",      "/no/q.npy",  "--k",   "/no/k.npy",
                           "--v",     "/no/v.npy", "--output", "/tmp/o.npy", "--lse", "/tmp/./o.npy"}
            << "two tensors would go to the same place";
        QTest::newRow("more memory than there is")
            << QStringList{"run",   "allreduce.race", "--set", "ranks=64",      "--set", "bytes=268435456",
                           "--set", "dtype=f64",      "--set", "library=false", "--set", "algorithms=naive"}
            << "choose less of bytes or ranks";
        QTest::newRow("more queries than fit") << QStringList{"run",   "attention.race", "--set", "seqLen=1048576",
                                                              "--set", "batch=256",      "--set", "heads=256"}
                                               << "seqLen, heads, headDim or batch";
        QTest::newRow("no such tensor file") << QStringList{"run",    "attention.map",
                                                            "--set",  "input=files",
                                                            "--set",  "qFile=/no/q.npy",
                                                            "--set",  "kFile=/no/k.npy",
                                                            "--save", folder.filePath("never.warplight")}
                                             << "/no/";
        QTest::newRow("settings wrong together")
            << QStringList{"run", "attention.map", "--set", "headDim=4"} << "headDim is 4";
        QTest::newRow("unwritable session")
            << smallRace + QStringList{"--save", "/no/such/folder/a.warplight"} << "/no/such/folder/a.warplight";
    }
    void badInputIsOneSentenceAndExitCode2() {
        QFETCH(QStringList, arguments);
        QFETCH(QString, names);
        const Outcome outcome = runProgram(arguments);
        QCOMPARE(outcome.exitCode, 2);
        QVERIFY2(outcome.err.contains(names.toUtf8()), outcome.err.constData());
        QCOMPARE(outcome.err.count('\n'), 1);
    }

    void longValuesAreNotRepeatedWhole_data() {
        QTest::addColumn<QStringList>("arguments");
        const QString words = QString("word ").repeated(2000), letters(10000, 'x');
        for (const QString& value : {words, letters}) {
            const QString kind = value == words ? "words" : "letters";
            const auto row = [&](const char* what, const QStringList& arguments) {
                QTest::newRow(qPrintable(kind + ": " + what)) << arguments;
            };
            row("experiment", {"run", value});
            row("device", {"run", "attention.race", "--device", value});
            row("setting", {"run", "attention.race", "--set", value});
            row("its name", {"run", "attention.race", "--set", value + "=5"});
            row("its value", {"run", "attention.race", "--set", "headDim=" + value});
            row("choice", {"run", "attention.race", "--set", "implementations=" + value});
            row("sweep", {"run", "attention.race", "--set", "seqLen=" + value});
            row("file", {"run", "profile.open", "--set", "file=" + value});
            row("argument", {"kernel", "run", WARPLIGHT_TEST_DATA "/data/ptx/nothing.ptx", "--arg", value});
        }
    }
    void longValuesAreNotRepeatedWhole() {
        QFETCH(QStringList, arguments);
        const Outcome outcome = runProgram(arguments);
        QCOMPARE(outcome.exitCode, 2);
        QVERIFY2(outcome.err.size() < 2500, outcome.err.constData()); // the names of all pages among it
    }

    void aNumberIsTakenAsTypedOrRefused_data() {
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<QByteArray>("says");
        const QStringList train{"train", "--text", "/no", "--out", "/no"}, generate{"generate", "--prompt", "a"},
            round{"compute", "round", "--in", "/no.npy", "--out", "/tmp/r.npy", "--to", "f16"};
        const auto row = [](const char* what, const QStringList& arguments, const QByteArray& range) {
            QTest::newRow(what) << arguments
                                << arguments[arguments.size() - 2].toUtf8() + ": expected a " + range + ", not \"" +
                                       arguments.back().toUtf8() + '"';
        };
        const QByteArray unsignedRange = "whole number from 0 to 18446744073709551615",
                         tokens = "whole number from 1 to 10000000",
                         signedRange = "whole number from -9223372036854775808 to 9223372036854775807",
                         threads = "whole number from 0 to 1024";
        row("below 0", generate + QStringList{"--seed", "-1"}, unsignedRange);
        row("below 0, may be left out", train + QStringList{"--seed", "-1"}, unsignedRange);
        row("below 0, of tensors", round + QStringList{"--seed", "-3"}, unsignedRange);
        row("too large", generate + QStringList{"--seed", "18446744073709551616"}, unsignedRange);
        row("too large, signed", train + QStringList{"--steps", "99999999999999999999"}, signedRange);
        row("too large, of a range", generate + QStringList{"--tokens", "99999999999999999999"}, tokens);
        row("below its range", generate + QStringList{"--tokens", "0"}, tokens);
        row("not whole", generate + QStringList{"--tokens", "1.5"}, tokens);
        row("more behind it", generate + QStringList{"--tokens", "5x"}, tokens);
        row("nothing", generate + QStringList{"--tokens", ""}, tokens);
        row("threads of training", train + QStringList{"--threads", "-5"}, threads);
        row("threads of writing", generate + QStringList{"--threads", "1025"}, threads);
        row("threads of an operator", {"compute", "attention", "--threads", "-1"}, threads);
        row("threads of a kernel", {"kernel", "run", "/no.ptx", "--threads", "-1"}, threads);
        row("threads of logits", {"logits", "--threads", "-1"}, threads);
        row("no number", train + QStringList{"--lr", "1e-3x"}, "number");
        row("not a number", {"number", "1", "--dice", "nan"}, "number from 0 to 0.9999999999999999");
    }
    void aNumberIsTakenAsTypedOrRefused() {
        QFETCH(QStringList, arguments);
        QFETCH(QByteArray, says);
        const Outcome outcome = runProgram(arguments);
        QCOMPARE(outcome.exitCode, 2);
        QVERIFY2(outcome.err.contains(says), outcome.err.constData());
        QCOMPARE(outcome.err.count('\n'), 1);
    }

    void aNumberThatIsNoneIsRepeatedUpTo200Characters() {
        const Outcome outcome = runProgram({"generate", "--prompt", "a", "--seed", QString(500, '9')});
        QCOMPARE(outcome.exitCode, 2);
        QVERIFY2(outcome.err.contains("not \"" + QByteArray(200, '9') + "… (500 bytes)\""), outcome.err.constData());
    }

    void numbersAreDecimal() {
        const QStringList pattern{"pattern", "local", "--n", "16", "--format", "json", "--window"};
        QCOMPARE(runProgram(pattern + QStringList{"010"}).out, runProgram(pattern + QStringList{"10"}).out);
        QCOMPARE(runProgram(pattern + QStringList{"+10"}).out, runProgram(pattern + QStringList{"10"}).out);
    }

    void negativeNumbersInWordsAreValuesAndNoOptions_data() {
        QTest::addColumn<QString>("number");
        QTest::addColumn<QString>("same");
        QTest::newRow("-inf") << "-inf"
                              << "-inf";
        QTest::newRow("-Infinity") << "-Infinity"
                                   << "-inf";
        QTest::newRow("-nan") << "-nan"
                              << "-nan";
        QTest::newRow("-.5") << "-.5"
                             << "-0.5";
        QTest::newRow("-1e-8") << "-1e-8"
                               << "-0.00000001";
    }
    void negativeNumbersInWordsAreValuesAndNoOptions() {
        QFETCH(QString, number);
        QFETCH(QString, same);
        const Outcome outcome = runProgram({"number", number, "--saturate"});
        QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
        QCOMPARE(outcome.out, runProgram({"number", "--saturate", "--", same}).out);
    }

    void negativeNumbersInTheWrongPlaceAreNamedAsTyped() {
        const Outcome outcome = runProgram({"number", "1", "-inf"});
        QCOMPARE(outcome.exitCode, 2);
        QVERIFY2(outcome.err.contains("not expected: -inf "), outcome.err.constData());
    }

    void whatIsNoUtf8IsNotRepeated() {
        QProcess process; // QProcess would encode the argument
        process.start("/bin/sh", {"-c", QString("'%1' run \"$(printf 'caf\\351')\"").arg(WARPLIGHT_CLI)});
        QVERIFY(process.waitForFinished(10'000));
        QCOMPARE(process.exitCode(), 2);
        const QByteArray said = process.readAllStandardError();
        QVERIFY(QString::fromUtf8(said).toUtf8() == said);
        QVERIFY2(said.contains("caf\xEF\xBF\xBD"), said.constData());
    }

    void aFullDiskIsAnErrorEverywhere_data() {
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<QString>("output");
        QTest::newRow("devices") << QStringList{"devices"} << "/dev/full";
        QTest::newRow("list as JSON") << QStringList{"list", "--json"} << "/dev/full";
        QTest::newRow("help") << QStringList{"--help"} << "/dev/full";
        QTest::newRow("version") << QStringList{"--version"} << "/dev/full";
        QTest::newRow("a run") << QStringList{"run", "attention.tiles"} << "/dev/full";
        QTest::newRow("a run as JSON") << QStringList{"run", "attention.tiles", "--format", "json"} << "/dev/full";
        QTest::newRow("a session") << QStringList{"run", "attention.tiles", "--save", "/dev/full"} << "";
    }
    void aFullDiskIsAnErrorEverywhere() {
        QFETCH(QStringList, arguments);
        QFETCH(QString, output);
        const Outcome outcome = runProgram(arguments, output);
        QCOMPARE(outcome.exitCode, 1);
        QVERIFY2(outcome.err.contains("No space left on device"), outcome.err.constData());
        QCOMPARE(outcome.err.count('\n'), 1);
    }

    void underALimitOfAddressSpaceTheVirtualGpuIsSmallerOrSaysSo_data() {
        QTest::addColumn<int>("mebibytes");
        QTest::addColumn<int>("exitCode");
        QTest::newRow("enough for a small one") << 2000 << 0;
        QTest::newRow("too little") << 100 << 2; // the program itself takes some 70
    }
    void underALimitOfAddressSpaceTheVirtualGpuIsSmallerOrSaysSo() {
        QFETCH(int, mebibytes);
        QFETCH(int, exitCode);
#if defined(__SANITIZE_ADDRESS__)
        QSKIP("The sanitizer itself reserves more.");
#endif
        QProcess process;
        process.start("/bin/sh", {"-c", QString("ulimit -v %1 && exec '%2' run attention.tiles --device vgpu")
                                            .arg(mebibytes * 1024)
                                            .arg(WARPLIGHT_CLI)});
        QVERIFY(process.waitForFinished(60'000));
        const QByteArray said = process.readAllStandardError();
        QVERIFY2(process.exitCode() == exitCode, said.constData());
        QVERIFY2(!said.contains("bad_alloc"), said.constData());
        QVERIFY2(exitCode == 0 || said.contains("ulimit -v"), said.constData());
    }

    void underALimitOfAddressSpaceThreadsAreCounted() {
#if defined(__SANITIZE_ADDRESS__)
        QSKIP("The sanitizer itself reserves more.");
#endif
        QProcess process;
        process.start("/bin/sh",
                      {"-c", QString("ulimit -v 400000 && exec '%1' run allreduce.links").arg(WARPLIGHT_CLI)});
        QVERIFY(process.waitForFinished(60'000));
        const QByteArray said = process.readAllStandardError();
        QCOMPARE(process.exitCode(), 2);
        QVERIFY2(said.contains("of address space") && said.contains("choose less of ranks or elements"),
                 said.constData());
    }

    void underALimitOfAddressSpaceARunIsRefusedWithTheSettingToLower() {
#if defined(__SANITIZE_ADDRESS__)
        QSKIP("The sanitizer itself reserves more.");
#endif
        QProcess process;
        process.start("/bin/sh", {"-c", QString("ulimit -v 1500000 && exec '%1' run attention.race --set seqLen=262144 "
                                                "--set heads=8 --set implementations=flash")
                                            .arg(WARPLIGHT_CLI)});
        QVERIFY(process.waitForFinished(60'000));
        const QByteArray said = process.readAllStandardError();
        QCOMPARE(process.exitCode(), 2);
        QVERIFY2(said.contains("under ulimit -v: choose less of seqLen, heads, headDim or batch"), said.constData());
    }

    void theHottestLinesAndBusyTracksArePrinted() {
        QProcess engine;
        engine.start(WARPLIGHT_TEST_ENGINE, {"run", "test.kernel", "--set", "spans=4", "--set", "tracks=2"});
        engine.waitForFinished(60'000);
        const QStringList lines = QString::fromUtf8(engine.readAllStandardOutput()).split('\n');
        const auto lineWith = [&](const QString& text) {
            for (qsizetype i = 0; i < lines.size(); ++i)
                if (lines[i].contains(text))
                    return i;
            return qsizetype{-1};
        };
        QVERIFY2(lineWith("mma(s, q, k)") > 0, qPrintable(lines.join('\n')));
        QVERIFY(lineWith("mma(s, q, k)") < lineWith("s = exp2(s - m1)")); // 71,000 before 29,000
        QVERIFY(lines[lineWith("cpAsync(k")].contains("16.0 MiB"));
        QCOMPARE(lineWith("extern __shared__"), qsizetype{-1}); // has no count
        QVERIFY(lineWith("line 57: uncoalesced") > 0);
        // Of 937 clocks, SM 0 is busy for 900: from 0, SM 1 from 37.
        QVERIFY2(lines[lineWith("GPC 0: SM 0")].contains("96.1 %"), qPrintable(lines.join('\n')));
    }

    void raceWritesACsvForEachFigureAndASession() {
        const QString out = folder.filePath("out"), session = folder.filePath("a.warplight");
        const Outcome outcome = runProgram(smallRace + QStringList{"--out", out, "--save", session});
        QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
        QFile csv(out + "/points.csv");
        QVERIFY(csv.open(QIODevice::ReadOnly));
        const QList<QByteArray> lines = csv.readAll().trimmed().split('\n');
        QCOMPARE(lines.size(), 1 + 4); // two lengths, two rungs
        QVERIFY(lines[0].startsWith("device,implementation,seq_len,time_median (s)"));
        QVERIFY(QFile::exists(out + "/run.json") && QFile::exists(out + "/time.csv"));
        const lab::Session opened = lab::openSession(session.toStdString());
        QVERIFY(opened.damage.empty());
        QCOMPARE(opened.runs.size(), size_t{1});
        const auto& time = std::get<lab::Series>(opened.runs[0].figure("time")->content);
        QCOMPARE(time.curves.size(), size_t{2});
        for (const auto& curve : time.curves)
            for (size_t i = 0; i < curve.x.size(); ++i)
                QVERIFY(curve.low[i] <= curve.y[i] && curve.y[i] <= curve.high[i] && curve.low[i] > 0);
        QCOMPARE(QDir(folder.path()).entryList(QDir::Files), QStringList{"a.warplight"});
    }

    void whatCannotBeWrittenIsRefusedFirstAndTakesNothingElse() {
        const QTemporaryDir place;
        QVERIFY(QDir(place.path()).mkpath("taken/run.json") && QDir(place.path()).mkpath("half/points.csv"));
        const QString session = place.filePath("a.warplight");
        Outcome outcome = runProgram(smallRace + QStringList{"--out", place.filePath("taken"), "--save", session});
        QCOMPARE(outcome.exitCode, 2);
        QVERIFY2(outcome.err.contains("taken/run.json: is a folder") && outcome.out.isEmpty(), outcome.err.constData());
        QVERIFY(!QFile::exists(session));
        outcome = runProgram(smallRace + QStringList{"--out", place.filePath("half"), "--save", session});
        QCOMPARE(outcome.exitCode, 2);
        QVERIFY2(outcome.err.contains("half/points.csv: is a folder"), outcome.err.constData());
        QCOMPARE(lab::openSession(session.toStdString()).runs.size(), size_t{1}); // saved all the same
        for (const char* name : {"new", "new/run.json", "new/points.csv"}) {
            outcome =
                runProgram(smallRace + QStringList{"--out", place.filePath("new"), "--save", place.filePath(name)});
            QCOMPARE(outcome.exitCode, 2);
        }
    }

    void describeAsJsonHoldsEverySetting() {
        const QJsonObject described =
            QJsonDocument::fromJson(runProgram({"describe", "attention.race", "--json"}).out).object();
        QCOMPARE(described["id"].toString(), "attention.race");
        QVERIFY(described["parameters"].toArray().size() >= 8);
        QVERIFY(!QJsonDocument::fromJson(runProgram({"list", "--json"}).out).array().isEmpty());
        QVERIFY(!QJsonDocument::fromJson(runProgram({"devices", "--json"}).out).array().isEmpty());
    }

    void pagesAreListedInTwoColumns() {
        const QList<QByteArray> lines = runProgram({"list"}).out.trimmed().split('\n');
        QVERIFY(lines.size() > 20);
        qsizetype column = 0;
        for (const QByteArray& line : lines)
            column = std::max(column, line.indexOf(' ') + 2);
        for (const QByteArray& line : lines) {
            const QByteArray gap = line.mid(line.indexOf(' '), column - line.indexOf(' '));
            QVERIFY2(gap.trimmed().isEmpty() && gap.size() >= 2 && line[column] != ' ', line.constData());
        }
    }

    void jsonOutputIsJson() {
        QJsonParseError error;
        QJsonDocument::fromJson(runProgram({"run", "attention.tiles", "--format", "json"}).out, &error);
        QVERIFY2(error.error == QJsonParseError::NoError, qPrintable(error.errorString()));
    }

    void warningsAreInEveryFormat() { // a log with a broken row
        const QByteArray words = "nanbad.log, 8 ranks: 1 of its lines is no whole row";
        const QString out = folder.filePath("notes");
        const QStringList race{
            "run",   "allreduce.race",     "--set", "bytes=64",
            "--set", "pointSeconds=0.001", "--set", "library=false",
            "--set", "algorithms=ring",    "--set", "file=" WARPLIGHT_TEST_DATA "/data/collectives/nanbad.log"};
        QVERIFY(runProgram(race).out.contains(words));
        QVERIFY(runProgram(race + QStringList{"--format", "csv"}).out.contains("# Note: " + words));
        const QJsonObject printed =
            QJsonDocument::fromJson(runProgram(race + QStringList{"--format", "json", "--out", out}).out).object();
        QFile kept(out + "/run.json");
        QVERIFY(kept.open(QIODevice::ReadOnly));
        for (const QJsonObject& run : {printed, QJsonDocument::fromJson(kept.readAll()).object()}) {
            QCOMPARE(run["notes"].toArray()[0].toObject()["level"].toString(), "warning");
            QVERIFY(run["notes"].toArray()[0].toObject()["text"].toString().toUtf8().contains(words));
        }
    }

    void ctrlCKeepsWhatWasMeasured() {
        const QString session = folder.filePath("cut.warplight");
        QProcess process;
        process.start(WARPLIGHT_CLI, {"run", "attention.race", "--set", "seqLen=64:65536:x2", "--set",
                                      "implementations=online", "--set", "pointSeconds=5", "--save", session});
        QVERIFY(process.waitForStarted());
        QTest::qWait(1500);
        ::kill(static_cast<pid_t>(process.processId()), SIGINT);
        QVERIFY(process.waitForFinished(5000));
        QCOMPARE(process.exitCode(), 130);
        const lab::Session opened = lab::openSession(session.toStdString());
        QVERIFY(opened.runs[0].ended()->outcome == lab::RunEnded::Outcome::Cancelled);
        QVERIFY(!std::get<lab::Table>(opened.runs[0].figure("points")->content).rows.empty());
    }

    void namesOfHostAndUserAreNotRecorded() {
        const QByteArray out = runProgram({"run", "attention.tiles", "--format", "json"}).out;
        const QByteArray host = QSysInfo::machineHostName().toUtf8();
        if (host.size() > 3)
            QVERIFY(!out.contains(host));
    }
};

QTEST_GUILESS_MAIN(CommandLineTest)
#include "command_line_test.moc"
