// SPDX-License-Identifier: GPL-3.0-or-later
// Names, classes, bandwidths of collectives and overlap.
#include "core/profiles/kernel_names.h"
#include "core/profiles/kernel_summary.h"
#include "core/profiles/text.h"
#include "core/text/echo.h"

#include <QTest>
#include <cstdint>
#include <string>
#include <utility>

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
            QTest::newRow(name) << name << wanted << static_cast<int>(kind);
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
        // Wrappers show what they run.
        row("void cutlass::Kernel<cutlass_80_tensorop_s1688gemm_256x64_16x4_tn_align1>(Params)",
            "cutlass_80_tensorop_s1688gemm_256x64_16x4_tn_align1", KernelClass::MatrixProduct);
        row("void cutlass::device_kernel<flash::FlashAttnFwdSm90<flash::CollectiveMainloopFwdSm90<2>>>(Params)",
            "FlashAttnFwdSm90", KernelClass::Attention);
        row("void cutlass::device_kernel<flash::enable_sm90_or_later<flash::FlashAttnBwdSm90<2, int>>>(Params)",
            "FlashAttnBwdSm90", KernelClass::Attention);
        row("void cutlass::device_kernel<cutlass::gemm::kernel::GemmUniversal<cute::tuple<int>>>(Params)",
            "GemmUniversal", KernelClass::MatrixProduct);
        row("void ck_tile::kentry<256, 2, ck_tile::FmhaFwdKernel<ck_tile::BlockFmhaPipelineQRKSVS>>(…)",
            "FmhaFwdKernel", KernelClass::Attention);
        row("void thrust::cuda_cub::core::_kernel_agent<thrust::cuda_cub::__parallel_for::ParallelForAgent<int>, "
            "int>(int)",
            "ParallelForAgent", KernelClass::Other);
        row("void Kernel<(int)4, float>(float*)", "Kernel", KernelClass::Other);
        row("void at::native::reduce_kernel<512, 1, at::native::sum_functor<float>>(int)", "reduce_kernel<sum_functor>",
            KernelClass::Other);
        // Mangled.
        row("_Z9my_kernelPfi", "my_kernel", KernelClass::Other);
        row("_ZN7cutlass13device_kernelIN5flash16FlashAttnFwdSm90INS1_4TileEEEEEvNT_6ParamsE", "FlashAttnFwdSm90",
            KernelClass::Attention);
        row("_ZN7ck_tile6kentryILi256ELi2ENS_13FmhaFwdKernelINS_3FooEEEEEvDpT1_", "FmhaFwdKernel",
            KernelClass::Attention);
        row("_ZN12_GLOBAL__N_13fooIiEEvT_", "foo", KernelClass::Other);
        row("_ZS", "_ZS", KernelClass::Other);
        // Matrix products.
        row("Cijk_Alik_Bljk_HHS_BH_MT256x256x64", "Cijk_Alik_Bljk_HHS_BH_MT256x256x64", KernelClass::MatrixProduct);
        row("bmm_E4m3_E2m1_Fp32_t128x8x512u2_s3_TN", "bmm_E4m3_E2m1_Fp32_t128x8x512u2_s3_TN",
            KernelClass::MatrixProduct);
        row("triton_tem_fused_addmm_3", "triton_tem_fused_addmm_3", KernelClass::MatrixProduct);
        row("void run<cutlass::gemm::Traits<64>>(int)", "run", KernelClass::MatrixProduct);
        row("commit_tokens", "commit_tokens", KernelClass::Other);
        // Copies into the cache of keys and values, and what only has flash in its namespace.
        row("void vllm::reshape_and_cache_flash_kernel<__nv_bfloat16, unsigned char>(int)",
            "reshape_and_cache_flash_kernel", KernelClass::Copy);
        row("void vllm::concat_and_cache_mla_kernel<int>(int)", "concat_and_cache_mla_kernel", KernelClass::Copy);
        row("void flashinfer::AppendPagedKVCacheKernel<128>(int)", "AppendPagedKVCacheKernel", KernelClass::Copy);
        row("void flashinfer::BatchDecodeWithPagedKVCacheKernel<128>(int)", "BatchDecodeWithPagedKVCacheKernel",
            KernelClass::Attention);
        row("void flashinfer::norm::RMSNormKernel<8>(int)", "RMSNormKernel", KernelClass::Other);
        row("void vllm::paged_attention_v1_kernel<KVCache>(int)", "paged_attention_v1_kernel", KernelClass::Attention);
        // Collectives, whoever wrote them; not what reduces between threads, nor a kernel named after its neighbours.
        row("void vllm::cross_device_reduce_2stage<__nv_bfloat16, 8>(vllm::RankData*)", "cross_device_reduce_2stage",
            KernelClass::Collective);
        row("void flashinfer::trtllm_allreduce_fusion::allreduce_fusion_kernel_oneshot_lamport<...>",
            "allreduce_fusion_kernel_oneshot_lamport", KernelClass::Collective);
        row("void at::native::multimem_all_reduce_kernel<float>(float*)", "multimem_all_reduce_kernel",
            KernelClass::Collective);
        row("oneccl_allreduce", "oneccl_allreduce", KernelClass::Collective);
        row("void deep_ep::internode_ll::dispatch<false, 3>(…)", "dispatch", KernelClass::Collective);
        row("void deep_ep::layout::get_dispatch_layout<8>(int)", "get_dispatch_layout", KernelClass::Other);
        row("void hybrid_ep::dispatch_kernel<hybrid_ep::__nv_bfloat16, 64>(hybrid_ep::dispatch_kernel_param_t<unsigned "
            "short>)",
            "dispatch_kernel", KernelClass::Collective);
        row("void uccl::internode_ll::dispatch<false, true, 7168>(void*, void*)", "dispatch", KernelClass::Collective);
        row("void uccl::intranode::combine<__nv_bfloat16, 8, 768, 4096>(...)", "combine", KernelClass::Collective);
        row("void uccl::internode::cached_notify<false>(int)", "cached_notify", KernelClass::Collective);
        row("void mooncake::ep::dispatch<true>(...)", "dispatch", KernelClass::Collective);
        row("void (anonymous namespace)::internode::notify_dispatch<8>(int)", "notify_dispatch",
            KernelClass::Collective);
        row("_ZN4uccl12internode_ll8dispatchILb0ELb1ELi7168EEEvPvS2_", "dispatch", KernelClass::Collective);
        row("void uccl::internode_ll::clean_low_latency_buffer<256>(int*)", "clean_low_latency_buffer",
            KernelClass::Other);
        row("void moe::dispatch<8>(int)", "dispatch", KernelClass::Other); // on one GPU
        row("void sleep::combine_deep<8>(int)", "combine_deep", KernelClass::Other);
        row("_ZN5sleep7combineEv", "combine", KernelClass::Other);
        row("void tensorrt_llm::kernels::twoShotAllReduceKernel<half>(int)", "twoShotAllReduceKernel",
            KernelClass::Collective);
        row("triton_poi_fused_all_reduce_wait_tensor_add_3", "triton_poi_fused_all_reduce_wait_tensor_add_3",
            KernelClass::Other);
        row("void rms_norm<BlockAllReduce<float>>(int)", "rms_norm", KernelClass::Other);
        row("warpAllReduceSum", "warpAllReduceSum", KernelClass::Other);
        // Functions of PyTorch whose lambdas run in one kernel, mangled functors, and names that say nothing alone.
        row("void at::native::vectorized_elementwise_kernel<4, at::native::silu_kernel(at::TensorIteratorBase&)::"
            "{lambda()#1}::operator()() const::{lambda(c10::BFloat16)#1}, std::array<char*, 2ul> >(int)",
            "vectorized_elementwise_kernel<silu_kernel>", KernelClass::Other);
        row("void at::native::vectorized_elementwise_kernel<4, at::native::(anonymous namespace)::where_kernel_impl("
            "at::TensorIterator&)::{lambda()#1}, std::array<char*, 4ul> >(int)",
            "vectorized_elementwise_kernel<where_kernel_impl>", KernelClass::Other);
        row("void at::native::elementwise_kernel<128, 4, at::native::gpu_kernel_impl_nocast<"
            "at::native::direct_copy_kernel_cuda(at::TensorIteratorBase&)::{lambda()#3}>(int)>(int)",
            "elementwise_kernel<direct_copy_kernel_cuda>", KernelClass::Copy);
        row("void at::native::reduce_kernel<512, 1, at::native::ReduceOp<float, at::native::MeanOps<float, float>>>(x)",
            "reduce_kernel<MeanOps>", KernelClass::Other);
        row("_ZN2at6native29vectorized_elementwise_kernelILi4ENS0_15CUDAFunctor_addIfEESt5arrayIPcLm3EEEEviT0_T1_",
            "vectorized_elementwise_kernel<CUDAFunctor_add>", KernelClass::Other);
        row("std::enable_if<!T7, void>::type internal::gemvx::kernel<int, int, float, false, 7>(int)", "gemvx::kernel",
            KernelClass::MatrixProduct);
        row("void flash_fwd<cutlass::arch::OpClassTensorOp, 64>(int)", "flash_fwd", KernelClass::Attention);
        // Inductor names a kernel after the operators around it; what it does itself stands in front.
        row("triton_poi_fused_addmm_gelu_0", "triton_poi_fused_addmm_gelu_0", KernelClass::Other);
        row("triton_per_fused_add_addmm_native_layer_norm_view_3",
            "triton_per_fused_add_addmm_native_layer_norm_view_3", KernelClass::Other);
        row("triton_red_fused_scaled_dot_product_attention_1", "triton_red_fused_scaled_dot_product_attention_1",
            KernelClass::Other);
        row("triton_tem_fused_flex_attention_2", "triton_tem_fused_flex_attention_2", KernelClass::Attention);
        row("triton_red_fused__softmax_2", "triton_red_fused__softmax_2", KernelClass::Softmax);
        row("triton_poi_fused__to_copy_add_mul_4", "triton_poi_fused__to_copy_add_mul_4", KernelClass::Other);
        row("triton_poi_fused__to_copy_clone_12", "triton_poi_fused__to_copy_clone_12", KernelClass::Copy);
        row("triton_red_fused_0", "triton_red_fused_0", KernelClass::Other);
        row("_ZN2at6native29vectorized_elementwise_kernelILi4EN3c104TypeELNS3_4KindE15ENS0_15CUDAFunctor_addIfEEEEvi",
            "vectorized_elementwise_kernel<CUDAFunctor_add>", KernelClass::Other);
        row("triton_mm_27", "triton_mm_27", KernelClass::MatrixProduct);
        // What compilers for AMD's GPUs and XLA write.
        row("Cijk_Alik_Bljk_BBS_BH_MT256x128x64.kd", "Cijk_Alik_Bljk_BBS_BH_MT256x128x64", KernelClass::MatrixProduct);
        row("Custom_Cijk_Alik_Bljk_BBS_BH_gfx942 [clone .kd]", "Custom_Cijk_Alik_Bljk_BBS_BH_gfx942",
            KernelClass::MatrixProduct);
        row("void ck_tile::kentry<ck_tile::gfx9_t, 2, ck_tile::FmhaFwdKernel<x> >(x)", "FmhaFwdKernel",
            KernelClass::Attention);
        row("mscclKernel_Sum_half_LL(mscclDevCommArgs)", "mscclKernel_Sum_half_LL", KernelClass::Collective);
        row("void mori::moe::EpDispatchIntraNodeKernel<hip_bfloat16>(x)", "EpDispatchIntraNodeKernel",
            KernelClass::Collective);
        row("loop_add_fusion.12", "loop_add_fusion.12", KernelClass::Other);
        // Any script.
        row("тест_ядро<int>(float*)", "тест_ядро", KernelClass::Other);
        row("void 空间::注意力_flash<64>(int)", "注意力_flash", KernelClass::Attention);
        row("", "(no name)", KernelClass::Other);
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
        // Between characters, not in them.
        QCOMPARE(shortName("абвгдежзийкл", 7), std::string("абв…йкл"));
        QCOMPARE(shortName("[копия данных]", 7), std::string("[копия…"));
    }

    void bytesThatAreNoTextAreShownAsSuch() {
        QCOMPARE(warplight::asUtf8("a\xFF\xFEz"), std::string("a\xEF\xBF\xBD\xEF\xBF\xBDz"));
        QCOMPARE(warplight::asUtf8("\xED\xA0\x80"), std::string("\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD")); // a surrogate
        QCOMPARE(warplight::asUtf8("\xC3"), std::string("\xEF\xBF\xBD"));                                 // cut
        QCOMPARE(warplight::asUtf8("я€😀"), std::string("я€😀"));
        Profile profile;
        Names names(profile.names);
        QCOMPARE(shortName(profile.names.at(names.index("void flash_fwd_\xFF\xFEkernel<64>(int)"))),
                 std::string("flash_fwd_\xEF\xBF\xBD\xEF\xBF\xBDkernel"));
    }

    void ourKernelsAreKnownByName() {
        QCOMPARE(*ourKernel("flash2_d64"), (OurKernel{"flash2_d64", "attention_flash", 64, "f32"}));
        QCOMPARE(*ourKernel("void flash2_mma_bf16_d128(const __nv_bfloat16*, int)"),
                 (OurKernel{"flash2_mma_bf16_d128", "attention_mma", 128, "bf16"}));
        QCOMPARE(*ourKernel("naive_scores"), (OurKernel{"naive_scores", "attention_standard", 0, "f32"}));
        QVERIFY(!ourKernel("flash_fwd_kernel"));
        QVERIFY(!ourKernel("flash2_d64_v2"));
    }

    void untimedCollectivesHaveNoTotal() {
        Profile profile;
        profile.names = {"ncclDevKernel_AllReduce_Sum_f16_RING_LL"};
        profile.records.resize(2);
        QCOMPARE(summariseCollectives(profile)[0].calls, int64_t{2});
        QVERIFY(!summariseCollectives(profile)[0].total);
        profile.records[1].duration = 7;
        QCOMPARE(*summariseCollectives(profile)[0].total, int64_t{7});
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

    void oneRuleSaysWhatACollectiveIs() {
        // By its name, or by what the trace says it communicates: in classes, overlap and the list of collectives
        // alike.
        Profile profile;
        profile.names = {"void vllm::cross_device_reduce_1stage<half, 8>(int)", "my_exchange", "gemm",
                         "[CUDA memcpy DtoD]"};
        profile.collectives = {{"allreduce", 4, 4, "Float", 2}};
        profile.records = {record(0, 0, 10), record(1, 20, 10), record(2, 40, 10), record(3, 60, 10)};
        profile.records[1].collective = 0;
        profile.records[3].kind = KernelRecord::Kind::Copy;
        const auto classes = classesOf(profile);
        QVERIFY(classes[0] == KernelClass::Collective && classes[1] == KernelClass::Collective);
        QVERIFY(classes[2] == KernelClass::MatrixProduct && classes[3] == KernelClass::Copy);
        QCOMPARE(overlapOf(profile).communication, int64_t{20});
        QCOMPARE(overlapOf(profile).exposed, int64_t{20});
        QCOMPARE(summariseCollectives(profile).size(), size_t{2});
        // Of a file that sums up, too.
        Profile sums;
        sums.names = {"ncclDevKernel_AllReduce(int)"};
        sums.totals.resize(1);
        sums.totals[0].launches = 3;
        sums.totals[0].total = 600;
        QCOMPARE(summariseCollectives(sums).at(0).calls, int64_t{3});
        QCOMPARE(summariseCollectives(sums)[0].total, int64_t{600});
        QVERIFY(!summariseCollectives(sums)[0].median);
    }

    void whatDoesNotLastHasNoPartInTimes() {
        Profile profile;
        profile.names = {"k", "[CUDA memcpy HtoD]"};
        profile.records = {record(0, 0, 10), record(0, 20, KernelRecord::unknown), record(0, KernelRecord::unknown, 30),
                           record(1, 50, 0), record(1, 60, 10)};
        for (size_t i : {size_t{3}, size_t{4}}) {
            profile.records[i].kind = KernelRecord::Kind::Copy;
            profile.records[i].bytes = 1000;
        }
        const KernelSummary k = summariseKernels(profile).at(0);
        QCOMPARE(k.launches, int64_t{3});
        QCOMPARE(k.timed, int64_t{2});
        QCOMPARE(*k.mean, 20.0);
        QCOMPARE(*k.minimum, 10.0);
        const KernelSummary copy =
            summariseCopies(profile).at(0); // one is shorter than the clock: bytes without a rate
        QCOMPARE(copy.bytes, 2000.0);
        QCOMPARE(*copy.bandwidth.value(), 1000 / 10e-9);
        QCOMPARE(overlapOf(profile).busy, int64_t{20});
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
