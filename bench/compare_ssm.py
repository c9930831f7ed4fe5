#!/usr/bin/env python3
"""Warplight's selective scan beside mambapy's and PyTorch's on this machine's CPU.

All in turn (A B C A B C ...) in one process with the same threads on the same numbers; results are compared before anything
is timed: Warplight's fused scan, mambapy's parallel scan, and mambapy's scan step by step, which is what a few lines of
PyTorch make of the formula. What this machine could do at best is measured in the same process: as many exponentials
alone, and its bytes at the bandwidth of a streaming triad; the greater is the limit. Then one step
of decoding, of enough layers in turn that their states are not in the cache, beside the same in PyTorch. Needs PyTorch and
mambapy: python3 -m venv v && v/bin/pip install torch numpy mambapy, then v/bin/python bench/compare_ssm.py (after a build
of the target warplight_bench; --library names another build). --target AVX2 restricts all sides to what a machine without
AVX-512 would run.
"""
import argparse
import ctypes
import os
import statistics
import sys
import time

if "AVX2" in " ".join(sys.argv):  # PyTorch's libraries choose their instructions when they are loaded
    os.environ.update(ATEN_CPU_CAPABILITY="avx2", MKL_ENABLE_INSTRUCTIONS="AVX2", ONEDNN_MAX_CPU_ISA="AVX2",
                      OPENBLAS_CORETYPE="Haswell")

import torch
from mambapy.mamba import MambaBlock, MambaConfig

ROUNDS = 5           # of all in turn; the median counts
POINT_SECONDS = 0.1  # each round repeats a call for about this long
LAYERS = 192         # of decoding: 38 MB of states, and as much of A


def address(tensor):
    return ctypes.c_void_p(tensor.data_ptr() if tensor is not None else 0)


def once(call):
    """Seconds of one call, averaged over as many as fill POINT_SECONDS."""
    start, calls = time.perf_counter(), 0
    while calls == 0 or time.perf_counter() - start < POINT_SECONDS:
        call()
        calls += 1
    return (time.perf_counter() - start) / calls


def in_turn(calls):
    seconds = [[] for _ in calls]
    for _ in range(ROUNDS):
        for of, call in zip(seconds, calls):
            of.append(once(call))
    return [statistics.median(s) for s in seconds], [min(s) for s in seconds]


def require_near(a, b, what):
    worst = (a - b).abs().max().item()
    if not worst <= 2e-5 * max(1.0, b.abs().max().item()):
        raise RuntimeError(f"{what} differs by {worst}")


class Scan:
    """u, delta [1, dim, length] and so on, of Mamba's ranges."""

    def __init__(self, dim, state, length, layers=1):
        torch.manual_seed(1)
        self.dim, self.state, self.length, self.layers = dim, state, length, layers
        self.u = torch.randn(layers, dim, length)
        self.delta = torch.exp(torch.empty(layers, dim, length).uniform_(-6.9, -2.3))
        self.a = -torch.arange(1.0, state + 1).repeat(layers, dim, 1)
        self.b, self.c = torch.randn(layers, state, length), torch.randn(layers, state, length)
        self.d, self.first = torch.randn(dim), torch.randn(layers, dim, state)
        self.y, self.last = torch.empty_like(self.u), torch.empty_like(self.first)

    def ours(self, library, threads, layer=0, with_state=False):
        at = [address(x[layer]) for x in (self.u, self.delta, self.a, self.b, self.c)]
        states = [address(x[layer] if with_state else None) for x in (self.first, self.last)]
        if library.warplight_selective_scan(1, self.dim, self.length, self.state, 0, threads, *at, address(self.d), None,
                                            None, states[0], address(self.y[layer]), states[1]) < 0:
            raise RuntimeError("the scan failed")

    def turned(self):
        """As mambapy has them: [1, length, ...]."""
        turn = lambda x: x[:1].transpose(1, 2).contiguous()
        return turn(self.u), turn(self.delta), self.a[0], turn(self.b), turn(self.c), self.d


