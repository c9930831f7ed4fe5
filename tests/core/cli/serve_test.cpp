// SPDX-License-Identifier: GPL-3.0-or-later
// The protocol, spoken to the real engine process.
#include "core/lab/cbor.h"
#include "core/lab/json.h"
#include "core/lab/record.h"

#include <QElapsedTimer>
#include <QProcess>
#include <QTest>
#include <QtEndian>
#include <span>
#include <string>
#include <tuple>
#include <vector>

using namespace warplight;
using nlohmann::json;

namespace {

/// One engine process; its destructor ends it.
class Engine {
  public:
    Engine() {
        process.start(WARPLIGHT_TEST_ENGINE, {"serve"});
        process.waitForStarted();
    }
    ~Engine() {
        process.kill();
        process.waitForFinished();
    }
    void send(const json& message) { sendRaw(lab::toCbor(message)); }
    template <class Bytes>
    void sendRaw(const Bytes& payload) {
        QByteArray bytes(4, '\0');
        qToLittleEndian(static_cast<quint32>(payload.size()), bytes.data());
        process.write(
            bytes.append(reinterpret_cast<const char*>(payload.data()), static_cast<qsizetype>(payload.size())));
        process.waitForBytesWritten();
    }
    /// The next message, or null after the time is up.
    json receive(int milliseconds = 5000) {
        QElapsedTimer timer;
        timer.start();
        for (;;) {
            if (buffer.size() >= 4) {
                const quint32 length = qFromLittleEndian<quint32>(buffer.constData());
                if (buffer.size() >= 4 + static_cast<qsizetype>(length)) {
                    const json message = lab::fromCbor(std::as_bytes(std::span(buffer.constData() + 4, length)));
                    buffer.remove(0, 4 + static_cast<qsizetype>(length));
                    return message;
                }
            }
            const int left = milliseconds - static_cast<int>(timer.elapsed());
            if (left <= 0 || (!process.waitForReadyRead(left) && process.bytesAvailable() == 0))
                return nullptr;
            buffer += process.readAllStandardOutput();
        }
    }
    /// Skips to the next message of that type.
    json receiveType(const std::string& type) {
        for (json message = receive(); !message.is_null(); message = receive())
            if (message["type"] == type)
                return message;
        return nullptr;
    }
    QProcess process;

  private:
    QByteArray buffer;
};

json runRequest(int run, const char* experiment, json settings = json::object()) {
    return {{"type", "run"},        {"id", 1},        {"run", run}, {"experiment", experiment},
            {"settings", settings}, {"device", "cpu"}};
}

} // namespace

class ServeTest : public QObject {
    Q_OBJECT
  private slots:
    void helloTellsExperimentsThatCanBeReadBack() {
        Engine engine;
        engine.send({{"type", "hello"}, {"id", 9}});
        const json hello = engine.receive();
        QCOMPARE(hello["id"], 9);
        QCOMPARE(hello["protocol"], 1);
        bool race = false;
        for (const json& description : hello["experiments"])
            race |= lab::descriptionFromJson(description).id == "attention.race";
        QVERIFY(race && !lab::machineFromJson(hello["machine"]).cpu.empty());
    }

    void framesOfARunBuildItsRecord() {
        Engine engine;
        engine.send(runRequest(3, "test.ramp", {{"points", 30}, {"pauseMilliseconds", 0}}));
        lab::RunRecord record;
        while (!record.ended()) {
            const json message = engine.receive();
            QVERIFY(!message.is_null());
            record.apply(lab::frameFromJson(message));
        }
        QVERIFY(record.ended()->outcome == lab::RunEnded::Outcome::Finished);
        const auto& curves = std::get<lab::Series>(record.figure("series")->content).curves;
        QCOMPARE(curves.back().id, "ramp");
        QCOMPARE(curves.back().y.size(), size_t{30});
        QCOMPARE(curves.back().y[29], 841.0);
    }

