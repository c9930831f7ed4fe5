// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

/// How tests steer the library that stands in for the CUDA driver (libcuda.so.1) and look at what it was asked to do.
/// It runs kernels on the virtual GPU. Nothing in a stream happens before somebody waits for it, so that a missing wait
/// shows as wrong data; the GPU's clock stands still but for kernels, copies, products and memsets.
/// The variable WARPLIGHT_STANDIN sets the same in a process of its own:
/// "devices=0,driver=12020,memory=1000000,pools=0,fault=cuLaunchKernel:1:719,kernelFault=2:700".
#define STANDIN_EXPORT __attribute__((visibility("default")))

extern "C" {

struct StandinCounts {
    uint64_t calls, kernels, memsets, memsetBytes, products;
    uint64_t findings; ///< of the virtual GPU's checks: races, reads of unwritten memory
    // Live objects.
    int64_t contexts, streams, events, modules, deviceAllocations, hostAllocations;
    uint64_t leaked; ///< objects that were alive when their context went, of contexts that still worked
};

void standinReset(); ///< forgets faults, counts, settings; live objects stay
void standinSetDevices(int count);
void standinSetDriver(int version);   ///< CUDA's, 12020; PTX newer than it is refused
void standinSetMemory(int64_t bytes); ///< of the GPU
void standinSetPools(int supported);  ///< memory pools
void standinModel(const char* gpu);   ///< kernels take the time that this GPU would take, by the time model
/// Kernels and products take these times (seconds), in this order, then again what the host took to compute them.
void standinDurations(const double* seconds, int count);
/// The `call`-th call from now of `function` ("cuMemAlloc_v2"; "*": any) fails with `result`. A sticky one stays.
void standinFault(const char* function, int call, int result);
/// The `kernel`-th kernel from now fails with `result` while it runs.
void standinKernelFault(int kernel, int result);
StandinCounts standinCounts();
/// What the GPU did, a line each: "kernel NAME", "memset BYTES", "event", "to device BYTES", "to host BYTES".
const char* standinLog();
const char* standinFinding(); ///< the first

// For the libraries that stand in beside it: work in the current context's stream, and its memory.
void standinEnqueue(const char* what, void (*work)(void* data), void* data);
void standinRead(uint64_t address, void* to, int64_t bytes);
void standinWrite(uint64_t address, const void* from, int64_t bytes);

// The same for several GPUs, by their numbers; -1: no such stream. `work` answers 0 when it is done, 600 when it waits
// for another GPU (it is asked again), else an error of the driver. It runs while standinLocked's lock is held.
int standinDeviceOfStream(const void* stream);
void standinEnqueueOn(int device, const char* what, int (*work)(void* data), void* data);
void standinReadOn(int device, uint64_t address, void* to, int64_t bytes);
void standinWriteOn(int device, uint64_t address, const void* from, int64_t bytes);
double standinClockOn(int device, double atLeast); ///< seconds; sets the clock forward to `atLeast`
void standinLocked(void (*work)(void* data), void* data);

// In the stand-in for NVML.
void standinClocks(unsigned smClockMHz, uint64_t reasons);
}
