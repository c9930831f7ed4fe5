// SPDX-License-Identifier: GPL-3.0-or-later
// Whatever takes long because it is large looks at the wish to cancel.
#include "core/collectives/shared_memory.h"
#include "core/error.h"
#include "core/formats/tensor_file.h"
#include "core/labs/allreduce/measured_point.h"
#include "core/labs/allreduce/vectors.h"
#include "core/labs/attention/inputs.h"
#include "core/labs/attention/map_inputs.h"
#include "core/precision/sums.h"
#include "core/tensor/pieces.h"
#include "core/tensor/random.h"
#include "core/tensor/release.h"
#include "gpu/host/regular_file.h"
#include "gpu/virtual/virtual_device.h"

#include <QTemporaryDir>
#include <QTest>
#include <cstdint>
#include <string>
#include <vector>

#include <atomic>
#include <functional>
#include <memory>

using namespace warplight;

namespace {

constexpr const char* kernelText = ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k() {\nret;\n}\n";

/// What is done with a flag that is set, and with one that is not.
struct Work {
    const char* name;
    std::function<void(const std::atomic<bool>*)> work;
};

} // namespace

class CancelTest : public QObject {
    Q_OBJECT
    QTemporaryDir folder;
    std::string numbers;

    std::vector<Work> all() const {
        std::vector<Work> list = {
            {"normal numbers",
             [](auto* cancel) {
                 std::vector<float> out(10);
                 tensor::fillGaussian(out, 1, 1, 1, cancel);
             }},
            {"uniform numbers",
             [](auto* cancel) {
                 std::vector<float> out(10);
                 tensor::fillUniform(out, 1, 1, 0, 1, cancel);
             }},
            {"memory",
             [](auto* cancel) {
                 std::vector<float> out;
                 growTo(out, 10, cancel);
                 QCOMPARE(out, std::vector<float>(10));
             }},
            {"shared memory", [](auto* cancel) { collectives::SharedMemory::create(10).growTo(1 << 20, cancel); }},
            {"vectors of ranks",
             [](auto* cancel) { labs::allreduce::makeVectors("random", number::Format::F16, 2, 10, 1, cancel); }},
            {"exact sums",
             [](auto* cancel) {
                 labs::allreduce::exactSums(number::Format::F32,
                                            labs::allreduce::makeVectors("random", number::Format::F32, 2, 10, 1),
                                            cancel);
             }},
            {"a sum", [](auto* cancel) { precision::sumInOrder(std::vector<float>(10, 1.0f), {}, {}, {}, cancel); }},
            {"an exact sum",
             [](auto* cancel) {
                 precision::sumExactly(std::vector<float>(10, 1.0f), {}, std::vector<int64_t>{10}, cancel);
             }},
            {"counting vectors",
             [](auto* cancel) { labs::allreduce::countingVectors(number::Format::F32, 2, 10, cancel); }},
            {"a module", [](auto* cancel) { vgpu::makeVirtualDevice()->load(kernelText, "k.ptx", cancel); }},
            {"a kernel made ready",
             [](auto* cancel) {
                 std::atomic<bool> later = false;
                 const auto device = vgpu::makeVirtualDevice();
                 const auto module = device->load(kernelText, "k.ptx", &later);
                 later = cancel && cancel->load();
                 module->kernel("k");
             }},
            {"a text", [this](auto* cancel) { contentsOfFile(numbers, 1 << 20, "a text", cancel); }},
        };
        for (const char* kind : {"gaussian", "dominantKey", "ascending", "allEqual"})
            list.push_back({kind, [kind](auto* cancel) {
                                cpu::AttentionProblem shape;
                                shape.queryLen = shape.keyLen = shape.headDim = 8;
                                labs::attention::makeInputs(shape, kind, 1, cancel);
                            }});
        for (const char* kind : {"local", "strided", "induction", "sink", "mixed", "largeLogits"})
            list.push_back(
                {kind, [kind](auto* cancel) { labs::attention::makeMapInputs(kind, 16, 16, 16, 1, cancel); }});
        for (const char* file : {".npy", ".npz", ".safetensors"})
            list.push_back(
                {file, [this, file](auto* cancel) {
                     const std::string name = folder.filePath("x").toStdString() + file;
                     formats::saveTensors({{name, {"x", {{2, 3}, {1, 2, 3, 4, 5, 6}}, number::Format::F32}}});
                     formats::loadTensor(name, cancel);
                 }});
        return list;
    }

  private slots:
    void initTestCase() {
        numbers = folder.filePath("numbers").toStdString();
        formats::saveTensors({{numbers + ".npy", {"", {{3}, {1, 2, 3}}, number::Format::F32}}});
        numbers += ".npy";
    }

    void itStopsWhenItIsCancelledAndNotOtherwise_data() {
        QTest::addColumn<int>("index");
        const auto list = all();
        for (size_t i = 0; i < list.size(); ++i)
            QTest::newRow(list[i].name) << static_cast<int>(i);
    }
    void itStopsWhenItIsCancelledAndNotOtherwise() {
        QFETCH(int, index);
        const Work work = all()[static_cast<size_t>(index)];
        const std::atomic<bool> cancelled = true, goesOn = false;
        work.work(&goesOn);
        work.work(nullptr);
        QVERIFY_EXCEPTION_THROWN(work.work(&cancelled), Cancelled);
    }

    void piecesCoverEverythingOnce() {
        for (const size_t count : {size_t{0}, size_t{1}, pieceBytes / 4, pieceBytes / 4 + 1, pieceBytes}) {
            size_t next = 0, pieces = 0;
            inPieces(count, 4, nullptr, [&](size_t begin, size_t end) {
                QCOMPARE(begin, next);
                QVERIFY(end > begin && (end - begin) * 4 <= pieceBytes);
                next = end;
                ++pieces;
            });
            QCOMPARE(next, count);
            QCOMPARE(pieces, (count * 4 + pieceBytes - 1) / pieceBytes);
        }
    }

    void onlyAnExceptionReleasesBeside() {
        auto kept = std::make_shared<int>(1);
        const std::weak_ptr<int> watched = kept;
        { const ReleasesBeside release(kept); }
        QVERIFY(kept && watched.lock());
        try {
            const ReleasesBeside release(kept);
            throw Cancelled();
        } catch (const Cancelled&) {
        }
        QVERIFY(!kept);
        waitUntilReleased(nullptr);
        QVERIFY(watched.expired());
    }
};

QTEST_GUILESS_MAIN(CancelTest)
#include "cancel_test.moc"
