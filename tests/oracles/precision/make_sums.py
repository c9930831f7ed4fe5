# Makes sums.npz: sums and dot products added up in several orders, each operation rounded once from its exact result
# (rational numbers); where NumPy or ml_dtypes add serially, they have to agree. And single additions and multiply-adds,
# many of them next to where rounding changes its direction.
#   pip install numpy ml_dtypes; python3 make_sums.py
from fractions import Fraction

import ml_dtypes
import numpy as np

FORMATS = {"f16": (11, -14, 15), "bf16": (8, -126, 127), "f32": (24, -126, 127)}
DTYPES = {"f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32}
INFINITY = float("inf")


def rounded(x, fmt):
    bits, lowest, highest = FORMATS[fmt]
    if x == 0:
        return Fraction(0)
    size = abs(x)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    while Fraction(2) ** exponent > size:
        exponent -= 1
    while Fraction(2) ** (exponent + 1) <= size:
        exponent += 1
    unit = Fraction(2) ** (max(exponent, lowest) - bits + 1)
    result = round(x / unit) * unit  # of a Fraction: half to even
    if abs(result) >= Fraction(2) ** (highest + 1):
        return INFINITY if x > 0 else -INFINITY
    return result


def exact(values):
    return [Fraction(float(v)) for v in values]


class Terms:
    """The steps of an order: a running sum plus a term, a term by itself."""

    def __init__(self, a, b, fmt):
        self.fmt = fmt
        self.a = [rounded(x, fmt) for x in exact(a)]
        self.b = None if b is None else [rounded(x, fmt) for x in exact(b)]

    def plus(self, total, i):
        return rounded(total + self.a[i] * (1 if self.b is None else self.b[i]), self.fmt)

    def leaf(self, i):
        return self.plus(Fraction(0), i)


def serial(t, begin, end, total=Fraction(0), step=1):
    for i in range(begin, end, step):
        total = t.plus(total, i)
    return total


def chunked(t, n, size):
    total = Fraction(0)
    for begin in range(0, n, size):
        total = rounded(total + serial(t, begin, min(n, begin + size)), t.fmt)
    return total


def pairwise(t, begin, end):
    if end - begin == 1:
        return t.leaf(begin)
    half = 1
    while 2 * half < end - begin:
        half *= 2
    return rounded(pairwise(t, begin, begin + half) + pairwise(t, begin + half, end), t.fmt)


def warp(t, n):
    lanes = [serial(t, lane, n, step=32) for lane in range(32)]
    for offset in (16, 8, 4, 2, 1):
        lanes = [rounded(lanes[i] + lanes[i ^ offset], t.fmt) for i in range(32)]
    assert all(lane == lanes[0] for lane in lanes)
    return lanes[0]


def kahan(t, n):
    total = lost = Fraction(0)
    for i in range(n):
        term = t.plus(-lost, i)
        more = rounded(total + term, t.fmt)
        lost = rounded(rounded(more - total, t.fmt) - term, t.fmt)
        total = more
    return total


def tf32(values):
    return (values.view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32)


def tensor(a, b, n, fmt):
    inside = Terms(tf32(a), None if b is None else tf32(b), "f32")
    total = Fraction(0)
    for begin in range(0, n, 16):
        total = rounded(serial(inside, begin, min(n, begin + 16), total), fmt)
    return total


rng = np.random.default_rng(7)
CHUNK = 12
lengths = [1, 2, 3, 5, 8, 12, 13, 15, 16, 17, 31, 32, 33, 47, 64, 100, 128, 200, 255, 256, 300, 511, 512, 600]
n = lengths[-1]
x = (rng.standard_normal(n) * np.exp2(rng.integers(-14, 3, n))).astype(np.float32)
y = (rng.standard_normal(n) * np.exp2(rng.integers(-9, 2, n))).astype(np.float32)
x[:40] = np.abs(x[:40]) * np.float32(2.0**-11)  # subnormal in f16
arrays = {"x": x, "y": y, "lengths": np.array(lengths, np.float32)}
for fmt in FORMATS:
    for what, b in (("sum", None), ("dot", y)):
        t = Terms(x, b, fmt)
        made = {
            "serial": [serial(t, 0, m) for m in lengths],
            "chunked": [chunked(t, m, CHUNK) for m in lengths],
            "pairwise": [pairwise(t, 0, m) for m in lengths],
            "warp-tree": [warp(t, m) for m in lengths],
            "kahan": [kahan(t, m) for m in lengths],
            "tensor-core": [tensor(x, b, m, fmt) for m in lengths],
        }
        if b is None:
            theirs = np.add.accumulate(x.astype(DTYPES[fmt]), dtype=DTYPES[fmt])
            assert [float(theirs[m - 1]) for m in lengths] == [float(v) for v in made["serial"]]
        for order, values in made.items():
            arrays[f"{order}-{fmt}-{what}"] = np.array([float(v) for v in values], np.float32)
for what, terms in (("sum", exact(x)), ("dot", [p * q for p, q in zip(exact(x), exact(y))])):
    left, parts = np.array([float(sum(terms[:m])) for m in lengths]), []
    for _ in range(3):  # an f64 number as three of f32
        parts.append(left.astype(np.float32))
        left = left - parts[-1]
    assert not left.any()
    arrays[f"exact-{what}"] = np.array(parts)

for fmt, (bits, lowest, highest) in FORMATS.items():
    a, b, c = [], [], []
    spread = 6 if fmt == "f16" else 60

    def some(width=bits):
        return Fraction(int(rng.integers(2 ** (width - 1), 2**width)) * int(rng.choice([-1, 1]))) / 2 ** (width - 1)

    def scaled(value, exponent):
        return rounded(value * Fraction(2) ** int(np.clip(exponent, lowest - bits + 1, highest)), fmt)

    for i in range(2000):
        ea, eb = rng.integers(-spread, spread, 2)
        kind = i % 4
        if kind == 0:  # anything
            p, q, r = scaled(some(), ea), scaled(some(), eb), scaled(some(), rng.integers(-2 * spread, 2 * spread))
        elif kind == 1:  # a product of about half a unit of the sum
            p, q = scaled(some(), ea), scaled(some(), eb)
            r = scaled(some(), ea + eb + bits + rng.integers(-1, 2))
        elif kind == 2:  # a product half way between two numbers, or nearly, and a trifle
            short = bits // 2
            p, q = scaled(some(short), ea), scaled(some(bits + 2 - short), eb)
            r = scaled(some(), ea + eb - rng.integers(bits, 12 * bits))
        else:  # results below the normal range
            p, q = scaled(some(), ea), scaled(some(), lowest - ea - rng.integers(0, bits))
            r = scaled(some(), lowest - rng.integers(0, bits))
        a.append(p), b.append(q), c.append(r)
    for name, values in (("a", a), ("b", b), ("c", c)):
        arrays[f"{fmt}-{name}"] = np.array([float(v) for v in values], np.float32)
    arrays[f"{fmt}-fma"] = np.array([float(rounded(p * q + r, fmt)) for p, q, r in zip(a, b, c)], np.float32)
    arrays[f"{fmt}-add"] = np.array([float(rounded(p + r, fmt)) for p, r in zip(a, c)], np.float32)
    arrays[f"{fmt}-mul"] = np.array([float(rounded(p * q, fmt)) for p, q in zip(a, b)], np.float32)
np.savez_compressed("sums.npz", **arrays)
