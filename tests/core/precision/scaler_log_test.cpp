// SPDX-License-Identifier: GPL-3.0-or-later
// What is found in logs of loss scalers: files of known wordings, and many more wordings a line or two each.
#include "core/error.h"
#include "core/precision/scaler_log.h"
#include "core/text/echo.h"

#include <QTest>
#include <atomic>
#include <cstdint>
#include <fmt/format.h>
#include <optional>
#include <random>
#include <string>
#include <vector>

using namespace warplight;
using namespace warplight::precision;

namespace {

ScalerLog ofText(const std::string& text, const char* name = "a log", const std::atomic<bool>* cancel = nullptr) {
    profiles::TextSource source(text);
    return readScalerLog(source, {name, cancel, {}});
}

ScalerLog ofFile(const char* name) {
    const std::string file = std::string(WARPLIGHT_TEST_DATA "/data/loss_scaler_logs/") + name;
    const auto source = profiles::openFile(file);
    return readScalerLog(*source, {file, nullptr, {}});
}

/// Events as one line: "SCALER@STEP:BEFORE>AFTER", a "!" for each skipped step (or "!10"), "+" for growth.
std::string written(const ScalerLog& log) {
    const auto scale = [](const std::optional<double>& x) { return x ? fmt::format("{}", *x) : std::string(); };
    std::string all;
    for (const ScalerEvent& e : log.events)
        all += fmt::format("{}{}{}:{}{}{}{}{}{}", all.empty() ? "" : " ", log.scalers[e.scaler],
                           e.step ? fmt::format("@{}", *e.step) : "", scale(e.before), e.before ? ">" : "",
                           scale(e.after), e.kind == ScalerEvent::Kind::Grown ? "+" : "", e.skipped > 0 ? "!" : "",
                           e.skipped > 1 ? std::to_string(e.skipped) : "");
    return all;
}

std::string sentenceOf(const std::string& text) {
    try {
        ofText(text);
    } catch (const InputError& error) {
        return error.what();
    }
    return "";
}

} // namespace

class ScalerLogTest : public QObject {
    Q_OBJECT
  private slots:
    void apexHasAScalerForEachLoss() {
        const ScalerLog log = ofFile("apex.log");
        QCOMPARE(log.scalers, (std::vector<std::string>{"0", "1"}));
        QCOMPARE(written(log),
                 std::string("0:65536>32768! 0:32768>16384! 0:16384>8192! 0@41:8192>4096! 1:65536>32768!"));
        QVERIFY(log.events[0].beforeImplied && !log.events[1].beforeImplied);
        QCOMPARE(summaryOf(log, 0).skips, int64_t(4));
        QCOMPARE(summaryOf(log, 1).skips, int64_t(1));
        QCOMPARE(*summaryOf(log, 0).first, 65536.0);
        QCOMPARE(*summaryOf(log).lowest, 4096.0);
        QVERIFY(!log.steps);
    }

    void deepSpeedTellsAnEventInSeveralLines() {
        const ScalerLog log = ofFile("deepspeed.log");
        QCOMPARE(written(log),
                 std::string(":4294967296>2147483648! :2147483648>1073741824! :65536>32768! :65536>65536!"));
        QCOMPARE(summaryOf(log).skips, int64_t(4));
        QCOMPARE(*summaryOf(log).last, 65536.0);
    }

    void megatronCountsSkipsOfAnInterval() {
        const ScalerLog log = ofFile("megatron.log");
        QCOMPARE(written(log), std::string("@10:4294967296 @20:65536!10 @30:65536 @40:32768! @50:65536"));
        QCOMPARE(summaryOf(log).skips, int64_t(11));
        QCOMPARE(*log.steps, int64_t(50));
    }

    void fairseqTellsWhatTheScaleBecomes() {
        const ScalerLog log = ofFile("fairseq.log");
        QCOMPARE(written(log), std::string(":128>64! :64>32! @98:32"));
        QVERIFY(log.updates);
        QCOMPARE(*log.lastStep, int64_t(98));
    }

