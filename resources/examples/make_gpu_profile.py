#!/usr/bin/env python3
"""Writes gpu_profile.json, the example that the page "GPU profile" opens when no file is chosen.

No GPU ran: times and counters are made up, of the size that an A100 would show for two training steps of a transformer
(4 layers, 16,384 tokens of 2,048 sequence length, width 2,048, 32 heads of 64, f16, 8 ranks), in the layout of
PyTorch's profiler with counters beside each kernel. The last kernels are Warplight's own.
"""
import json
import os
import random

random.seed(1)
TOKENS, WIDTH, HEADS, LENGTH, DIM, LAYERS, RANKS = 16384, 2048, 32, 2048, 64, 4, 8
BASE = 1790857026000000000
events = []
clock = 1000.0  # us, of the compute stream
NATIVE = "at::native::"


def jitter(share=0.03):
    return 1 + random.uniform(-share, share)


def kernel(name, us, read, written, tensor=0, fma=0, other=0, grid=(1, 1, 1), block=(128, 1, 1), registers=64, shared=0,
           occupancy=50, stream=7, start=None):
    global clock
    us *= jitter()
    begin = clock if start is None else start
    args = {"External id": len(events), "device": 0, "context": 1, "stream": stream, "correlation": len(events),
            "registers per thread": registers, "shared memory": shared, "grid": list(grid), "block": list(block),
            "est. achieved occupancy %": occupancy, "dram__bytes_read.sum": round(read * jitter(0.01)),
            "dram__bytes_write.sum": round(written * jitter(0.01)),
            "sm__warps_active.avg.pct_of_peak_sustained_active": round(occupancy * jitter(0.1), 2),
            "smsp__sass_thread_inst_executed_op_fadd_pred_on.sum": round(other),
            "smsp__sass_thread_inst_executed_op_ffma_pred_on.sum": round(fma)}
    if tensor:
        args["sm__ops_path_tensor_src_fp16.sum"] = round(tensor)
    events.append({"ph": "X", "cat": "kernel", "name": name, "pid": 0, "tid": stream, "ts": round(begin, 3),
                   "dur": round(us, 3), "args": args})
    if start is None:
        clock = begin + us + random.uniform(1.2, 2.5)
    return begin + us


