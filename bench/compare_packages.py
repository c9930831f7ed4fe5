#!/usr/bin/env python3
"""Warplight's replacements of softmax attention beside the packages that other people publish, number by number.

Each package computes with the weights and the tensors that warplight-cli is given; what is compared is the output:
linformer (E and F), nystrom-attention (six iterations), local-attention (a causal window), performer-pytorch (whose
random features are its own: there the error against exact attention is compared, for growing numbers of features).
Reformer's hashes are its own as well and its queries are its keys, so that there is nothing to compare number by number.
fla-core is in compare_linear.py. Needs: python3 -m venv v && v/bin/pip install torch numpy linformer nystrom-attention
local-attention performer-pytorch, then v/bin/python bench/compare_packages.py (after a build; --cli names another).
A package that is not there is left out, and said so. Ends with 1 when a difference is larger than rounding explains.
"""
import argparse
import math
import os
import subprocess
import sys
import tempfile

import numpy as np
import torch

HEADS, LENGTH, DIM = 2, 512, 64
ROUNDING = 2e-5  # of f32 sums over this length, relative to the largest output
LIBRARIES = {"linformer": "linformer", "nystrom": "nystrom_attention", "local": "local_attention",
             "performer": "performer_pytorch"}


class Cli:
    """`warplight-cli compute` on tensors of this process."""

    def __init__(self, path, folder):
        self.path, self.folder = path, folder

    def compute(self, operator, tensors, *options):
        words = [self.path, "compute", operator]
        for name, tensor in tensors.items():
            file = os.path.join(self.folder, name + ".npy")
            np.save(file, np.ascontiguousarray(tensor.detach().numpy()))
            words += ["--" + name, file]
        out = os.path.join(self.folder, "o.npy")
        subprocess.run(words + ["-o", out, *map(str, options)], check=True, stdout=subprocess.DEVNULL)
        return torch.from_numpy(np.load(out))


def difference(a, b):
    return ((a - b).abs().max() / b.abs().max()).item()


def exact(q, k, v):
    return torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(DIM), -1) @ v


def identity(linear, columns=slice(None)):
    """A layer that gives its input."""
    with torch.no_grad():
        linear.weight.copy_(torch.eye(linear.weight.shape[1])[columns])
        if linear.bias is not None:
            linear.bias.zero_()


def linformer(cli, q, k, v):
    from linformer import LinformerSelfAttention
    rank, x = 48, q[:, :1]  # one head, whose queries, keys and values are the same rows
    module = LinformerSelfAttention(dim=DIM, seq_len=LENGTH, k=rank, heads=1, dim_head=DIM, share_kv=False)
    for layer in (module.to_q, module.to_k, module.to_v, module.to_out):
        identity(layer)
    theirs = module(x[:, 0])[:, None]
    ours = cli.compute("low-rank-attention",
                       {"q": x, "k": x, "v": x, "e": module.proj_k.T, "f": module.proj_v.T}, "--method", "linformer")
    return difference(ours, theirs)


def nystrom(cli, q, k, v):
    from nystrom_attention import NystromAttention
    rank, x = 32, q[:, :1]
    module = NystromAttention(dim=DIM, dim_head=DIM, heads=1, num_landmarks=rank, pinv_iterations=6, residual=False,
                              eps=0)
    with torch.no_grad():
        module.to_qkv.weight.copy_(torch.cat([torch.eye(DIM)] * 3))
    identity(module.to_out[0])
    theirs = module(x[:, 0])[:, None]
    ours = cli.compute("low-rank-attention", {"q": x, "k": x, "v": x}, "--method", "nystrom-iterated", "--rank", rank)
    return difference(ours, theirs)


def local(cli, q, k, v):
    from local_attention import LocalAttention
    window = 32
    module = LocalAttention(window_size=window, causal=True, look_backward=1, look_forward=0, dropout=0.0,
                            exact_windowsize=True, use_rotary_pos_emb=False)
    theirs = module(q, k, v)
    ours = cli.compute("sparse-attention", {"q": q, "k": k, "v": v}, "--pattern", "local", "--window", window,
                       "--causal")
    return difference(ours, theirs)


def performer(cli, q, k, v):
    """The largest ratio of our error to theirs, minus 1: both are means of 8 draws of the features."""
    from performer_pytorch.performer_pytorch import gaussian_orthogonal_random_matrix, linear_attention, softmax_kernel
    small = [x[:, :, :128] for x in (0.5 * q, 0.5 * k, v)]
    right, worst = exact(*small), 0.0
    for features in (64, 256, 1024):
        errors = {"ours": [], "theirs": []}
        for seed in range(8):
            torch.manual_seed(seed)
            matrix = gaussian_orthogonal_random_matrix(features, DIM)
            phi = [softmax_kernel(x, is_query=x is small[0], projection_matrix=matrix) for x in small[:2]]
            errors["theirs"].append((linear_attention(*phi, small[2]) - right).norm().item())
            ours = cli.compute("linear-attention", dict(zip("qkv", small)), "--feature-map", "favor", "--features",
                               features, "--seed", seed, "--scale", 1 / math.sqrt(DIM))
            errors["ours"].append((ours - right).norm().item())
        mean = {name: sum(values) / len(values) for name, values in errors.items()}
        print(f"    {features:5d} features: error {mean['ours']:.3f} of exact attention, theirs {mean['theirs']:.3f}")
        worst = max(worst, mean["ours"] / mean["theirs"] - 1)
    return worst


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cli", default=os.path.join(here, "..", "build", "test", "warplight-cli"))
    arguments = parser.parse_args()
    torch.manual_seed(1)
    q, k, v = (torch.randn(1, HEADS, LENGTH, DIM) for _ in range(3))
    failed = False
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        cli = Cli(arguments.cli, folder)
        for compare, bound in ((linformer, ROUNDING), (nystrom, 1e-3), (local, ROUNDING), (performer, 0.25)):
            name = LIBRARIES[compare.__name__]
            try:
                apart = compare(cli, q, k, v)
            except ImportError as missing:
                print(f"{name}: left out, {missing}")
                continue
            good = apart <= bound
            failed |= not good
            print(f"{name}: {apart:.2e} apart, at most {bound:.0e}{'' if good else '  FAILED'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
