// SPDX-License-Identifier: GPL-3.0-or-later
// Stands in for libnvidia-ml.so.1: one GPU, whose clocks a test sets.
#include "tests/gpu/standin/standin.h"

#include <cstdint>
#include <cstring>

namespace {

constexpr int success = 0, invalidArgument = 2, notFound = 6, smClock = 1;
constexpr const char* busId = "0000:65:00.0";
int device = 0, started = 0;
unsigned clockNow = 1410;
unsigned long long reasonsNow = 0;

} // namespace

extern "C" {

STANDIN_EXPORT void standinClocks(unsigned smClockMHz, uint64_t reasons) {
    clockNow = smClockMHz;
    reasonsNow = reasons;
}
STANDIN_EXPORT int nvmlInit_v2() { return ++started, success; }
STANDIN_EXPORT int nvmlShutdown() { return --started, success; }
STANDIN_EXPORT int nvmlDeviceGetHandleByPciBusId_v2(const char* id, int** handle) {
    if (started < 1 || std::strcmp(id, busId) != 0)
        return notFound;
    *handle = &device;
    return success;
}
STANDIN_EXPORT int nvmlDeviceGetClockInfo(const int* handle, int type, unsigned* megahertz) {
    if (handle != &device || type != smClock)
        return invalidArgument;
    *megahertz = clockNow;
    return success;
}
STANDIN_EXPORT int nvmlDeviceGetCurrentClocksEventReasons(const int* handle, unsigned long long* reasons) {
    if (handle != &device)
        return invalidArgument;
    *reasons = reasonsNow;
    return success;
}
}
