# Makes blocks.npz: numbers rounded in blocks that share a scale, by NumPy and ml_dtypes alone.
#   pip install numpy ml_dtypes; python3 make_blocks.py
import ml_dtypes
import numpy as np

ELEMENTS = {
    "mxfp8-e4m3": (ml_dtypes.float8_e4m3fn, 8, 448.0),
    "mxfp8-e5m2": (ml_dtypes.float8_e5m2, 15, 57344.0),
    "mxfp6-e3m2": (ml_dtypes.float6_e3m2fn, 4, 28.0),
    "mxfp6-e2m3": (ml_dtypes.float6_e2m3fn, 2, 7.5),
    "mxfp4": (ml_dtypes.float4_e2m1fn, 2, 6.0),
}


def element(x, dtype, largest):
    return np.clip(x, -largest, largest).astype(dtype).astype(np.float64)


def microscaled(x, dtype, emax, largest):
    out = np.empty_like(x)
    for begin in range(0, len(x), 32):
        block = x[begin : begin + 32]
        amax = np.abs(block).max()
        scale = 2.0 ** np.clip(np.floor(np.log2(amax)) - emax, -127, 127) if amax > 0 else 1.0
        out[begin : begin + 32] = element(block / scale, dtype, largest) * scale
    return out


def nvfp4(x):
    tensor_scale = np.float64(np.float32(np.abs(x).max() / (6 * 448)))
    out = np.empty_like(x)
    for begin in range(0, len(x), 16):
        block = x[begin : begin + 16]
        scale = element(np.array([np.abs(block).max() / 6 / tensor_scale]), ml_dtypes.float8_e4m3fn, 448.0)[0]
        scale = (scale or 2.0**-9) * tensor_scale
        out[begin : begin + 16] = element(block / scale, ml_dtypes.float4_e2m1fn, 6.0) * scale
    return out


rng = np.random.default_rng(4)
x = (rng.standard_normal(32 * 9 + 5) * np.exp(2 * rng.standard_normal(32 * 9 + 5))).astype(np.float32)
x[32:64] = 0
x[64:96] *= 1e-9
x[96] = 3e4
x = x.astype(np.float64)
arrays = {"x": x.astype(np.float32), "nvfp4": nvfp4(x).astype(np.float32)}
for name, (dtype, emax, largest) in ELEMENTS.items():
    arrays[name] = microscaled(x, dtype, emax, largest).astype(np.float32)
np.savez_compressed("blocks.npz", **arrays)
