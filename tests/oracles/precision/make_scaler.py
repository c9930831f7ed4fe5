# Makes scaler.npz: what PyTorch's gradient scaler does, step by step.
#   pip install torch numpy; python3 make_scaler.py
# rules    f64 [cases, 4]      initial scale, growth factor, backoff factor, growth interval
# found    u8  [cases, steps]  whether the step's gradients were not finite
# scales   f32 [cases, steps]  the scale in that step, from torch._amp_update_scale_
# trace    f32 [steps]         the scale of a torch.amp.GradScaler (65536, interval 4) on a gradient that is always 3 in f16
# skipped  u8  [steps]         whether it skipped the step
import numpy as np
import torch

STEPS = 400
CASES = [  # rules, and how often a step is not finite
    ((65536, 2, 0.5, 4), 0.1),
    ((65536, 2, 0.5, 2000), 0.01),
    ((1024, 1.7, 0.3, 3), 0.15),  # products that f32 rounds
    ((3, 1.1, 0.9, 1), 0.3),
    ((2.0**100, 2, 0.5, 5), 0.0),  # up to the end of f32, and no further
    ((1, 2, 0.5, 50), 0.9),  # down into its subnormal numbers and to 0
]

random = np.random.default_rng(7)
found = np.stack([random.random(STEPS) < share for _, share in CASES])
scales = np.zeros((len(CASES), STEPS), np.float32)
for case, ((initial, growth, backoff, interval), _) in enumerate(CASES):
    scale, clean = torch.tensor([initial], dtype=torch.float32), torch.tensor([0], dtype=torch.int32)
    for step in range(STEPS):
        scales[case, step] = scale.item()
        torch._amp_update_scale_(scale, clean, torch.tensor([float(found[case, step])]), growth, backoff, interval)

weight = torch.nn.Parameter(torch.zeros(1))
optimizer = torch.optim.SGD([weight], lr=1.0)
scaler = torch.amp.GradScaler("cpu", init_scale=65536.0, growth_interval=4)
trace, skipped = np.zeros(40, np.float32), np.zeros(40, np.uint8)
for step in range(40):
    optimizer.zero_grad()
    trace[step] = scaler.get_scale()
    before = weight.item()
    scaler.scale((weight.half() * 3).sum()).backward()  # the gradient of the f16 product is 3 times the scale, in f16
    scaler.step(optimizer)
    scaler.update()
    skipped[step] = weight.item() == before
np.savez_compressed("scaler.npz", rules=np.array([rules for rules, _ in CASES], np.float64), found=found.astype(np.uint8),
                    scales=scales, trace=trace, skipped=skipped)