def exponentials(library, threads, scan):
    """As many exponentials as a scan has, on numbers that stay in the cache."""
    library.warplight_exponentials(scan.dim * scan.length * scan.state // (2048 * threads), threads)


def moved(library, threads, scan):
    """Seconds of a scan's bytes, and the bandwidth."""
    bandwidth = max(library.warplight_bandwidth(threads, 0.4) for _ in range(3))
    return 4 * scan.length * (3 * scan.dim + 2 * scan.state) / bandwidth, bandwidth


def scans(library, options):
    block = MambaBlock(MambaConfig(d_model=options.dim // 2, n_layers=1, d_state=options.state))
    print(f"scan: dim {options.dim}, state {options.state}, batch 1; milliseconds of wall time, medians; least of ours; "
          "limit: exponentials, bytes; of limit, by medians and by least times")
    print(f"{'len':>6} {'ours':>8} {'least':>8} {'pscan':>9} {'steps':>9} {'ratios':>13} {'limit':>15} {'of limit':>8} {'least':>8}")
    for length in options.lengths:
        scan = Scan(options.dim, options.state, length)
        given = scan.turned()
        scan.ours(library, options.threads)
        require_near(scan.y[0].T, block.selective_scan(*given)[0], "mambapy's parallel scan")
        require_near(scan.y[0].T, block.selective_scan_seq(*given)[0], "mambapy's scan step by step")
        calls = [lambda: scan.ours(library, options.threads), lambda: block.selective_scan(*given),
                 lambda: block.selective_scan_seq(*given)]
        calls.insert(1, lambda: exponentials(library, options.threads, scan))
        (ours, powers, pscan, steps), (least, least_powers, *_) = in_turn(calls)
        bytes_s, bandwidth = moved(library, options.threads, scan)
        print(f"{length:>6} {1e3 * ours:>8.2f} {1e3 * least:>8.2f} {1e3 * pscan:>9.1f} {1e3 * steps:>9.1f} "
              f"{pscan / ours:>6.1f} {steps / ours:>6.1f} {1e3 * powers:>7.2f} {1e3 * bytes_s:>7.2f} "
              f"{max(powers, bytes_s) / ours:>8.0%} {max(least_powers, bytes_s) / least:>8.0%}", flush=True)
        rate = options.dim * length * options.state / least_powers
    print(f"{rate / 1e9:.1f} G exponentials/s, {bandwidth / 1e9:.1f} GB/s")


def decoding(library, options):
    scan = Scan(options.dim, options.state, 1, LAYERS)

    def torch_step(layer):
        delta, u, b, c = scan.delta[layer], scan.u[layer], scan.b[layer], scan.c[layer]
        h = torch.exp(delta * scan.a[layer]) * scan.first[layer] + delta * b.T * u
        return h @ c + scan.d[:, None] * u, h

    scan.ours(library, options.threads, 5, True)
    y, h = torch_step(5)
    require_near(scan.y[5], y, "PyTorch's step")
    require_near(scan.last[5], h, "PyTorch's state")

    def all_layers(step):
        for layer in range(LAYERS):
            step(layer)

    (ours, theirs), (least, _) = in_turn([lambda: all_layers(lambda layer: scan.ours(library, options.threads, layer, True)),
                                          lambda: all_layers(torch_step)])
    # The call through ctypes alone, of one channel with one state.
    tiny = Scan(1, 1, 1, LAYERS)
    call = min(once(lambda: all_layers(lambda layer: tiny.ours(library, options.threads, layer, True))) for _ in range(5))
    numbers = options.dim * (3 * options.state + 4) + 2 * options.state  # A, state read and written; u, Δ, D, y; B, C
    bandwidth = max(library.warplight_bandwidth(options.threads, 0.4) for _ in range(3))
    bound = 4 * numbers / bandwidth
    print(f"decode step, {LAYERS} layers in turn, microseconds a layer: ours {1e6 * ours / LAYERS:.1f} (least "
          f"{1e6 * least / LAYERS:.1f}, of which {1e6 * call / LAYERS:.1f} for the call), PyTorch "
          f"{1e6 * theirs / LAYERS:.1f}; its {4e-3 * numbers:.0f} kB at {bandwidth / 1e9:.1f} GB/s take {1e6 * bound:.1f}: "
          f"{(ours - call) / LAYERS / bound:.2f} times that without the call")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--library", default="build/test/bench/libwarplight_bench.so")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--target", default="", help="AVX2: what a machine without AVX-512 would do, on all sides")
    arguments.add_argument("--dim", type=int, default=1536)
    arguments.add_argument("--state", type=int, default=16)
    arguments.add_argument("--lengths", type=int, nargs="+", default=[512, 2048, 4096])
    options = arguments.parse_args()
    library = ctypes.CDLL(options.library)
    library.warplight_selective_scan.restype = ctypes.c_int64
    library.warplight_selective_scan.argtypes = [ctypes.c_int64] * 4 + [ctypes.c_int] * 2 + [ctypes.c_void_p] * 11
    library.warplight_exponentials.restype = ctypes.c_double
    library.warplight_exponentials.argtypes = [ctypes.c_int64, ctypes.c_int]
    library.warplight_bandwidth.restype = ctypes.c_double
    library.warplight_bandwidth.argtypes = [ctypes.c_int, ctypes.c_double]
    if options.target and library.warplight_use_target(options.target.encode()) < 0:
        raise SystemExit(f"this machine has no {options.target}")
    torch.set_num_threads(options.threads)
    torch.set_grad_enabled(False)
    print(f"PyTorch {torch.__version__}, its kernels use {torch.backends.cpu.get_cpu_capability()}, {options.threads} threads")
    scans(library, options)
    decoding(library, options)


if __name__ == "__main__":
    main()
