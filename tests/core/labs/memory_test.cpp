// SPDX-License-Identifier: GPL-3.0-or-later
// What experiments say that they need, against what their processes really held.
#include "core/cpu/attention/attention_memory.h"
#include "core/error.h"
#include "core/lab/record.h"
#include "core/labs/allreduce/allreduce_lab.h"
#include "core/labs/attention/attention_lab.h"
#include "core/labs/attention/inputs.h"
#include "core/labs/linear/linear_lab.h"
#include "core/labs/precision/precision_lab.h"
#include "core/labs/profile/profile_lab.h"
#include "core/labs/ssm/ssm_lab.h"

#include <QFile>
#include <QTemporaryDir>
#include <QTest>
#include <atomic>
#include <cstdint>
#include <exception>
#include <string>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace warplight;
using namespace warplight::lab;

namespace {

Registry registryOfAll() {
    Registry registry;
    workbench::Operators operators;
    labs::attention::registerLab(registry, operators);
    labs::linear::registerLab(registry, operators);
    labs::ssm::registerLab(registry, operators);
    labs::allreduce::registerLab(registry);
    labs::precision::registerLab(registry);
    labs::profile::registerLab(registry);
    labs::ssm::registerLab(registry, operators);
    return registry;
}

Settings settingsOf(const Experiment& experiment, const QStringList& given) {
    std::map<std::string, Value> values;
    const auto parameters = experiment.describe().parameters;
    for (const QString& setting : given) {
        const std::string id = setting.section('=', 0, 0).toStdString();
        const auto parameter =
            std::find_if(parameters.begin(), parameters.end(), [&](const Parameter& p) { return p.id == id; });
        values[id] = parseValue(*parameter, setting.section('=', 1).toStdString());
    }
    return Settings(parameters, values);
}

/// The most that a process which does that had in memory; negative when it failed.
int64_t peakBytes(const std::function<void()>& work) {
    const pid_t child = ::fork();
    if (child == 0) {
        int code = 1;
        try {
            work();
            code = 0;
        } catch (const std::exception& error) {
            std::fprintf(stderr, "%s\n", error.what());
        }
        ::_exit(code);
    }
    int status = 0;
    rusage used{};
    ::wait4(child, &status, 0, &used);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? used.ru_maxrss * 1024 : -1;
}

void run(Experiment& experiment, const Settings& settings, const std::string& device) {
    RunRecord record;
    const auto apply = [&](const Frame& frame) { record.apply(frame); };
    apply(RunStarted{1, experiment.describe().id, "", {}, device, "", {}});
    Run run(1, device, apply, std::make_shared<std::atomic<bool>>(false));
    experiment.run(settings, run);
}

} // namespace

class MemoryTest : public QObject {
    Q_OBJECT
    QTemporaryDir folder;

