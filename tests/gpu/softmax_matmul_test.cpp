// SPDX-License-Identifier: GPL-3.0-or-later
// Softmax and the matrix product as operators on the virtual GPU: double precision, formulas of the bytes that are what
// is counted, no findings; for every instruction set of the virtual GPU.
#include "each_target.h"
#include "gpu/error.h"
#include "gpu/number/format.h"
#include "gpu/ops/matmul.h"
#include "gpu/ops/softmax.h"
#include "gpu/virtual/virtual_device.h"

#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

using namespace warplight;
using gpu::MatmulRung;
using gpu::SoftmaxRung;
using number::Format;

namespace {

std::vector<float> gaussian(int64_t count, unsigned seed, Format format = Format::F32) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    std::vector<float> x(static_cast<size_t>(count));
    for (float& value : x)
        value = number::rounded(normal(random), format);
    return x;
}

} // namespace

class SoftmaxMatmulTest : public QObject {
    Q_OBJECT
    std::unique_ptr<gpu::Device> device = vgpu::makeVirtualDevice();
    gpu::KernelLibrary library{*device};
    gpu::LaunchOptions checked;

    void check(const gpu::Launched& run, const gpu::TensorTraffic& formula) {
        for (const gpu::LaunchRecord& launch : run.launches)
            for (const gpu::Finding& finding : launch.stats.findings)
                QFAIL(finding.message.c_str());
        QVERIFY(device->held().empty());
        if (!run.launches.empty())
            QVERIFY(gpu::withoutEmpty(gpu::countedTraffic(run)) == formula);
    }

  private slots:
    void initTestCase_data() { test::addTargets(); }
    void initTestCase() { checked.checks = true; }
    void init() { test::useTargetOfRow(); }

    void softmaxEqualsDoublePrecision_data() {
        QTest::addColumn<int>("rung");
        QTest::addColumn<int>("rows");
        QTest::addColumn<int>("columns");
        for (const SoftmaxRung rung : {SoftmaxRung::ThreePass, SoftmaxRung::Online, SoftmaxRung::NoMax})
            for (const auto& [rows, columns] :
                 {std::pair{1, 1}, {5, 7}, {3, 33}, {40, 64}, {2, 777}, {1, 5000}, {0, 4}, {4, 0}})
                QTest::addRow("%s, %d x %d", std::string(gpu::name(rung)).c_str(), rows, columns)
                    << static_cast<int>(rung) << rows << columns;
    }
    void softmaxEqualsDoublePrecision() {
        QFETCH(int, rung);
        QFETCH(int, rows);
        QFETCH(int, columns);
        const std::vector<float> x = gaussian(int64_t{rows} * columns, 3);
        const gpu::SoftmaxShape shape{rows, columns};
        const gpu::SoftmaxRun run = gpu::softmax(library, static_cast<SoftmaxRung>(rung), shape, x.data(), checked);
        check(run, gpu::algorithmicTraffic(static_cast<SoftmaxRung>(rung), shape));
        QCOMPARE(run.y.size(), x.size());
        for (size_t r = 0; r < static_cast<size_t>(rows); ++r) {
            const size_t n = static_cast<size_t>(columns), begin = r * n;
            double sum = 0;
            for (size_t i = 0; i < n; ++i)
                sum += std::exp(static_cast<double>(x[begin + i]));
            for (size_t i = 0; i < n; ++i) {
                const double want = std::exp(static_cast<double>(x[begin + i])) / sum;
                QVERIFY(std::fabs(static_cast<double>(run.y[begin + i]) - want) <= 0x1p-24 * 60 * want);
            }
        }
    }

    void softmaxTellsWhatIsNoNumber() {
        constexpr float notANumber = std::numeric_limits<float>::quiet_NaN(),
                        inf = std::numeric_limits<float>::infinity();
        const std::vector<float> x{0, notANumber, 1, 0, inf, 1, -inf, -inf, -inf, -inf, 2, -inf};
        for (const SoftmaxRung rung : {SoftmaxRung::ThreePass, SoftmaxRung::Online}) {
            const std::vector<float> y = gpu::softmax(library, rung, {4, 3}, x.data(), checked).y;
            for (size_t i = 0; i < 9; ++i)
                QVERIFY(std::isnan(y[i]));
            for (size_t i = 9; i < 12; ++i)
                QCOMPARE(y[i], i == 10 ? 1.0f : 0.0f);
        }
    }

