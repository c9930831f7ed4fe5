#!/usr/bin/env python3
"""Warplight's small GPT beside the same network in PyTorch (eager, f32) on this machine's CPU.

`warplight-cli train` and `generate` run in turn with PyTorch (A B A B ...) with the same threads, presets, batch and
weights; logits and generated tokens are compared before anything is timed. PyTorch's side is written as plainly as its
own operators allow: fused attention, AdamW over all tensors at once, keys and values kept while it generates.
Needs PyTorch: python3 -m venv v && v/bin/pip install torch numpy safetensors, then
v/bin/python bench/compare_pytorch_gpt.py (after ./test; --cli names another build).
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

if "AVX2" in " ".join(sys.argv):  # PyTorch's libraries choose their instructions when they are loaded
    os.environ.update(ATEN_CPU_CAPABILITY="avx2", MKL_ENABLE_INSTRUCTIONS="AVX2", ONEDNN_MAX_CPU_ISA="AVX2",
                      OPENBLAS_CORETYPE="Haswell")

import numpy
import torch
from safetensors.torch import load_file
from torch.nn import functional as F

ROUNDS = 5     # of both in turn; the median counts
STEPS = {"tiny": 60, "small": 8}
WARM = {"tiny": 10, "small": 2}  # steps of each round that do not count
BATCH = 8


class Gpt:
    """GPT-2 of a folder, its weights as leaves under their names."""

    def __init__(self, folder):
        self.config = json.loads((folder / "config.json").read_text())
        self.w = {name: t.requires_grad_() for name, t in load_file(folder / "model.safetensors").items()}
        self.heads = self.config["n_head"]

    def normed(self, x, name):
        return F.layer_norm(x, x.shape[-1:], self.w[name + ".weight"], self.w[name + ".bias"],
                            self.config["layer_norm_epsilon"])

    def linear(self, x, name):
        return torch.addmm(self.w[name + ".bias"], x.reshape(-1, x.shape[-1]), self.w[name + ".weight"]).view(
            *x.shape[:-1], -1)

    def forward(self, tokens, past=None):
        """Logits; `past`, if any, is a list of (keys, values) a layer, which grows."""
        w, (batch, length) = self.w, tokens.shape
        begin = past[0][0].shape[2] if past and past[0] else 0
        x = F.embedding(tokens, w["wte.weight"]) + w["wpe.weight"][begin:begin + length]
        for layer in range(self.config["n_layer"]):
            name = f"h.{layer}"
            qkv = self.linear(self.normed(x, name + ".ln_1"), name + ".attn.c_attn")
            q, k, v = (t.view(batch, length, self.heads, -1).transpose(1, 2) for t in qkv.chunk(3, -1))
            if past is not None:
                if past[layer]:
                    k, v = torch.cat((past[layer][0], k), 2), torch.cat((past[layer][1], v), 2)
                past[layer] = (k, v)
            o = F.scaled_dot_product_attention(q, k, v, is_causal=length > 1)
            x = x + self.linear(o.transpose(1, 2).reshape(batch, length, -1), name + ".attn.c_proj")
            up = F.gelu(self.linear(self.normed(x, name + ".ln_2"), name + ".mlp.c_fc"), approximate="tanh")
            x = x + self.linear(up, name + ".mlp.c_proj")
        return F.linear(self.normed(x, "ln_f"), w["wte.weight"])

    @torch.no_grad()
    def generate(self, prompt, count):
        past = [() for _ in range(self.config["n_layer"])]
        logits = self.forward(torch.tensor([prompt]), past)
        written = []
        for i in range(count):
            written.append(int(logits[0, -1].argmax()))
            if i + 1 < count:
                logits = self.forward(torch.tensor([written[-1:]]), past)
        return written


def trained(model, text, steps, warm):
    """Seconds of each step after the warm ones."""
    matrices = [t for t in model.w.values() if t.dim() > 1]
    others = [t for t in model.w.values() if t.dim() <= 1]
    optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0}],
                                  lr=1e-3, betas=(0.9, 0.95), foreach=True)
    everything = matrices + others
    length = model.config["n_positions"]
    seconds = []
    for step in range(warm + steps):
        start = time.perf_counter()
        at = torch.randint(len(text) - length - 1, (BATCH, 1)) + torch.arange(length + 1)
        batch = text[at]
        loss = F.cross_entropy(model.forward(batch[:, :-1]).view(-1, model.config["vocab_size"]), batch[:, 1:].reshape(-1))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(everything, 1.0, foreach=True)
        optimizer.step()
        loss.item()
        if step >= warm:
            seconds.append(time.perf_counter() - start)
    return seconds


def cli(options, *arguments):
    environment = dict(os.environ, WARPLIGHT_TARGET=options.target) if options.target else None
    return subprocess.run([options.cli, *map(str, arguments), "--threads", str(options.threads)], check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment).stdout


def ratio_line(name, ours, theirs):
    print(f"{name:<18} {statistics.median(ours):>10.0f} {statistics.median(theirs):>10.0f} "
          f"{statistics.median(ours) / statistics.median(theirs):>6.2f}", flush=True)


def compare(options, preset, text_file, text, scratch):
    folder, steps, warm = scratch / preset, STEPS[preset], WARM[preset]
    cli(options, "train", "--text", text_file, "--preset", preset, "--batch", BATCH, "--steps", 20, "--out", folder)
    model = Gpt(folder)
    context, tokens = model.config["n_positions"], BATCH * model.config["n_positions"]

    ids = text[:context].to(torch.int32)
    numpy.save(scratch / "ids.npy", ids.numpy())
    cli(options, "logits", "--model", folder, "--tokens", scratch / "ids.npy", "-o", scratch / "logits.npy")
    with torch.no_grad():
        apart = (torch.from_numpy(numpy.load(scratch / "logits.npy")).view(context, -1)
                 - model.forward(ids.long()[None])[0]).abs().max().item()
    if not apart <= 2e-4:
        raise RuntimeError(f"{preset}: logits differ by {apart}")

    ours, theirs = [], []
    for round_ in range(ROUNDS):
        lines = cli(options, "train", "--text", text_file, "--preset", preset, "--batch", BATCH, "--steps", warm + steps,
                    "--format", "json", "--out", scratch / f"{preset}-{round_}").decode().splitlines()
        ours.append(tokens / statistics.median(json.loads(line)["seconds"] for line in lines[warm:]))
        theirs.append(tokens / statistics.median(trained(Gpt(folder), text, steps, warm)))
    ratio_line(preset + " training", ours, theirs)

    prompt, count = "The kernel", context - 16
    ours, theirs = [], []
    for round_ in range(ROUNDS + 1):
        answer = json.loads(cli(options, "generate", "--model", folder, "--prompt", prompt, "--tokens", count, "--greedy",
                                "--format", "json"))
        start = time.perf_counter()
        written = model.generate(list(prompt.encode()), count)
        if round_ == 0:  # also warms up
            same = next((i for i, (a, b) in enumerate(zip(answer["tokens"], written)) if a != b), count)
            if same < count // 4:  # later, two likely tokens may be closer than rounding
                raise RuntimeError(f"{preset}: generated tokens differ from number {same} on")
            continue
        theirs.append(count / (time.perf_counter() - start))
        ours.append(count / answer["seconds"])
    ratio_line(preset + " generation", ours, theirs)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--cli", default="build/test/warplight-cli")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--target", default="", help="AVX2: what a machine without AVX-512 would do, on both sides")
    arguments.add_argument("--presets", nargs="+", default=["tiny", "small"], choices=list(STEPS))
    options = arguments.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(options.threads)
    here = Path(__file__).resolve().parent.parent
    content = b"".join(file.read_bytes() for file in [here / "README.md", *sorted((here / "docs").glob("*.md"))])
    print(f"PyTorch {torch.__version__}, its kernels use {torch.backends.cpu.get_cpu_capability()}, {options.threads} threads\n"
          f"{'tokens/s':<18} {'ours':>10} {'PyTorch':>10} {'ratio':>6}")
    with tempfile.TemporaryDirectory() as scratch:
        text_file = Path(scratch) / "text"
        text_file.write_bytes(content)
        text = torch.from_numpy(numpy.frombuffer(content, dtype=numpy.uint8).astype(numpy.int64))
        for preset in options.presets:
            compare(options, preset, text_file, text, Path(scratch))


if __name__ == "__main__":
    main()