  private slots:
    void neededMemoryIsAboutWhatARunHolds_data() {
        QTest::addColumn<QString>("experiment");
        QTest::addColumn<QString>("device");
        QTest::addColumn<QStringList>("settings");
        const auto row = [](const char* name, const char* experiment, const char* device, const QStringList& settings) {
            QTest::newRow(name) << experiment << device << settings;
        };
        row("race", "attention.race", "cpu",
            {"seqLen=512", "heads=64", "batch=8", "headDim=64", "pointSeconds=0.5", "implementations=flash-packed"});
        row("race of bf16", "attention.race", "cpu",
            {"seqLen=512", "heads=64", "batch=8", "headDim=60", "pointSeconds=0.5", "implementations=flash-bf16"});
        row("race on the virtual GPU", "attention.race", "vgpu",
            {"seqLen=64", "heads=256", "batch=16", "headDim=32", "kernels=flash2"});
        row("traffic of S and P", "attention.traffic", "vgpu",
            {"seqLen=512", "heads=64", "headDim=16", "kernels=tiled"});
        row("accuracy", "attention.accuracy", "cpu",
            {"queryLen=6000", "keyLen=2000", "headDim=16", "implementations=standard", "dtypes=f32"});
        row("race of linear attention", "linear-attention.race", "cpu",
            {"seqLen=4096", "heads=64", "headDim=64", "pointSeconds=0.5", "implementations=chunked"});
        row("race of linear attention's recurrent form", "linear-attention.race", "cpu",
            {"seqLen=512", "heads=256", "headDim=64", "pointSeconds=5", "implementations=recurrent"});
        row("map", "attention.map", "cpu",
            {"input=gaussian", "seqLen=400000", "keyLen=64", "headDim=64", "causal=false"});
        row("structured map", "attention.map", "cpu", {"input=sink", "seqLen=30000", "headDim=512"});
        row("scores that overflow", "precision.overflow", "cpu", {"input=gaussian", "seqLen=10000", "headDim=256"});
        row("patterns", "linear.patterns", "cpu", {"n=4096"});
        row("sparse attention, every block in part", "sparse-attention.race", "cpu",
            {"seqLen=16384", "heads=1", "headDim=8", "pattern=atrous", "stride=40", "pointSeconds=0.1",
             "implementations=block-sparse"});
        row("top-k", "sparse-attention.race", "cpu",
            {"seqLen=4096", "heads=24", "headDim=2", "pattern=topk", "pointSeconds=5", "implementations=block-sparse"});
        row("low rank", "low-rank-attention.race", "cpu",
            {"seqLen=400000", "heads=1", "headDim=32", "rank=32", "pointSeconds=0.1", "implementations=few-keys"});
        row("low rank on the virtual GPU", "low-rank-attention.race", "vgpu",
            {"seqLen=64", "heads=256", "batch=8", "headDim=32", "rank=16"});
        row("landmarks on the virtual GPU", "low-rank-attention.race", "vgpu",
            {"seqLen=64", "heads=256", "batch=4", "headDim=16", "rank=32", "method=nystrom-iterated"});
        row("tiles", "attention.tiles", "cpu", {"seqLen=64", "queryTile=2", "keyTile=2"});
        row("allreduce by a ring", "allreduce.race", "cpu",
            {"ranks=4", "bytes=33554432", "algorithms=ring", "library=false", "pointSeconds=0.01"});
        row("allreduce that holds back", "allreduce.race", "cpu",
            {"ranks=4", "bytes=33554432", "algorithms=recursive-doubling,naive", "library=false", "pointSeconds=0.01"});
        row("numbers", "allreduce.numbers", "cpu", {"ranks=6", "elements=2000000", "dtype=f64", "runs=2"});
        row("steps", "allreduce.steps", "cpu", {"ranks=8", "elements=2000000", "compare=tree"});
        row("simulated steps", "allreduce.steps", "cpu", {"transport=simulated", "ranks=8", "elements=2000000"});
        row("links", "allreduce.links", "cpu", {"ranks=32", "elements=500000"});
        row("both orders of three matrices", "linear.order", "cpu", {"seqLen=4096", "headDim=64", "seqLens=64"});
        row("maps of features", "linear.maps", "cpu", {"method=elu1", "seqLen=16384", "headDim=128"});
        row("all states of a sequence", "linear.forms", "cpu", {"seqLen=8192", "headDim=64", "chunks=64"});
        row("gated attention units", "gau.race", "cpu",
            {"seqLenSwept=256", "dModel=64", "shared=16", "chunk=64", "batch=256", "implementations=chunked",
             "pointSeconds=2"});
        row("gated attention units on the virtual GPU", "gau.race", "vgpu",
            {"seqLenSwept=256", "dModel=32", "shared=8", "chunk=64", "batch=256", "kernels=chunked"});
        row("selective scan and its map", "ssm.selective", "cpu", {"length=131072", "channels=128", "states=32"});
        row("a cache of keys and values", "ssm.state-cache", "cpu", {"lengths=32768", "pointSeconds=0.01"});
        row("ledger", "linear.ledger", "cpu", {"lengths=16384", "pointSeconds=0.01"});
        row("training of gated units", "linear.gau-training", "cpu",
            {"steps=10", "features=256", "layers=4", "context=128", "batch=8"});
        row("matrices and a drifting state", "ssm.matrices", "cpu", {"n=256", "steps=1000000", "kinds=s4d-lin"});
        row("scan of one row in steps", "scan.race", "cpu",
            {"lengths=4194304", "channels=1", "implementations=hillis-steele", "pointSeconds=5"});
        row("gradients of a scan", "scan-backward.race", "cpu",
            {"lengths=4194304", "channels=1", "implementations=chunked", "pointSeconds=1"});
        row("steps of a scan", "ssm.scans", "cpu", {"algorithm=hillis-steele", "length=64", "compared=1048576"});
        row("sums", "precision.sums", "cpu", {"length=16777216", "what=dot", "orders=serial", "accumulators=f32"});
        const QString table = folder.filePath("trace.csv");
        QFile out(table);
        QVERIFY(out.open(QIODevice::WriteOnly));
        out.write("Start (ns),Duration (ns),CorrId,GrdX,GrdY,GrdZ,BlkX,BlkY,BlkZ,Reg/Trd,Device,Ctx,Strm,Name\n");
        for (int i = 0; i < 400'000; ++i)
            out.write(QByteArray::number(1000LL * i) + ",500," + QByteArray::number(i) +
                      ",128,1,1,256,1,1,32,NVIDIA A100 (0),1,7,kernel\n");
        out.close();
        row("a table of launches", "profile.open", "cpu", {"own=false", "file=" + table});
        const QString norms = folder.filePath("norms.txt"), log = folder.filePath("scaler.log");
        QFile numbers(norms), lines(log);
        QVERIFY(numbers.open(QIODevice::WriteOnly) && lines.open(QIODevice::WriteOnly));
        for (int i = 0; i < 1'000'000; ++i)
            numbers.write("2\n");
        for (int i = 0; i < 600'000; ++i)
            lines.write("step " + QByteArray::number(i) + ": overflow, skipping step, loss scale 4 -> 2\n");
        numbers.close();
        lines.close();
        row("training", "precision.training", "cpu",
            {"steps=10", "features=256", "layers=4", "context=128", "batch=8", "recipes=f32,f16-dynamic,fp8"});
        row("norms of gradients", "precision.scaler", "cpu", {"input=file", "file=" + norms});
        row("a log of a scaler", "precision.scaler-log", "cpu", {"input=file", "file=" + log});
        row("scale", "allreduce.scale", "cpu",
            {"ranks=2048", "network=described",
             "algorithms=ring,recursive-doubling,halving-doubling,tree,double-tree,hierarchical"});
    }
    void neededMemoryIsAboutWhatARunHolds() {
#if defined(__SANITIZE_ADDRESS__)
        QSKIP("The sanitizer holds more.");
#endif
        QFETCH(QString, experiment);
        QFETCH(QString, device);
        QFETCH(QStringList, settings);
        const Registry registry = registryOfAll();
        Experiment& found = registry.find(experiment.toStdString());
        const Settings chosen = settingsOf(found, settings);
        const int64_t needed = found.neededMemory(chosen, device.toStdString()).bytes;
        const int64_t before = peakBytes([] {});
        const int64_t peak = peakBytes([&] { run(found, chosen, device.toStdString()); });
        QVERIFY(before > 0 && peak > 0);
        // The program's own tables, threads and stacks, which are left out of what is needed.
        constexpr int64_t always = 48 << 20;
        const int64_t held = peak - before;
        const QByteArray figures =
            QString("needs %1 MB, held %2 MB").arg(needed / 1'000'000).arg(held / 1'000'000).toUtf8();
        qInfo("%s", figures.constData());
        QVERIFY2(held <= needed + always, figures.constData());
        QVERIFY2(needed <= 3 * held + always, figures.constData());
    }

    void rungsHoldAtMostWhatIsSaid_data() {
        QTest::addColumn<int>("queries");
        QTest::addColumn<int>("keys");
        QTest::addColumn<int>("headDim");
        QTest::addColumn<int>("heads");
        for (const int queries : {1, 7, 400, 1000})
            for (const int keys : {0, 1, 63, 900, 9000})
                for (const int headDim : {1, 20, 64, 130})
                    if (queries * keys <= 400'000)
                        QTest::addRow("%d x %d x %d", queries, keys, headDim) << queries << keys << headDim << 2;
    }
    void rungsHoldAtMostWhatIsSaid() {
        QFETCH(int, queries);
        QFETCH(int, keys);
        QFETCH(int, headDim);
        QFETCH(int, heads);
        cpu::AttentionProblem shape;
        shape.queryHeads = heads;
        shape.keyHeads = 1;
        shape.queryLen = queries;
        shape.keyLen = keys;
        shape.headDim = headDim;
        const labs::attention::AttentionInputs inputs = labs::attention::makeInputs(shape, "gaussian", 1);
        for (const auto& rung : cpu::implementations()) {
            if (rung.id == cpu::Implementation::Reference && queries * keys > 100'000)
                continue;
            const int64_t held = cpu::attentionForward(rung.id, inputs.problem).extraBytes;
            const int64_t said = cpu::extraBytesAtMost(rung.id, inputs.problem);
            QVERIFY2(held <= said, rung.name.data());
        }
    }

    void inputsThatNobodyHasRoomForDoNotRunOver() {
        cpu::AttentionProblem shape;
        shape.batch = shape.queryHeads = shape.keyHeads = 256;
        shape.queryLen = shape.keyLen = int64_t{1} << 50;
        shape.headDim = 512;
        QVERIFY(labs::attention::inputBytes(shape) > int64_t{1} << 62);
        for (const auto& rung : cpu::implementations())
            QVERIFY(cpu::extraBytesAtMost(rung.id, shape) >= 0);
    }
};

QTEST_GUILESS_MAIN(MemoryTest)
#include "memory_test.moc"
