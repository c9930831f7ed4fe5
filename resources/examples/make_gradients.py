#!/usr/bin/env python3
"""Trains a small transformer on the texts in docs/ and records its gradients: gradients.npz and loss_scaler.log, which
the pages "Scaler game" and "Scaler log" show when no file is chosen.

    pip install torch numpy; python3 make_gradients.py

gradients.npz, from a training run in f32 (nothing is lost, nothing scaled):
    largest    f32 [steps]        largest |gradient| of the step, of weights and of the outputs of all layers
    exponents  f16 [steps, bins]  share of the gradients other than 0 whose size is in [2^(lowest + i), 2^(lowest + i + 1)),
                                  to 8 significant bits; what is smaller is in the first bin
    lowest     i32 []
    loss       f32 [steps]        nats a byte

loss_scaler.log, from another run of the same model in f16 (autocast) with torch.amp.GradScaler.

The seed is fixed; other versions of PyTorch or other processors round differently, and the runs drift apart.
"""
import glob
import os

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
STEPS, LOGGED_STEPS = 3000, 1000
BATCH, LENGTH, WIDTH, HEADS, LAYERS = 4, 64, 64, 4, 3
LOWEST, BINS = -44, 48  # what is below 2^-43 is lost by every scale that does not overflow; no gradient reaches 2^4


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        b, n, _ = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, n, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        x = x + self.out(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(b, n, WIDTH))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.bytes, self.places = nn.Embedding(256, WIDTH), nn.Embedding(LENGTH, WIDTH)
        self.blocks = nn.Sequential(*[Block() for _ in range(LAYERS)])
        self.norm, self.logits = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 256)

    def forward(self, x):
        return self.logits(self.norm(self.blocks(self.bytes(x) + self.places.weight)))


def texts():
    files = sorted(glob.glob(os.path.join(HERE, "..", "..", "docs", "*.md")))
    return torch.frombuffer(bytearray(b"\n".join(open(f, "rb").read() for f in files)), dtype=torch.uint8).long()


def batches(seed):
    data, choose = texts(), torch.Generator().manual_seed(seed)
    while True:
        at = torch.randint(len(data) - LENGTH - 1, (BATCH,), generator=choose)
        yield torch.stack([data[i : i + LENGTH] for i in at]), torch.stack([data[i + 1 : i + LENGTH + 1] for i in at])


def training(seed):
    torch.manual_seed(seed)
    model = Model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1, (step + 1) / 100))
    return model, optimizer, rate


def significant(shares, bits=8):
    fraction, exponent = np.frexp(shares)
    return np.ldexp(np.round(fraction * 2**bits) / 2**bits, exponent)


def loss_of(model, x, y):
    return F.cross_entropy(model(x).view(-1, 256), y.view(-1))


def record():
    model, optimizer, rate = training(1)
    gradients = []  # of the outputs of layers, in this step
    for module in model.modules():
        if not list(module.children()):
            module.register_forward_hook(lambda m, x, output: output.register_hook(gradients.append) and None)
    largest, exponents, losses = [], [], []
    for step, (x, y) in zip(range(STEPS), batches(1)):
        gradients.clear()
        optimizer.zero_grad()
        loss = loss_of(model, x, y)
        loss.backward()
        sizes = torch.cat([g.flatten() for g in gradients] + [p.grad.flatten() for p in model.parameters()]).abs()
        sizes = sizes[sizes > 0]
        bins = (torch.frexp(sizes).exponent - 1 - LOWEST).clamp(0, BINS - 1)
        counts = torch.bincount(bins, minlength=BINS)
        largest.append(sizes.max().item())
        exponents.append((counts / counts.sum()).numpy())
        losses.append(loss.item())
        optimizer.step()
        rate.step()
        if step % 250 == 0:
            print(f"step {step}: loss {losses[-1]:.3f}, largest |gradient| {largest[-1]:.4g}, {len(sizes)} gradients")
    np.savez_compressed(os.path.join(HERE, "gradients.npz"), largest=np.array(largest, "<f4"),
                        exponents=significant(np.array(exponents)).astype("<f2"), lowest=np.array(LOWEST, "<i4"),
                        loss=np.array(losses, "<f4"))


def log():
    model, optimizer, rate = training(2)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**20, growth_interval=100)
    with open(os.path.join(HERE, "loss_scaler.log"), "w") as out:
        for step, (x, y) in zip(range(1, LOGGED_STEPS + 1), batches(2)):
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.float16):
                loss = loss_of(model, x, y)
            scaler.scale(loss).backward()
            before = scaler.get_scale()
            scaler.step(optimizer)
            scaler.update()
            after = scaler.get_scale()
            if after >= before:
                rate.step()
            if after < before:
                print(f"step {step}: gradient overflow, skipping step, loss scale {before} -> {after}", file=out)
            elif after > before:
                print(f"step {step}: loss scale grows from {before} to {after}", file=out)
            if step % 50 == 0:
                print(f"step {step} | loss {loss.item():.4f} | loss scale {after}", file=out)


if __name__ == "__main__":
    record()
    log()