    void wordingsOfManyPrograms_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<QString>("events");
        const auto row = [](const char* name, const QByteArray& text, const char* events) {
            QTest::newRow(name) << text << QString(events);
        };
        row("apex with one loss", "Gradient overflow.  Skipping step, reducing loss scale to 512.0\n", ":1024>512!");
        row("the scale had grown in between",
            "Gradient overflow.  Skipping step, loss scaler 0 reducing loss scale to 512.0\n"
            "Gradient overflow.  Skipping step, loss scaler 0 reducing loss scale to 512.0\n",
            "0:1024>512! 0:1024>512!");
        row("a scale of next to nothing",
            "Gradient overflow.  Skipping step, loss scaler 0 reducing loss scale to 8.165126103939127e-202\n",
            "0:1.6330252207878255e-201>8.165126103939127e-202!");
        row("two lines for an event, the first without numbers",
            "Gradient overflow. Skipping step\nLoss scaler reducing loss scale to 512.0\n"
            "Gradient overflow. Skipping step\nLoss scaler reducing loss scale to 256.0\n",
            ":1024>512! :512>256!");
        row("three lines for an event",
            "[2026-02-03 10:00:01,001] [INFO] [unfused_optimizer.py:281:_update_scale] Grad overflow on iteration: 7\n"
            "[2026-02-03 10:00:01,001] [INFO] [unfused_optimizer.py:282:_update_scale] Reducing dynamic loss scale "
            "from "
            "8192.0 to 4096.0\n"
            "[2026-02-03 10:00:01,002] [INFO] [unfused_optimizer.py:207:step] [deepspeed] fp16 dynamic loss scale "
            "overflow! Skipping step. Attempted loss scale: 8192.0, reducing to 4096.0\n"
            "[2026-02-03 10:00:02,001] [INFO] [unfused_optimizer.py:281:_update_scale] Grad overflow on iteration: 8\n"
            "[2026-02-03 10:00:02,001] [INFO] [unfused_optimizer.py:282:_update_scale] Reducing dynamic loss scale "
            "from "
            "4096.0 to 2048.0\n",
            "@7:8192>4096! @8:4096>2048!");
        row("hysteresis, and a counter of all skips so far",
            "[deepspeed] OVERFLOW! Rank 0 Skipping step. Attempted loss scale: 65536, but hysteresis is 2. Reducing "
            "hysteresis to 1\n"
            "[deepspeed] OVERFLOW! Rank 0 Skipping step. Attempted loss scale: 65536, reducing to 32768\n"
            "[Rank 0] step=10, skipped=2, lr=[0.0001], mom=[(0.9, 0.999)]\n",
            ":65536>65536! :65536>32768!");
        row("counters alone",
            "[Rank 0] step=10, skipped=3, lr=[0.1]\n[Rank 0] step=20, skipped=3\n[Rank 0] step=30, skipped=5\n",
            "@10:!3 @30:!2");
        row("lines of skips, and a count of their interval",
            "overflow, skipping step, loss scale 8 -> 4\n"
            "iteration 10/ 50 | loss scale: 4.0 | number of skipped iterations: 2 |\n"
            "overflow, skipping step, loss scale 4 -> 2\n"
            "iteration 20/ 50 | loss scale: 2.0 | number of skipped iterations: 1 |\n",
            ":8>4! @10:4! :4>2! @20:2");
        row("only the scale that failed", "OVERFLOW! Skipping step. Attempted loss scale: 4096\n", ":4096>!");
        row("growth", "No Grad overflow for 1000 iterations\nIncreasing dynamic loss scale from 32768 to 65536.0\n",
            ":32768>65536+");
        row("every rank of a job",
            "[1,0]<stdout>:Gradient overflow.  Skipping step, loss scaler 0 reducing loss scale to 512.0\n"
            "[1,1]<stdout>:Gradient overflow.  Skipping step, loss scaler 0 reducing loss scale to 512.0\n"
            "[1,0]<stdout>:Gradient overflow.  Skipping step, loss scaler 0 reducing loss scale to 256.0\n"
            "[1,0]<stdout>:Gradient overflow.  Skipping step, loss scaler 0 reducing loss scale to 256.0\n"
            "[1,1]<stdout>:Gradient overflow.  Skipping step, loss scaler 0 reducing loss scale to 256.0\n"
            "[1,1]<stdout>:Gradient overflow.  Skipping step, loss scaler 0 reducing loss scale to 256.0\n",
            "0:1024>512! 0:512>256! 0:512>256!");
        row("ranks one after the other",
            "[rank0]: overflow, skipping step, loss scale 4 -> 2\n[rank0]: overflow, skipping step, loss scale 2 -> 1\n"
            "[rank1]: overflow, skipping step, loss scale 4 -> 2\n[rank1]: overflow, skipping step, loss scale 2 -> "
            "1\n",
            ":4>2! :2>1!");
        row("numbers of a launcher",
            "0: overflow, skipping step, loss scale 4 -> 2\n1: overflow, skipping step, loss scale 4 -> 2\n", ":4>2!");
        row("numbers of lines",
            "41: overflow, skipping step, loss scale 4 -> 2\n2041: overflow, skipping step, loss scale 4 -> 2\n",
            ":4>2! :4>2!");
        row("a progress bar that is drawn again",
            "\r 41%|x| 41/100 [00:12<00:17, 3.25it/s, loss_scale=64.0]\r 41%|x| 41/100 [00:13<00:17, 3.25it/s, "
            "loss_scale=64.0]\r 42%|x| 42/100 [00:13<00:17, 3.25it/s, loss_scale=32.0]\n",
            "@41:64 @42:32!");
        row("dictionaries",
            "{'loss': 2.31, 'loss_scale': 64.0, 'epoch': 0.01, 'step': 10}\n{'loss_scale': 128.0, 'step': 20}\n",
            "@10:64 @20:128");
        row("a scale that falls, where nothing tells of skips", "step 10 loss_scale 64\nstep 20 loss_scale 16\n",
            "@10:64 @20:16!2");
        row("a restart", "step 10 loss_scale 64\nstep 20 loss_scale 128\nstep 10 loss_scale 64\n",
            "@10:64 @20:128 @10:64");
        row("lines of JSON",
            "{\"step\": 1, \"loss_scale\": 64.0, \"skipped\": false}\n{\"step\": 2, \"loss_scale\": 32.0, \"skipped\": "
            "true}\n",
            "@1:64 @2:32!");
        row("a list in JSON", "[{\"step\": 1, \"loss_scale\": 64.0}, {\"step\": 2, \"loss_scale\": 128.0}]",
            "@1:64 @2:128");
        row("JSON over lines",
            "{\n  \"log_history\": [\n    {\n      \"loss_scale\": 64.0,\n      \"step\": 10\n    },\n    {\n"
            "      \"loss_scale\": 128.0,\n      \"step\": 20\n    }\n  ]\n}\n",
            "@10:64 @20:128");
        row("numbers as words of JSON",
            "| INFO | train_inner | {\"epoch\": 1, \"num_updates\": \"98\", \"loss_scale\": \"32\"}\n", "@98:32");
        row("CSV", "step,loss_scale\n1,64\n2,128\n", "@1:64 @2:128");
        row("CSV with more",
            "\"Step\",\"run-1 - train/loss_scale\",\"run-1 - train/loss_scale__MIN\"\n\"1\",\"64\",\"32\"\n", "@1:64");
        row("CSV that tells of skips", "iteration;amp/scale;skipped\n0;64;True\n1;32;False\n", "@0:64! @1:32");
        row("tags", "step 10 amp/scale 64 loss 3.2\nstep 20 amp/scale 128 loss 3.1\n", "@10:64 @20:128");
        row("a mere scale", "iter 10, loss: 3.21, scale: 64.0\niter 20, loss: 3.1, scale: 128.0\n", "@10:64 @20:128");
        row("found infinite",
            "Found infinite gradient. This may be caused by the gradient scaler. The current scale is 64.0.\n", ":64!");
        row("overflow as a value",
            "step 24/25, overflow cond: True, loss_scale: 64.0\nstep 25/25, overflow cond: False, loss_scale: 64.0\n",
            "@24:64! @25:64");
        row("found_inf",
            "global step 10, loss_scaling: 64.0, found_inf: 0\nglobal step 20, loss_scaling: 32.0, found_inf: 1\n",
            "@10:64 @20:32!");
        row("Grad Scale", "Epoch: 0   Global Step: 20   Fp16 Grad Scale: 64   Required: 9 hours\n", "@20:64");
        row("several scales a line",
            "step 5 loss_scale_G: 64 loss_scale_D: 32\nstep 6 loss_scale_G: 128 loss_scale_D: 32\n",
            "g@5:64 d@5:32 g@6:128 d@6:32");
        row("colours",
            "\x1b[33mWARN\x1b[0m step \x1b[1m41\x1b[0m: gradient overflow, skipping step; loss scale "
            "\x1b[31m64.0\x1b[0m -> 32.0\n",
            "@41:64>32!");
        row("an arrow of one character", "step 41: overflow, loss scale 64 \xE2\x86\x92 32\n", "@41:64>32!");
        row("thousands", "step 1,000: overflow, skipping step, loss scale 65,536 -> 32,768\n", "@1000:65536>32768!");
        row("old and new", "overflow at step 7: old loss scale 64, new loss scale 32\n", "@7:64>32!");
        row("by a factor", "Overflow! Reducing loss scale by a factor of 2 to 32\n", ":64>32!");
        row("not finite", "step 12: gradients not finite, skipping optimizer step, grad scale 1024 -> 512\n",
            "@12:1024>512!");
        row("skips and no scale", "Found overflow. Skip step\nFound overflow. Skip step\n", ":! :!");
    }
    void wordingsOfManyPrograms() {
        QFETCH(QByteArray, text);
        QFETCH(QString, events);
        QCOMPARE(QString::fromStdString(written(ofText(text.toStdString()))), events);
    }

    void twoBytesACharacterAreRead() {
        std::string text = "\xFF\xFE";
        for (const char c :
             std::string("Gradient overflow.  Skipping step, loss scaler 0 reducing loss scale to 512.0\r\n"))
            text += {c, '\0'};
        QCOMPARE(written(ofText(text)), std::string("0:1024>512!"));
    }

    void stepsAreCountedWhereTheLogTellsThem() {
        QCOMPARE(*ofText("step 100 loss_scale 8\nstep 200 loss_scale 8\nstep 300 loss_scale 8\n").steps, int64_t(300));
        // From the middle of a run on.
        QCOMPARE(*ofText("step 1001 loss_scale 8\nstep 1002 loss_scale 8\nstep 1003 loss_scale 8\n").steps, int64_t(3));
        const ScalerLog back = ofText("step 100 loss_scale 8\nstep 200 loss_scale 8\nstep 50 loss_scale 8\n");
        QVERIFY(back.stepsGoBack && !back.steps);
        QVERIFY(
            !ofText("step 7 overflow, skipping step\nstep 9 overflow, skipping step\n").steps); // what else was there?
        // Updates are those that were not skipped.
        QCOMPARE(*ofText("overflow detected, setting loss scale to: 8\nnum_updates=10, loss_scale=8\nnum_updates=20, "
                         "loss_scale=8\n")
                      .steps,
                 int64_t(21));
        const ScalerLog plain =
            ofText("step 100 loss 3.2\noverflow, skipping step, loss scale 4 -> 2\nstep 200 loss 3.1\n");
        QCOMPARE(*plain.events[0].afterStep, int64_t(100));
        QCOMPARE(*plain.steps, int64_t(200));
    }

    void whatIsNoneIsOneSentence_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::newRow("nothing") << QByteArray();
        QTest::newRow("another log") << QByteArray(
            "epoch 1 loss 3.2\nSkipping the first 100 batches\nskipped 3 documents\n"
            "RuntimeWarning: overflow encountered in exp\nstack overflow\n");
        QTest::newRow("a configuration") << QByteArray("loss_scale : dynamic\nloss_scale_window ..... 1000\n"
                                                       "initial_loss_scale .... 4294967296\n  loss_scale: 65536\n");
        QTest::newRow("a configuration in JSON") << QByteArray(
            "  \"fp16\": {\n    \"enabled\": true,\n    \"loss_scale\": 0,\n    \"loss_scale_window\": 1000,\n"
            "    \"min_loss_scale\": 1\n  }\n");
        QTest::newRow("the end of a run") << QByteArray("FloatingPointError: Minimum loss scale reached (0.0001).\n");
        QTest::newRow("code") << QByteArray("if check_overflow(grads): raise OverflowError\n");
        QTest::newRow("scales of pictures") << QByteArray("step 1 scale: 0.7\nstep 2 scale: 0.9\n");
        QTest::newRow("control characters") << QByteArray("\x00\x01\xff\xfe loss scale \x1b[\n", 20);
        QTest::newRow("numbers that are none")
            << QByteArray("step 1 loss scale: nan\nstep 2 loss scale: 1e999\nstep 3 loss scale: -5\n");
    }
    void whatIsNoneIsOneSentence() {
        QFETCH(QByteArray, text);
        const std::string sentence = sentenceOf(text.toStdString());
        QVERIFY2(sentence.starts_with("a log: tells nothing of a loss scaler, expected "), sentence.c_str());
    }

    void anyBytesAreALogOrASentence() {
        std::mt19937 random(3);
        const std::vector<std::string> parts = {"loss scale",
                                                "loss_scale",
                                                " scaler ",
                                                "overflow",
                                                "skipping step",
                                                "skipped=",
                                                ": ",
                                                "=",
                                                "to ",
                                                "-> ",
                                                "65536",
                                                "1e308",
                                                "nan",
                                                "\n",
                                                "\r",
                                                "\x1b[31m",
                                                "\xff",
                                                "{\"",
                                                "\": ",
                                                "},{",
                                                ",",
                                                "step ",
                                                "[1,0]<stdout>:",
                                                "| 41/",
                                                "[",
                                                "rank",
                                                "0",
                                                "iteration",
                                                std::string(300, '9'),
                                                "\0",
                                                "from ",
                                                "num_updates"};
        for (int i = 0; i < 3000; ++i) {
            std::string text;
            for (unsigned k = 0, count = random() % 60; k < count; ++k)
                text += parts[random() % parts.size()];
            try {
                const ScalerLog log = ofText(text);
                QVERIFY(!log.events.empty());
                for (const ScalerEvent& e : log.events)
                    QVERIFY(e.scaler < log.scalers.size() && e.skipped >= 0 && e.line > 0);
                for (const std::string& name : log.scalers)
                    QVERIFY(isUtf8(name));
            } catch (const InputError& error) {
                QVERIFY(isUtf8(error.what()));
            }
        }
    }

    void aLongLogKeepsWhereTheScaleChanges() {
        std::string text;
        for (int i = 1; i <= 200'000; ++i)
            text += fmt::format("step {} loss_scale {}\n", i, i < 150'000 ? 64 : 128);
        const ScalerLog log = ofText(text);
        QVERIFY(log.events.size() < 60'000);
        QCOMPARE(*log.steps, int64_t(200'000));
        for (const ScalerEvent& e : log.events)
            QCOMPARE(*e.after, *e.step < 150'000 ? 64.0 : 128.0);
        QCOMPARE(*log.events.back().step, int64_t(200'000));
    }

    void manyScalersAreToldAndCut() {
        std::string text;
        for (int i = 0; i < 100; ++i)
            text += fmt::format("step 1 loss_scale_net{}x: 64\n", i);
        const ScalerLog log = ofText(text);
        QCOMPARE(log.scalers.size(), mostScalers);
        QCOMPARE(log.warnings.size(), size_t(1));
    }

    void readingStopsWhenCancelled() {
        const std::atomic<bool> cancelled = true;
        QVERIFY_EXCEPTION_THROWN(ofText("step 1 loss_scale 4\n", "a log", &cancelled), Cancelled);
    }
};

QTEST_GUILESS_MAIN(ScalerLogTest)
#include "scaler_log_test.moc"
