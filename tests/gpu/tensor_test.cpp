// SPDX-License-Identifier: GPL-3.0-or-later
// Matrix products bit for bit as they are defined here: products exact, added by fused multiply-adds, k ascending from
// C.
#include "each_target.h"
#include "gpu/number/half.h"
#include "gpu/virtual/virtual_device.h"

#include <QTest>

#include <bit>
#include <cmath>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

using namespace warplight;

namespace {

constexpr int rows = 16, columns = 8;

/// Where element (row, column) of C and D lies: register, lane (PTX ISA, 9.7.15.5).
size_t placeOfSum(int row, int column) {
    return static_cast<size_t>(32 * ((row < 8 ? 0 : 2) + column % 2) + row % 8 * 4 + column / 2);
}

struct Matrices {
    std::vector<uint16_t> a, b;  ///< 16 × k, k × 8
    std::vector<uint32_t> c;     ///< as in the registers
    std::vector<uint32_t> words; ///< registers of A, B and C, 32 lanes each
};

/// Normal numbers, and where asked for infinities and NaN among them.
Matrices matrices(int k, bool special, unsigned seed) {
    std::mt19937 random(seed);
    Matrices m;
    const auto half = [&]() -> uint16_t { // as f16 2^-7 … 2^8, as bf16 around 1 too
        if (special && random() % 64 == 0)
            return static_cast<uint16_t>(random() % 2 ? 0x7c00 : 0xfe00);
        return static_cast<uint16_t>((random() & 0x83ff) | (0x2000 + (random() % 8 << 10)));
    };
    for (int i = 0; i < rows * k; ++i)
        m.a.push_back(half());
    for (int i = 0; i < columns * k; ++i)
        m.b.push_back(half());
    for (int i = 0; i < rows * columns; ++i)
        m.c.push_back(special && random() % 32 == 0 ? 0xffc12345u : (random() & 0x807fffffu) | 0x3f000000u);
    const auto pair = [](uint16_t low, uint16_t high) { return low | static_cast<uint32_t>(high) << 16; };
    for (int r = 0; r < k / 4; ++r)
        for (int lane = 0; lane < 32; ++lane) {
            const uint16_t* at = &m.a[static_cast<size_t>((lane / 4 + r % 2 * 8) * k + lane % 4 * 2 + r / 2 * 8)];
            m.words.push_back(pair(at[0], at[1]));
        }
    for (int r = 0; r < k / 8; ++r)
        for (int lane = 0; lane < 32; ++lane) {
            const uint16_t* at = &m.b[static_cast<size_t>((lane % 4 * 2 + r * 8) * columns + lane / 4)];
            m.words.push_back(pair(at[0], at[columns]));
        }
    m.words.insert(m.words.end(), m.c.begin(), m.c.end());
    return m;
}

std::string list(int first, int count) {
    std::string text;
    for (int i = 0; i < count; ++i)
        text += (i ? ", %i" : "%i") + std::to_string(first + i);
    return "{" + text + "}";
}

} // namespace

class TensorTest : public QObject {
    Q_OBJECT
    std::unique_ptr<gpu::Device> device = vgpu::makeVirtualDevice();

