// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>

/// What of the CUDA driver's interface is used here, under names of our own: cuda.h need not be there to build.
/// Source: CUDA driver API reference 13.0; a test compares everything with cuda.h where that is found.
namespace warplight::cuda {

using DeviceNumber = int;
using DevicePointer = unsigned long long;
using ContextHandle = struct ContextObject*;
using StreamHandle = struct StreamObject*;
using EventHandle = struct EventObject*;
using ModuleHandle = struct ModuleObject*;
using FunctionHandle = struct FunctionObject*;

/// CUresult: those that are told apart here. Others come, too, and have a name and a text in the driver.
enum class Result : int {
    Success = 0,
    InvalidValue = 1,
    OutOfMemory = 2,
    NotInitialized = 3,
    Deinitialized = 4,
    StubLibrary = 34,
    DeviceUnavailable = 46,
    NoDevice = 100,
    InvalidDevice = 101,
    InvalidContext = 201,
    NoBinaryForGpu = 209,
    EccUncorrectable = 214,
    InvalidPtx = 218,
    NvlinkUncorrectable = 220,
    UnsupportedPtxVersion = 222,
    Contained = 226,
    InvalidHandle = 400,
    NotFound = 500,
    NotReady = 600,
    IllegalAddress = 700,
    LaunchOutOfResources = 701,
    LaunchTimeout = 702,
    ContextIsDestroyed = 709,
    Assert = 710,
    HardwareStackError = 714,
    IllegalInstruction = 715,
    MisalignedAddress = 716,
    InvalidAddressSpace = 717,
    InvalidPc = 718,
    LaunchFailed = 719,
    TensorMemoryLeak = 721,
    NotSupported = 801,
    SystemNotReady = 802,
    SystemDriverMismatch = 803,
    ExternalDevice = 911,
    Unknown = 999
};

/// CUdevice_attribute
enum class DeviceAttribute : int {
    MaxThreadsPerBlock = 1,
    MaxBlockDimX = 2,
    MaxBlockDimY = 3,
    MaxBlockDimZ = 4,
    MaxGridDimX = 5,
    MaxGridDimY = 6,
    MaxGridDimZ = 7,
    MaxSharedMemoryPerBlock = 8,
    ClockRate = 13, ///< kHz
    MultiprocessorCount = 16,
    MemoryClockRate = 36, ///< kHz
    GlobalMemoryBusWidth = 37,
    L2CacheSize = 38,
    ComputeCapabilityMajor = 75,
    ComputeCapabilityMinor = 76,
    MaxSharedMemoryPerBlockOptin = 97,
    MemoryPoolsSupported = 115
};

/// CUfunction_attribute
enum class FunctionAttribute : int {
    MaxThreadsPerBlock = 0,
    SharedSizeBytes = 1,
    NumRegs = 4,
    MaxDynamicSharedSizeBytes = 8
};

/// CUjit_option
enum class JitOption : int { ErrorLogBuffer = 5, ErrorLogBufferSizeBytes = 6 };

constexpr unsigned streamNonBlocking = 1; ///< CU_STREAM_NON_BLOCKING: does not wait for the default stream

} // namespace warplight::cuda