    void withoutTheMaximumRowsOverflow() {
        constexpr float inf = std::numeric_limits<float>::infinity();
        const std::vector<float> x{88.7f, 0, 1, 88.8f, 0, 1, 0, inf, 1, -110, -110, -110};
        const std::vector<float> y = gpu::softmax(library, SoftmaxRung::NoMax, {4, 3}, x.data(), checked).y;
        QVERIFY(std::fabs(y[0] - 1) < 1e-5f && y[1] < 1e-37f);
        QVERIFY(std::isnan(y[3]) && y[4] == 0 && y[5] == 0);
        QVERIFY(y[6] == 0 && std::isnan(y[7]) && y[8] == 0);
        for (size_t i = 9; i < 12; ++i)
            QVERIFY(std::isnan(y[i]));
    }

    void matmulEqualsDoublePrecision_data() {
        QTest::addColumn<int>("rung");
        QTest::addColumn<int>("m");
        QTest::addColumn<int>("n");
        QTest::addColumn<int>("k");
        const auto row = [](MatmulRung rung, int m, int n, int k) {
            QTest::addRow("%s, %d x %d x %d", std::string(gpu::name(rung)).c_str(), m, n, k)
                << static_cast<int>(rung) << m << n << k;
        };
        for (const MatmulRung rung : {MatmulRung::Naive, MatmulRung::Tiled}) {
            row(rung, 1, 1, 1);
            row(rung, 37, 50, 41);
            row(rung, 64, 32, 96);
            row(rung, 3, 70, 0);
            row(rung, 0, 5, 5);
            row(rung, 5, 0, 5);
        }
        row(MatmulRung::Mma, 64, 64, 32);
        row(MatmulRung::Mma, 128, 64, 96);
    }
    void matmulEqualsDoublePrecision() {
        QFETCH(int, rung);
        QFETCH(int, m);
        QFETCH(int, n);
        QFETCH(int, k);
        const auto which = static_cast<MatmulRung>(rung);
        const Format format = which == MatmulRung::Mma ? Format::F16 : Format::F32;
        const gpu::MatmulShape shape{m, n, k};
        const std::vector<float> a = gaussian(int64_t{m} * k, 1, format), b = gaussian(int64_t{k} * n, 2, format);
        const gpu::MatmulRun run = gpu::matmul(library, which, shape, format, a.data(), b.data(), checked);
        check(run, gpu::algorithmicTraffic(which, shape, format));
        QCOMPARE(run.c.size(), static_cast<size_t>(m * n));
        double worst = 0;
        for (int i = 0; i < m; ++i)
            for (int j = 0; j < n; ++j) {
                double sum = 0, size = 0;
                for (int x = 0; x < k; ++x) {
                    const double term = static_cast<double>(a[static_cast<size_t>(i * k + x)]) *
                                        static_cast<double>(b[static_cast<size_t>(x * n + j)]);
                    sum += term;
                    size += std::fabs(term);
                }
                const double error = std::fabs(static_cast<double>(run.c[static_cast<size_t>(i * n + j)]) - sum);
                worst = std::max(worst, error - size * k * 0x1p-24);
            }
        QCOMPARE(worst, 0.0);
    }

    void whatTheKernelsCannotDoIsRefusedWithASentence() {
        const auto why = [&](MatmulRung rung, const gpu::MatmulShape& shape, Format format) {
            return QString::fromStdString(gpu::whyNot(*device, rung, shape, format));
        };
        QVERIFY(why(MatmulRung::Tiled, {3, 4, 5}, Format::F32).isEmpty());
        QVERIFY(why(MatmulRung::Tiled, {3, 4, 5}, Format::F16).contains("takes f32, not f16"));
        QVERIFY(why(MatmulRung::Naive, {3, -4, 5}, Format::F32).contains("-4"));
        QVERIFY(why(MatmulRung::Naive, {1 << 20, 4, 5}, Format::F32).contains("too many"));
        QVERIFY(why(MatmulRung::Mma, {64, 64, 32}, Format::F16).isEmpty());
        QVERIFY(why(MatmulRung::Mma, {64, 65, 32}, Format::F16).contains("65"));
        QVERIFY(why(MatmulRung::Mma, {64, 64, 32}, Format::BF16).isEmpty());
        QVERIFY(why(MatmulRung::Mma, {64, 64, 32}, Format::F32).contains("takes f16 or bf16, not f32"));
        QVERIFY(why(MatmulRung::Cublas, {64, 64, 32}, Format::F32).contains("cuBLAS"));
        const std::vector<float> x(64);
        QVERIFY_EXCEPTION_THROWN(
            gpu::matmul(library, MatmulRung::Mma, {1, 1, 1}, Format::F16, x.data(), x.data(), checked), InputError);
        QVERIFY_EXCEPTION_THROWN(gpu::softmax(library, SoftmaxRung::Online, {-1, 1}, x.data(), checked), InputError);
    }
};

QTEST_GUILESS_MAIN(SoftmaxMatmulTest)
#include "softmax_matmul_test.moc"
