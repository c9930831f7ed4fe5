// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

// What a test and the stand-in for libcupti tell each other, besides CUPTI's own functions.
extern "C" {

/// Forgets everything. `chip` is that of the only device, whose configurations need `passes` passes.
void standinReset(const char* chip, int passes);
/// Makes the next call of a function ("cuptiRangeProfilerStart") answer a result instead of doing anything.
void standinFail(const char* function, int result);
/// What a kernel does on the device that is not there: counts only while a range is open, as the GPU's counters do.
void standinTraffic(double dramRead, double dramWritten, double l2ReadSectors, double l2WrittenSectors, double l1Bytes,
                    double nanoseconds);
/// The calls so far: "cuptiProfilerInitialize cuptiDeviceGetChipName …"; a call out of order or with a wrong struct
/// has a '!' and what was wrong behind its name.
const char* standinCalls();
/// Host objects and range profilers that have not been given back.
int standinHeld();
}
