#!/usr/bin/env python3
"""Warplight's attention, forward and backward, beside PyTorch's scaled_dot_product_attention on this machine's CPU.

Both run in turn (A B A B ...) in one process with the same threads on the same tensors; results are compared before
anything is timed. Needs PyTorch: python3 -m venv v && v/bin/pip install torch numpy, then v/bin/python bench/compare_pytorch.py
(after ./test or a build of the target warplight_bench; --library names another build). --target AVX2 restricts both sides to
what a machine without AVX-512 would run.
"""
import argparse
import ctypes
import math
import os
import statistics
import sys
import time

if "AVX2" in " ".join(sys.argv):  # PyTorch's libraries choose their instructions when they are loaded
    os.environ.update(ATEN_CPU_CAPABILITY="avx2", MKL_ENABLE_INSTRUCTIONS="AVX2", ONEDNN_MAX_CPU_ISA="AVX2",
                      OPENBLAS_CORETYPE="Haswell")

import torch

BACKWARD = "flash2-bwd"
ROUNDS = 5          # of both in turn; the median counts
POINT_SECONDS = 0.1  # each round repeats a call for about this long


def timed(call):
    """Seconds of one call, averaged over as many as fill POINT_SECONDS."""
    start = time.perf_counter()
    calls = 0
    while calls == 0 or time.perf_counter() - start < POINT_SECONDS:
        call()
        calls += 1
    return (time.perf_counter() - start) / calls


def in_turn(ours, theirs):
    """Median seconds of both."""
    ours_s, theirs_s = [], []
    for _ in range(ROUNDS):
        ours_s.append(timed(ours))
        theirs_s.append(timed(theirs))
    return statistics.median(ours_s), statistics.median(theirs_s)


def address(tensor):
    return ctypes.c_void_p(tensor.data_ptr())


def compare(library, rung, dtype, seq_len, head_dim, causal, threads):
    heads = max(1, 16384 // seq_len)  # every point does work worth timing
    torch.manual_seed(1)
    q, k, v = (torch.randn(1, heads, seq_len, head_dim) for _ in range(3))
    theirs_in = [x.to(dtype) for x in (q, k, v)]
    o, lse = torch.empty_like(q), torch.empty(heads, seq_len)
    shape = heads, seq_len, head_dim, int(causal), threads
    pointers = [address(x) for x in (q, k, v, o, lse)]

    def call(function, *arguments):
        if function(*arguments) < 0:
            raise RuntimeError(f"{rung} failed")

    def forward():
        call(library.warplight_attention, (rung if rung != BACKWARD else "flash-packed").encode(), *shape, *pointers)

    def theirs():
        return torch.nn.functional.scaled_dot_product_attention(*theirs_in, is_causal=causal)

    def require_near(a, b, limit):
        worst = (a - b.float()).abs().max().item()
        if not worst <= limit:
            raise RuntimeError(f"{rung} differs from PyTorch by {worst}")

    peak = library.warplight_fma_peak(threads, 0.1)
    pairs = heads * (seq_len * (seq_len + 1) / 2 if causal else seq_len**2)
    forward()
    require_near(o, theirs(), 2e-5 if dtype == torch.float32 else 4e-2)
    if rung != BACKWARD:
        ours_s, theirs_s = in_turn(forward, theirs)
        return 4 * head_dim * pairs / ours_s, 4 * head_dim * pairs / theirs_s, peak

    d_out = torch.randn_like(q)
    gradients = [torch.empty_like(q) for _ in range(3)]
    theirs_in = [x.requires_grad_() for x in theirs_in]
    theirs_o = theirs()

    def backward():
        call(library.warplight_attention_backward, *shape, *pointers, *map(address, [d_out, *gradients]))

    def theirs_backward():
        return torch.autograd.grad(theirs_o, theirs_in, d_out, retain_graph=True)

    backward()
    for mine, other in zip(gradients, theirs_backward()):
        require_near(mine, other, 2e-4)
    ours_s, theirs_s = in_turn(backward, theirs_backward)
    return 10 * head_dim * pairs / ours_s, 10 * head_dim * pairs / theirs_s, peak


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--library", default="build/test/bench/libwarplight_bench.so")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--target", default="", help="AVX2: what a machine without AVX-512 would do, on both sides")
    arguments.add_argument("--rungs", nargs="+", default=["flash-packed", "flash-bf16", BACKWARD])
    arguments.add_argument("--lengths", type=int, nargs="+", default=[512, 1024, 2048, 4096, 8192, 16384])
    options = arguments.parse_args()
    library = ctypes.CDLL(options.library)
    library.warplight_attention.restype = ctypes.c_int64
    library.warplight_attention.argtypes = ([ctypes.c_char_p] + [ctypes.c_int64] * 3 + [ctypes.c_int] * 2
                                            + [ctypes.c_void_p] * 5)
    library.warplight_attention_backward.restype = ctypes.c_int64
    library.warplight_attention_backward.argtypes = ([ctypes.c_int64] * 3 + [ctypes.c_int] * 2 + [ctypes.c_void_p] * 9)
    if options.target and library.warplight_use_target(options.target.encode()) < 0:
        raise SystemExit(f"this machine has no {options.target}")
    library.warplight_fma_peak.restype = ctypes.c_double
    library.warplight_fma_peak.argtypes = [ctypes.c_int, ctypes.c_double]
    torch.set_num_threads(options.threads)
    print(f"PyTorch {torch.__version__}, its kernels use {torch.backends.cpu.get_cpu_capability()}, "
          f"{options.threads} threads; GFLOP/s, useful")
    for rung in options.rungs:
        dtype = torch.bfloat16 if rung == "flash-bf16" else torch.float32
        ratios = []
        print(f"\n{rung} against PyTorch {dtype}\n{'causal':>6} {'d':>4} {'N':>6} {'ours':>8} {'PyTorch':>8} {'ratio':>6} {'of f32 peak':>11}")
        for causal in (False, True):
            for head_dim in (64, 128):
                for seq_len in options.lengths:
                    ours, theirs, peak = compare(library, rung, dtype, seq_len, head_dim, causal, options.threads)
                    ratios.append(ours / theirs)
                    print(f"{'yes' if causal else 'no':>6} {head_dim:>4} {seq_len:>6} {ours / 1e9:>8.0f} {theirs / 1e9:>8.0f} "
                          f"{ours / theirs:>6.2f} {ours / peak:>11.0%}", flush=True)
        mean = math.exp(statistics.fmean(math.log(r) for r in ratios))
        print(f"geometric mean {mean:.2f}, least {min(ratios):.2f}")


if __name__ == "__main__":
    main()
