#!/usr/bin/env python3
"""Warplight's chunked linear attention (elu + 1, causal) beside PyTorch on this machine's CPU.

Three in turn (A B C A B C ...) in one process with the same threads on the same tensors; results are compared before
anything is timed: Warplight's chunked form, the chunked form written with matrix products in PyTorch (each in its best
chunk length), and the naive form of fla-core. Warplight's flash attention is timed beside them: from which length on is
linear attention faster? Needs PyTorch: python3 -m venv v && v/bin/pip install torch numpy fla-core, then
v/bin/python bench/compare_linear.py (after a build of the target warplight_bench; --library names another build).
Without fla-core its column stays empty. --target AVX2 restricts all sides to what a machine without AVX-512 would run.
--cpu-seconds takes the process's CPU time instead of the clock's: for one thread on a machine that others use.
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

ROUNDS = 5           # of all in turn; the median counts
POINT_SECONDS = 0.1  # each round repeats a call for about this long
HEAD_DIM = 64
CHUNKS = [32, 64, 128, 256]  # of PyTorch's form: the fastest counts


def naive_of_fla():
    """fla-core's naive chunked form as a function of [batch, length, heads, features], or None."""
    try:
        import importlib.util
        spec = importlib.util.find_spec("fla")
        if spec is None:
            return None
        path = os.path.join(list(spec.submodule_search_locations)[0], "ops", "linear_attn", "naive.py")
        module_spec = importlib.util.spec_from_file_location("fla_naive", path)  # without the package's Triton kernels
        module = importlib.util.module_from_spec(module_spec)
        module_spec.loader.exec_module(module)
        return module.naive_chunk_linear_attn
    except Exception as error:  # a package that cannot be loaded is left out, and said so
        print(f"fla-core is left out: {error}")
        return None


def features(x):
    return torch.nn.functional.elu(x) + 1


