// Names, classes, bandwidths of collectives and overlap.
#include "core/profiles/kernel_names.h"
#include "core/profiles/kernel_summary.h"

#include <QTest>

#include <cmath>
#include <random>
#include <set>

using namespace warplight::profiles;

namespace {

KernelRecord record(uint32_t name, int64_t start, int64_t duration, int32_t device = 0) {
    KernelRecord r;
    r.name = name;
    r.start = start;
    r.duration = duration;
    r.device = device;
    return r;
}

} // namespace

class KernelSummaryTest : public QObject {
    Q_OBJECT
  private slots:
    void namesShrinkToWhatTellsThemApart_data() {
        QTest::addColumn<QString>("name");
        QTest::addColumn<QString>("wanted");
        QTest::addColumn<int>("kind");
        const auto row = [](const char* name, const char* wanted, KernelClass kind) {
            QTest::newRow(wanted) << name << wanted << static_cast<int>(kind);
        };
        row("void at::native::vectorized_elementwise_kernel<4, at::native::CUDAFunctor_add<float>, std::array<char*, "
            "3ul> "
            ">(int, at::native::CUDAFunctor_add<float>, std::array<char*, 3ul>)",
            "vectorized_elementwise_kernel<CUDAFunctor_add>", KernelClass::Other);
        row("void at::native::(anonymous namespace)::cunn_SoftMaxForward<4, float, float, float, "
            "at::native::(anonymous namespace)::SoftMaxForwardEpilogue>(float*, float const*, int)",
            "cunn_SoftMaxForward", KernelClass::Softmax);
        row("void pytorch_flash::flash_fwd_kernel<pytorch_flash::Flash_fwd_kernel_traits<64, 128> >("
            "pytorch_flash::Flash_fwd_params)",
            "flash_fwd_kernel", KernelClass::Attention);
        row("void cutlass::Kernel2<cutlass_80_tensorop_s16816gemm_f16_128x128_32x5_nn_align8>(cutlass_80::Params)",
            "cutlass_80_tensorop_s16816gemm_f16_128x128_32x5_nn_align8", KernelClass::MatrixProduct);
        row("void outer<int>::inner_copy(int)", "inner_copy", KernelClass::Copy);
        row("ncclDevKernel_AllReduce_Sum_bf16_RING_LL(ncclDevKernelArgsStorage<4096ul>)",
            "ncclDevKernel_AllReduce_Sum_bf16_RING_LL", KernelClass::Collective);
        row("[CUDA memcpy Host-to-Device]", "[CUDA memcpy Host-to-Device]", KernelClass::Copy);
        row("flash2_mma_f16_d64", "flash2_mma_f16_d64", KernelClass::Attention);
        row("stream_triad", "stream_triad", KernelClass::Other);
        row("triton_poi_fused_add_0", "triton_poi_fused_add_0", KernelClass::Other);
    }
    void namesShrinkToWhatTellsThemApart() {
        QFETCH(QString, name);
        QFETCH(QString, wanted);
        QFETCH(int, kind);
        QCOMPARE(QString::fromStdString(shortName(name.toStdString())), wanted);
        QCOMPARE(static_cast<int>(classOf(name.toStdString())), kind);
    }

    void longNamesKeepBothEnds() {
        const std::string name = std::string(60, 'a') + "_tail";
        const std::string shown = shortName(name, 21);
        QVERIFY(shown.starts_with("aaaaaaaaaa") && shown.ends_with("aaaaa_tail"));
        QCOMPARE(QString::fromStdString(shown).size(), 21);
    }

    void ourKernelsAreKnownByName() {
        QCOMPARE(*ourKernel("flash2_d64"), (OurKernel{"flash2_d64", "attention_flash", 64, "f32"}));
        QCOMPARE(*ourKernel("void flash2_mma_bf16_d128(const __nv_bfloat16*, int)"),
                 (OurKernel{"flash2_mma_bf16_d128", "attention_mma", 128, "bf16"}));
        QCOMPARE(*ourKernel("naive_scores"), (OurKernel{"naive_scores", "attention_standard", 0, "f32"}));
        QVERIFY(!ourKernel("flash_fwd_kernel"));
        QVERIFY(!ourKernel("flash2_d64_v2"));
    }

