// SPDX-License-Identifier: GPL-3.0-or-later
// What gpu/cuda declares of the CUDA driver by itself, against the toolkit's own header. Built where cuda.h is found.
#include <cuda.h>
#include <string>
#include <utility>
#include <vector>

#include "gpu/cuda/driver.h"

#include <QTest>

#include <type_traits>

using namespace warplight;
using cuda::Driver;

namespace {

/// Two functions that are called in the same way: as many arguments, each of the same size and class.
template <class A, class B>
constexpr bool
    alike = sizeof(A) == sizeof(B) && std::is_pointer_v<A> == std::is_pointer_v<B>&& std::is_floating_point_v<A> ==
                                          std::is_floating_point_v<B>;
template <class A, class B>
struct SameCall : std::false_type {};
template <class R, class... A, class S, class... B>
requires(sizeof...(A) == sizeof...(B)) struct SameCall<R (*)(A...), S (*)(B...)>
    : std::bool_constant<alike<R, S> && (alike<A, B> && ...)> {
};

#define SAME(ours, theirs) static_assert(SameCall<decltype(Driver::ours), decltype(&theirs)>::value, #theirs)
SAME(init, cuInit);
SAME(driverGetVersion, cuDriverGetVersion);
SAME(getErrorName, cuGetErrorName);
SAME(getErrorString, cuGetErrorString);
SAME(deviceGetCount, cuDeviceGetCount);
SAME(deviceGet, cuDeviceGet);
SAME(deviceGetName, cuDeviceGetName);
SAME(deviceTotalMem, cuDeviceTotalMem);
SAME(deviceGetAttribute, cuDeviceGetAttribute);
SAME(deviceGetPciBusId, cuDeviceGetPCIBusId);
SAME(primaryContextRetain, cuDevicePrimaryCtxRetain);
SAME(primaryContextRelease, cuDevicePrimaryCtxRelease);
SAME(contextSetCurrent, cuCtxSetCurrent);
SAME(streamCreate, cuStreamCreate);
SAME(streamDestroy, cuStreamDestroy);
SAME(streamSynchronize, cuStreamSynchronize);
SAME(streamQuery, cuStreamQuery);
SAME(eventCreate, cuEventCreate);
SAME(eventDestroy, cuEventDestroy);
SAME(eventRecord, cuEventRecord);
SAME(eventSynchronize, cuEventSynchronize);
SAME(eventElapsedTime, cuEventElapsedTime);
SAME(memGetInfo, cuMemGetInfo);
SAME(memAlloc, cuMemAlloc);
SAME(memFree, cuMemFree);
SAME(memAllocHost, cuMemAllocHost);
SAME(memFreeHost, cuMemFreeHost);
SAME(memcpyHostToDevice, cuMemcpyHtoDAsync);
SAME(memcpyDeviceToHost, cuMemcpyDtoHAsync);
SAME(memcpyDeviceToDevice, cuMemcpyDtoDAsync);
SAME(memsetBytes, cuMemsetD8Async);
SAME(moduleLoadData, cuModuleLoadDataEx);
SAME(moduleUnload, cuModuleUnload);
SAME(moduleGetFunction, cuModuleGetFunction);
SAME(functionGetAttribute, cuFuncGetAttribute);
SAME(functionSetAttribute, cuFuncSetAttribute);
SAME(launchKernel, cuLaunchKernel);
SAME(memAllocAsync, cuMemAllocAsync);
SAME(memFreeAsync, cuMemFreeAsync);
SAME(functionGetParameter, cuFuncGetParamInfo);

} // namespace

