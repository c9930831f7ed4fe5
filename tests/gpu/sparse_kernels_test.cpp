// SPDX-License-Identifier: GPL-3.0-or-later
// The GPU kernels of block-sparse attention on the virtual GPU with all checks: double precision, NaN and infinity, and
// formulas of the bytes that are what is counted.
#include "gpu/error.h"
#include "gpu/number/format.h"
#include "gpu/ops/attention_sparse.h"
#include "gpu/virtual/virtual_device.h"
#include "tests/core/cpu/nonfinite.h"
#include "tests/core/cpu/sparse.h"
#include "tests/gpu/counted.h"
#include "tests/thinned.h"

#include <QTest>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

using namespace warplight;
using namespace warplight::test;
using gpu::BlockSparseRung;

namespace {

struct Shape {
    const char* name;
    int64_t batch, queryHeads, keyHeads, queryLen, keyLen, headDim, blockSize;
    bool eachHead;
};
constexpr Shape shapes[] = {
    {"one row, one key", 1, 1, 1, 1, 1, 1, 16, false},
    {"blocks of 16", 1, 2, 2, 50, 70, 64, 16, true},
    {"blocks of 32, ragged", 1, 2, 1, 67, 131, 33, 32, true},
    {"blocks of 64", 1, 1, 1, 130, 140, 20, 64, false},
    {"headDim 128", 1, 1, 1, 40, 70, 128, 16, false},
    {"headDim 128, blocks of 32", 1, 1, 1, 40, 70, 120, 32, false},
    {"headDim 128, blocks of 64", 1, 1, 1, 70, 70, 128, 64, false},
    {"headDim 64, blocks of 64", 1, 1, 1, 70, 130, 64, 64, false},
    {"headDim 64, blocks of 32", 1, 1, 1, 70, 66, 64, 32, false},
    {"headDim 32, blocks of 16", 1, 1, 1, 40, 50, 32, 16, false},
    {"grouped queries, batches", 2, 4, 2, 30, 35, 16, 16, true},
    {"blocks of 64, grouped queries, batches", 2, 4, 2, 70, 200, 24, 64, true},
    {"one query", 1, 2, 1, 1, 200, 40, 64, true},
    {"rows without keys", 1, 1, 1, 90, 17, 24, 16, false},
    {"no keys", 1, 1, 1, 5, 0, 8, 16, false},
    {"no queries", 1, 1, 1, 0, 5, 8, 16, false},
};
constexpr Shape poisonedShapes[] = {
    {"blocks of 16", 1, 1, 1, 40, 70, 20, 16, false},
    {"blocks of 32, grouped", 1, 2, 1, 70, 65, 33, 32, true},
    {"blocks of 64", 1, 1, 1, 140, 150, 40, 64, false},
};

} // namespace

class SparseKernelsTest : public QObject {
    Q_OBJECT
    std::unique_ptr<gpu::Device> device = vgpu::makeVirtualDevice();
    gpu::KernelLibrary library{*device};

    static OwnedSparse problemOf(const Shape& s, bool causal, const Pattern& pattern, number::Format format) {
        OwnedProblem p({s.batch, s.queryHeads, s.keyHeads, s.queryLen, s.keyLen, s.headDim, 0, causal});
        for (std::vector<float>* x : {&p.q, &p.k, &p.v})
            for (float& value : *x)
                value = number::rounded(value, format);
        return OwnedSparse(p, s.blockSize, s.eachHead, pattern);
    }
    static gpu::AttentionShape shapeOf(const OwnedSparse& p) {
        const cpu::AttentionProblem& s = p.attention.shape;
        return {s.batch, s.queryHeads, s.keyHeads, s.queryLen, s.keyLen, s.headDim, s.scale, s.causal};
    }
    static gpu::BlockMask maskOf(const OwnedSparse& p) {
        const int64_t words = p.blockSize; // of a part: blocks are no larger than a word's bits
        return {p.blockSize,
                p.maskHeads,
                p.mask.data(),
                static_cast<int64_t>(p.bits.size()) / words,
                p.part.empty() ? nullptr : p.part.data(),
                p.bits.data()};
    }

