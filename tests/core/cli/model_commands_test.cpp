// SPDX-License-Identifier: GPL-3.0-or-later
// `train`, `generate` and `logits`, as programs are called; a training that is killed.
#include "core/formats/tensor_file.h"
#include "core/model/model_folder.h"

#include <QDir>
#include <QElapsedTimer>
#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QProcess>
#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

using namespace warplight;

namespace {

struct Outcome {
    int exitCode;
    QByteArray out, err;
};

Outcome call(const QStringList& arguments) {
    QProcess process;
    process.start(WARPLIGHT_CLI, arguments);
    process.waitForFinished(120000);
    return {process.exitCode(), process.readAllStandardOutput(), process.readAllStandardError()};
}

QByteArray contents(const QString& file) {
    QFile in(file);
    return in.open(QIODevice::ReadOnly) ? in.readAll() : QByteArray();
}

} // namespace

class ModelCommandsTest : public QObject {
    Q_OBJECT
    QTemporaryDir folder;
    QString at(const QString& name) const { return folder.filePath(name); }

    QStringList training(const QString& out, const QStringList& more = {}) const {
        return QStringList{"train",    "--text", at("text"),  "--out", out,        "--batch", "2",
                           "--length", "24",     "--threads", "1",     "--warmup", "5"} +
               more;
    }

  private slots:
    void initTestCase() {
        QFile text(at("text"));
        QVERIFY(text.open(QIODevice::WriteOnly));
        for (int i = 0; i < 400; ++i)
            text.write("pack my box with five dozen liquor jugs\n");
        text.close();
        const Outcome outcome = call(training(at("model"), {"--steps", "120", "--seed", "4", "--lr", "0.003"}));
        QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
        QVERIFY(outcome.out.contains("after 120 steps: loss "));
    }

    void eachStepIsALineForPrograms() {
        const Outcome outcome =
            call(training(at("lines"), {"--steps", "30", "--format", "json", "--schedule", "constant"}));
        const auto lines = outcome.out.trimmed().split('\n');
        QCOMPARE(lines.size(), 30);
        const QJsonObject first = QJsonDocument::fromJson(lines.front()).object(),
                          last = QJsonDocument::fromJson(lines.back()).object();
        QCOMPARE(last["step"].toInt(), 29);
        QCOMPARE(last["learning_rate"].toDouble(), 0.001);
        QVERIFY(std::fabs(first["loss"].toDouble() - std::log(256)) < 0.3);
        QVERIFY(last["loss"].toDouble() < first["loss"].toDouble() - 1);
        QVERIFY(last["gradient_norm"].toDouble() > 0);
        QVERIFY(outcome.err.contains("step 30 of 30"));
    }

    void whatWasLearnedIsWritten() {
        // Without a model it is the one that comes with the program, which writes words of its documents.
        const Outcome own = call({"generate", "--prompt", "The virtual ", "--tokens", "40", "--greedy"});
        QCOMPARE(own.exitCode, 0);
        QVERIFY2(own.out.startsWith("The virtual GPU"), own.out.constData());
        const QStringList greedy{"generate", "--model",  at("model"), "--prompt",
                                 "pack my",  "--greedy", "--tokens",  "20"};
        const Outcome text = call(greedy), again = call(greedy);
        QVERIFY2(text.exitCode == 0, text.err.constData());
        QVERIFY2(text.out.startsWith("pack my box"), text.out.constData());
        QCOMPARE(text.out, again.out);
        const Outcome outcome = call({"generate", "--model", at("model"), "--prompt", "pack my", "--tokens", "20",
                                      "--seed", "3", "--temperature", "0.5", "--top-k", "5", "--format", "json"});
        const QJsonObject j = QJsonDocument::fromJson(outcome.out).object();
        QCOMPARE(j["tokens"].toArray().size(), 20);
        QCOMPARE(j["prompt_tokens"].toArray().size(), 7);
        QCOMPARE(j["text"].toString().size(), 20);
    }