    void cancelEndsTheRunWithin100Milliseconds() {
        Engine engine;
        engine.send(runRequest(1, "test.ramp", {{"points", 100000}}));
        engine.receiveType("progress");
        QElapsedTimer timer;
        timer.start();
        engine.send({{"type", "cancel"}, {"run", 1}});
        QCOMPARE(engine.receiveType("runEnded")["outcome"], "cancelled");
        QVERIFY2(timer.elapsed() < 100, qPrintable(QString::number(timer.elapsed())));
    }

    /// However many came after it: only runs that have ended are let go.
    void manyRefusedRunsDoNotTakeTheCancelOfTheOneThatGoesOn() {
        Engine engine;
        engine.send(runRequest(1, "test.ramp", {{"points", 100000}}));
        engine.receiveType("progress");
        for (int run = 2; run < 42; ++run)
            engine.send(runRequest(run, "test.ramp", {{"points", -1}}));
        engine.send({{"type", "cancel"}, {"run", 1}});
        const json ended = engine.receiveType("runEnded");
        QVERIFY(!ended.is_null());
        QCOMPARE(ended["run"], 1);
        QCOMPARE(ended["outcome"], "cancelled");
    }

    void aNewRunCancelsTheOldOne() {
        Engine engine;
        engine.send(runRequest(1, "test.ramp", {{"points", 100000}}));
        engine.receiveType("progress");
        engine.send(runRequest(2, "test.ramp", {{"points", 3}}));
        json ended = engine.receiveType("runEnded");
        QCOMPARE(ended["run"], 1);
        QCOMPARE(ended["outcome"], "cancelled");
        ended = engine.receiveType("runEnded");
        QCOMPARE(ended["run"], 2);
        QCOMPARE(ended["outcome"], "finished");
    }