    gpu::AttentionRun run(BlockSparseRung rung, const OwnedSparse& p, number::Format format) {
        gpu::LaunchOptions options;
        options.checks = true;
        const OwnedProblem& a = p.attention;
        gpu::AttentionRun result = gpu::blockSparseForward(library, rung, shapeOf(p), maskOf(p), a.q.data(), a.k.data(),
                                                           a.v.data(), options, format);
        failUnlessClean(result, *device);
        return result;
    }
    /// A plain implementation in the format rounds the weights once and the result once, and has f32's error in the
    /// scores; twice that.
    static void compare(const OwnedSparse& p, const gpu::AttentionRun& got, number::Format format) {
        const double unit = format == number::Format::F16 ? 0x1p-11 : format == number::Format::BF16 ? 0x1p-8 : 0x1p-24;
        const Truth truth = p.truth();
        const auto logits = [&](size_t row) {
            return std::isfinite(truth.logitMagnitude[row]) ? truth.logitMagnitude[row] : 20;
        };
        const auto d = static_cast<size_t>(p.attention.shape.headDim);
        const std::string o = differences("O", got.o.data(), truth.o, [&](size_t i) {
            return 2 * truth.magnitude[i] * (2 * unit + 0x1p-24 * (8 + 4 * logits(i / d))) + 1e-30;
        });
        QVERIFY2(o.empty(), o.c_str());
        const std::string lse = differences("lse", got.lse.data(), truth.lse, [&](size_t row) {
            return 0x1p-24 * (16 + 4 * logits(row) + 2 * std::fabs(truth.lse[row]));
        });
        QVERIFY2(lse.empty(), lse.c_str());
    }

    void compareWithFormula(BlockSparseRung which, const OwnedSparse& p, number::Format stored) {
        const gpu::AttentionRun got = run(which, p, stored);
        compare(p, got, stored);
        if (got.launches.empty())
            return;
        const gpu::TensorTraffic counted = gpu::withoutEmpty(gpu::countedTraffic(got)),
                                 formula = gpu::algorithmicTraffic(which, shapeOf(p), maskOf(p), stored);
        for (const auto& [tensor, bytes] : formula)
            QVERIFY2(counted.contains(tensor) && counted.at(tensor) == bytes,
                     qPrintable(QString("%1: %2 read, %3 written by the formula")
                                    .arg(QString::fromStdString(tensor))
                                    .arg(bytes.read)
                                    .arg(bytes.written)));
        QCOMPARE(counted.size(), formula.size());
        for (const auto& [tensor, bytes] : gpu::compulsoryTraffic(shapeOf(p), maskOf(p), stored))
            if (tensor != "mask")
                QVERIFY2(bytes.total() <= counted.at(tensor).total(), tensor.c_str());
    }

  private slots:
    void initTestCase_data() {
        QTest::addColumn<int>("rung");
        QTest::addColumn<int>("format");
        const auto add = [](BlockSparseRung rung, number::Format format) {
            QTest::addRow("%s, %s", std::string(gpu::name(rung)).c_str(), number::name(format).c_str())
                << static_cast<int>(rung) << static_cast<int>(format);
        };
        add(BlockSparseRung::MaskedDense, number::Format::F32);
        for (const number::Format format : {number::Format::F32, number::Format::F16, number::Format::BF16})
            add(BlockSparseRung::BlockSparse, format);
    }

    void equalsDoublePrecisionAndItsFormula_data() {
        QTest::addColumn<int>("shape");
        QTest::addColumn<int>("pattern");
        QTest::addColumn<bool>("causal");
        int row = 0;
        for (int s = 0; s < static_cast<int>(std::size(shapes)); ++s)
            for (int p = 0; p < static_cast<int>(std::size(patterns)); ++p)
                for (const bool causal : {false, true})
                    if (row++ % thinned(5) == 0)
                        QTest::addRow("%s, %s%s", shapes[s].name, patterns[p].name, causal ? ", causal" : "")
                            << s << p << causal;
    }
    void equalsDoublePrecisionAndItsFormula() {
        QFETCH_GLOBAL(int, rung);
        QFETCH_GLOBAL(int, format);
        QFETCH(int, shape);
        QFETCH(int, pattern);
        QFETCH(bool, causal);
        const auto which = static_cast<BlockSparseRung>(rung);
        const auto stored = static_cast<number::Format>(format);
        const OwnedSparse p = problemOf(shapes[shape], causal, patterns[pattern], stored);
        if (!gpu::whyNot(which, maskOf(p), stored).empty())
            QSKIP("is not compiled");
        compareWithFormula(which, p, stored);
    }

    void pairsWithinBlocksAreHidden_data() {
        QTest::addColumn<int>("shape");
        QTest::addColumn<int>("pairs");
        QTest::addColumn<bool>("causal");
        int row = 0;
        for (int s = 0; s < static_cast<int>(std::size(shapes)); ++s)
            for (int p = 0; p < static_cast<int>(std::size(pairPatterns)); ++p)
                for (const bool causal : {false, true})
                    if (row++ % thinned(3) == 0)
                        QTest::addRow("%s, %s%s", shapes[s].name, pairPatterns[p].name, causal ? ", causal" : "")
                            << s << p << causal;
    }
    void pairsWithinBlocksAreHidden() {
        QFETCH_GLOBAL(int, rung);
        QFETCH_GLOBAL(int, format);
        QFETCH(int, shape);
        QFETCH(int, pairs);
        QFETCH(bool, causal);
        const auto which = static_cast<BlockSparseRung>(rung);
        const auto stored = static_cast<number::Format>(format);
        OwnedSparse p = problemOf(shapes[shape], causal, patterns[pairs % 2 ? 5 : 0], stored);
        p.hidePairs(pairPatterns[pairs].seen);
        if (which != BlockSparseRung::BlockSparse || stored != number::Format::F32) {
            if (maskOf(p).hidesPairs()) // there are blocks
                QVERIFY(gpu::whyNot(which, maskOf(p), stored).find("not pairs within blocks") != std::string::npos);
            return;
        }
        compareWithFormula(which, p, stored);
    }

