// SPDX-License-Identifier: GPL-3.0-or-later
// Times on the CUDA device: the stand-in's clock stands still but for kernels whose durations the test sets.
#include "gpu/cuda/cuda_device.h"
#include "gpu/cuda/timing.h"
#include "gpu/error.h"
#include "gpu/ops/attention.h"
#include "tests/gpu/standin/control.h"

#include <QTest>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <chrono>
#include <cmath>

using namespace warplight;
using namespace warplight::test;

namespace {

constexpr const char* nothing =
    ".version 7.0\n.target sm_80\n.address_size 64\n.visible .entry nothing()\n{\n ret;\n}\n";
constexpr double us = 1e-6;
constexpr int64_t flushBytes = 2 << 20; // twice the stand-in's L2

bool near(double a, double b) { return std::fabs(a - b) < 1e-9; } // times of events are f32 milliseconds

} // namespace

class CudaTimingTest : public QObject {
    Q_OBJECT
    StandIn standIn;
    std::unique_ptr<cuda::CudaDevice> device;
    std::unique_ptr<gpu::Module> module;

    void open() {
        device = std::make_unique<cuda::CudaDevice>(0, cuda::CudaOptions{0.9, standIn.path});
        module = device->load(nothing, "nothing.ptx");
    }
    gpu::LaunchStats launch(const gpu::Repetitions& repeat, const std::atomic<bool>* cancel = nullptr) {
        gpu::LaunchConfig config;
        config.repeat = repeat;
        config.cancel = cancel;
        return module->kernel("nothing").launch(config, {});
    }
    static void clocks(unsigned megahertz, uint64_t reasons) {
        const std::string path = WARPLIGHT_STANDIN_FOLDER "/libnvidia-ml.so.1";
        cuda::SharedLibrary::open({&path, 1})->function<decltype(&standinClocks)>("standinClocks")(megahertz, reasons);
    }
    std::vector<std::string> logged() const {
        const QStringList lines = QString(standIn.log()).split('\n', Qt::SkipEmptyParts);
        std::vector<std::string> all;
        for (const QString& line : lines)
            all.push_back(line.toStdString());
        return all;
    }

  private slots:
    void init() {
        useStandInLibraries();
        standIn.reset();
        clocks(1410, 0);
        open();
    }
    void cleanup() {
        module.reset();
        device.reset();
        QCOMPARE(standIn.liveObjects(), "");
    }

    void medianAndSpreadAreThoseOfTheRepetitions() {
        // Two warm-ups, then 11 times; sorted these are 1, 2, … 11 µs.
        const std::vector<double> times{900 * us, 800 * us, 3 * us, 11 * us, 1 * us, 7 * us, 5 * us,
                                        9 * us,   2 * us,   8 * us, 4 * us,  6 * us, 10 * us};
        standIn.durations(times.data(), static_cast<int>(times.size()));
        const gpu::Measured m = *launch({2, 11, true}).measured;
        QVERIFY(near(m.seconds, 6 * us));
        QVERIFY(near(m.low, 2 * us));
        QVERIFY(near(m.high, 10 * us));
        QCOMPARE(m.repetitions, 11);
        QCOMPARE(standIn.counts().kernels, uint64_t(13));
    }

    void percentilesLieBetweenTheNearestTwo() {
        const std::vector<double> one{5}, two{1, 2}, four{10, 20, 30, 40};
        QCOMPARE(cuda::percentile(one, 0.9), 5.0);
        QCOMPARE(cuda::percentile(two, 0.5), 1.5);
        QCOMPARE(cuda::percentile(four, 0.5), 25.0);
        QCOMPARE(cuda::percentile(four, 0.1), 13.0);
        QCOMPARE(cuda::percentile(four, 1), 40.0);
        QCOMPARE(cuda::percentile(four, 0), 10.0);
    }

    void theL2IsOverwrittenBeforeEachRepetitionAndOutsideItsTime() {
        const std::vector<double> times(5, 7 * us);
        standIn.durations(times.data(), 5);
        const gpu::Measured m = *launch({2, 3, true}).measured;
        QVERIFY(near(m.seconds, 7 * us) && near(m.low, 7 * us) && near(m.high, 7 * us));
        std::vector<std::string> expected;
        for (int i = 0; i < 5; ++i)
            for (const std::string& line : {"memset " + std::to_string(flushBytes), std::string("event"),
                                            std::string("kernel nothing"), std::string("event")})
                expected.push_back(line);
        QCOMPARE(logged(), expected);
        QVERIFY(device->held().empty());
    }

    void aWarmL2IsLeftAlone() {
        launch({1, 3, false});
        QCOMPARE(standIn.counts().memsets, uint64_t(0));
        QCOMPARE(standIn.counts().kernels, uint64_t(4));
    }

