// SPDX-License-Identifier: GPL-3.0-or-later
// CUDA C++ to PTX by nvcc and by NVRTC: the same kernel gives the same numbers on the virtual GPU, and what the
// compilers object to is said with file and line.
#include "gpu/cuda/cuda_compiler.h"
#include "gpu/cuda/nvrtc.h"
#include "gpu/error.h"
#include "gpu/virtual/virtual_device.h"
#include "tests/thinned.h"

#include <QDir>
#include <QTemporaryDir>
#include <QTest>
#include <cstdint>
#include <string>
#include <vector>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <csignal>
#include <functional>
#include <thread>

using namespace warplight;
using cuda::CudaCompilers;

class CudaCompilerTest : public QObject {
    Q_OBJECT
    CudaCompilers found = CudaCompilers::find();
    QTemporaryDir folder;

    /// A file in the temporary folder.
    std::string write(const char* name, const char* text) {
        QFile file(folder.filePath(name));
        if (!file.open(QIODevice::WriteOnly))
            qFatal("no file could be written");
        file.write(text);
        return file.fileName().toStdString();
    }
    static std::string failure(const std::function<void()>& action) {
        try {
            action();
        } catch (const InputError& error) {
            return error.what();
        }
        return "nothing failed";
    }
    void rows() {
        QTest::addColumn<bool>("nvrtc");
        QTest::newRow("nvcc") << false;
        QTest::newRow("NVRTC") << true;
    }
    /// One of the two alone; false where it is not here.
    bool only(bool nvrtc, CudaCompilers& compilers) const {
        compilers = nvrtc ? CudaCompilers{"", found.nvrtc} : CudaCompilers{found.nvcc, ""};
        return !(nvrtc ? found.nvrtc : found.nvcc).empty();
    }

  private slots:
    void kernelsOfEitherCompilerGiveTheSameNumbers() {
        if (found.nvcc.empty() || found.nvrtc.empty())
            QSKIP("nvcc and NVRTC are not both here");
        const std::string source = write("row.cu", R"(// y = softmax(2.5 x), one warp for a row
extern "C" __global__ void softmaxRow(const float* x, float* y, int n) {
    __shared__ float row[1000];
    float sum = 0;
    for (int i = threadIdx.x; i < n; i += 32)
        sum += row[i] = expf(2.5f * x[blockIdx.x * n + i]);
    for (int o = 16; o; o >>= 1)
        sum += __shfl_xor_sync(~0u, sum, o);
    for (int i = threadIdx.x; i < n; i += 32)
        y[blockIdx.x * n + i] = row[i] / sum;
}
)");
        constexpr int rows = 3, n = 1000;
        std::vector<float> x(rows * n), results[2];
        for (size_t i = 0; i < x.size(); ++i)
            x[i] = std::sin(static_cast<float>(i));
        const auto bytes = static_cast<int64_t>(4 * x.size());
        for (const bool nvrtc : {false, true}) {
            CudaCompilers compilers;
            only(nvrtc, compilers);
            const auto device = vgpu::makeVirtualDevice();
            const auto module = device->load(cuda::compileCuda(source, compilers), source);
            gpu::Buffer in(*device, bytes, "in"), out(*device, bytes, "out");
            in.upload(x.data());
            gpu::LaunchConfig config;
            config.grid = {rows};
            config.block = {32};
            config.checks = true;
            const auto stats = module->kernel("softmaxRow")
                                   .launch(config, std::vector<gpu::Argument>{in.address(), out.address(), int(n)});
            QVERIFY(stats.findings.empty());
            // Lines are those of the source, whoever compiled it.
            QVERIFY(std::any_of(stats.lines.begin(), stats.lines.end(), [](const gpu::LineCount& line) {
                return line.sourceLine == 10 && line.sourceFile.ends_with("row.cu");
            }));
            results[nvrtc].resize(x.size());
            out.download(results[nvrtc].data());
        }
        for (int r = 0; r < rows; ++r) {
            double sum = 0;
            for (int i = 0; i < n; ++i)
                sum += std::exp(2.5 * static_cast<double>(x[static_cast<size_t>(r * n + i)]));
            for (auto i = static_cast<size_t>(r * n); i < static_cast<size_t>((r + 1) * n); ++i) {
                const double want = std::exp(2.5 * static_cast<double>(x[i])) / sum;
                QVERIFY(std::fabs(static_cast<double>(results[0][i]) - want) < 1e-6 * want + 1e-9);
                QCOMPARE(results[1][i], results[0][i]);
            }
        }
    }

