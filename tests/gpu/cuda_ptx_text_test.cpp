// SPDX-License-Identifier: GPL-3.0-or-later
// What gpu/cuda reads of PTX text by itself: kernels, their parameters, the version.
#include "gpu/cuda/ptx_text.h"
#include "gpu/ops/kernel_library.h"
#include "gpu/virtual/ptx/syntax.h"
#include "tests/gpu/standin/control.h"

#include <QTest>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace warplight;

class CudaPtxTextTest : public QObject {
    Q_OBJECT
  private slots:
    void kernelsOfTheTextAreThoseThatTheParserFinds() {
        for (const std::string_view family : gpu::kernelFamilies()) {
            const std::string text(gpu::kernelText(family));
            const ptx::Module parsed = ptx::parse(text, std::string(family));
            std::vector<cuda::PtxKernel> found = cuda::kernelsOf(text);
            QVERIFY(!found.empty());
            for (const ptx::Function& f : parsed.functions)
                if (f.kernel && f.defined) {
                    QCOMPARE(found.front().name, f.name);
                    QCOMPARE(found.front().parameters.size(), f.parameters.size());
                    for (size_t i = 0; i < f.parameters.size(); ++i) {
                        QCOMPARE(found.front().parameters[i].name, f.parameters[i].name);
                        QCOMPARE(found.front().parameters[i].bytes, f.parameters[i].bytes);
                    }
                    found.erase(found.begin());
                }
            QVERIFY(found.empty());
        }
    }

    void declarationsAndCommentsAreNoKernels() {
        const auto kernels =
            cuda::kernelsOf("// .entry no1()\n/* .entry no2() {} */ .entry declared(.param .u32 a);\n"
                            ".file 1 \".entry no3() {\"\n"
                            ".entry one() .maxntid 32, 1, 1 { ret; }\n"
                            ".visible .entry two(.param .align 16 .b8 s[48], .param .f64 d,\n"
                            " .param .u64 .ptr .global .align 4 p, .param .b8 c, .param .f32 v[3]) {}");
        QCOMPARE(kernels.size(), size_t(2));
        QCOMPARE(kernels[0].name, "one");
        QVERIFY(kernels[0].parameters.empty());
        const std::vector<std::pair<std::string, int64_t>> expected{{"s", 48}, {"d", 8}, {"p", 8}, {"c", 1}, {"v", 12}};
        QCOMPARE(kernels[1].parameters.size(), expected.size());
        for (size_t i = 0; i < expected.size(); ++i) {
            QCOMPARE(kernels[1].parameters[i].name, expected[i].first);
            QCOMPARE(kernels[1].parameters[i].bytes, expected[i].second);
        }
        QCOMPARE(kernels[1].parameters[0].type, "48 bytes");
        QCOMPARE(kernels[1].parameters[1].type, "f64");
        for (const char* cut :
             {".entry", ".entry a", ".entry a(", ".entry a(.param", ".entry a(.param .u32 b", "\"", "/*"})
            QVERIFY(cuda::kernelsOf(cut).empty());
    }

    void theVersionIsLoweredToTheDrivers() {
        const auto versionFor = [](const char* written, int driver) {
            const std::string text =
                cuda::ptxForDriver("// .version 1.0\n.version " + std::string(written) + "\n.target sm_80\n", driver);
            return text.substr(25, text.find('\n', 25) - 25);
        };
        QCOMPARE(versionFor("9.0", 12020), "8.2");
        QCOMPARE(versionFor("9.0", 11080), "7.8");
        QCOMPARE(versionFor("9.0", 12060), "8.5");
        QCOMPARE(versionFor("8.10", 12040), "8.4");
        QCOMPARE(versionFor("7.8", 12020), "7.8"); // never raised
        QCOMPARE(versionFor("9.0", 13000), "9.0");
        QCOMPARE(versionFor("9.4", 13020), "9.4"); // a driver that is newer than this table knows best
        QCOMPARE(cuda::ptxForDriver("no version", 12000), "no version");
    }
};

QTEST_GUILESS_MAIN(CudaPtxTextTest)
#include "cuda_ptx_text_test.moc"
