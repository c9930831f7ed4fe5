# Makes storage.npz: how far a tensor with outliers is off in e4m3 and e2m1 with f32 scales, and without, by NumPy and
# ml_dtypes alone.
#   pip install numpy ml_dtypes; python3 make_storage.py
import ml_dtypes
import numpy as np

rng = np.random.default_rng(11)
x = rng.standard_normal((24, 160)).astype(np.float32)
x[:, 7] *= 60  # a channel of outliers
x[3] *= 1e-3  # a quiet row


def stored(part, dtype, largest, scale):
    scaled = part.astype(np.float64) * scale
    return np.clip(scaled, -largest, largest).astype(dtype).astype(np.float64) / scale


def error(y):
    difference = y.reshape(x.shape).astype(np.float32).astype(np.float64) - x
    return np.sqrt((difference**2).sum() / (x.astype(np.float64) ** 2).sum())


def scaled(dtype, largest, share):
    flat = x.reshape(-1)
    out = np.empty(flat.shape)
    for begin in range(0, len(flat), share):
        part = flat[begin : begin + share]
        scale = np.float64(np.float32(largest / np.float64(np.abs(part).max())))
        out[begin : begin + share] = stored(part, dtype, largest, scale)
    return error(out)


result = {"x": x}
for name, dtype, largest in (("e4m3", ml_dtypes.float8_e4m3fn, 448.0), ("e2m1", ml_dtypes.float4_e2m1fn, 6.0)):
    for title, share in (("the tensor", x.size), ("each row", 160), ("each 128", 128), ("each 32", 32)):
        result[f"{name}, a scale for {title}"] = scaled(dtype, largest, share)
for name, dtype, largest in (
    ("f16", np.float16, 65504.0),
    ("bf16", ml_dtypes.bfloat16, 3.389e38),
    ("e5m2", ml_dtypes.float8_e5m2, 57344.0),
    ("e4m3", ml_dtypes.float8_e4m3fn, 448.0),
):
    result[name] = error(stored(x.reshape(-1), dtype, largest, 1.0))
np.savez("storage.npz", **{k.replace(" ", "_").replace(",", ""): np.asarray(v, np.float64 if v is not x else np.float32) for k, v in result.items()})