    void batchEntriesMayHaveMasksOfTheirOwn() {
        QFETCH_GLOBAL(int, rung);
        QFETCH_GLOBAL(int, format);
        const auto which = static_cast<BlockSparseRung>(rung);
        const auto stored = static_cast<number::Format>(format);
        if (which != BlockSparseRung::BlockSparse || stored != number::Format::F32)
            QSKIP("hides whole blocks only");
        OwnedSparse p(OwnedProblem({2, 4, 2, 50, 65, 16, 0, false}), 16, true, patterns[5]);
        p.maskHeads = 8;
        p.mask.clear();
        for (int64_t head = 0; head < 8; ++head)
            for (int64_t row = 0; row < p.rows(); ++row)
                for (int64_t column = 0; column < p.columns(); ++column)
                    p.mask.push_back(static_cast<uint8_t>(patterns[5].visible(head, row, column)));
        p.hidePairs(pairPatterns[0].seen);
        compareWithFormula(which, p, stored);
    }

    void nothingThatIsNoNumberIsHidden_data() {
        QTest::addColumn<int>("shape");
        QTest::addColumn<int>("situation");
        QTest::addColumn<int>("pattern");
        QTest::addColumn<bool>("causal");
        int row = 0;
        for (int s = 0; s < static_cast<int>(std::size(poisonedShapes)); ++s)
            for (int i = 0; i < static_cast<int>(std::size(situations)); ++i)
                for (const int p : {5}) // by chance
                    for (const bool causal : {false, true})
                        if (row++ % thinned(5) == 0)
                            QTest::addRow("%s, %s, %s%s", poisonedShapes[s].name, situations[i].name, patterns[p].name,
                                          causal ? ", causal" : "")
                                << s << i << p << causal;
    }
    void nothingThatIsNoNumberIsHidden() {
        QFETCH_GLOBAL(int, rung);
        QFETCH_GLOBAL(int, format);
        QFETCH(int, shape);
        QFETCH(int, situation);
        QFETCH(int, pattern);
        QFETCH(bool, causal);
        const auto which = static_cast<BlockSparseRung>(rung);
        const auto stored = static_cast<number::Format>(format);
        OwnedSparse p = problemOf(poisonedShapes[shape], causal, patterns[pattern], stored);
        if (!gpu::whyNot(which, maskOf(p), stored).empty())
            QSKIP("is not compiled");
        situations[situation].poison(p.attention);
        compare(p, run(which, p, stored), stored);
        p.hidePairs(pairPatterns[causal].seen);
        if (gpu::whyNot(which, maskOf(p), stored).empty())
            compare(p, run(which, p, stored), stored);
    }

    void whatTheKernelsCannotDoIsRefusedWithASentence() {
        QFETCH_GLOBAL(int, rung);
        QFETCH_GLOBAL(int, format);
        const auto stored = static_cast<number::Format>(format);
        const OwnedSparse p = problemOf(shapes[3], false, patterns[0], stored);
        const auto refused = [&](gpu::AttentionShape shape, gpu::BlockMask mask, const char* part) {
            try {
                const OwnedProblem& a = p.attention;
                gpu::blockSparseForward(library, static_cast<BlockSparseRung>(rung), shape, mask, a.q.data(),
                                        a.k.data(), a.v.data(), {}, stored);
            } catch (const InputError& e) {
                return std::string(e.what()).find(part) != std::string::npos;
            }
            return false;
        };
        gpu::AttentionShape shape = shapeOf(p);
        gpu::BlockMask mask = maskOf(p);
        mask.blockSize = 24;
        QVERIFY(refused(shape, mask, "16, 32, 64"));
        mask = maskOf(p);
        mask.heads = 3;
        QVERIFY(refused(shape, mask, "3 heads"));
        shape.headDim = 129;
        QVERIFY(refused(shape, maskOf(p), "129"));
        using number::Format;
        const auto why = [](BlockSparseRung asked, int64_t size, Format in) {
            return QString::fromStdString(gpu::whyNot(asked, {size, 1, nullptr}, in));
        };
        QVERIFY(why(BlockSparseRung::MaskedDense, 64, Format::F16).contains("takes f32, not f16"));
        QVERIFY(why(BlockSparseRung::BlockSparse, 32, Format::BF16).contains("bf16 takes blocks of 64, not 32"));
        QVERIFY(why(BlockSparseRung::BlockSparse, 64, Format::I8).contains("i8"));
    }
};

QTEST_GUILESS_MAIN(SparseKernelsTest)
#include "sparse_kernels_test.moc"
