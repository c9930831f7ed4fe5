// SPDX-License-Identifier: GPL-3.0-or-later
// The page Scan algorithms: recorded runs are scans, in the order that the algorithms have.
#include "core/error.h"
#include "core/labs/ssm/scan_walk.h"
#include "core/labs/ssm/ssm_lab.h"
#include "core/labs/ssm/ssm_pages.h"
#include "core/tensor/random.h"
#include "gpu/ops/scan.h"
#include "tests/core/lab/run_page.h"
#include "tests/thinned.h"

#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

using namespace warplight;
using namespace warplight::labs::ssm;
using test::content;

namespace {

ScanInputs inputsOf(int64_t length) {
    ScanInputs in;
    in.a.resize(static_cast<size_t>(length));
    in.b.resize(in.a.size());
    tensor::fillUniform(in.a, 5, 0, -1, 1);
    tensor::fillGaussian(in.b, 5, 1);
    return in;
}

lab::RunRecord record(const std::string& algorithm, const std::string& device, int64_t length = 16) {
    const auto page = makeScans();
    return test::runPage(*page, {{"algorithm", algorithm}, {"length", length}, {"compared", int64_t{1500}}}, device);
}

double metric(const lab::RunRecord& run, const char* id) { return content<lab::Metric>(run, id).value.value(); }

using Combines = std::vector<gpu::ScanCombine>;

} // namespace

class ScansPageTest : public QObject {
    Q_OBJECT

  private slots:
    /// What is seen of the compiled kernels in shared memory is what the algorithms do, as the CPU's tell of
    /// themselves.
    void kernelsCombineAsTheAlgorithmsDo() {
        for (const auto rung : {cpu::ScanRung::HillisSteele, cpu::ScanRung::Sklansky, cpu::ScanRung::Blelloch})
            for (const int64_t length : {8, 16, 31, 32, 64}) {
                const ScanInputs in = inputsOf(length);
                const ScanWalk told = walkOnCpu(rung, in, 4),
                               seen = walkOnGpu(static_cast<gpu::ScanRung>(static_cast<int>(rung) - 1), in, nullptr);
                // The kernel's tree spans its tile: of up and down, only what is part of the row's own tree is the
                // same.
                if (rung == cpu::ScanRung::Blelloch && length != 64)
                    continue;
                QCOMPARE(seen.steps.size(), told.steps.size());
                for (size_t i = 0; i < seen.steps.size(); ++i) {
                    QCOMPARE(seen.steps[i].phase, told.steps[i].phase);
                    Combines a = seen.steps[i].combines, b = told.steps[i].combines;
                    const auto byInto = [](const auto& x, const auto& y) { return x.into < y.into; };
                    std::sort(a.begin(), a.end(), byInto);
                    std::sort(b.begin(), b.end(), byInto);
                    QVERIFY2(a == b,
                             qPrintable(QString("%1 of %2, step %3").arg(seen.rung.c_str()).arg(length).arg(i)));
                }
            }
    }

    /// Made again in the recorded order, the numbers end with those of the kernel, to the bit.
    void replayedNumbersEndWithTheKernels() {
        for (const auto rung :
             {gpu::ScanRung::Serial, gpu::ScanRung::HillisSteele, gpu::ScanRung::Sklansky, gpu::ScanRung::Blelloch})
            for (const int64_t length : {2, 8, 13, 32, 50, 64}) {
                const ScanWalk walk = walkOnGpu(rung, inputsOf(length), nullptr);
                QVERIFY(walk.worst < 1e-5);
                QVERIFY2(walk.steps.back().b == walk.h,
                         qPrintable(QString("%1, %2").arg(walk.rung.c_str()).arg(length)));
                const auto& known = walk.steps.back().known;
                QVERIFY(rung == gpu::ScanRung::HillisSteele || rung == gpu::ScanRung::Sklansky ||
                        std::count(known.begin(), known.end(), ScanWalk::Known::State) == length);
            }
    }