    void comparisonsOfTheToolkitsHalfHeadersKeepTheirPromise() {
        CudaCompilers compilers;
        if (!only(true, compilers))
            QSKIP("NVRTC is not here");
        const std::string source = write("masks.cu", R"(#include <cuda_bf16.h>
#include <cuda_fp16.h>
template <class T> __device__ T as(unsigned bits) { return *reinterpret_cast<T*>(&bits); }
extern "C" __global__ void masks(const unsigned* a, const unsigned* b, unsigned* d) {
    const int i = threadIdx.x;
    const __half2 x = as<__half2>(a[i]), y = as<__half2>(b[i]);
    const __nv_bfloat162 u = as<__nv_bfloat162>(a[i]), v = as<__nv_bfloat162>(b[i]);
    const __half2 one = __hge2(x, y);
    const __nv_bfloat162 bone = __hge2(u, v);
    d += 8 * i;
    d[0] = __heq2_mask(x, y);
    d[1] = __hltu2_mask(x, y);
    d[2] = *reinterpret_cast<const unsigned*>(&one);
    d[3] = __heq2_mask(u, v);
    d[4] = __hltu2_mask(u, v);
    d[5] = *reinterpret_cast<const unsigned*>(&bone);
    d[6] = __hbeq2(x, y) + 2 * __hbgt2(u, v);
    d[7] = __hbneu2(x, y);
}
)");
        // Small whole numbers, and what is not one, in either half.
        const uint16_t half[] = {0x3c00, 0x4000, 0xc000, 0x8000, 0x0000, 0x7e00}; // 1, 2, -2, -0, 0, NaN
        const uint16_t bfloat[] = {0x3f80, 0x4000, 0xc000, 0x8000, 0x0000, 0x7fc0};
        const double value[] = {1, 2, -2, 0, 0, NAN};
        for (const bool brain : {false, true}) {
            std::vector<uint32_t> a(1024), b(1024), d(8 * 1024);
            std::vector<std::array<size_t, 4>> picked(1024); // a's halves, b's halves
            for (size_t i = 0; i < 1024; ++i) {
                picked[i] = {i % 6, i / 6 % 6, i / 36 % 6, i * 7 / 5 % 6};
                const uint16_t* bits = brain ? bfloat : half;
                a[i] = bits[picked[i][0]] | static_cast<uint32_t>(bits[picked[i][1]]) << 16;
                b[i] = bits[picked[i][2]] | static_cast<uint32_t>(bits[picked[i][3]]) << 16;
            }
            const auto device = vgpu::makeVirtualDevice();
            const auto module = device->load(cuda::compileCuda(source, compilers, "sm_90"), source);
            gpu::Buffer da(*device, 4096, "a"), db(*device, 4096, "b"), dd(*device, 8 * 4096, "d");
            da.upload(a.data());
            db.upload(b.data());
            gpu::LaunchConfig config;
            config.block = {1024};
            module->kernel("masks").launch(config,
                                           std::vector<gpu::Argument>{da.address(), db.address(), dd.address()});
            dd.download(d.data());
            for (size_t i = 0; i < 1024; ++i) {
                const double low[] = {value[picked[i][0]], value[picked[i][2]]};
                const double high[] = {value[picked[i][1]], value[picked[i][3]]};
                const auto both = [&](auto holds, uint32_t truth) {
                    return (holds(low[0], low[1]) ? truth : 0) | (holds(high[0], high[1]) ? truth << 16 : 0);
                };
                const auto eq = [](double x, double y) { return x == y; };
                const auto ge = [](double x, double y) { return x >= y; };
                const auto ltu = [](double x, double y) { return !(x >= y); };
                const size_t at = 8 * i + (brain ? 3 : 0);
                QCOMPARE(d[at], both(eq, 0xffff));
                QCOMPARE(d[at + 1], both(ltu, 0xffff));
                QCOMPARE(d[at + 2], both(ge, brain ? 0x3f80 : 0x3c00));
                if (brain)
                    QCOMPARE(d[8 * i + 6] >> 1, uint32_t(low[0] > low[1] && high[0] > high[1]));
                else
                    QCOMPARE(d[8 * i + 7], uint32_t(!(low[0] == low[1]) && !(high[0] == high[1])));
            }
        }
    }

