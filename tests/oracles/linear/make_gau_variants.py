#!/usr/bin/env python3
"""Makes gau_variants.npz: gated attention units in f64 by NumPy, of which half of the scores are positive: each
function of scores, without chunks and with chunks of 8 whose last is shorter, causal and not, and, causal, by the
number of keys that a row sees. Chunks go one after the other with a state, as the paper's code does.

usage: make_gau_variants.py      (needs numpy and scipy; writes beside itself)
"""
from pathlib import Path

import numpy as np
from scipy.special import erf

B, N, D, E, S, C = 2, 29, 12, 18, 5, 8
rng = np.random.default_rng(31)
f32 = lambda a: a.astype(np.float32).astype(np.float64)
x = f32(rng.standard_normal((B, N, D)))
w_u, w_v, w_z = (f32(rng.standard_normal((D, k)) / np.sqrt(D)) for k in (E, E, S))
w_o = f32(rng.standard_normal((E, D)) / np.sqrt(E))
gamma, beta = f32(4 * rng.standard_normal((4, S))), f32(rng.standard_normal((4, S)))

silu = lambda t: t / (1 + np.exp(-t))
U, V, Z = silu(x @ w_u), silu(x @ w_v), silu(x @ w_z)
views = [g * Z + b for g, b in zip(gamma, beta)]


def weights(function, q, k, divisor, causal, seen):
    """Of one segment of one sequence; divisor is n or c."""
    scores = q @ k.T
    rows = len(scores)
    mask = np.tril(np.ones((rows, rows))) if causal else np.ones((rows, rows))
    m = np.arange(1, rows + 1)[:, None] if seen else divisor
    if function == "relu2":
        a = np.maximum(scores / m, 0) ** 2
    elif function == "relu2-su":
        a = np.maximum(scores, 0) ** 2 / (m * S)
    elif function == "laplace":
        a = 0.5 * (1 + erf((scores / m - np.sqrt(0.5)) / (np.sqrt(1 / (4 * np.pi)) * np.sqrt(2))))
    else:
        a = np.exp(scores / np.sqrt(S)) * mask
        a /= a.sum(1, keepdims=True)
    return a * mask


def quad(function, causal, seen):
    out = [weights(function, views[0][b], views[2][b], N, causal, seen) @ V[b] for b in range(B)]
    return (U * np.stack(out)) @ w_o


def mixed(function, causal, seen):
    out = np.zeros((B, N, E))
    for b in range(B):
        state = np.zeros((S, E))
        chunks = [slice(begin, min(N, begin + C)) for begin in range(0, N, C)]
        whole = views[3][b].T @ V[b]
        for g, at in enumerate(chunks):
            out[b, at] = weights(function, views[0][b, at], views[2][b, at], C, causal, seen) @ V[b, at]
            if not causal:
                out[b, at] += views[1][b, at] @ whole / N
            elif g > 0:
                out[b, at] += views[1][b, at] @ state / (g * C)
            state += views[3][b, at].T @ V[b, at]
    return (U * out) @ w_o


arrays = dict(x=x, wu=w_u, wv=w_v, wz=w_z, wo=w_o, gamma=gamma, beta=beta, chunk=np.float64(C))
for function in ("relu2", "relu2-su", "softmax", "laplace"):
    for name, causal, seen in (("full", False, False), ("causal", True, False), ("seen", True, True)):
        arrays[f"{function}.{name}"] = quad(function, causal, seen)
        arrays[f"{function}.{name}.mixed"] = mixed(function, causal, seen)
np.savez(Path(__file__).parent / "gau_variants.npz", **arrays)
