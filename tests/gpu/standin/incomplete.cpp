// SPDX-License-Identifier: GPL-3.0-or-later
// A libcuda that lacks what is needed: it knows its version and nothing else.
#include "tests/gpu/standin/standin.h"

extern "C" {
STANDIN_EXPORT int cuInit(unsigned) { return 0; }
STANDIN_EXPORT int cuDriverGetVersion(int* version) { return *version = 13000, 0; }
}