    void logitsOfTextAndTokensAreTheSame() {
        QFile few(at("few"));
        QVERIFY(few.open(QIODevice::WriteOnly));
        few.write("five dozen");
        few.close();
        const std::string ids = at("ids.npy").toStdString();
        formats::saveTensors(
            {{ids, {"ids", {{2, 5}, {'f', 'i', 'v', 'e', ' ', 'd', 'o', 'z', 'e', 'n'}}, number::Format::F32}}});
        Outcome outcome = call({"logits", "--model", at("model"), "--text", at("few"), "-o", at("text.npy")});
        QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
        outcome = call({"logits", "--model", at("model"), "--tokens", at("ids.npy"), "-o", at("ids.safetensors:l")});
        QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
        const auto text = formats::loadTensor(at("text.npy").toStdString()),
                   tokens = formats::loadTensor(at("ids.safetensors:l").toStdString());
        QVERIFY((text.shape == std::vector<int64_t>{10, 256}));
        QVERIFY((tokens.shape == std::vector<int64_t>{2, 5, 256}));
        for (size_t i = 0; i < 5 * 256; ++i) // the second sequence begins anew
            QVERIFY(std::fabs(text.values[i] - tokens.values[i]) < 1e-4f);
        const auto largest = std::max_element(text.values.end() - 2 * 256, text.values.end() - 256);
        QCOMPARE(static_cast<char>(largest - (text.values.end() - 2 * 256)), 'n');
    }

    /// A folder as transformers leave it, with GPT-2's kind of tokenizer.
    void foldersWithATokenizerAreRead() {
        model::Model made({.vocabulary = 640, .context = 64, .features = 12, .layers = 1, .heads = 2, .hidden = 20});
        model::initialise(made.config, made.layout, made.weights, 1);
        model::saveModel(at("pairs").toStdString(), made);
        for (const char* file : {"vocab.json", "merges.txt"})
            QVERIFY(QFile::copy(QStringLiteral(WARPLIGHT_TEST_DATA "/oracles/gpt/bpe/") + file, at("pairs/") + file));
        const Outcome outcome =
            call({"generate", "--model", at("pairs"), "--prompt", "the mill ran", "--tokens", "9", "--format", "json"});
        QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
        const QJsonObject j = QJsonDocument::fromJson(outcome.out).object();
        QVERIFY(j["prompt_tokens"].toArray().size() < 10); // fewer than bytes
        QCOMPARE(j["tokens"].toArray().size(), 9);
        // What is printed as it comes, of a model that knows no UTF-8, is what json has in one piece.
        const Outcome text = call({"generate", "--model", at("pairs"), "--prompt", "m\u00fchle", "--tokens", "300"}),
                      whole = call({"generate", "--model", at("pairs"), "--prompt", "m\u00fchle", "--tokens", "300",
                                    "--format", "json"});
        QVERIFY(QString::fromUtf8(text.out) ==
                "m\u00fchle" + QJsonDocument::fromJson(whole.out).object()["text"].toString() + "\n");
        QVERIFY(QFile::remove(at("pairs/merges.txt")));
        QVERIFY(call({"generate", "--model", at("pairs"), "--prompt", "a"}).err.contains("merges.txt"));
    }

    /// Whenever it is killed, the folder holds a model that loads, and what goes on from there ends with the same bits.
    void aKilledRunGoesOnAsIfItHadNotBeen() {
        const QStringList run{"--steps", "60", "--seed", "8", "--checkpoint-every", "1"};
        QCOMPARE(call(training(at("whole"), run)).exitCode, 0);
        int kills = 0;
        for (int delay = 30; kills < 8; delay += 17) {
            const bool begun = QFile::exists(at("killed/training.safetensors"));
            if (!begun)
                QDir(at("killed")).removeRecursively();
            QProcess process;
            process.start(WARPLIGHT_CLI, training(at("killed"), begun ? QStringList{"--resume"} + run : run));
            process.waitForStarted();
            // The first one is killed at once, all others when there is something to go on from.
            while (kills > 0 && !QFile::exists(at("killed/training.safetensors")) && !process.waitForFinished(5)) {
            }
            if (process.state() == QProcess::NotRunning || process.waitForFinished(delay))
                break;
            process.kill();
            process.waitForFinished();
            ++kills;
            if (!QFile::exists(at("killed/model.safetensors")))
                continue;
            const auto loaded = model::loadModel(at("killed").toStdString());
            QCOMPARE(loaded->config.layers, 2);
        }
        QVERIFY(kills > 0);
        const Outcome rest = call(training(at("killed"), QStringList{"--resume"} + run));
        QVERIFY2(rest.exitCode == 0, rest.err.constData());
        QVERIFY(contents(at("killed/training.safetensors")) == contents(at("whole/training.safetensors")));
        QVERIFY(contents(at("killed/model.safetensors")) == contents(at("whole/model.safetensors")));
        // Killed after the last checkpoint and before the model beside it.
        QVERIFY(QFile::remove(at("killed/model.safetensors")));
        QCOMPARE(call(training(at("killed"), QStringList{"--resume"} + run)).exitCode, 0);
        QVERIFY(contents(at("killed/model.safetensors")) == contents(at("whole/model.safetensors")));
        const QStringList left = QDir(at("killed")).entryList(QDir::Files | QDir::Hidden);
        QVERIFY2(left.size() <= 4, qPrintable(left.join(' ')));
    }

