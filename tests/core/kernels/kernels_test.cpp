// SPDX-License-Identifier: GPL-3.0-or-later
// Kernels that somebody brings: their signatures, and arguments made from a line of text.
#include "core/error.h"
#include "core/kernels/kernel_argument.h"
#include "core/kernels/kernel_file.h"
#include "core/kernels/kernel_signature.h"
#include "gpu/virtual/virtual_device.h"

#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace warplight;
using namespace warplight::kernels;

class KernelsTest : public QObject {
    Q_OBJECT
    std::unique_ptr<gpu::Device> device = vgpu::makeVirtualDevice();

  private slots:
    void signaturesAreFoundInRealSource() {
        const auto all = cudaSignatures(R"(
// __global__ void commented(int a);
/* __global__ void blocked(int); */
template <typename T, int N>
__global__ void __launch_bounds__(128, 2) scale(const T* __restrict__ x, T *y, float factor,
                                                std::pair<int, float> shape, unsigned long long n)
{ }
extern "C" __global__ void nothing() {}
static __global__ __launch_bounds__(64)
void later(void (*callback)(int, int), const half2*const* tables, int n) {}
)");
        QCOMPARE(all.size(), size_t{3});
        QCOMPARE(all[0].name, std::string("scale"));
        QCOMPARE(all[0].parameters.size(), size_t{5});
        QCOMPARE(all[0].parameters[0].name, std::string("x"));
        QCOMPARE(all[0].parameters[0].type, std::string("const T*"));
        QCOMPARE(all[0].parameters[1].type, std::string("T*"));
        QCOMPARE(all[0].parameters[3].type, std::string("std::pair<int, float>"));
        QCOMPARE(all[0].parameters[4].type, std::string("unsigned long long"));
        QCOMPARE(all[1].name, std::string("nothing"));
        QVERIFY(all[1].parameters.empty());
        QCOMPARE(all[2].name, std::string("later"));
        QCOMPARE(all[2].parameters.back().name, std::string("n"));
    }

    void cutSourceIsNoKernel() {
        for (const char* text :
             {"__global__", "__global__ void", "__global__ void f(", "__global__ void f(int a, ", ""})
            QVERIFY(cudaSignatures(text).empty());
    }

    void typesGetArgumentsThatFit_data() {
        QTest::addColumn<QString>("type");
        QTest::addColumn<QString>("argument");
        QTest::newRow("input") << "const float*"
                               << "random:f32[65536]";
        QTest::newRow("demangled input") << "float const*"
                                         << "random:f32[65536]";
        QTest::newRow("output") << "double*"
                                << "zeros:f64[65536]";
        QTest::newRow("half") << "const __half*"
                              << "random:f16[65536]";
        QTest::newRow("bfloat") << "__nv_bfloat16*"
                                << "zeros:bf16[65536]";
        QTest::newRow("bytes") << "unsigned char*"
                               << "zeros:u8[65536]";
        QTest::newRow("int") << "int"
                             << "i32:1024";
        QTest::newRow("unsigned") << "unsigned int"
                                  << "u32:1024";
        QTest::newRow("long") << "long long"
                              << "i64:1024";
        QTest::newRow("size") << "size_t"
                              << "u64:1024";
        QTest::newRow("float") << "float"
                               << "f32:1";
        QTest::newRow("PTX pointer") << "u64"
                                     << "random:f32[65536]";
        QTest::newRow("PTX number") << "u32"
                                    << "u32:1024";
        QTest::newRow("PTX float") << "f32"
                                   << "f32:1";
    }
    void typesGetArgumentsThatFit() {
        QFETCH(QString, type);
        QFETCH(QString, argument);
        const std::string made = argumentFor(type.toStdString());
        QCOMPARE(QString::fromStdString(made), argument);
        KernelArgument(*device, "x", made, "x"); // and can be made
    }

