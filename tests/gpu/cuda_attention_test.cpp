// SPDX-License-Identifier: GPL-3.0-or-later
// The same table of attention kernels as on the virtual GPU, through the CUDA device and the stand-in driver: what the
// host side asks of a driver, and in which order, gives the right numbers. Rungs by cuBLAS as well.
#include "gpu/cuda/cuda_device.h"
#include "tests/gpu/attention_table.h"
#include "tests/gpu/standin/control.h"

#include <cmath>
#include <memory>
#include <string>
#include <vector>

using namespace warplight;
using namespace warplight::test;

class CudaAttentionTest : public QObject {
    Q_OBJECT
    StandIn standIn;
    std::unique_ptr<cuda::CudaDevice> device;
    std::unique_ptr<gpu::KernelLibrary> library;

    void open() {
        device = std::make_unique<cuda::CudaDevice>(0, cuda::CudaOptions{0.9, standIn.path});
        library = std::make_unique<gpu::KernelLibrary>(*device);
    }

  private slots:
    void initTestCase() {
        useStandInLibraries();
        open();
    }
    void cleanupTestCase() {
        library.reset();
        device.reset();
        QCOMPARE(standIn.liveObjects(), "");
    }

    void cublasIsOffered() {
        QVERIFY(device->matrixLibrary());
        QCOMPARE(device->matrixLibrary()->name(), "cuBLAS 13.0");
        QVERIFY(gpu::attentionRungs(*device).back().id == gpu::AttentionRung::Cublas);
        QCOMPARE(gpu::attentionRungs(*device).size(), gpu::attentionRungs().size()); // but mma-e4m3: it is an A100
    }

    void equalsDoublePrecision_data() { addAttentionRows(gpu::attentionRungs(*device)); }
    void equalsDoublePrecision() {
        checkAttentionRow(*device, *library);
        QCOMPARE(std::string(standIn.finding()), ""); // races, reads of unwritten memory
    }

    void cublasMultipliesTwiceAroundOneSoftmax() {
        const std::vector<float> x(4 * 50 * 16, 0.5f);
        const gpu::AttentionRun run = gpu::attentionForward(
            *library, gpu::AttentionRung::Cublas, {2, 2, 1, 50, 50, 16, 0.25f, true}, x.data(), x.data(), x.data());
        QCOMPARE(run.launches.size(), size_t(3));
        QCOMPARE(run.launches[0].kernel, "cuBLAS 13.0: Q·Kᵀ");
        QCOMPARE(run.launches[1].kernel, "softmax_attention_f32");
        for (const gpu::LaunchRecord& launch : run.launches)
            QVERIFY(launch.stats.measured && launch.stats.measured->seconds > 0);
    }

    void launchingAgainForTheTimeDoesNotChangeTheResult_data() {
        QTest::addColumn<int>("rung");
        for (const gpu::AttentionRungInfo& rung : gpu::attentionRungs(*device))
            QTest::newRow(std::string(rung.name).c_str()) << static_cast<int>(rung.id);
    }
    void launchingAgainForTheTimeDoesNotChangeTheResult() {
        QFETCH(int, rung);
        const auto id = static_cast<gpu::AttentionRung>(rung);
        std::vector<float> x(2 * 90 * 32);
        for (size_t i = 0; i < x.size(); ++i)
            x[i] = std::sin(static_cast<float>(i) * 0.37f);
        gpu::AttentionOptions options;
        if (gpu::info(id).halfInputs)
            options.format = number::Format::F16;
        std::vector<gpu::AttentionRun> runs;
        for (const bool measured : {false, true}) {
            if (measured)
                options.measure = gpu::Repetitions{1, 3, true};
            runs.push_back(gpu::attentionForward(*library, id, {1, 2, 2, 90, 90, 32, 0.2f, true}, x.data(), x.data(),
                                                 x.data(), options));
        }
        QVERIFY(!runs[0].measured && runs[1].measured && runs[1].measured->repetitions == 3);
        QVERIFY(runs[0].o == runs[1].o);
        QVERIFY(runs[0].lse == runs[1].lse);
        QCOMPARE(runs[0].launches.size(), runs[1].launches.size());
    }

    void withoutCublasTheRungIsNotThere() {
        library.reset();
        device.reset();
        qputenv("WARPLIGHT_LIBCUBLAS", "/no/libcublas.so");
        open();
        QVERIFY(!device->matrixLibrary());
        QCOMPARE(gpu::attentionRungs(*device).size(), gpu::attentionRungs().size() - 1);
        useStandInLibraries();
    }
};

QTEST_GUILESS_MAIN(CudaAttentionTest)
#include "cuda_attention_test.moc"