    /// The order of requests counts: an adjust behind its run reaches it. What does not move is refused, and the run
    /// goes on.
    void aRunThatGoesOnFollowsLiveSettings() {
        Engine engine;
        engine.send(runRequest(5, "precision.gradients", {{"steps", 100'000}}));
        engine.send({{"type", "adjust"}, {"id", 2}, {"run", 5}, {"settings", {{"scale", 9}}}});
        const json log = engine.receiveType("log");
        QVERIFY(log["text"].get<std::string>().starts_with("Loss scale 2^9 from step"));
        const auto refused = [&](const json& settings) {
            engine.send({{"type", "adjust"}, {"id", 3}, {"run", 5}, {"settings", settings}});
            const json failed = engine.receiveType("failed");
            return failed["id"] == 3 && !failed.contains("run") ? failed["message"].get<std::string>() : "";
        };
        QCOMPARE(refused({{"steps", 7}}), "setting 'steps' does not move while a run goes on");
        QCOMPARE(refused({{"scale", 61}}), "scale: expected a whole number from -20 to 60, not \"61\"");
        engine.send({{"type", "adjust"}, {"id", 4}, {"run", 77}, {"settings", {{"scale", 9}}}}); // no such run
        engine.send({{"type", "adjust"}, {"id", 5}, {"run", 5}, {"settings", {{"scale", 10}}}});
        QVERIFY(engine.receiveType("log")["text"].get<std::string>().starts_with("Loss scale 2^10 from step"));
    }

    void tilesProbesAndSelectionsAreAnsweredAfterTheRun() {
        Engine engine;
        engine.send(runRequest(1, "test.ramp", {{"points", 1}}));
        engine.receiveType("runEnded");
        engine.send({{"type", "tile"}, {"run", 1}, {"figure", "lazy"}, {"level", 2}, {"tileRow", 1}, {"tileCol", 3}});
        const auto tile = std::get<lab::TilePut>(lab::frameFromJson(engine.receive()));
        QCOMPARE(tile.cells[5], 5013.0f); // row 1·4+1, column 3·4+1
        engine.send({{"type", "probe"}, {"id", 4}, {"run", 1}, {"figure", "lazy"}, {"row", 7}, {"col", 8}});
        QCOMPARE(engine.receive()["lines"][0], "cell 7, 8");
        engine.send({{"type", "select"}, {"id", 5}, {"run", 1}, {"figure", "map"}, {"row", 1}, {"col", 2}});
        QCOMPARE(engine.receive()["figure"]["content"]["markdown"], "1, 2");
        QCOMPARE(engine.receive()["type"], "selected");
        engine.send({{"type", "forget"}, {"run", 1}});
        engine.send({{"type", "probe"}, {"id", 6}, {"run", 1}, {"figure", "lazy"}, {"row", 7}, {"col", 8}});
        QCOMPARE(engine.receive()["type"], "failed");
    }

    void linesAndSpansAreSelectedFrom() {
        Engine engine;
        engine.send(runRequest(1, "test.kernel", {{"lines", 100}, {"spans", 50}}));
        QCOMPARE(engine.receiveType("runEnded")["outcome"], "finished");
        const auto select = [&](const char* figure, int row, int col) {
            engine.send({{"type", "select"}, {"id", 5}, {"run", 1}, {"figure", figure}, {"row", row}, {"col", col}});
            const auto put = std::get<lab::FigurePut>(lab::frameFromJson(engine.receive()));
            return engine.receive()["type"] == "selected" ? std::get<lab::Note>(put.figure.content).markdown : "";
        };
        QCOMPARE(select("source", 42, 1), std::string("line 42 of pane 1"));
        QCOMPARE(select("blocks", 7, 3), std::string("span 7 on track 3"));
    }

    void checkNamesTheSettingAtFault() {
        Engine engine;
        engine.send(
            {{"type", "check"}, {"id", 1}, {"experiment", "test.ramp"}, {"settings", {{"points", 0}, {"nope", 1}}}});
        json checked = engine.receive();
        QVERIFY(checked["errors"].contains("points") && checked["errors"].contains("nope"));
        engine.send({{"type", "check"},
                     {"id", 2},
                     {"experiment", "test.ramp"},
                     {"settings", {{"points", 100}, {"pauseMilliseconds", 10}}}});
        checked = engine.receive();
        QVERIFY(checked["errors"].empty() && checked["estimatedSeconds"] == 1.0);
    }

    void badRequestsAreAnsweredWithASentence_data() {
        QTest::addColumn<QByteArray>("request");
        QTest::newRow("unknown type") << QByteArray(R"({"type":"dance"})");
        QTest::newRow("unknown experiment") << QByteArray(R"({"type":"run","run":1,"experiment":"x","device":"cpu"})");
        QTest::newRow("bad setting") << QByteArray(
            R"({"type":"run","run":1,"experiment":"test.ramp","device":"cpu","settings":{"points":-1}})");
        QTest::newRow("bad device") << QByteArray(R"({"type":"run","run":1,"experiment":"test.ramp","device":"tpu"})");
        QTest::newRow("device of another type")
            << QByteArray(R"({"type":"run","run":1,"experiment":"test.ramp","device":7})");
        QTest::newRow("settings of another type")
            << QByteArray(R"({"type":"run","run":1,"experiment":"test.ramp","device":"cpu","settings":[1]})");
        QTest::newRow("no run") << QByteArray(R"({"type":"run","experiment":"test.ramp","device":"cpu"})");
        QTest::newRow("text for a number") << QByteArray(R"({"type":"cancel","run":"one"})");
        QTest::newRow("tile of no run") << QByteArray(
            R"({"type":"tile","run":77,"figure":"lazy","level":0,"tileRow":0,"tileCol":0})");
        for (const char* id : {"\"q\"", "1.5", "-5", "18446744073709551615"})
            QTest::newRow(id) << QByteArray(R"({"type":"check","experiment":"test.ramp","id":)").append(id).append('}');
    }
    void badRequestsAreAnsweredWithASentence() {
        QFETCH(QByteArray, request);
        Engine engine;
        engine.send(json::parse(request.toStdString()));
        const json failed = engine.receive();
        QVERIFY(!failed.is_null());
        QCOMPARE(failed["type"], "failed");
        QVERIFY(failed["message"].get<std::string>().size() > 10);
        if (request.contains("\"id\""))
            QCOMPARE(
                failed["message"].get<std::string>(),
                fmt::format("request 'check': member 'id' is {}, expected a whole number from 0 to "
                            "9223372036854775807",
                            request.contains("-5") || request.contains("615") ? "out of range" : "no whole number"));
        engine.send({{"type", "ping"}, {"id", 1}});
        QCOMPARE(engine.receive()["type"], "pong"); // and it goes on
    }

    void whatAnExperimentThrowsEndsTheRunNotTheEngine() {
        Engine engine;
        engine.send(runRequest(1, "test.throw"));
        const json ended = engine.receiveType("runEnded");
        QCOMPARE(ended["outcome"], "failed");
        QCOMPARE(ended["message"], "the kernel said no");
        engine.send(runRequest(2, "test.ramp", {{"points", 1}}));
        QCOMPARE(engine.receiveType("runEnded")["outcome"], "finished");
    }

    void aLostGpuEndsTheRunThenTheEngineWithItsSentence() {
        Engine engine;
        engine.send(runRequest(1, "test.lost"));
        const json ended = engine.receiveType("runEnded");
        QCOMPARE(ended["outcome"], "failed");
        QVERIFY(engine.process.waitForFinished(5000));
        QCOMPARE(engine.process.exitStatus(), QProcess::NormalExit);
        QCOMPARE(engine.process.exitCode(), 1);
        QCOMPARE(engine.process.readAllStandardError().toStdString(),
                 "warplight-cli: " + ended["message"].get<std::string>() + "\n");
    }

    void aGpuLostWhileAQuestionIsAnsweredEndsTheEngineToo() {
        Engine engine;
        engine.send(runRequest(1, "test.ramp", {{"points", 1}}));
        engine.receiveType("runEnded");
        engine.send({{"type", "select"}, {"id", 5}, {"run", 1}, {"figure", "map"}, {"row", 99}, {"col", 0}});
        const json failed = engine.receiveType("failed");
        QCOMPARE(failed["id"], 5);
        QVERIFY(engine.process.waitForFinished(5000));
        QCOMPARE(engine.process.exitCode(), 1);
        QCOMPARE(engine.process.readAllStandardError().toStdString(),
                 "warplight-cli: " + failed["message"].get<std::string>() + "\n");
    }

    void aLostGpuEndsACommandWithExitCode1() {
        QProcess process;
        process.start(WARPLIGHT_TEST_ENGINE, {"run", "test.lost"});
        QVERIFY(process.waitForFinished(10000));
        QCOMPARE(process.exitCode(), 1);
        QCOMPARE(process.readAllStandardError().trimmed().split('\n').back().toStdString(),
                 "warplight-cli: kernel flash2_d64 failed; the GPU takes no further work from this process");
    }

    void arraysObeyTheLimitsOfTexts_data() {
        QTest::addColumn<QByteArray>("settings");
        QTest::addColumn<QString>("at");
        const auto row = [](const char* name, const json& settings, const char* at) {
            QTest::newRow(name) << QByteArray::fromStdString(settings.dump()) << at;
        };
        row("too many", {{"seqLen", std::vector<int>(5000, 64)}}, "seqLen");
        row("none", {{"seqLen", json::array()}}, "seqLen");
        row("out of range", {{"seqLen", {64, 0}}}, "seqLen");
        row("no whole number", {{"seqLen", {64.5}}}, "seqLen");
        row("unknown choice", {{"implementations", {"flash", "flush"}}}, "implementations");
        row("no choice", {{"implementations", json::array()}}, "implementations");
    }
    void arraysObeyTheLimitsOfTexts() {
        QFETCH(QByteArray, settings);
        QFETCH(QString, at);
        Engine engine;
        engine.send({{"type", "check"},
                     {"id", 3},
                     {"experiment", "attention.race"},
                     {"settings", json::parse(settings.toStdString())}});
        const json checked = engine.receive();
        QVERIFY2(checked["errors"].contains(at.toStdString()), checked.dump().c_str());
        json request = runRequest(7, "attention.race", json::parse(settings.toStdString()));
        engine.send(request);
        const json failed = engine.receive();
        QCOMPARE(failed["type"].get<std::string>(), std::string("failed"));
        QCOMPARE(failed["run"].get<int>(), 7);
    }

    void whatIsNamedTwiceRunsOnce() {
        Engine engine;
        engine.send(runRequest(1, "attention.race",
                               {{"seqLen", {32}}, {"implementations", {"flash", "flash"}}, {"pointSeconds", 0.01}}));
        const json started = engine.receiveType("runStarted");
        QCOMPARE(started["settings"]["implementations"].size(), size_t{1});
    }

    void invalidUtf8IsNeverSentBack() {
        const std::string bad = "caf\xE9\xFF";
        Engine engine;
        const std::vector<json> requests = {
            {{"type", bad}},
            {{"type", "check"}, {"id", 1}, {"experiment", bad}, {"settings", json::object()}},
            {{"type", "check"}, {"id", 1}, {"experiment", "attention.race"}, {"settings", {{bad, bad}}}},
            {{"type", "run"}, {"run", 1}, {"experiment", bad}, {"settings", json::object()}, {"device", bad}},
            {{"type", "run"},
             {"run", 2},
             {"experiment", "profile.open"},
             {"device", "cpu"},
             {"settings", {{"file", bad}}}},
            {{"type", "probe"}, {"id", bad}, {"run", 9}, {"figure", bad}, {"row", 0}, {"col", 0}}};
        for (const json& request : requests) {
            engine.sendRaw(json::to_cbor(request));
            const json answer = engine.receive(); // which cannot be read where it is not valid
            QVERIFY(!answer.is_null());
            QVERIFY2(answer.dump().find("caf\xE9") == std::string::npos, answer.dump().c_str()); // dump throws, too
        }
    }

    void longValuesAreNotSentBackWhole() {
        Engine engine;
        const std::string letters(100'000, 'x');
        for (const json& request :
             {json{{"type", letters}}, json{{"type", "probe"}, {"id", letters}, {"run", letters}, {"figure", letters}},
              json{{"type", "check"}, {"id", 1}, {"experiment", letters}},
              json{{"type", "check"}, {"id", 1}, {"experiment", "test.ramp"}, {"settings", {{letters, 1}}}}}) {
            engine.send(request);
            const json answer = engine.receive();
            QVERIFY(!answer.is_null());
            const json& said = answer["type"] == "checked" ? answer["errors"] : answer;
            QVERIFY2(said.dump().size() < 1000, said.dump().c_str());
        }
    }

    void aRunThatDoesNotFitIsRefusedWithASentence() {
        Engine engine;
        engine.send(runRequest(1, "test.huge"));
        const json ended = engine.receiveType("runEnded");
        QCOMPARE(ended["outcome"].get<std::string>(), std::string("failed"));
        const auto message = ended["message"].get<std::string>();
        QVERIFY2(message.find("choose less of what it asks for") != std::string::npos, message.c_str());
        QVERIFY2(message.find("1.15 EB") != std::string::npos, message.c_str());
    }

    void answersThatCannotBeWrittenEndItWithExitCode1() {
        QProcess process;
        process.setStandardOutputFile("/dev/full");
        process.start(WARPLIGHT_TEST_ENGINE, {"serve"});
        QVERIFY(process.waitForStarted());
        const auto payload = lab::toCbor({{"type", "hello"}, {"id", 1}});
        QByteArray bytes(4, '\0');
        qToLittleEndian(static_cast<quint32>(payload.size()), bytes.data());
        process.write(
            bytes.append(reinterpret_cast<const char*>(payload.data()), static_cast<qsizetype>(payload.size())));
        QVERIFY(process.waitForFinished(5000));
        QCOMPARE(process.exitCode(), 1);
        QVERIFY(process.readAllStandardError().contains("No space left on device"));
    }

    void cancelEndsWhateverTakesLong_data() {
        QTest::addColumn<QByteArray>("settings");
        QTest::addColumn<QString>("experiment");
        QTest::addColumn<QString>("device");
        QTest::addColumn<int>("after");
        const auto row = [](const char* name, const char* experiment, const char* device, const json& settings,
                            int after) {
            QTest::newRow(name) << QByteArray::fromStdString(settings.dump()) << experiment << device << after;
        };
        row("random inputs", "attention.race", "cpu",
            {{"seqLen", {1048576}}, {"heads", 2}, {"headDim", 64}, {"implementations", {"flash"}}}, 600);
        row("inputs of a map", "attention.map", "cpu", {{"seqLen", 1048576}, {"headDim", 128}}, 600);
        row("double precision", "attention.accuracy", "cpu",
            {{"queryLen", 16384}, {"keyLen", 16384}, {"implementations", {"flash"}}}, 600);
        row("vectors of ranks", "allreduce.numbers", "cpu", {{"elements", 4194304}, {"ranks", {32}}}, 300);
        row("a race of ranks", "allreduce.race", "cpu",
            {{"bytes", {134217728}}, {"ranks", 4}, {"library", false}, {"algorithms", {"ring"}}}, 300);
        row("a kernel on the virtual GPU", "attention.traffic", "vgpu", {{"seqLen", {4096}}, {"kernels", {"flash1"}}},
            600);
    }
    void cancelEndsWhateverTakesLong() {
        QFETCH(QByteArray, settings);
        QFETCH(QString, experiment);
        QFETCH(QString, device);
        QFETCH(int, after);
        Engine engine;
        json request = runRequest(1, qPrintable(experiment), json::parse(settings.toStdString()));
        request["device"] = device.toStdString();
        engine.send(request);
        QVERIFY(!engine.receiveType("runStarted").is_null());
        QTest::qWait(after);
        engine.send({{"type", "ping"}, {"id", 2}}); // it is heard all the time, and seen to be busy
        const json pong = engine.receiveType("pong");
        QVERIFY(pong["stalledSeconds"].get<double>() < 0.3);
        engine.send({{"type", "cancel"}, {"run", 1}});
        const json ended = engine.receiveType("runEnded");
        QVERIFY2(ended["outcome"] == "cancelled", ended.dump().c_str());
    }

    void aRunThatDoesNotFollowIsSeenToStall() {
        Engine engine;
        engine.send(runRequest(1, "test.spin"));
        engine.receiveType("runStarted");
        QTest::qWait(600);
        engine.send({{"type", "ping"}, {"id", 1}});
        QVERIFY(engine.receive()["stalledSeconds"].get<double>() < 0.5); // it computes
        engine.send({{"type", "cancel"}, {"run", 1}});
        QTest::qWait(600);
        engine.send({{"type", "ping"}, {"id", 2}});
        QVERIFY(engine.receive()["stalledSeconds"].get<double>() > 0.3);
    }

    void pongTellsHowLongARunHasBeenSilent() {
        Engine engine;
        engine.send(runRequest(1, "test.hang"));
        engine.receiveType("runStarted");
        QTest::qWait(600);
        engine.send({{"type", "ping"}, {"id", 1}});
        QVERIFY(engine.receive()["stalledSeconds"].get<double>() > 0.5);
    }

    void garbageEndsItWithExitCode2() {
        Engine engine;
        engine.process.write(QByteArray(64, '\xff'));
        QVERIFY(engine.process.waitForFinished(3000));
        QCOMPARE(engine.process.exitCode(), 2);
        QCOMPARE(engine.process.readAllStandardError().count('\n'), 1);
    }

    void theEndOfTheInputEndsItEvenWhenARunHangs() {
        for (const char* experiment : {"test.ramp", "test.hang"}) {
            Engine engine;
            engine.send(runRequest(1, experiment, {{"points", 100000}}));
            engine.receiveType("runStarted");
            engine.process.closeWriteChannel();
            QVERIFY(engine.process.waitForFinished(5000));
            QCOMPARE(engine.process.exitCode(), 0);
        }
    }
};

QTEST_GUILESS_MAIN(ServeTest)
#include "serve_test.moc"
