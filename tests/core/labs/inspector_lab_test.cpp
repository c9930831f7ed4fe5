// SPDX-License-Identifier: GPL-3.0-or-later
// The kernel inspector: each example's mistake is found and put into words, counts of lines are the launch's, and what
// is opened can be edited.
#include "core/error.h"
#include "core/lab/record.h"
#include "core/labs/inspector/inspector_lab.h"
#include "gpu/cuda/cuda_compiler.h"
#include "gpu/ops/attention.h"

#include <QFile>
#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

using namespace warplight;
using namespace warplight::lab;

namespace {

using Given = std::map<std::string, Value>;

/// A run that can still be asked after it has ended.
struct Session {
    RunRecord record;
    std::unique_ptr<Run> run;

    Session(const char* id, const Given& given) {
        Registry registry;
        labs::inspector::registerLab(registry);
        Experiment& experiment = registry.find(id);
        const Settings settings(experiment.parameters(given), given);
        record.apply(RunStarted{1, id, "", settings.values(), "vgpu", "", {}});
        run = std::make_unique<Run>(
            1, "vgpu", [this](const Frame& frame) { record.apply(frame); }, std::make_shared<std::atomic<bool>>(false));
        experiment.run(settings, *run);
    }
    template <class Content>
    const Content& content(const char* id) const {
        return std::get<Content>(record.figure(id)->content);
    }
    /// All findings of a severity, a line each: "text [lines]".
    QString findings(const char* severity) const {
        QString all;
        for (const auto& row : content<Table>("findings").rows)
            if (std::get<std::string>(row[0]) == severity) {
                const auto* lines = std::get_if<std::string>(&row[2]);
                all += QString("%1 [%2]\n").arg(std::get<std::string>(row[1]).c_str(), lines ? lines->c_str() : "");
            }
        return all;
    }
    /// The remark beside a line of the source pane.
    QString remark(const char* text) const {
        for (const Source::Line& line : content<Source>("source").panes[0].lines)
            if (line.text.find(text) != std::string::npos && !line.remark.empty())
                return QString::fromStdString(line.remark);
        return {};
    }
};

Session example(const char* name, Given more = {}) {
    more["from"] = std::string("example");
    more["example"] = std::string(name);
    return {"inspect.kernel", more};
}

#define VERIFY_CONTAINS(text, part) QVERIFY2((text).contains(part), qPrintable(text))

} // namespace

class InspectorLabTest : public QObject {
    Q_OBJECT
  private slots:
    void uncoalescedReadsAreFoundAndExplained() {
        const Session s = example("uncoalesced");
        // A row is 256 floats: each lane a row apart, 4 of a sector's 32 bytes used.
        VERIFY_CONTAINS(s.findings("warning"),
                        "12 % of the bytes that this load of matrix moves are used, 32.0 sectors of "
                        "32 B a request where 4.0 would do: lanes stride by 1024 B");
        VERIFY_CONTAINS(s.remark("sum += matrix"), "lanes stride by 1024 B");
        QVERIFY(s.findings("error").isEmpty());
        const auto& access = s.content<Steps>("access").steps;
        VERIFY_CONTAINS(QString::fromStdString(access[0].caption), "32 sectors of 32 B, 12 % of their bytes used");
    }

    void coalescedReadsGetNoWarning() {
        const Session s = example("coalesced");
        QVERIFY2(s.findings("warning").isEmpty(), qPrintable(s.findings("warning")));
        VERIFY_CONTAINS(s.findings("good"), "use what they fetch");
    }

    void aRaceIsAnErrorAtItsLine() {
        const Session s = example("race");
        VERIFY_CONTAINS(s.findings("error"), "race: ");
        VERIFY_CONTAINS(s.findings("error"), "race.cu:10");
        VERIFY_CONTAINS(s.remark("part[i] += part[i + half]"), "race: ");
    }

    void aReadBehindTheEndStopsAndIsShownAtItsLine() {
        const Session s = example("out_of_bounds");
        VERIFY_CONTAINS(s.findings("error"), "out of bounds: a read of 4 bytes");
        VERIFY_CONTAINS(s.findings("error"), "0 bytes past the end of 'x' (4096 bytes)");
        VERIFY_CONTAINS(s.remark("y[i] ="), "out of bounds");
        QCOMPARE(s.record.logs().size(), size_t{1});
        QVERIFY(!s.record.figure("blocks")); // nothing has been counted to the end
    }

    void bankConflictsAreCounted() {
        const Session s = example("bank_conflict");
        VERIFY_CONTAINS(s.findings("warning"),
                        "This load goes 32.0 times over the banks of shared memory where 1.0 would do");
        VERIFY_CONTAINS(s.findings("warning"), "lanes stride by 128 B");
        VERIFY_CONTAINS(s.remark("tile[threadIdx.x][row]"), "bank conflicts");
    }