    void ownKernelsCompileWithNvrtc_data() {
        QTest::addColumn<QString>("name");
        const QDir kernels(WARPLIGHT_TEST_DATA "/../gpu/kernels");
        int row = 0;
        for (const QString& name : kernels.entryList({"*.cu"}))
            if (row++ % test::thinned(4) == 0)
                QTest::newRow(qPrintable(name)) << kernels.filePath(name);
    }
    void ownKernelsCompileWithNvrtc() {
        QFETCH(QString, name);
        CudaCompilers compilers;
        if (!only(true, compilers))
            QSKIP("NVRTC is not here");
        // The kernels that nvcc made of it, which are kept.
        QString kept = QFileInfo(name).completeBaseName();
        QFile ptx(WARPLIGHT_TEST_DATA "/../resources/ptx/" + kept + ".ptx");
        QVERIFY(ptx.open(QIODevice::ReadOnly));
        const auto device = vgpu::makeVirtualDevice();
        auto want = device->load(ptx.readAll().toStdString(), "kept.ptx")->kernels();
        const auto module = device->load(cuda::compileCuda(name.toStdString(), compilers), name.toStdString());
        auto have = module->kernels();
        std::sort(want.begin(), want.end());
        std::sort(have.begin(), have.end());
        QVERIFY(!want.empty());
        QVERIFY(have == want);
        for (const std::string& kernel : have) // every instruction is one that the virtual GPU knows
            module->kernel(kernel);
    }

    void mistakesNameFileAndLine_data() { rows(); }
    void mistakesNameFileAndLine() {
        QFETCH(bool, nvrtc);
        CudaCompilers compilers;
        if (!only(nvrtc, compilers))
            QSKIP("this compiler is not here");
        const std::string source = write("broken.cu", "__global__ void k(float* x) {\n    x[0] = nonsense;\n}\n");
        const std::string said = failure([&] { cuda::compileCuda(source, compilers); });
        QVERIFY2(said.starts_with(source + (nvrtc ? ": NVRTC says\n" : ": nvcc says\n")), said.c_str());
        QVERIFY2(said.find(source + ":2: error: ") != std::string::npos, said.c_str());
        QVERIFY2(said.find("nonsense") != std::string::npos, said.c_str());
    }

    void headersBesideTheSourceAndThoseOfIntegersAreFound_data() { rows(); }
    void headersBesideTheSourceAndThoseOfIntegersAreFound() {
        QFETCH(bool, nvrtc);
        CudaCompilers compilers;
        if (!only(nvrtc, compilers))
            QSKIP("this compiler is not here");
        write("own.cuh", "#pragma once\n#include <cuda_fp16.h>\n__device__ inline float half1() { return "
                         "__half2float(__float2half(0.5f)); }\n");
        const std::string source = write(
            "with headers.cu",
            "#include \"own.cuh\"\n#include <cstdint>\n#include <stddef.h>\n#include <cstdio>\n#include "
            "<math.h>\n#include <cuda/std/cstdint>\n"
            "extern \"C\" __global__ void k(float* x, std::uint64_t n) {\n"
            "    static_assert(sizeof(int64_t) == 8 && sizeof(uint16_t) == 2);\n"
            "    if (size_t(threadIdx.x) < n) x[threadIdx.x] = sqrtf(half1());\n    else printf(\"%d\", 1);\n}\n");
        const std::string ptx = cuda::compileCuda(source, compilers);
        QVERIFY(ptx.find(".visible .entry k(") != std::string::npos);
        QVERIFY(ptx.find('\0') == std::string::npos);
    }

    void architectureIsThatOfThePtx_data() { rows(); }
    void architectureIsThatOfThePtx() {
        QFETCH(bool, nvrtc);
        CudaCompilers compilers;
        if (!only(nvrtc, compilers))
            QSKIP("this compiler is not here");
        const std::string source = write("plain.cu", "__global__ void k() {}\n");
        QVERIFY(cuda::compileCuda(source, compilers).find(".target sm_80") != std::string::npos);
        QVERIFY(cuda::compileCuda(source, compilers, "sm_90").find(".target sm_90") != std::string::npos);
        QVERIFY(failure([&] { cuda::compileCuda(source, compilers, "sm_1"); }) != "nothing failed");
    }

