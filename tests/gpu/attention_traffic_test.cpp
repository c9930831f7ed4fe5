// SPDX-License-Identifier: GPL-3.0-or-later
// Counted bytes equal the formula of each rung exactly: every tensor, read and written, full and causal, ragged.
#include "gpu/ops/attention_traffic.h"
#include "gpu/virtual/virtual_device.h"

#include <QTest>
#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

using namespace warplight;
using namespace warplight::gpu;

class AttentionTrafficTest : public QObject {
    Q_OBJECT
    std::unique_ptr<Device> device = vgpu::makeVirtualDevice();
    KernelLibrary library{*device};

  private slots:
    void countedIsTheFormula_data() {
        QTest::addColumn<int>("rung");
        QTest::addColumn<AttentionShape>("shape");
        for (const AttentionRungInfo& rung : attentionRungs())
            for (const bool causal : {false, true})
                for (const auto& [q, k, d] : std::initializer_list<std::tuple<int, int, int>>{
                         {64, 64, 64}, {128, 96, 32}, {67, 131, 24}, {33, 300, 128}, {100, 40, 80}, {70, 70, 256}})
                    QTest::addRow("%s, %d queries, %d keys, headDim %d%s", std::string(rung.name).c_str(), q, k, d,
                                  causal ? ", causal" : "")
                        << static_cast<int>(rung.id) << AttentionShape{1, 2, 1, q, k, d, 0.1f, causal};
    }

    void countedIsTheFormula() {
        QFETCH(int, rung);
        QFETCH(AttentionShape, shape);
        const auto id = static_cast<AttentionRung>(rung);
        AttentionOptions options;
        options.format = info(id).halfInputs ? number::Format::F16 : number::Format::F32;
        const std::vector<float> x(static_cast<size_t>(2 * std::max(shape.queryLen, shape.keyLen) * shape.headDim),
                                   0.5f);
        const TensorTraffic counted =
            countedTraffic(attentionForward(library, id, shape, x.data(), x.data(), x.data(), options));
        for (const auto& [tensor, bytes] : algorithmicTraffic(id, shape, options.format)) {
            const auto found = counted.find(tensor);
            QVERIFY2(found != counted.end(), tensor.c_str());
            QVERIFY2(found->second == bytes, qPrintable(QString("%1: counted %2 read, %3 written; formula %4, %5")
                                                            .arg(tensor.c_str())
                                                            .arg(found->second.read)
                                                            .arg(found->second.written)
                                                            .arg(bytes.read)
                                                            .arg(bytes.written)));
        }
        if (id != AttentionRung::FlashDecode)
            QCOMPARE(counted.size(), algorithmicTraffic(id, shape, options.format).size());
    }

    void paperNumbers() { // MiB a head in f16, from the FlashAttention papers' formulas with square tiles
        const AttentionShape shape{1, 1, 1, 4096, 4096, 64, 0.125f, false};
        const auto mib = [](double bytes) { return std::round(bytes / (1 << 20) * 10) / 10; };
        const OnChipTheory t = theoryAt(shape, 2, 4 * 64 * 64 * 2); // tiles of 64 keys
        QCOMPARE(t.tile, 64.0);
        QCOMPARE(mib(t.standard), 130.0);
        QCOMPARE(mib(t.flash1), 99.0);
        QCOMPARE(mib(t.flash2), 65.0);
        QCOMPARE(mib(t.compulsory), 2.0);
        const AttentionShape wide{1, 1, 1, 8192, 8192, 128, 0.1f, false};
        QCOMPARE(mib(theoryAt(wide, 2, 4 * 128 * 64 * 2).flash1), 780.0); // worse than standard's 520
    }
};

QTEST_GUILESS_MAIN(AttentionTrafficTest)
#include "attention_traffic_test.moc"