    void divergenceIsTold() {
        const Session s = example("divergence");
        VERIFY_CONTAINS(s.findings("note") + s.findings("warning"), "of a warp's 32 lanes work");
    }

    void rightKernelsGetNoErrorsAndNoConflictsThatAreNone_data() {
        QTest::addColumn<QString>("kernel");
        for (const gpu::AttentionRungInfo& rung : gpu::attentionRungs())
            QTest::newRow(std::string(rung.name).c_str()) << QString::fromStdString(std::string(rung.name));
    }
    void rightKernelsGetNoErrorsAndNoConflictsThatAreNone() {
        QFETCH(QString, kernel);
        const int64_t launch = kernel == "mma-e4m3" ? 7 : 1; // behind its copies
        const Session s("inspect.kernel",
                        {{"kernel", kernel.toStdString()}, {"seqLen", int64_t{64}}, {"launch", launch}});
        QVERIFY2(s.findings("error").isEmpty(), qPrintable(s.findings("error")));
        if (kernel == "flash2-mma" || kernel == "mma-tf32" || kernel == "mma-e4m3") {
            QVERIFY2(s.findings("warning").isEmpty(), qPrintable(s.findings("warning")));
            VERIFY_CONTAINS(s.findings("good"), "No bank conflicts to speak of");
        }
        // Both panes are there, and belong to each other in both directions.
        const auto& panes = s.content<Source>("source").panes;
        QCOMPARE(panes.size(), size_t{2});
        size_t pairs = 0;
        for (size_t pane = 0; pane < 2; ++pane)
            for (size_t i = 0; i < panes[pane].lines.size(); ++i)
                for (const int64_t partner : panes[pane].lines[i].partners) {
                    const auto& back = panes[1 - pane].lines[static_cast<size_t>(partner)].partners;
                    QVERIFY(std::find(back.begin(), back.end(), static_cast<int64_t>(i)) != back.end());
                    ++pairs;
                }
        QVERIFY(pairs > 100);
        // Every instruction is some line of the PTX; those with a source line are in the other pane once more.
        const auto sum = [&](size_t pane) {
            double all = 0;
            for (const Source::Line& line : panes[pane].lines)
                all += line.counts.empty() ? 0 : line.counts[0].value_or(0);
            return all;
        };
        QVERIFY(sum(1) > 0 && sum(0) > 0.5 * sum(1) && sum(0) <= sum(1));
    }

    void aClickShowsTheAccessesOfItsLine() {
        Session s = example("uncoalesced");
        const auto& panes = s.content<Source>("source").panes;
        int64_t store = -1;
        for (size_t i = 0; i < panes[0].lines.size(); ++i)
            if (panes[0].lines[i].text.find("sums[row] = sum") != std::string::npos)
                store = static_cast<int64_t>(i);
        s.run->selectionHandler("source")(*s.run, store, 0);
        const auto& access = s.content<Steps>("access").steps;
        VERIFY_CONTAINS(QString::fromStdString(access[0].caption), "sums: lanes are consecutive, 4 B each. 4 sectors");
        s.run->selectionHandler("source")(*s.run, 0, 0); // a comment
        VERIFY_CONTAINS(QString::fromStdString(s.content<Steps>("access").steps[0].caption), "Click a line");
        s.run->selectionHandler("source")(*s.run, 99999, 7); // nothing is there
    }

    void blocksGoWhereThereIsRoom() {
        const Session s = example("coalesced"); // 128 blocks on 108 multiprocessors
        const auto& timeline = s.content<Timeline>("blocks");
        QVERIFY(!timeline.spans.empty());
        std::map<int64_t, std::vector<std::pair<double, double>>> tracks;
        for (const Timeline::Span& span : timeline.spans) {
            QVERIFY(span.provenance == Provenance::Modelled && span.end > span.begin);
            tracks[span.track].emplace_back(span.begin, span.end);
        }
        for (auto& [track, spans] : tracks) {
            std::sort(spans.begin(), spans.end());
            for (size_t i = 1; i < spans.size(); ++i)
                QVERIFY(spans[i].first >= spans[i - 1].second - 1e-9);
        }
    }

    void parametersAreTheKernels() {
        Registry registry;
        labs::inspector::registerLab(registry);
        const Experiment& inspector = registry.find("inspect.kernel");
        std::vector<std::string> titles;
        for (const Parameter& p :
             inspector.parameters({{"from", std::string("example")}, {"example", std::string("race")}}))
            titles.push_back(p.title);
        for (const char* title : {"Code", "Blocks", "Threads a block", "x: const float*", "sums: float*"})
            QVERIFY2(std::find(titles.begin(), titles.end(), title) != titles.end(), title);
    }

