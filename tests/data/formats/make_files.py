#!/usr/bin/env python3
"""Writes the tensor files that tensor_file_test.cpp reads, with NumPy, ml_dtypes and the safetensors library.

Run by hand in this folder (needs numpy, ml_dtypes, safetensors); the results are kept beside it. Every good file holds
the numbers 0, 1, 2, ... in C order, in shape [2, 3], but for those named otherwise.
"""
import json
import zipfile

import numpy as np
import ml_dtypes
from safetensors.numpy import save_file

x = np.arange(6).reshape(2, 3)
for name, dtype in {"f2": "<f2", "f4": "<f4", "f8": "<f8", "f4_big": ">f4", "f8_big": ">f8", "i1": "|i1", "i4": "<i4",
                    "i8_big": ">i8", "u1": "|u1", "u2": "<u2"}.items():
    np.save(f"{name}.npy", x.astype(dtype))
np.save("bf16.npy", x.astype(ml_dtypes.bfloat16))
np.save("fortran.npy", np.asfortranarray(x.astype("<f4")))
np.save("fortran_big.npy", np.asfortranarray(x.astype(">f8")))
with open("version2.npy", "wb") as f:
    np.lib.format.write_array(f, x.astype("<f4"), version=(2, 0))
with open("version3.npy", "wb") as f:
    np.lib.format.write_array(f, x.astype("<f4"), version=(3, 0))
np.save("bad_object.npy", np.array([{}, None], dtype=object), allow_pickle=True)
np.save("bad_record.npy", np.zeros(2, dtype=[("a", "<f4"), ("b", "<i4")]))
np.save("bad_complex.npy", x.astype("<c8"))
np.save("scalar.npy", np.float32(7))            # shape ()
np.save("empty.npy", np.zeros((0, 3), "<f4"))
np.save("special.npy", np.array([np.nan, np.inf, -np.inf, -0.0], "<f4"))
np.savez("stored.npz", x=x.astype("<f4"), **{"layer.0/k": x.astype("<f2")})
np.savez_compressed("deflated.npz", x=x.astype("<f4"))
save_file({"x": x.astype("<f4"), "half": x.astype("<f2"), "bf16": x.astype(ml_dtypes.bfloat16), "scalar": np.array(7, "<f4"),
           "empty": np.zeros((0, 3), "<f4")}, "several.safetensors", metadata={"format": "np"})
save_file({"x": x.astype("<i8")}, "one.safetensors")
# Members that are no arrays: some people add, some macOS, under an array's own name.
with zipfile.ZipFile("with_readme.npz", "w") as z:
    z.writestr(zipfile.ZipInfo("README.txt"), "0 to 5")
    z.writestr(zipfile.ZipInfo("folder/"), "")
    z.writestr(zipfile.ZipInfo("folder/x.npy"), open("f4.npy", "rb").read())
    z.writestr(zipfile.ZipInfo("__MACOSX/._x.npy"), b"\0\5\x16\7" + bytes(100))
# Every code of the 8-bit formats and what it stands for; and numbers with what they become.
codes = np.arange(256, dtype=np.uint8)
wide = (np.random.default_rng(1).standard_normal(500) * np.exp2(np.linspace(-20, 18, 500))).astype("<f4")
wide[:16] = [464, 463.9, 464.1, -448, 480, 61440, 61439, 57344, -65536, 2.0**-10, 2.0**-9 * 1.5, 2.0**-17, 2.0**-16 * 1.5, 0,
             np.nan, -np.inf]
fp8 = {"wide": wide}
for name, dtype in {"e4m3": ml_dtypes.float8_e4m3fn, "e5m2": ml_dtypes.float8_e5m2}.items():
    fp8 |= {name: codes.view(dtype), name + "_numbers": codes.view(dtype).astype("<f4"), name + "_wide": wide.astype(dtype),
            name + "_one": x.astype(dtype)}
save_file(fp8, "fp8.safetensors")
save_file({"x": np.ones(6, ml_dtypes.float8_e8m0fnu)}, "bad_fp8.safetensors")
# A sharded model, as the transformers library lays it out.
save_file({"h.0.q": x.astype("<f4"), "h.0.k": x.astype(ml_dtypes.bfloat16)}, "sharded-00001-of-00002.safetensors")
save_file({"h.1.q": (x + 10).astype("<f4")}, "sharded-00002-of-00002.safetensors")
with open("sharded.safetensors.index.json", "w") as f:
    json.dump({"metadata": {"total_size": 60},
               "weight_map": {"h.0.q": "sharded-00001-of-00002.safetensors",
                              "h.0.k": "sharded-00001-of-00002.safetensors",
                              "h.1.q": "sharded-00002-of-00002.safetensors"}}, f, indent=1)
