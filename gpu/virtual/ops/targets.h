// SPDX-License-Identifier: GPL-3.0-or-later
// The instruction sets the virtual GPU's handlers are compiled for: AVX-512, AVX2 and the x86-64 baseline.
#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSE4 | HWY_SSSE3 | (HWY_AVX3 - 1))
