// SPDX-License-Identifier: GPL-3.0-or-later
// cuFFT through the CUDA device and its stand-in: transforms in place by a plan, and S4 by products of spectra.
#include "gpu/cuda/cuda_device.h"
#include "gpu/error.h"
#include "gpu/ops/s4.h"
#include "tests/gpu/standin/control.h"

#include <QTest>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

using namespace warplight;
using namespace warplight::test;

class CudaFourierTest : public QObject {
    Q_OBJECT
    StandIn standIn;
    std::unique_ptr<cuda::CudaDevice> device;
    std::unique_ptr<gpu::KernelLibrary> library;

    void open() {
        library.reset();
        device.reset();
        device = std::make_unique<cuda::CudaDevice>(0, cuda::CudaOptions{0.9, standIn.path});
        library = std::make_unique<gpu::KernelLibrary>(*device);
    }

  private slots:
    void init() {
        useStandInLibraries();
        open();
    }
    void cleanup() {
        library.reset();
        device.reset();
        QCOMPARE(standIn.liveObjects(), "");
    }

    void aCosineIsOneFrequencyAndComesBackTimesItsLength() {
        gpu::FourierLibrary* fourier = device->fourierLibrary();
        QVERIFY(fourier);
        QCOMPARE(fourier->name(), "cuFFT 12.0");
        constexpr int n = 12;
        std::vector<float> rows(2 * (n + 2)); // zeros, and a cosine of frequency 2
        for (int i = 0; i < n; ++i)
            rows[static_cast<size_t>(n + 2 + i)] = std::cos(2 * 3.14159265f * 2 * static_cast<float>(i) / n);
        gpu::Buffer buffer(*device, 8 * (n + 2), "rows");
        for (const bool isForward : {true, false}) {
            const auto plan = fourier->plan({2, n, isForward});
            const gpu::Buffer work(*device, plan->workBytes(), "work area");
            if (isForward)
                buffer.upload(rows.data());
            const gpu::LaunchStats stats = plan->run(buffer.address(), work.address(), {}, nullptr);
            QVERIFY(stats.measured);
            std::vector<float> now(rows.size());
            buffer.download(now.data());
            for (int i = 0; i < (isForward ? n + 2 : n); ++i) {
                QVERIFY(std::abs(now[static_cast<size_t>(i)]) < 1e-5f); // the first row
                const float expected = !isForward ? n * rows[static_cast<size_t>(n + 2 + i)] : i == 4 ? n / 2.0f : 0;
                QVERIFY(std::abs(now[static_cast<size_t>(n + 2 + i)] - expected) < 1e-4f);
            }
        }
        for (const gpu::FourierShape& bad : {gpu::FourierShape{0, 8}, {1, 7}, {1, 0}})
            QVERIFY_THROWS_EXCEPTION(InputError, fourier->plan(bad));
        const std::atomic<bool> cancel{true};
        QVERIFY_THROWS_EXCEPTION(Cancelled,
                                 fourier->plan({1, 4})->run(buffer.address(), buffer.address(), {}, &cancel));
    }

    void s4BySpectraIsTheRecurrence() {
        for (const bool isLegs : {false, true})
            for (const int64_t length : {1, 100, 333}) {
                const gpu::S4Shape shape{3, length, 5, isLegs};
                std::vector<float> factors(60), u(static_cast<size_t>(3 * length));
                for (size_t i = 0; i < factors.size(); ++i)
                    factors[i] = 0.5f * std::sin(static_cast<float>(i) * 1.7f);
                for (size_t i = 0; i < u.size(); ++i)
                    u[i] = std::sin(static_cast<float>(i) * 0.37f);
                const auto by = [&](gpu::S4Rung rung) {
                    return gpu::s4(*library, rung, shape, factors.data(), u.data());
                };
                const gpu::S4Run spectra = by(gpu::S4Rung::Cufft);
                const std::vector<float> right = by(gpu::S4Rung::Recurrent).y;
                float most = 0;
                for (const float y : right)
                    most = std::max(most, std::abs(y));
                for (size_t i = 0; i < right.size(); ++i)
                    QVERIFY(std::abs(spectra.y[i] - right[i]) <= 2e-6f * most);
                QCOMPARE(spectra.launches.size(), size_t{8});
                QCOMPARE(spectra.launches[3].kernel, "cuFFT 12.0: spectra of K");
                QCOMPARE(std::string(standIn.finding()), "");
                QVERIFY(device->held().empty());
            }
    }

    void withoutCufftItIsRefused() {
        qputenv("WARPLIGHT_LIBCUFFT", "/no/libcufft.so");
        open();
        QVERIFY(!device->fourierLibrary());
        const std::vector<float> x(8);
        QVERIFY_THROWS_EXCEPTION(InputError, gpu::s4(*library, gpu::S4Rung::Cufft, {1, 4, 1}, x.data(), x.data()));
    }
};

QTEST_GUILESS_MAIN(CudaFourierTest)
#include "cuda_fourier_test.moc"