    void aCompilerThatNobodyWaitsForIsEnded() {
        const std::string source = write("plain.cu", "__global__ void k() {}\n"),
                          compiler = write("slow-nvcc", "#!/bin/sh\necho $$ > \"$0.pid\"\nsleep 60\n");
        QFile(QString::fromStdString(compiler)).setPermissions(QFile::ReadOwner | QFile::WriteOwner | QFile::ExeOwner);
        std::atomic<bool> cancel = false;
        QFile pid(QString::fromStdString(compiler + ".pid"));
        const std::jthread stop([&] {
            while (!pid.exists() || pid.size() == 0)
                std::this_thread::sleep_for(std::chrono::milliseconds(5));
            cancel = true;
        });
        QVERIFY_EXCEPTION_THROWN(cuda::compileCuda(source, CudaCompilers{compiler, ""}, "sm_80", &cancel), Cancelled);
        QVERIFY(pid.open(QIODevice::ReadOnly));
        const int process = pid.readAll().trimmed().toInt();
        QVERIFY(process > 0);
        QVERIFY(::kill(process, 0) != 0); // it is gone, and has been waited for
    }

    void withoutACompilerBothAreNamed() {
        const std::string source = write("plain.cu", "__global__ void k() {}\n");
        const std::string said = failure([&] { cuda::compileCuda(source, CudaCompilers{}); });
        QVERIFY2(said.starts_with(source + ": a .cu file needs one of NVIDIA's compilers") &&
                     said.find("nvcc") != std::string::npos && said.find("NVRTC") != std::string::npos &&
                     said.find(".ptx") != std::string::npos && said.find('\n') == std::string::npos,
                 said.c_str());
        QCOMPARE(failure([&] { cuda::compileCuda("/nowhere/x.cu", CudaCompilers{}); }),
                 std::string("/nowhere/x.cu: no such file"));
        QCOMPARE(failure([&] { cuda::compileCuda("/tmp", found); }), std::string("/tmp: expected a file of CUDA C++"));
        QVERIFY(failure([&] {
                    cuda::compileWithNvrtc("", "x.cu", "sm_80", "/nowhere/libnvrtc.so");
                }).starts_with("x.cu: NVRTC (/nowhere/libnvrtc.so) could not be opened"));
        QVERIFY(failure([&] {
                    cuda::compileWithNvrtc("", "x.cu", "sm_80", "libm.so.6");
                }).find("has no nvrtcGetErrorString; expected the NVRTC of CUDA 12 or 13") != std::string::npos);
    }

    void theEnvironmentChoosesTheCompiler() {
        qputenv("WARPLIGHT_CUDA_COMPILER", "nvrtc");
        QVERIFY(CudaCompilers::find().nvcc.empty());
        QCOMPARE(CudaCompilers::find().nvrtc, found.nvrtc);
        qputenv("WARPLIGHT_CUDA_COMPILER", "nvcc");
        QVERIFY(CudaCompilers::find().nvrtc.empty());
        QCOMPARE(CudaCompilers::find().nvcc, found.nvcc);
        qputenv("WARPLIGHT_CUDA_COMPILER", "gcc");
        QCOMPARE(failure([] { CudaCompilers::find(); }),
                 std::string("$WARPLIGHT_CUDA_COMPILER is 'gcc', expected nvcc or nvrtc"));
        qunsetenv("WARPLIGHT_CUDA_COMPILER");
    }

    void placesInLogsGetColons() {
        QCOMPARE(
            cuda::withColons("a b/x.cu(12): error: expected a \")\"\n    f(3): g\ny.cuh(7): warning #1-D: z(1): w\n"),
            std::string("a b/x.cu:12: error: expected a \")\"\n    f(3): g\ny.cuh:7: warning #1-D: z(1): w\n"));
    }
};

QTEST_GUILESS_MAIN(CudaCompilerTest)
#include "cuda_compiler_test.moc"