    void warmingUpGoesOnForAsLongAsAsked() {
        const auto begin = std::chrono::steady_clock::now();
        const gpu::Measured m = *launch({1, 2, true, 0.05}).measured;
        QVERIFY(std::chrono::steady_clock::now() - begin > std::chrono::milliseconds(50));
        QCOMPARE(m.repetitions, 2);
        QVERIFY(standIn.counts().kernels > 3);
    }

    void oneLaunchRunsOnceAndHasItsTime() {
        const double time = 42 * us;
        standIn.durations(&time, 1);
        const gpu::LaunchStats stats = launch({});
        QVERIFY(near(stats.measured->seconds, time));
        QCOMPARE(standIn.counts().kernels, uint64_t(1));
        QCOMPARE(standIn.counts().memsets, uint64_t(0));
    }

    void anL2BufferThatDoesNotFitIsNamed() {
        module.reset();
        device.reset();
        standIn.memory(flushBytes);
        open();
        try {
            launch({0, 1, true});
            QFAIL("it ran");
        } catch (const InputError& error) {
            QVERIFY2(std::string(error.what()).starts_with("'to overwrite the L2 cache' needs 2097152 bytes"),
                     error.what());
        }
    }

    void allLaunchesOfAnOperatorAreTimedTogether() {
        gpu::KernelLibrary library(*device);
        const std::vector<float> x(64 * 32, 0.5f);
        gpu::AttentionOptions options;
        options.measure = gpu::Repetitions{1, 3, true};
        // Three kernels: once for the result, once to warm up, three times measured.
        const std::vector<double> times{9 * us, 9 * us, 9 * us, 8 * us, 8 * us, 8 * us, 1 * us, 2 * us,
                                        3 * us, 2 * us, 3 * us, 4 * us, 3 * us, 4 * us, 5 * us};
        standIn.durations(times.data(), static_cast<int>(times.size()));
        const gpu::AttentionRun run =
            gpu::attentionForward(library, gpu::AttentionRung::Tiled, {1, 1, 1, 64, 64, 32, 0.2f, false}, x.data(),
                                  x.data(), x.data(), options);
        QCOMPARE(run.launches.size(), size_t(3));
        QVERIFY(near(run.launches[0].stats.measured->seconds, 9 * us));
        QVERIFY(run.measured);
        QVERIFY(near(run.measured->seconds, 9 * us)); // 6, 9 and 12
        QVERIFY(near(run.measured->low, 6.6 * us) && near(run.measured->high, 11.4 * us));
        QCOMPARE(standIn.counts().memsets, uint64_t(4)); // between sequences, not inside them
        QCOMPARE(run.o[0], 0.5f);
    }

    void modelledTimesCanStandIn() {
        standIn.model("A100");
        const gpu::Measured a = *launch({}).measured, b = *launch({}).measured;
        QVERIFY(a.seconds > 0);
        QVERIFY(near(a.seconds, b.seconds)); // the model's, not the host's
    }

    void clocksAndThrottlingComeFromNvml() {
        clocks(1095, 0x4 | 0x20 | 0x1);
        const gpu::Measured m = *launch({0, 3, true}).measured;
        QCOMPARE(m.smClockMHz, 1095.0);
        QCOMPARE(m.throttled, "power cap, heat");
        clocks(1980, 0x1); // idle is no throttling
        QCOMPARE(launch({}).measured->throttled, "");
        QCOMPARE(launch({}).measured->smClockMHz, 1980.0);
    }

    void withoutNvmlTheClockIsUnknown() {
        module.reset();
        device.reset();
        qputenv("WARPLIGHT_LIBNVML", "/no/libnvidia-ml.so.1");
        open();
        const gpu::Measured m = *launch({0, 3, true}).measured;
        QCOMPARE(m.smClockMHz, 0.0);
        QCOMPARE(m.throttled, "");
    }

    void cancellingStopsBetweenRepetitions() {
        std::atomic<bool> cancel{true};
        QVERIFY_EXCEPTION_THROWN(launch({0, 1000, true}, &cancel), Cancelled);
        QCOMPARE(standIn.counts().kernels, uint64_t(0));
        cancel = false;
        int runs = 0;
        QVERIFY_EXCEPTION_THROWN(device->measure(
                                     {0, 1000, true}, [&] { cancel = ++runs == 3; }, &cancel),
                                 Cancelled);
        QCOMPARE(runs, 3);
        QVERIFY(device->held().empty());
        QVERIFY(launch({}).measured); // and it times launches by themselves again
    }

    void impossibleRepetitionsAreRefused() {
        QVERIFY_EXCEPTION_THROWN(launch({0, 0, false}), InputError);
        QVERIFY_EXCEPTION_THROWN(launch({-1, 1, false}), InputError);
        for (const double seconds : {-1.0, std::nan(""), double(INFINITY)})
            QVERIFY_EXCEPTION_THROWN(launch({0, 1, false, seconds}), InputError);
    }
};

QTEST_GUILESS_MAIN(CudaTimingTest)
#include "cuda_timing_test.moc"
