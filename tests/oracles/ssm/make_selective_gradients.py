#!/usr/bin/env python3
"""Makes selective_gradients.npz: gradients of Mamba's selective scan in f64 by PyTorch's autograd, through a recurrence
written out step by step: softplus of the step with a bias, two groups of B and C, D and gate; the loss is the sum of
dy · y. Inputs are numbers that f32 holds.

usage: make_selective_gradients.py      (needs numpy and torch; writes beside itself)
"""
from pathlib import Path

import numpy as np
import torch

BATCH, DIM, STATE, GROUPS, LENGTH = 2, 6, 4, 2, 75
generator = torch.Generator().manual_seed(17)


def normal(*shape, scale=1.0, mean=0.0):
    x = torch.randn(shape, generator=generator, dtype=torch.float64) * scale + mean
    return x.float().double().requires_grad_()


u, z, dy = normal(BATCH, DIM, LENGTH), normal(BATCH, DIM, LENGTH), normal(BATCH, DIM, LENGTH)
delta = normal(BATCH, DIM, LENGTH, mean=-2)
A = (-torch.rand(DIM, STATE, generator=generator, dtype=torch.float64) * 4).float().double().requires_grad_()
B, C = normal(BATCH, GROUPS, STATE, LENGTH), normal(BATCH, GROUPS, STATE, LENGTH)
D, bias = normal(DIM), normal(DIM, scale=0.1)

step = torch.nn.functional.softplus(delta + bias[:, None])
wide = lambda x: x.repeat_interleave(DIM // GROUPS, dim=1)
b, c = wide(B), wide(C)
h, rows = torch.zeros(BATCH, DIM, STATE, dtype=torch.float64), []
for t in range(LENGTH):
    h = torch.exp(step[..., t, None] * A) * h + (step[..., t] * u[..., t])[..., None] * b[..., t]
    rows.append((h * c[..., t]).sum(-1))
y = (torch.stack(rows, -1) + D[:, None] * u) * torch.nn.functional.silu(z)
(y * dy).sum().backward()

inputs = {"u": u, "delta": delta, "A": A, "B": B, "C": C, "D": D, "z": z, "bias": bias}
made = {name: x.detach().numpy() for name, x in inputs.items()}
made |= {f"d{name}": x.grad.numpy() for name, x in inputs.items()}
np.savez_compressed(Path(__file__).with_name("selective_gradients.npz"), dy=dy.detach().numpy(), y=y.detach().numpy(), **made)
