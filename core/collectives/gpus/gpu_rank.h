// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/collectives/collective_run.h"
#include "gpu/cuda/cuda_device.h"
#include "gpu/nccl/nccl_library.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace warplight::collectives {

/// One rank on its GPU: its vector, the steps of a schedule as NCCL's messages and our kernels, and its times. Puts
/// work into its stream and does not wait for it, but in the functions that say so. One thread at a time.
class GpuRank {
  public:
    GpuRank(int rank, std::shared_ptr<const nccl::Library> library);
    ~GpuRank();

    int rank() const { return index; }
    std::string name() const { return device.name(); }
    nccl::CommHandle comm() const { return handle.load(); }
    void join(nccl::CommHandle comm) { handle = comm; }
    /// Before any rank of a team goes: NCCL tidies up after all of them when the last one leaves.
    void leave() noexcept;
    /// Ends whatever NCCL waits for on this GPU; nothing more can be sent then. From any thread, once.
    void abort() noexcept;

    /// Buffers for a call, and the vector's bytes to the GPU. Waits. Throws InputError when they do not fit.
    void prepare(const CollectiveCall& call, const std::vector<std::byte>& input);
    void putBack();                                             ///< the vector as it was
    void meet();                                                ///< NCCL's smallest all-reduce: GPUs go on together
    void runStep(const CollectiveCall& call, const Step& step); ///< of the schedule
    void runLibrary(const CollectiveCall& call);                ///< the whole collective by NCCL
    void divideSum(const CollectiveCall& call);                 ///< an average's end
    void mark();                                                ///< a moment in the stream
    void clearMarks() { marksUsed = 0; }
    /// Waits until the GPU has done everything, calling `look` now and then, which may throw. Throws what NCCL or the
    /// driver say went wrong.
    void await(const std::function<void()>& look);
    /// Seconds between the first mark and mark `i`, after await().
    double secondsAt(size_t i) const { return marks[i]->secondsSince(*marks[0]); }
    size_t markCount() const { return marksUsed; }
    void download(std::vector<std::byte>& to); ///< waits

  private:
    void check(nccl::Result result, const char* doing);
    void launch(const std::string& kernel, uint64_t into, uint64_t second, int64_t elements);
    void launchDivide(number::Format type, uint64_t into, double divisor, int64_t elements);
    void start(cuda::FunctionHandle function, void** arguments, int64_t elements);
    cuda::FunctionHandle function(const std::string& name);
    uint64_t at(int64_t element) const { return vector->address() + static_cast<uint64_t>(element * elementBytes); }
    cuda::StreamHandle stream() { return device.cuda().stream(); }

    int index;
    std::shared_ptr<const nccl::Library> library;
    std::atomic<nccl::CommHandle> handle = nullptr;
    cuda::CudaDevice device;
    std::unique_ptr<gpu::Module> module;
    std::map<std::string, cuda::FunctionHandle> functions;
    int64_t mostBlocks;
    gpu::Buffer token; ///< what meet() sums
    std::unique_ptr<gpu::Buffer> vector, original, scratch;
    std::vector<std::unique_ptr<cuda::Event>> marks;
    size_t marksUsed = 0;
    int64_t elementBytes = 0;
    nccl::DataType type = nccl::DataType::F32;
};

} // namespace warplight::collectives