    /// Four registers of D, 32 lanes each. `d`: the registers that the result goes to.
    std::vector<uint32_t> run(const Matrices& m, int k, const std::string& type, const std::vector<int>& d) {
        const int a = k / 4, b = k / 8, inputs = a + b + 4;
        std::string ptx = ".version 8.8\n.target sm_90\n.address_size 64\n.visible .entry k(.param .u64 pin, .param "
                          ".u64 pout)\n{\n.reg .b32 %t, %i<16>;\n.reg .b64 %p, %q, %o;\nmov.u32 %t, %tid.x;\n"
                          "mul.wide.u32 %o, %t, 4;\nld.param.u64 %p, [pin];\nadd.s64 %p, %p, %o;\n"
                          "ld.param.u64 %q, [pout];\nadd.s64 %q, %q, %o;\n";
        for (int r = 0; r < inputs; ++r)
            ptx += "ld.global.b32 %i" + std::to_string(r) + ", [%p+" + std::to_string(128 * r) + "];\n";
        std::string to;
        for (const int r : d)
            to += (to.empty() ? "%i" : ", %i") + std::to_string(r);
        ptx += "mma.sync.aligned.m16n8k" + std::to_string(k) + ".row.col.f32." + type + "." + type + ".f32 {" + to +
               "}, " + list(0, a) + ", " + (b == 1 ? "%i" + std::to_string(a) : list(a, b)) + ", " + list(a + b, 4) +
               ";\n";
        for (size_t r = 0; r < 4; ++r)
            ptx += "st.global.b32 [%q+" + std::to_string(128 * r) + "], %i" + std::to_string(d[r]) + ";\n";
        ptx += "ret;\n}\n";
        const gpu::Buffer in(*device, static_cast<int64_t>(m.words.size() * 4), "in"), out(*device, 512, "out");
        device->upload(in.address(), m.words.data(), in.bytes());
        gpu::LaunchConfig config;
        config.block = {32};
        const auto module = device->load(ptx, "test.ptx");
        module->kernel("k").launch(config, std::vector<gpu::Argument>{in.address(), out.address()});
        std::vector<uint32_t> sums(128);
        out.download(sums.data());
        return sums;
    }

  private slots:
    void initTestCase_data() { test::addTargets(); }
    void init() { test::useTargetOfRow(); }
    void cleanupTestCase() { vgpu::useTarget(""); }

    void sumsAreBitExact_data() {
        QTest::addColumn<int>("k");
        QTest::addColumn<QString>("type");
        QTest::addColumn<bool>("special");
        QTest::addColumn<QList<int>>("result");
        for (const int k : {8, 16})
            for (const char* type : {"f16", "bf16"})
                for (const bool special : {false, true})
                    QTest::addRow("k%d %s%s", k, type, special ? ", infinities and NaN" : "")
                        << k << type << special << QList<int>{12, 13, 14, 15};
        // The result may go to where factors or sums came from, in any order.
        QTest::newRow("into A") << 16 << "f16" << false << QList<int>{0, 1, 2, 3};
        QTest::newRow("into A, turned round") << 16 << "f16" << false << QList<int>{3, 2, 1, 0};
        QTest::newRow("into B and C") << 16 << "f16" << false << QList<int>{4, 5, 6, 7};
        QTest::newRow("into C") << 16 << "f16" << false << QList<int>{6, 7, 8, 9};
        QTest::newRow("into C, halves exchanged") << 16 << "f16" << false << QList<int>{8, 9, 6, 7};
        QTest::newRow("into C, k8") << 8 << "f16" << false << QList<int>{5, 6, 3, 4};
    }
    void sumsAreBitExact() {
        QFETCH(int, k);
        QFETCH(QString, type);
        QFETCH(bool, special);
        QFETCH(QList<int>, result);
        const auto value = [&](uint16_t bits) {
            return type == "f16" ? number::f16ToFloat(bits) : number::bf16ToFloat(bits);
        };
        for (unsigned seed = 0; seed < 8; ++seed) {
            const Matrices m = matrices(k, special, seed);
            const std::vector<uint32_t> d =
                run(m, k, type.toStdString(), std::vector<int>(result.begin(), result.end()));
            for (int row = 0; row < rows; ++row)
                for (int column = 0; column < columns; ++column) {
                    auto sum = std::bit_cast<float>(m.c[placeOfSum(row, column)]);
                    for (int i = 0; i < k; ++i)
                        sum = std::fma(value(m.a[static_cast<size_t>(row * k + i)]),
                                       value(m.b[static_cast<size_t>(i * columns + column)]), sum);
                    QCOMPARE(d[placeOfSum(row, column)], std::isnan(sum) ? 0x7fffffffu : std::bit_cast<uint32_t>(sum));
                }
        }
    }
};

QTEST_GUILESS_MAIN(TensorTest)
#include "tensor_test.moc"