    void anotherCompilersPtxOpens() {
        const std::string file = WARPLIGHT_TEST_DATA "/data/ptx/clang_kernels.ptx";
        Registry registry;
        labs::inspector::registerLab(registry);
        const Given given{{"from", std::string("file")}, {"file", file}};
        const auto parameters = registry.find("inspect.kernel").parameters(given);
        const auto entry =
            std::find_if(parameters.begin(), parameters.end(), [](const Parameter& p) { return p.id == "entry"; });
        QVERIFY(entry != parameters.end() && entry->options.size() > 1);
        // The file brings the kernels along, the kernel its arguments.
        const std::string second = entry->options[1].id;
        const Description beside = describedBeside(registry.find("inspect.kernel"), [&](const Description& d) {
            Given values = given;
            for (const Parameter& p : d.parameters)
                if (p.id == "entry")
                    values["entry"] = second;
            return values;
        });
        QVERIFY(std::any_of(beside.parameters.begin(), beside.parameters.end(),
                            [&](const Parameter& p) { return p.id == second + ".0"; }));
    }

    void tritonsSoftmaxIsInspected() {
        // 512 columns a row, one program a row: see tests/data/ptx/triton_kernels.py.
        const std::string file = WARPLIGHT_TEST_DATA "/data/ptx/triton_softmax.ptx";
        QFile ptx(QString::fromStdString(file));
        QVERIFY(ptx.open(QIODevice::ReadOnly));
        Registry registry;
        labs::inspector::registerLab(registry);
        Given given{{"from", std::string("file")}, {"file", file}};
        std::vector<std::string> arguments;
        for (const Parameter& p : registry.find("inspect.kernel").parameters(given))
            if (p.title.find("param") != std::string::npos)
                arguments.push_back(p.id);
        QVERIFY(arguments.size() >= 3);
        for (size_t i = 0; i < arguments.size(); ++i)
            given[arguments[i]] = std::string(i == 0 ? "zeros:f32[8,781]" : i == 1 ? "random:f32[8,781]" : "u32:781");
        for (size_t i = arguments.size() - 2; i >= 5 && i < arguments.size(); ++i)
            given[arguments[i]] = std::string("ptr:0");
        for (const std::string& last : {arguments[arguments.size() - 1], arguments[arguments.size() - 2]})
            given[last] = std::string("ptr:0"); // Triton's scratch memory
        given["grid"] = std::string("8");
        given["block"] = std::string("128");
        given["shared"] = int64_t{1024};
        const Session s("inspect.kernel", given);
        QVERIFY2(s.findings("error").isEmpty(), qPrintable(s.findings("error")));
        QCOMPARE(s.content<Source>("source").panes.back().title, std::string("triton_softmax.ptx"));
        QVERIFY(s.content<Table>("buffers").rows.size() >= 2);
    }

    void theMissingBarrierMendsTheRace() {
        try {
            const cuda::CudaCompilers compilers = cuda::CudaCompilers::find();
            if (compilers.nvcc.empty() && compilers.nvrtc.empty())
                QSKIP("neither nvcc nor NVRTC is on this machine");
        } catch (const InputError& e) {
            QSKIP(e.what());
        }
        const Session before = example("race");
        const std::string code = std::get<std::string>(before.record.start().settings.at("race.code"));
        QString mended = QString::fromStdString(code);
        mended.replace(
            "        if (i < half)\n            part[i] += part[i + half];",
            "    {\n        if (i < half)\n            part[i] += part[i + half];\n        __syncthreads(); }");
        QVERIFY(mended != QString::fromStdString(code));
        const Session after = example("race", {{"race.code", mended.toStdString()}});
        QVERIFY2(after.findings("error").isEmpty(), qPrintable(after.findings("error")));
        try {
            example("race", {{"race.code", code + "\nthis is no code"}});
            QFAIL("compiled");
        } catch (const InputError& e) {
            VERIFY_CONTAINS(QString(e.what()), "race.cu:15");
        }
    }

