// SPDX-License-Identifier: GPL-3.0-or-later
// PTX that Triton and clang wrote, against plain C++.
#include "each_target.h"
#include "gpu/number/half.h"
#include "gpu/virtual/virtual_device.h"

#include <QFile>
#include <QTest>
#include <cstdint>
#include <memory>
#include <vector>

#include <cmath>

using namespace warplight;

class OtherCompilersTest : public QObject {
    Q_OBJECT
    std::unique_ptr<gpu::Device> device = vgpu::makeVirtualDevice();

    void run(const char* file, const char* kernel, gpu::Extent grid, gpu::Extent block, int64_t shared,
             const std::vector<gpu::Argument>& arguments) {
        QFile ptx(QString(WARPLIGHT_TEST_DATA "/data/ptx/") + file);
        QVERIFY(ptx.open(QIODevice::ReadOnly));
        const auto module = device->load(ptx.readAll().toStdString(), file);
        gpu::LaunchConfig config;
        config.grid = grid;
        config.block = block;
        config.dynamicShared = shared;
        config.checks = true;
        for (const gpu::Finding& f : module->kernel(kernel).launch(config, arguments).findings)
            QTest::qFail(f.message.c_str(), __FILE__, __LINE__);
    }

    static std::vector<float> wave(int count, float step) {
        std::vector<float> x(static_cast<size_t>(count));
        for (int i = 0; i < count; ++i)
            x[static_cast<size_t>(i)] = number::f16ToFloat(number::floatToF16(std::sin(static_cast<float>(i) * step)));
        return x;
    }
    static std::vector<uint16_t> halves(const std::vector<float>& x) {
        std::vector<uint16_t> bits;
        for (const float value : x)
            bits.push_back(number::floatToF16(value));
        return bits;
    }
    template <class T>
    gpu::Buffer upload(const std::vector<T>& values) {
        gpu::Buffer buffer(*device, static_cast<int64_t>(values.size() * sizeof(T)), "x");
        buffer.upload(values.data());
        return buffer;
    }

    static void compareSoftmax(const std::vector<float>& x, const std::vector<float>& y, int rows, int n) {
        for (int r = 0; r < rows; ++r) {
            double sum = 0;
            for (int i = 0; i < n; ++i)
                sum += std::exp(static_cast<double>(x[static_cast<size_t>(r * n + i)]));
            for (int i = 0; i < n; ++i) {
                const auto at = static_cast<size_t>(r * n + i);
                const double expected = std::exp(static_cast<double>(x[at])) / sum;
                QVERIFY(std::fabs(static_cast<double>(y[at]) - expected) < 1e-5 * expected);
            }
        }
    }
    static void compareProduct(const std::vector<float>& a, const std::vector<float>& b, const std::vector<float>& c,
                               int m, int n, int depth) {
        for (int i = 0; i < m; ++i)
            for (int j = 0; j < n; ++j) {
                double sum = 0;
                for (int k = 0; k < depth; ++k)
                    sum += static_cast<double>(a[static_cast<size_t>(i * depth + k)]) *
                           static_cast<double>(b[static_cast<size_t>(k * n + j)]);
                QVERIFY(std::fabs(static_cast<double>(c[static_cast<size_t>(i * n + j)]) - sum) < 1e-5 * depth);
            }
    }

  private slots:
    void initTestCase_data() { test::addTargets(); }
    void init() { test::useTargetOfRow(); }
    void cleanupTestCase() { vgpu::useTarget(""); }

    void tritonSoftmax() {
        const int rows = 3, n = 900;
        const auto x = wave(rows * n, 0.7f);
        const gpu::Buffer in = upload(x), out(*device, in.bytes(), "y");
        run("triton_softmax.ptx", "softmax", {rows}, {128}, 16,
            {in.address(), out.address(), n, uint64_t(0), uint64_t(0)});
        std::vector<float> y(x.size());
        out.download(y.data());
        compareSoftmax(x, y, rows, n);
    }

    void tritonMatmul() { // cp.async in three stages, ldmatrix, mma
        const int m = 128, n = 64, k = 96;
        const auto a = wave(m * k, 0.37f), b = wave(k * n, 0.91f);
        const gpu::Buffer da = upload(halves(a)), db = upload(halves(b)), dc(*device, m * n * 4, "c");
        run("triton_matmul.ptx", "matmul", {2, 1}, {128}, 16384,
            {da.address(), db.address(), dc.address(), m, n, k, uint64_t(0), uint64_t(0)});
        std::vector<float> c(m * n);
        dc.download(c.data());
        compareProduct(a, b, c, m, n, k);
    }

    void tritonAttention() {
        const int n = 128, d = 64;
        const auto q = wave(n * d, 0.13f), k = wave(n * d, 0.29f), v = wave(n * d, 0.53f);
        const gpu::Buffer dq = upload(halves(q)), dk = upload(halves(k)), dv = upload(halves(v)),
                          out(*device, n * d * 2, "o");
        run("triton_attention.ptx", "attention", {2}, {128}, 24576,
            {dq.address(), dk.address(), dv.address(), out.address(), n, 0.125f, uint64_t(0), uint64_t(0)});
        std::vector<uint16_t> o(n * d);
        out.download(o.data());
        for (int i = 0; i < n; ++i) {
            std::vector<double> weight(n), expected(d);
            double sum = 0;
            for (int j = 0; j < n; ++j) {
                double dot = 0;
                for (int c = 0; c < d; ++c)
                    dot += static_cast<double>(q[static_cast<size_t>(i * d + c)]) *
                           static_cast<double>(k[static_cast<size_t>(j * d + c)]);
                sum += weight[static_cast<size_t>(j)] = std::exp(dot * 0.125);
            }
            for (int j = 0; j < n; ++j)
                for (int c = 0; c < d; ++c)
                    expected[static_cast<size_t>(c)] +=
                        weight[static_cast<size_t>(j)] / sum * static_cast<double>(v[static_cast<size_t>(j * d + c)]);
            for (int c = 0; c < d; ++c)
                QVERIFY(std::fabs(static_cast<double>(number::f16ToFloat(o[static_cast<size_t>(i * d + c)])) -
                                  expected[static_cast<size_t>(c)]) < 2e-3);
        }
    }

    void clangKernels() {
        const int rows = 5, n = 200;
        const auto x = wave(rows * n, 0.7f);
        const gpu::Buffer in = upload(x), out(*device, in.bytes(), "y");
        run("clang_kernels.ptx", "softmaxRow", {rows}, {32}, 0, {in.address(), out.address(), n});
        std::vector<float> y(x.size());
        out.download(y.data());
        compareSoftmax(x, y, rows, n);

        const int size = 48;
        const auto a = wave(size * size, 0.37f), b = wave(size * size, 0.91f);
        const gpu::Buffer da = upload(a), db = upload(b), dc(*device, size * size * 4, "c");
        run("clang_kernels.ptx", "matmul", {3, 3}, {16, 16}, 0, {da.address(), db.address(), dc.address(), size});
        std::vector<float> c(size * size);
        dc.download(c.data());
        compareProduct(a, b, c, size, size, size);
    }
};

QTEST_GUILESS_MAIN(OtherCompilersTest)
#include "other_compilers_test.moc"