class CudaTypesTest : public QObject {
    Q_OBJECT
  private slots:
    void numbersAreThoseOfTheHeader() {
        using cuda::DeviceAttribute, cuda::FunctionAttribute, cuda::JitOption, cuda::Result;
        const std::vector<std::pair<int, int>> pairs{
            {int(Result::InvalidValue), CUDA_ERROR_INVALID_VALUE},
            {int(Result::OutOfMemory), CUDA_ERROR_OUT_OF_MEMORY},
            {int(Result::NotInitialized), CUDA_ERROR_NOT_INITIALIZED},
            {int(Result::Deinitialized), CUDA_ERROR_DEINITIALIZED},
            {int(Result::StubLibrary), CUDA_ERROR_STUB_LIBRARY},
            {int(Result::DeviceUnavailable), CUDA_ERROR_DEVICE_UNAVAILABLE},
            {int(Result::NoDevice), CUDA_ERROR_NO_DEVICE},
            {int(Result::InvalidDevice), CUDA_ERROR_INVALID_DEVICE},
            {int(Result::InvalidContext), CUDA_ERROR_INVALID_CONTEXT},
            {int(Result::NoBinaryForGpu), CUDA_ERROR_NO_BINARY_FOR_GPU},
            {int(Result::EccUncorrectable), CUDA_ERROR_ECC_UNCORRECTABLE},
            {int(Result::InvalidPtx), CUDA_ERROR_INVALID_PTX},
            {int(Result::NvlinkUncorrectable), CUDA_ERROR_NVLINK_UNCORRECTABLE},
            {int(Result::UnsupportedPtxVersion), CUDA_ERROR_UNSUPPORTED_PTX_VERSION},
            {int(Result::InvalidHandle), CUDA_ERROR_INVALID_HANDLE},
            {int(Result::NotFound), CUDA_ERROR_NOT_FOUND},
            {int(Result::NotReady), CUDA_ERROR_NOT_READY},
            {int(Result::IllegalAddress), CUDA_ERROR_ILLEGAL_ADDRESS},
            {int(Result::LaunchOutOfResources), CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES},
            {int(Result::LaunchTimeout), CUDA_ERROR_LAUNCH_TIMEOUT},
            {int(Result::ContextIsDestroyed), CUDA_ERROR_CONTEXT_IS_DESTROYED},
            {int(Result::Assert), CUDA_ERROR_ASSERT},
            {int(Result::HardwareStackError), CUDA_ERROR_HARDWARE_STACK_ERROR},
            {int(Result::IllegalInstruction), CUDA_ERROR_ILLEGAL_INSTRUCTION},
            {int(Result::MisalignedAddress), CUDA_ERROR_MISALIGNED_ADDRESS},
            {int(Result::InvalidAddressSpace), CUDA_ERROR_INVALID_ADDRESS_SPACE},
            {int(Result::InvalidPc), CUDA_ERROR_INVALID_PC},
            {int(Result::LaunchFailed), CUDA_ERROR_LAUNCH_FAILED},
            {int(Result::NotSupported), CUDA_ERROR_NOT_SUPPORTED},
            {int(Result::SystemNotReady), CUDA_ERROR_SYSTEM_NOT_READY},
            {int(Result::SystemDriverMismatch), CUDA_ERROR_SYSTEM_DRIVER_MISMATCH},
            {int(Result::ExternalDevice), CUDA_ERROR_EXTERNAL_DEVICE},
            {int(Result::Unknown), CUDA_ERROR_UNKNOWN},
            {int(DeviceAttribute::MaxThreadsPerBlock), CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK},
            {int(DeviceAttribute::MaxBlockDimX), CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X},
            {int(DeviceAttribute::MaxBlockDimY), CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y},
            {int(DeviceAttribute::MaxBlockDimZ), CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z},
            {int(DeviceAttribute::MaxGridDimX), CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X},
            {int(DeviceAttribute::MaxGridDimY), CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y},
            {int(DeviceAttribute::MaxGridDimZ), CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z},
            {int(DeviceAttribute::MaxSharedMemoryPerBlock), CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK},
            {int(DeviceAttribute::ClockRate), CU_DEVICE_ATTRIBUTE_CLOCK_RATE},
            {int(DeviceAttribute::MultiprocessorCount), CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT},
            {int(DeviceAttribute::MemoryClockRate), CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE},
            {int(DeviceAttribute::GlobalMemoryBusWidth), CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH},
            {int(DeviceAttribute::L2CacheSize), CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE},
            {int(DeviceAttribute::ComputeCapabilityMajor), CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR},
            {int(DeviceAttribute::ComputeCapabilityMinor), CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR},
            {int(DeviceAttribute::MaxSharedMemoryPerBlockOptin), CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN},
            {int(DeviceAttribute::MemoryPoolsSupported), CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED},
            {int(FunctionAttribute::MaxThreadsPerBlock), CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK},
            {int(FunctionAttribute::SharedSizeBytes), CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES},
            {int(FunctionAttribute::NumRegs), CU_FUNC_ATTRIBUTE_NUM_REGS},
            {int(FunctionAttribute::MaxDynamicSharedSizeBytes), CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES},
            {int(JitOption::ErrorLogBuffer), CU_JIT_ERROR_LOG_BUFFER},
            {int(JitOption::ErrorLogBufferSizeBytes), CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES},
            {int(cuda::streamNonBlocking), CU_STREAM_NON_BLOCKING}};
        for (size_t i = 0; i < pairs.size(); ++i)
            QVERIFY2(pairs[i].first == pairs[i].second,
                     qPrintable(QString("entry %1: %2 is %3").arg(i).arg(pairs[i].first).arg(pairs[i].second)));
    }

    /// Every name that the driver is asked for is one that NVIDIA's own library has (its stub, for linking).
    void namesAreThoseOfTheLibrary() {
        const std::string stub = WARPLIGHT_CUDA_STUB;
        const auto library = cuda::SharedLibrary::open({&stub, 1});
        if (!library)
            QSKIP("the toolkit has no stub of libcuda");
        const cuda::Driver::Opened opened = cuda::Driver::open(stub);
        QVERIFY(!opened.driver);
        // All names are found; then the stub says what it is.
        QVERIFY2(opened.whyNot.find("has no cu") == std::string::npos, opened.whyNot.c_str());
    }
};

QTEST_GUILESS_MAIN(CudaTypesTest)
#include "cuda_types_test.moc"