    void collectivesGetTheBandwidthsOfNcclTests() {
        // 8 ranks, 1 GiB of f16 in 5 ms: the fastest of two calls counts.
        Profile profile;
        profile.names = {"ncclDevKernel"};
        profile.collectives = {{"allreduce", 1 << 29, 1 << 29, "Half", 8}, {"_allgather_base", 1000, 8000, "Float", 8}};
        for (const auto& [duration, collective] : {std::pair(5000000, 0), {7000000, 0}, {1000, 1}}) {
            KernelRecord r = record(0, 0, duration);
            r.collective = collective;
            profile.records.push_back(r);
        }
        const auto list = summariseCollectives(profile);
        QCOMPARE(list.size(), size_t{2});
        QCOMPARE(list[0].calls, int64_t{2});
        QCOMPARE(*list[0].algorithmBandwidth, 1073741824 / 5e-3);
        QCOMPARE(*list[0].busBandwidth, 1073741824 / 5e-3 * 1.75);
        QCOMPARE(*list[1].bytes, 32000.0); // what all ranks together gather
        QCOMPARE(*list[1].busBandwidth, 32000 / 1e-6 * 7 / 8);
        QCOMPARE(*busFactor("allreduce", 1), 0.0);
        QCOMPARE(*busFactor("_reduce_scatter_base", 4), 0.75);
        QCOMPARE(*busFactor("broadcast", 4), 1.0);
        QVERIFY(!busFactor("barrier", 4));
    }

    void exposedCommunicationIsCountedOnMergedIntervals() {
        // Against a count nanosecond by nanosecond, on random launches of two devices.
        std::mt19937 random(7);
        Profile profile;
        profile.names = {"ncclDevKernel_AllReduce", "gemm"};
        std::set<std::pair<int, int64_t>> collective, kernel, any;
        for (int i = 0; i < 200; ++i) {
            const KernelRecord r =
                record(random() % 2, random() % 3000, random() % 40, static_cast<int32_t>(random() % 2));
            profile.records.push_back(r);
            for (int64_t t = r.start; t < r.end(); ++t) {
                (r.name ? kernel : collective).insert({r.device, t});
                any.insert({r.device, t});
            }
        }
        int64_t exposed = 0;
        for (const auto& moment : collective)
            exposed += !kernel.contains(moment);
        const Overlap overlap = overlapOf(profile);
        QCOMPARE(overlap.communication, static_cast<int64_t>(collective.size()));
        QCOMPARE(overlap.exposed, exposed);
        QCOMPARE(overlap.busy, static_cast<int64_t>(any.size()));
        QVERIFY(exposed > 0 && exposed < overlap.communication);
    }

    void summariesAreMeansAndMediansOfTheLaunches() {
        Profile profile;
        profile.names = {"a", "b"};
        profile.records = {record(0, 0, 10), record(0, 20, 40), record(0, 70, 22), record(0, 100, 28),
                           record(1, 130, 300)};
        profile.figures.resize(1);
        profile.figures[0].dramReadBytes = 600;
        profile.figures[0].dramWrittenBytes = 300;
        profile.figures[0].f32Flops = 4500;
        profile.records[4].figures = 0;
        const auto list = summariseKernels(profile);
        QCOMPARE(profile.names[list[0].name], std::string("b"));
        QCOMPARE(*list[0].share, 0.75);
        QCOMPARE(*list[0].bandwidth.value(), 900 / 300e-9);
        QCOMPARE(list[0].flops, 4500.0);
        QCOMPARE(*list[0].rate.value(), 4500 / 300e-9);
        QCOMPARE(*list[0].intensity.value(), 5.0);
        QCOMPARE(*list[1].mean, 25.0);
        QCOMPARE(*list[1].median, 25.0);
        QCOMPARE(*list[1].minimum, 10.0);
        QCOMPARE(*list[1].maximum, 40.0);
        QVERIFY(!list[1].bandwidth.value());
    }
};

QTEST_GUILESS_MAIN(KernelSummaryTest)
#include "kernel_summary_test.moc"