def gemm(m, n, k, efficiency=0.72, epilogue="tn"):
    flops, size = 2.0 * m * n * k, 2
    name = f"ampere_fp16_s16816gemm_fp16_128x256_ldg8_f2f_stages_64x3_{epilogue}"
    kernel(name, flops / (312e12 * efficiency) * 1e6, size * (m * k + 1.6 * n * k), size * m * n, tensor=flops,
           grid=(n // 256, m // 128, 1), block=(256, 1, 1), registers=234, shared=98304, occupancy=12)


def elementwise(functor, tensors, elements, other=1.0):
    size = 2.0 * elements
    kernel(f"void {NATIVE}vectorized_elementwise_kernel<4, {NATIVE}{functor}<c10::Half>, std::array<char*, 3ul> >(int, "
           f"{NATIVE}{functor}<c10::Half>, std::array<char*, 3ul>)", size * tensors / 1.31e12 * 1e6, size * (tensors - 1),
           size, other=other * elements, grid=(elements // 1024 // 4, 1, 1), registers=26, occupancy=82)


def norm(backward=False):
    size = 2.0 * TOKENS * WIDTH
    kernel(f"void {NATIVE}(anonymous namespace)::" + ("layer_norm_grad_input_kernel" if backward else
                                                      "vectorized_layer_norm_kernel") +
           "<c10::Half, float>(int, float, c10::Half const*, c10::Half const*)", size * (3 if backward else 2) / 1.05e12 * 1e6,
           size * (2 if backward else 1), size, other=4.0 * TOKENS * WIDTH, fma=2.0 * TOKENS * WIDTH,
           grid=(TOKENS, 1, 1), registers=40, shared=24, occupancy=68)


def flash(backward=False):
    flops = 4.0 * LENGTH * LENGTH * DIM * HEADS * (TOKENS // LENGTH) / 2 * (2.5 if backward else 1)
    size = 2.0 * TOKENS * WIDTH
    which = "flash_bwd_dq_dk_dv_loop_seqk_parallel_kernel" if backward else "flash_fwd_kernel"
    kernel(f"void pytorch_flash::{which}<pytorch_flash::Flash_{'bwd' if backward else 'fwd'}_kernel_traits<64, 128, 128, "
           "4, false, cutlass::half_t>, false, true>(pytorch_flash::Flash_params)",
           flops / (312e12 * (0.42 if backward else 0.5)) * 1e6, size * (5 if backward else 3),
           size * (3 if backward else 1), tensor=flops, fma=flops / 64, grid=(LENGTH // 128, TOKENS // LENGTH, HEADS),
           registers=254, shared=49152, occupancy=18)


def allreduce(start):
    elements = 12 * WIDTH * WIDTH
    us = 2.0 * elements * 2 * (RANKS - 1) / RANKS / 212e9 * 1e6 * jitter(0.08)
    args = {"device": 0, "stream": 20, "Collective name": "allreduce", "In msg nelems": elements,
            "Out msg nelems": elements, "Group size": RANKS, "dtype": "Half", "Process Group Ranks":
            str(list(range(RANKS))), "grid": [24, 1, 1], "block": [512, 1, 1]}
    events.append({"ph": "X", "cat": "kernel",
                   "name": "ncclDevKernel_AllReduce_Sum_f16_RING_LL(ncclDevKernelArgsStorage<4096ul>)", "pid": 0,
                   "tid": 20, "ts": round(start, 3), "dur": round(us, 3), "args": args})
    return start + us


def copy(name, category, us, size):
    global clock
    events.append({"ph": "X", "cat": category, "name": name, "pid": 0, "tid": 7, "ts": round(clock, 3), "dur": us,
                   "args": {"device": 0, "stream": 7, "bytes": size}})
    clock += us + 1.5


for step in range(2):
    copy("Memcpy HtoD (Pinned -> Device)", "gpu_memcpy", 6.4, TOKENS * 8)
    copy("Memset (Device)", "gpu_memset", 1.3, 4096)
    for layer in range(LAYERS):
        norm()
        gemm(TOKENS, 3 * WIDTH, WIDTH)
        flash()
        gemm(TOKENS, WIDTH, WIDTH)
        elementwise("CUDAFunctor_add", 3, TOKENS * WIDTH)
        norm()
        gemm(TOKENS, 4 * WIDTH, WIDTH)
        elementwise("GeluCUDAKernelFunctor", 2, TOKENS * 4 * WIDTH, 12)
        gemm(TOKENS, WIDTH, 4 * WIDTH)
        elementwise("CUDAFunctor_add", 3, TOKENS * WIDTH)
    ready = 0.0
    for layer in range(LAYERS):
        for n, k in ((4 * WIDTH, WIDTH), (WIDTH, 4 * WIDTH)):
            gemm(TOKENS, n, k, 0.66, "nn")
            gemm(n, k, TOKENS, 0.6, "nt")
        elementwise("GeluBackwardCUDAKernelFunctor", 3, TOKENS * 4 * WIDTH, 20)
        norm(True)
        flash(True)
        gemm(TOKENS, WIDTH, 3 * WIDTH, 0.66, "nn")
        gemm(3 * WIDTH, WIDTH, TOKENS, 0.6, "nt")
        ready = allreduce(max(ready, clock + 8))
    clock = ready + 5  # the optimiser waits for the last of them
    parameters = 12 * WIDTH * WIDTH * LAYERS
    kernel(f"void {NATIVE}(anonymous namespace)::multi_tensor_apply_kernel<{NATIVE}(anonymous namespace)::TensorListMetadata"
           f"<4>, {NATIVE}FusedAdamMathFunctor<float> >()", 28.0 * parameters / 1.36e12 * 1e6, 16.0 * parameters,
           12.0 * parameters, other=6.0 * parameters, fma=5.0 * parameters, grid=(3072, 1, 1), block=(512, 1, 1),
           registers=48, occupancy=60)
flops = 4.0 * LENGTH * LENGTH * DIM * HEADS
for name, rate, shared, registers in (("flash2_d64", 9.1e12, 49152, 128), ("flash2_mma_f16_d64", 96e12, 36864, 168)):
    size = (2 if "mma" in name else 4) * LENGTH * DIM * HEADS
    kernel(name, flops / rate * 1e6, size * 3.1, size * 1.0, tensor=flops if "mma" in name else 0,
           fma=flops / (64 if "mma" in name else 2), grid=(LENGTH // 64, HEADS, 1), registers=registers, shared=shared,
           occupancy=25)

os.chdir(os.path.dirname(os.path.abspath(__file__)))
with open("gpu_profile.json", "w", encoding="utf-8") as out:
    out.write('{"schemaVersion": 1,\n"note": "An example made up for Warplight by make_gpu_profile.py: no GPU ran.",\n'
              '"deviceProperties": [{"id": 0, "name": "Example GPU, made up after an A100"}],\n"displayTimeUnit": "ms",\n'
              f'"baseTimeNanoseconds": {BASE},\n"traceEvents": [\n')
    out.write(",\n".join(json.dumps(event, separators=(",", ":")) for event in events))
    out.write("\n]}\n")
