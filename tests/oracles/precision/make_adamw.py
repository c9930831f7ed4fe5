# Makes adamw.npz: steps of torch.optim.AdamW in f32, with gradients that f16 and bf16 hold exactly.
#   pip install numpy torch; python3 make_adamw.py
import numpy as np
import torch

COUNT, STEPS = 1003, 6
LEARNING_RATE, WEIGHT_DECAY = 3e-3, 0.1

rng = np.random.default_rng(12)
w = (0.05 * rng.standard_normal(COUNT)).astype(np.float32)
w[:4] = [0, 1, -2, 1e-6]
# 4 bits of precision: exact in f16 and bf16, also times 1024.
g = rng.standard_normal((STEPS, COUNT)) * 1e-3 * np.exp2(rng.uniform(-4, 4, COUNT))
exponent = np.floor(np.log2(np.abs(g)))
g = (np.round(g * np.exp2(3 - exponent)) * np.exp2(exponent - 3)).astype(np.float32)
g[:, 4] = 0
g[2:, 5] = 0

parameter = torch.nn.Parameter(torch.from_numpy(w.copy()))
optimiser = torch.optim.AdamW([parameter], lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, foreach=False)
arrays = {"w0": w, "g": g, "rate": np.float64(LEARNING_RATE), "decay": np.float64(WEIGHT_DECAY)}
for step in range(STEPS):
    parameter.grad = torch.from_numpy(g[step].copy())
    optimiser.step()
    state = optimiser.state[parameter]
    for name, value in {"w": parameter.detach(), "m": state["exp_avg"], "v": state["exp_avg_sq"]}.items():
        arrays[f"{name}{step + 1}"] = value.numpy().copy()
arrays["f16"] = parameter.detach().to(torch.float16).to(torch.float32).numpy()
arrays["bf16"] = parameter.detach().to(torch.bfloat16).to(torch.float32).numpy()
np.savez_compressed("adamw.npz", **arrays)