def chunked(q, k, v, chunk):
    """The form of the papers as batched products: pairs within a chunk, sums of KᵀV before it."""
    heads, length, dim = q.shape
    q, k, v = (x.view(heads, length // chunk, chunk, dim) for x in (features(q), features(k), v))
    sums = k.transpose(-1, -2) @ v
    before = sums.cumsum(1) - sums
    ones = k.sum(-2, keepdim=True)
    ones_before = ones.cumsum(1) - ones
    pairs = (q @ k.transpose(-1, -2)).tril_()
    o = torch.matmul(pairs, v).add_(q @ before)
    weights = pairs.sum(-1, keepdim=True) + (q * ones_before).sum(-1, keepdim=True)
    return o.div_(weights).view(heads, length, dim)


def address(tensor):
    return ctypes.c_void_p(tensor.data_ptr())


class Timer:
    def __init__(self, cpu_seconds):
        self.now = time.process_time if cpu_seconds else time.perf_counter

    def once(self, call):
        """Seconds of one call, averaged over as many as fill POINT_SECONDS."""
        start, calls = self.now(), 0
        while calls == 0 or self.now() - start < POINT_SECONDS:
            call()
            calls += 1
        return (self.now() - start) / calls

    def in_turn(self, calls):
        seconds = [[] for _ in calls]
        for _ in range(ROUNDS):
            for of, call in zip(seconds, calls):
                of.append(self.once(call))
        return [statistics.median(s) for s in seconds]


def peak_flops(library, options, timer):
    if not options.cpu_seconds:
        return library.warplight_fma_peak(options.threads, 0.2)
    flops = library.warplight_fma_loop(1_000_000)
    return options.threads * flops / min(timer.once(lambda: library.warplight_fma_loop(1_000_000)) for _ in range(5))


def require_near(a, b, what):
    worst = (a - b).abs().max().item()
    if not worst <= 2e-5 * max(1.0, b.abs().max().item()):
        raise RuntimeError(f"{what} differs by {worst}")


def compare(library, fla, length, options, timer):
    heads = max(1, options.tokens // length)  # every point does work worth timing
    torch.manual_seed(1)
    q, k, v = (torch.randn(heads, length, HEAD_DIM) for _ in range(3))
    o, lse, flops = torch.empty_like(q), torch.empty(heads, length), ctypes.c_double()

    def ours(chunk):
        if library.warplight_linear_attention(b"chunked", b"elu1", heads, length, HEAD_DIM, chunk, 1, options.threads,
                                              address(q), address(k), address(v), address(o), ctypes.byref(flops)) < 0:
            raise RuntimeError("the chunked form failed")

    def flash():
        library.warplight_attention(b"flash-packed", heads, length, HEAD_DIM, 1, options.threads, address(q), address(k),
                                    address(v), address(o), address(lse))

    fitting = [c for c in CHUNKS if length % c == 0]
    best = min(fitting, key=lambda c: timer.once(lambda: chunked(q, k, v, c)))
    ours(options.chunk)
    require_near(o, chunked(q, k, v, best), "PyTorch's chunked form")
    calls = [lambda: ours(options.chunk), lambda: chunked(q, k, v, best)]
    if fla:
        turned = [x.transpose(0, 1)[None].contiguous() for x in (q, k, v)]

        def naive():
            return fla(features(turned[0]), features(turned[1]), turned[2], scale=1.0, normalize=True)

        result = naive()
        result = result[0] if isinstance(result, tuple) else result
        require_near(o, result[0].transpose(0, 1), "fla-core's naive form")
        calls.append(naive)
    if length <= options.flash_up_to:
        calls.append(flash)
    seconds = timer.in_turn(calls)
    ours(options.chunk)
    naive_s = seconds[2] if fla else math.nan
    flash_s = seconds[-1] if length <= options.flash_up_to else math.nan
    return heads, best, seconds[0], seconds[1], naive_s, flash_s, flops.value


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--library", default="build/test/bench/libwarplight_bench.so")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--target", default="", help="AVX2: what a machine without AVX-512 would do, on all sides")
    arguments.add_argument("--chunk", type=int, default=64, help="of Warplight's form")
    arguments.add_argument("--tokens", type=int, default=32768, help="of all heads: short sequences have more of them")
    arguments.add_argument("--flash-up-to", type=int, default=8192)
    arguments.add_argument("--cpu-seconds", action="store_true")
    arguments.add_argument("--lengths", type=int, nargs="+", default=[512, 1024, 2048, 4096, 8192, 16384, 32768])
    options = arguments.parse_args()
    library = ctypes.CDLL(options.library)
    library.warplight_linear_attention.restype = ctypes.c_int64
    library.warplight_linear_attention.argtypes = ([ctypes.c_char_p] * 2 + [ctypes.c_int64] * 4 + [ctypes.c_int] * 2
                                                   + [ctypes.c_void_p] * 5)
    library.warplight_attention.restype = ctypes.c_int64
    library.warplight_attention.argtypes = ([ctypes.c_char_p] + [ctypes.c_int64] * 3 + [ctypes.c_int] * 2
                                            + [ctypes.c_void_p] * 5)
    library.warplight_fma_loop.restype = ctypes.c_double
    library.warplight_fma_loop.argtypes = [ctypes.c_int64]
    library.warplight_fma_peak.restype = ctypes.c_double
    library.warplight_fma_peak.argtypes = [ctypes.c_int, ctypes.c_double]
    if options.target and library.warplight_use_target(options.target.encode()) < 0:
        raise SystemExit(f"this machine has no {options.target}")
    torch.set_num_threads(options.threads)
    torch.set_grad_enabled(False)
    fla = naive_of_fla()
    timer = Timer(options.cpu_seconds)
    print(f"PyTorch {torch.__version__}, its kernels use {torch.backends.cpu.get_cpu_capability()}, {options.threads} "
          f"threads; d = {HEAD_DIM}, causal; milliseconds of {'CPU' if options.cpu_seconds else 'wall'} time")
    print(f"{'N':>6} {'heads':>5} {'ours':>8} {'PyTorch':>8} {'chunk':>5} {'fla':>8} {'flash':>8} {'ratio':>6} "
          f"{'of flash':>8} {'of f32 peak':>11}")
    ratios = []
    for length in options.lengths:
        peak = peak_flops(library, options, timer)
        heads, best, ours, torch_s, naive, flash, flops = compare(library, fla, length, options, timer)
        theirs = min(x for x in (torch_s, naive) if not math.isnan(x))
        ratios.append(theirs / ours)
        print(f"{length:>6} {heads:>5} {1e3 * ours:>8.2f} {1e3 * torch_s:>8.2f} {best:>5} {1e3 * naive:>8.2f} "
              f"{1e3 * flash:>8.2f} {theirs / ours:>6.2f} {flash / ours:>8.2f} {flops / ours / peak:>11.0%}", flush=True)
    mean = math.exp(statistics.fmean(math.log(r) for r in ratios))
    print(f"geometric mean of PyTorch's best over ours {mean:.2f}, least {min(ratios):.2f}")


if __name__ == "__main__":
    main()