    void whatIsWrongIsOneSentence_data() {
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<QString>("named");
        const auto row = [](const QStringList& arguments, const char* named) {
            QTest::addRow("%s", qPrintable(arguments.join(' ').right(90))) << arguments << named;
        };
        const QStringList train{"train", "--text", "text", "--out"};
        row(train + QStringList{"model"}, "--resume or another folder");
        row(train + QStringList{"new", "--resume"}, "training.safetensors");
        row(train + QStringList{"model", "--resume", "--seed", "5"}, "--seed 5: the run was begun with 4");
        row(train + QStringList{"model", "--resume", "--steps", "7"}, "has done 120 already");
        row(train + QStringList{"model", "--resume", "--preset", "small"}, "--preset small");
        row(train + QStringList{"model", "--resume", "--schedule", "constant"}, "begun with cosine");
        row(train + QStringList{"model", "--resume", "--precision", "bf16"},
            "--precision bf16: the run was begun with f32");
        row(train + QStringList{"new", "--lr", "-1"}, "rate is -1");
        row(train + QStringList{"new", "--steps", "0"}, "steps is 0");
        row(train + QStringList{"new", "--batch", "9999999"}, "batch is 9999999");
        row(train + QStringList{"new", "--length", "129"}, "129 tokens");
        row(train + QStringList{"new", "--precision", "f17"}, "f16-dynamic");
        row(train + QStringList{"text"}, "text");
        row({"train", "--text", "nothing", "--out", "new"}, "nothing: No such file");
        row({"train", "--text", ".", "--out", "new"}, "is a folder");
        row({"train", "--text", "short", "--out", "new"}, "short: holds 5 tokens");
        row({"generate", "--model", "none", "--prompt", "a"}, "none: is no folder");
        row({"generate", "--model", "model", "--prompt", ""}, "--prompt");
        row({"generate", "--model", "model", "--prompt", "a", "--temperature", "nan"}, "temperature");
        row({"generate", "--model", "model", "--prompt", "a", "--tokens", "0"}, "--tokens");
        row({"logits", "--model", "model", "-o", "l.npy"}, "--text or --tokens");
        row({"logits", "--model", "model", "--text", "text", "-o", "l.npy"}, "expected at most 128");
        row({"logits", "--model", "model", "--text", "short", "-o", "l.csv"}, "l.csv");
        row({"logits", "--model", "model", "--tokens", "half.npy", "-o", "l.npy"}, "holds 0.5");
        row({"logits", "--model", "model", "--tokens", "cube.npy", "-o", "l.npy"}, "[1, 1, 1]");
    }
    void whatIsWrongIsOneSentence() {
        QFETCH(QStringList, arguments);
        QFETCH(QString, named);
        QFile brief(at("short"));
        QVERIFY(brief.open(QIODevice::WriteOnly) && brief.write("brief") == 5);
        brief.close();
        formats::saveTensors({{at("half.npy").toStdString(), {"x", {{2}, {0, 0.5f}}, number::Format::F32}}});
        formats::saveTensors({{at("cube.npy").toStdString(), {"x", {{1, 1, 1}, {0}}, number::Format::F32}}});
        QProcess process;
        process.setWorkingDirectory(folder.path());
        process.start(WARPLIGHT_CLI, arguments);
        process.waitForFinished();
        const QString said = process.readAllStandardError();
        QCOMPARE(process.exitCode(), 2);
        QVERIFY2(said.contains(named) && said.count('\n') == 1, qPrintable(said));
        QVERIFY(!QFile::exists(at("new")) && !QFile::exists(at("l.npy")));
    }
};

QTEST_GUILESS_MAIN(ModelCommandsTest)
#include "model_commands_test.moc"
