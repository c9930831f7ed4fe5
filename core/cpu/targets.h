// SPDX-License-Identifier: GPL-3.0-or-later
// Which of Highway's targets the kernels are compiled for; to be included before anything of Highway's.
#pragma once

// AVX-512, AVX2, SSE4 and the baseline are enough. Newer Highways know better targets than AVX3 (lower bits);
// bf16-inl.h looks for its instructions itself.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | (HWY_AVX3 - 1))