    void arraysAreMadeUp() {
        KernelArgument iota(*device, "--arg", "iota:i64[3,2]", "n");
        int64_t values[6];
        iota.onDevice()->download(values);
        for (int i = 0; i < 6; ++i)
            QCOMPARE(values[i], int64_t{i});
        KernelArgument random(*device, "--arg", "random:u8[1000]", "bytes");
        uint8_t bytes[1000];
        random.onDevice()->download(bytes);
        QVERIFY(*std::max_element(bytes, bytes + 1000) <= 99);
        QVERIFY(std::count(bytes, bytes + 1000, bytes[0]) < 200);
        for (const auto& [type, one] : {std::pair("e4m3", 0x38), std::pair("e5m2", 0x3c)}) {
            KernelArgument small(*device, "--arg", std::string("iota:") + type + "[3]", "small");
            uint8_t codes[3];
            small.onDevice()->download(codes);
            QVERIFY(codes[0] == 0 && codes[1] == one);
        }
        KernelArgument floats(*device, "--arg", "random:f32[10000]", "f");
        std::vector<float> gaussian(10000);
        floats.onDevice()->download(gaussian.data());
        double sum = 0, squares = 0;
        for (const float x : gaussian) {
            sum += static_cast<double>(x);
            squares += static_cast<double>(x) * static_cast<double>(x);
        }
        QVERIFY(std::fabs(sum / 10000) < 0.05 && std::fabs(squares / 10000 - 1) < 0.05);
        const std::vector<float> other(10000, 7.0f); // restore() brings back what was there
        device->upload(floats.onDevice()->address(), other.data(), 40000);
        floats.restore();
        std::vector<float> again(10000);
        floats.onDevice()->download(again.data());
        QVERIFY(again == gaussian);
    }

    void badArgumentsGetOneSentence_data() {
        QTest::addColumn<QString>("spec");
        QTest::addColumn<QString>("expected");
        for (const auto& [spec, expected] : std::initializer_list<std::pair<const char*, const char*>>{
                 {"", "expected in:FILE.npy"},
                 {"f32", "expected in:FILE.npy"},
                 {"f32:", "a number that fits its type"},
                 {"i32:4000000000", "a number that fits its type"},
                 {"i32:0x", "a number that fits its type"},
                 {"random:f32", "a type and a shape"},
                 {"random:f32[", "a type and a shape"},
                 {"random:f32[a]", "a number that fits its type"},
                 {"random:f32[-1]", "at most 8 GiB"},
                 {"random:f32[4294967296,4294967296]", "at most 8 GiB"},
                 {"random:float[4]", "a type such as f32"},
                 {"zeros:f32[4]x", "a type and a shape"},
                 {"out:f32[4]:", "out:TYPE[SHAPE]:FILE.npy"},
                 {"out:e4m3[4]:y.npy", "a type that .npy has a name for"},
                 {"bogus:1", "before the colon"}})
            QTest::newRow(*spec ? spec : "empty") << spec << expected;
    }
    void badArgumentsGetOneSentence() {
        QFETCH(QString, spec);
        QFETCH(QString, expected);
        try {
            KernelArgument(*device, "--arg", spec.toStdString(), "x");
            QFAIL("not refused");
        } catch (const InputError& e) {
            QVERIFY2(QString(e.what()).startsWith("--arg " + spec), e.what());
            QVERIFY2(QString(e.what()).contains(expected), e.what());
        }
        QVERIFY(device->held().empty());
    }

    void mangledNamesTellTypesAndAreFound() {
        QCOMPARE(parameterTypes("_Z5saxpyifPKfPf"),
                 (std::vector<std::string>{"int", "float", "float const*", "float*"}));
        QVERIFY(parameterTypes("saxpy").empty());
        QCOMPARE(parameterTypes("_Z1fv"), std::vector<std::string>());
        const std::vector<std::string> kernels{"_Z5saxpyifPKfPf", "_Z5scaleIfEvPT_", "plain"};
        QCOMPARE(kernelNamed(kernels, "saxpy", "a.cu"), kernels[0]);
        QCOMPARE(kernelNamed(kernels, "scale", "a.cu"), kernels[1]);
        QCOMPARE(kernelNamed(kernels, "plain", "a.cu"), kernels[2]);
        try {
            kernelNamed(kernels, "other", "a.cu");
            QFAIL("found");
        } catch (const InputError& e) {
            QCOMPARE(QString(e.what()), QString("a.cu: entry other: expected one of saxpy, scale, plain"));
        }
    }
};

QTEST_GUILESS_MAIN(KernelsTest)
#include "kernels_test.moc"
