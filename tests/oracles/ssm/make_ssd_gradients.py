#!/usr/bin/env python3
"""Makes ssd_gradients.npz: gradients of Mamba-2's SSD in f64 by PyTorch's autograd, through a recurrence written out
step by step: four heads in two groups of B and C, from a state that is given, with two decays of exactly 0; the loss
is the sum of dy · y. Inputs are numbers that f32 holds; a are logarithms of decays.

usage: make_ssd_gradients.py      (needs numpy and torch; writes beside itself)
"""
from pathlib import Path

import numpy as np
import torch

BATCH, LENGTH, HEADS, GROUPS, P, N = 2, 71, 4, 2, 5, 3
generator = torch.Generator().manual_seed(17)


def leaf(x):
    return x.float().double().requires_grad_()


def normal(*shape):
    return leaf(torch.randn(shape, generator=generator, dtype=torch.float64))


x, dy, initial = normal(BATCH, LENGTH, HEADS, P), normal(BATCH, LENGTH, HEADS, P), normal(BATCH, HEADS, P, N)
b, c = normal(BATCH, LENGTH, GROUPS, N), normal(BATCH, LENGTH, GROUPS, N)
logarithms = -torch.exp(torch.rand(BATCH, LENGTH, HEADS, generator=generator, dtype=torch.float64) * 7 - 6)
logarithms[0, 40, 1] = logarithms[1, 64, 2] = -torch.inf
a = leaf(logarithms)

wide = lambda t: t.repeat_interleave(HEADS // GROUPS, dim=2)
h, rows = initial, []
for t in range(LENGTH):
    h = torch.exp(a[:, t])[..., None, None] * h + x[:, t, :, :, None] * wide(b)[:, t, :, None, :]
    rows.append((h * wide(c)[:, t, :, None, :]).sum(-1))
y = torch.stack(rows, 1)
(y * dy).sum().backward()

inputs = {"x": x, "a": a, "b": b, "c": c, "initial": initial}
made = {name: t.detach().numpy() for name, t in inputs.items()}
made |= {f"d{name}": t.grad.numpy().astype(np.float32) for name, t in inputs.items()}
made = {name: t.astype(np.float32) for name, t in made.items()}
np.savez_compressed(Path(__file__).with_name("ssd_gradients.npz"), dy=dy.detach().numpy().astype(np.float32),
                    y=y.detach().numpy().astype(np.float32), **made)