    void editedPtxRuns() {
        QTemporaryDir folder;
        const std::string file = folder.filePath("twice.ptx").toStdString();
        const std::string text =
            ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry twice(.param .u64 p)\n{\n"
            ".reg .b64 %a, %o;\n.reg .b32 %t;\n.reg .f32 %f;\nld.param.u64 %a, [p];\nmov.u32 %t, "
            "%tid.x;\nmul.wide.u32 %o, %t, 128;\nadd.s64 %a, %a, %o;\nld.global.f32 %f, [%a];\n"
            "add.f32 %f, %f, %f;\nst.global.f32 [%a], %f;\nret;\n}\n";
        QFile out(QString::fromStdString(file));
        QVERIFY(out.open(QIODevice::WriteOnly));
        out.write(text.c_str());
        out.close();
        Given given{{"from", std::string("file")},
                    {"file", file},
                    {"grid", std::string("1")},
                    {"block", std::string("64")},
                    {"twice.0", std::string("random:f32[64,32]")}};
        const Session wide("inspect.kernel", given);
        VERIFY_CONTAINS(wide.findings("warning"), "lanes stride by 128 B");
        QString edited = QString::fromStdString(text);
        given["code"] = edited.replace("%t, 128", "%t, 4").toStdString();
        const Session narrow("inspect.kernel", given);
        QVERIFY2(narrow.findings("warning").isEmpty(), qPrintable(narrow.findings("warning")));
    }

    void argumentsThatNobodyGaveAreSaidToBeMadeUp() {
        const auto said = [](const Session& s) {
            QString all;
            for (const Log& log : s.record.logs())
                if (log.level == Log::Level::Warning)
                    all += QString::fromStdString(log.text);
            return all;
        };
        QTemporaryDir folder;
        const std::string file = folder.filePath("scale.ptx").toStdString();
        QFile out(QString::fromStdString(file));
        QVERIFY(out.open(QIODevice::WriteOnly));
        out.write(
            ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry scale(.param .u64 p, .param .u32 n)\n{\n"
            "ret;\n}\n");
        out.close();
        Given given{{"from", std::string("file")}, {"file", file}, {"scale.1", std::string("u32:7")}};
        const QString half = said(Session("inspect.kernel", given));
        QVERIFY2(half.contains("Made up") && half.contains("random:f32[65536]"), qPrintable(half));
        QVERIFY2(!half.contains("u32"), qPrintable(half)); // that one was given
        given["scale.0"] = std::string("zeros:f32[7]");
        QCOMPARE(said(Session("inspect.kernel", given)), QString());
        QCOMPARE(said(example("coalesced")), QString()); // an example knows its arguments
    }

    void badSettingsGetASentence_data() {
        QTest::addColumn<QString>("id");
        QTest::addColumn<QString>("value");
        QTest::addColumn<QString>("sentence");
        QTest::newRow("blocks") << "race.grid"
                                << "0"
                                << "Blocks 0: expected X";
        QTest::newRow("too many threads") << "race.block"
                                          << "2048"
                                          << "2048";
        QTest::newRow("argument") << "race.race.0"
                                  << "random:f99[4]"
                                  << "x random:f99[4]: expected a type";
        QTest::newRow("too large") << "race.race.0"
                                   << "random:f32[9999999999,9999999999]"
                                   << "at most 8 GiB";
        QTest::newRow("wrong size") << "race.race.0"
                                    << "i32:4"
                                    << "argument 1";
    }
    void badSettingsGetASentence() {
        QFETCH(QString, id);
        QFETCH(QString, value);
        QFETCH(QString, sentence);
        try {
            example("race", {{id.toStdString(), value.toStdString()}});
            QFAIL("not refused");
        } catch (const InputError& e) {
            VERIFY_CONTAINS(QString(e.what()), sentence);
        }
    }

    void occupancyFollowsTheProgrammingGuide_data() {
        QTest::addColumn<QString>("gpu");
        QTest::addColumn<int>("threads");
        QTest::addColumn<int>("registers");
        QTest::addColumn<int>("shared");
        QTest::addColumn<int>("blocks");
        QTest::addColumn<QString>("limit");
        // 65,536 registers: 64 · 32 = 2,048 a warp, 4 warps a block. 164 KiB: 17 KiB a block with the reserved one.
        QTest::newRow("registers") << "A100" << 128 << 64 << 16384 << 8 << "registers";
        QTest::newRow("threads") << "A100" << 1024 << 32 << 0 << 2 << "threads";
        QTest::newRow("blocks") << "A100" << 32 << 16 << 0 << 32 << "blocks";
        QTest::newRow("shared memory") << "A100" << 128 << 32 << 81920 << 2 << "shared memory";
        QTest::newRow("T4: 1,024 threads") << "T4" << 256 << 32 << 0 << 4 << "threads";
    }
    void occupancyFollowsTheProgrammingGuide() {
        QFETCH(QString, gpu);
        QFETCH(int, threads);
        QFETCH(int, registers);
        QFETCH(int, shared);
        QFETCH(int, blocks);
        QFETCH(QString, limit);
        const Session s("inspect.occupancy", {{"gpu", gpu.toStdString()},
                                              {"threads", int64_t{threads}},
                                              {"registers", int64_t{registers}},
                                              {"shared", int64_t{shared}}});
        QCOMPARE(*s.content<Metric>("blocks").value, double(blocks));
        VERIFY_CONTAINS(QString::fromStdString(s.content<Metric>("blocks").caption), limit);
    }
};

QTEST_GUILESS_MAIN(InspectorLabTest)
#include "inspector_lab_test.moc"
