// SPDX-License-Identifier: GPL-3.0-or-later
// The instruction sets the virtual GPU's handlers are compiled for: AVX2 and the x86-64 baseline, and AVX-512 where a
// file says WARPLIGHT_WITH_AVX512 because its handlers gain by it. Those of single lanes do not (docs/virtual-gpu.md),
// and each instruction set is a third of a file's time to compile.
#undef HWY_DISABLED_TARGETS
#ifdef WARPLIGHT_WITH_AVX512
#define HWY_DISABLED_TARGETS (HWY_SSE4 | HWY_SSSE3 | (HWY_AVX3 - 1))
#else
#define HWY_DISABLED_TARGETS (HWY_SSE4 | HWY_SSSE3 | HWY_AVX3 | (HWY_AVX3 - 1))
#endif