    void chunksOfTheKernelsPassStatesOn() {
        constexpr int64_t chunks = 5;
        const ScanInputs in = inputsOf(chunks * gpu::scanChunkSteps);
        const ScanWalk three = walkOnGpu(gpu::ScanRung::Chunked, in, nullptr);
        QCOMPARE(three.steps.size(), size_t(3)); // pairs of all but the last, states between chunks, all steps
        QCOMPARE(three.steps[0].combines.size(), size_t(chunks - 1));
        QCOMPARE(three.steps[1].combines.size(), size_t(chunks - 1));
        QCOMPARE(three.steps[2].combines.size(), size_t(chunks));
        const ScanWalk one = walkOnGpu(gpu::ScanRung::LookBack, in, nullptr);
        for (int64_t chunk = 1; chunk < chunks; ++chunk) {
            const auto look = std::find_if(one.steps.begin(), one.steps.end(), [&](const ScanWalk::Step& step) {
                return step.phase == "look back" && step.combines.front().into == chunk;
            });
            QVERIFY(look != one.steps.end());
            QCOMPARE(look->lookedAt, chunk);
        }
        QCOMPARE(std::count_if(one.steps.begin(), one.steps.end(),
                               [](const ScanWalk::Step& step) { return step.phase == "pairs"; }),
                 chunks - 2); // the first knows its state, nobody asks the last
        QVERIFY(gpu::totalBytes(one.bytes) < 0.65 * gpu::totalBytes(three.bytes));
    }

    void everyRunIsShown() {
        for (const char* device : {"cpu", "vgpu"})
            for (const char* algorithm : {"serial", "hillis-steele", "sklansky", "blelloch", "chunked", "look-back"}) {
                const lab::RunRecord run = record(algorithm, device);
                const lab::Steps& steps = content<lab::Steps>(run, "steps");
                QVERIFY(!steps.steps.empty());
                for (const lab::Steps::Step& step : steps.steps) {
                    QCOMPARE(step.matrices.size(), size_t(2));
                    QVERIFY(!step.caption.empty() && step.caption.ends_with('.'));
                    QVERIFY(!step.cells.empty());
                }
                QVERIFY(metric(run, "error") < 1e-5);
                QVERIFY(metric(run, "work") > 0);
            }
    }

    void headlinesAreTheKnownCounts() {
        const std::map<std::string, std::pair<double, double>> known{
            {"serial", {7, 7}}, {"hillis-steele", {17, 3}}, {"sklansky", {12, 3}}, {"blelloch", {14 + 8, 6 + 1}}};
        for (const auto& [algorithm, counts] : known) {
            const lab::RunRecord run = record(algorithm, "cpu", 8);
            QCOMPARE(metric(run, "work"), counts.first);
            QCOMPARE(metric(run, "depth"), counts.second);
        }
    }

    /// a, b read once and h written once are 12 bytes an element; what is in three kernels reads twice.
    void theTableComparesAll() {
        const lab::RunRecord run = record("serial", "cpu");
        const lab::Table& table = content<lab::Table>(run, "comparison");
        QCOMPARE(table.rows.size(), size_t(6));
        for (const auto& row : table.rows) {
            const auto algorithm = std::get<std::string>(row[0]);
            const double bytes = std::get<double>(row[5]), seconds = std::get<double>(row[4]);
            QVERIFY(seconds > 0 && std::get<double>(row[7]) > 0);
            QVERIFY2(algorithm == "chunked" ? bytes > 16 && bytes < 22 : bytes >= 12 && bytes < 13.5,
                     qPrintable(QString("%1: %2").arg(algorithm.c_str()).arg(bytes)));
        }
    }

    void aRunThatIsCancelledStops() {
        const auto page = makeScans();
        QVERIFY_THROWS_EXCEPTION(Cancelled, test::runPage(*page, {}, "cpu", true));
    }
};

QTEST_GUILESS_MAIN(ScansPageTest)
#include "scans_page_test.moc"
