// SPDX-License-Identifier: GPL-3.0-or-later
// What the race detector takes for an order between warps, and what it says where there is none.
#include "gpu/virtual/virtual_device.h"

#include <QFile>
#include <QRegularExpression>
#include <QStringList>
#include <QTest>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

using namespace warplight;
using gpu::Argument;

class OrdersTest : public QObject {
    Q_OBJECT
    std::unique_ptr<gpu::Device> device = vgpu::makeVirtualDevice();

    std::vector<gpu::Finding> findings(const std::string& ptx, const char* kernel, std::vector<int32_t>& y) {
        gpu::Buffer x(*device, 256, "x"), result(*device, 256, "y");
        std::vector<int32_t> values(64);
        for (size_t i = 0; i < 64; ++i)
            values[i] = static_cast<int32_t>(100 + i);
        x.upload(values.data());
        gpu::LaunchConfig config;
        config.block = {64};
        config.checks = true;
        const gpu::LaunchStats stats = device->load(ptx, "orders.ptx")
                                           ->kernel(kernel)
                                           .launch(config, std::vector<Argument>{x.address(), result.address()});
        y.resize(64);
        result.download(y.data());
        return stats.findings;
    }
    static std::string orders() {
        QFile file(WARPLIGHT_TEST_DATA "/data/ptx/orders.ptx");
        return file.open(QIODevice::ReadOnly) ? file.readAll().toStdString() : std::string();
    }

  private slots:
    void ordersAndRaces_data() {
        QTest::addColumn<QStringList>("kinds");
        const QStringList none;
        QTest::newRow("releaseAcquire") << none;
        QTest::newRow("fences") << none;
        QTest::newRow("relaxed") << QStringList{"race"};
        QTest::newRow("plainFlag") << QStringList{"race", "race", "race"}; // both sides of the flag, and s
        QTest::newRow("sameValue") << QStringList{"same value"};
        QTest::newRow("otherValue") << QStringList{"race"};
        QTest::newRow("copyWaited") << none;
        QTest::newRow("copyNotWaited") << QStringList{"unfinished copy"};
        QTest::newRow("copyWaitedTooLate") << QStringList{"race", "unfinished copy"}; // of warp 1, of warp 0
    }
    void ordersAndRaces() {
        QFETCH(QStringList, kinds);
        std::vector<int32_t> y;
        const auto found = findings(orders(), QTest::currentDataTag(), y);
        QStringList kindsFound;
        for (const gpu::Finding& f : found) {
            kindsFound << QString::fromStdString(f.kind);
            QCOMPARE(f.note, f.kind == "same value");
        }
        QVERIFY2(kindsFound == kinds, qPrintable(kindsFound.join(", ")));
        for (const gpu::Finding& f : found)
            if (f.kind == "unfinished copy") {
                const QString text = QString::fromStdString(f.message);
                QVERIFY2(text.contains("nobody has waited for the copy 'cp.async.ca.shared.global' (orders.ptx:"),
                         qPrintable(text));
                QVERIFY2(text.contains(QRegularExpression("at 'ld.*' \\(orders.ptx:")), qPrintable(text));
            }
    }

    void handedOverValuesArrive() {
        for (const char* kernel : {"releaseAcquire", "fences"}) {
            std::vector<int32_t> y;
            findings(orders(), kernel, y);
            for (int32_t i = 0; i < 32; ++i)
                QCOMPARE(y[static_cast<size_t>(i)], 131 - i);
        }
    }

    /// As cuda_fp16.hpp writes it: no blank behind .reg; and nothing of shared memory is reserved.
    void directivesNeedNoBlanks() {
        const std::string text =
            ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k(.param.u64 x,.param.u64 p)\n{\n"
            ".reg.b64 %rd<3>; .reg.b32 %r<5>;\n.shared.align 4.b8 unused[4];\nld.param.u64 %rd1,[p];\n"
            "{.reg.b16 a,b; mov.b32 %r1,5; mov.b32 {a,b},%r1; mov.b32 %r2,{b,a};}\n"
            "mov.u32 %r3,%reserved_smem_offset_begin; mov.u32 %r4,%reserved_smem_offset_end; sub.u32 %r3,%r4,%r3;\n"
            "st.global.u32 [%rd1],%r2; st.global.u32 [%rd1+4],%r3; ret;\n}\n";
        std::vector<int32_t> y;
        QVERIFY(findings(text, "k", y).empty());
        QCOMPARE(y[0], 5 << 16);
        QCOMPARE(y[1], 0);
    }

    /// 7 in each of 32 products of bytes: 7 · 7 and 0 · 7 … by what the words hold. Near the ends sums stay there.
    void saturatingSums() {
        for (const auto& [word, c, expected, suffix] :
             {std::tuple(0x7f7f7f7fu, 5, 5 + 32 * 127 * 127, ""), std::tuple(0x7f7f7f7fu, 0x7fffff00, 0x7fffffff, ""),
              std::tuple(0x7f7f7f7fu, 0x7fffff00, 0x7fffffff, ".satfinite last"),
              std::tuple(0x7f7f7f7fu, -5, -5 + 32 * 127 * 127, ".satfinite last")}) {
            const std::string types = suffix[0] ? ".s32.s8.s8.s32.satfinite" : ".satfinite.s32.s8.s8.s32";
            const std::string text =
                ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k(.param .u64 x, .param .u64 p)\n{\n"
                ".reg .b64 %a, %o; .reg .b32 %t, %w, %d<4>;\nld.param.u64 %a, [p]; mov.u32 %t, %tid.x; mul.wide.u32 "
                "%o, "
                "%t, 4;\nadd.s64 %a, %a, %o; mov.u32 %w, " +
                std::to_string(word) + ";\n" + "mov.s32 %d0, " + std::to_string(c) +
                "; mov.s32 %d1, %d0; mov.s32 %d2, %d0; mov.s32 %d3, %d0;\nmma.sync.aligned.m16n8k32.row.col" + types +
                " {%d0,%d1,%d2,%d3}, {%w,%w,%w,%w}, {%w,%w}, {%d0,%d1,%d2,%d3};\nst.global.u32 [%a], %d3;\nret;\n}\n";
            std::vector<int32_t> y;
            QVERIFY(findings(text, "k", y).empty());
            for (const int32_t value : y)
                QCOMPARE(value, expected);
        }
    }
};

QTEST_GUILESS_MAIN(OrdersTest)
#include "orders_test.moc"
