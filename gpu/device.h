// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/number/format.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace warplight::gpu {

struct Extent {
    uint32_t x = 1, y = 1, z = 1;
    uint64_t count() const { return uint64_t(x) * y * z; }
};

/// A kernel's argument: its bytes, in the order of the kernel's parameters.
class Argument {
  public:
    template <class T>
    Argument(T value) : bytes(sizeof(T)) {
        static_assert(std::is_trivially_copyable_v<T>);
        std::memcpy(bytes.data(), &value, sizeof(T));
    }
    static Argument ofBytes(std::span<const std::byte> bytes) {
        Argument argument;
        argument.bytes.assign(bytes.begin(), bytes.end());
        return argument;
    }
    std::span<const std::byte> data() const { return bytes; }

  private:
    Argument() = default;
    std::vector<std::byte> bytes;
};

/// One access of a warp to memory, told while it happens.
struct MemoryAccess {
    enum class Kind { Read, Write, Atomic };
    uint64_t block = 0;
    int warp = 0; ///< of the block
    int line = 0; ///< of the PTX text
    Kind kind = Kind::Read;
    bool shared = false;                ///< shared memory: addresses count from its start
    int bytes = 0;                      ///< that each lane reads or writes
    uint32_t lanes = 0;                 ///< that take part, by bit
    std::array<uint64_t, 32> address{}; ///< by lane
    std::string_view buffer;            ///< its name; empty in shared memory
};

/// What a block did between two of its barriers, as the time model sees it (virtual GPU).
struct BlockPhase {
    uint64_t block = 0;
    double busyClocks = 0;    ///< of the part of its multiprocessor that is busiest with it
    double waitingClocks = 0; ///< that its own warps cannot hide behind each other
    std::string_view kind; ///< "memory" when it mostly waits for that, else the busiest part: "fp32", "tensor cores" …
};

/// How a time is taken on a GPU that is here. What is launched must give the same result when it runs again.
struct Repetitions {
    int warmups = 0;          ///< runs before that are not timed
    int measured = 1;         ///< runs that are
    bool coldL2 = false;      ///< overwrite the L2 cache before each, so that none finds what the one before left
    double warmupSeconds = 0; ///< go on warming up for so long: an idle GPU's clocks take a while to rise
};
/// What a published time rests on.
constexpr Repetitions timedRepetitions{3, 20, true, 0.05};

struct LaunchConfig {
    Extent grid, block;
    int64_t dynamicShared = 0; ///< bytes
    bool checks = false;       ///< look for races, unwritten memory … (virtual GPU)
    std::string gpu;           ///< whose caches and time are modelled, "A100" (virtual GPU); empty: none
    int threads = 0;           ///< of the host that run the virtual GPU; 0: all
    std::map<int, int>
        registers; ///< a thread, by architecture (80: sm_80), as ptxas says; empty: estimated (virtual GPU)
    /// Called before each access to global and shared memory; blocks run one after the other then (virtual GPU).
    std::function<void(const MemoryAccess&)> observer;
    /// Called at each barrier and at the end of the first `phaseBlocks` blocks, in order for each block, by one thread
    /// at a time (virtual GPU).
    std::function<void(const BlockPhase&)> phases;
    uint64_t phaseBlocks = 0;
    Repetitions repeat; ///< (a GPU that is here)
    const std::atomic<bool>* cancel = nullptr;
};

/// Bytes that a kernel asked for, by buffer. A sector is 32 bytes.
struct BufferTraffic {
    std::string name;
    uint64_t readBytes = 0, writtenBytes = 0, atomicBytes = 0;
    uint64_t readSectors = 0, writtenSectors = 0;
    uint64_t readRequests = 0, writeRequests = 0;
    uint64_t dramReadBytes = 0, dramWrittenBytes = 0; ///< modelled: after the caches
};

/// What a launch would cost on a GPU that is not here.
struct Modelled {
    std::string gpu;
    double seconds = 0;
    std::string limit;                   ///< what decides: "DRAM", "tensor cores", "latency" …
    std::map<std::string, double> parts; ///< seconds by part of the GPU
    int registers = 0;                   ///< a thread
    int blocksPerMultiprocessor = 0;
    double occupancy = 0;
    std::string occupancyLimit;
    uint64_t l1Reads = 0, l1Hits = 0, l2Reads = 0, l2Hits = 0, l2Writes = 0; ///< sectors
    uint64_t dramReadBytes = 0, dramWrittenBytes = 0;
};

/// How long something took on a GPU that is here, by the GPU's own clock.
struct Measured {
    double seconds = 0, low = 0, high = 0; ///< median, 10th and 90th percentile of the repetitions
    int repetitions = 0;
    double smClockMHz = 0; ///< median while it ran; 0: unknown
    std::string throttled; ///< why the GPU held its clocks back, "power cap, heat"; empty: it did not, or nobody knows
};

/// What one line of PTX did.
struct LineCount {
    int line = 0; ///< of the PTX text
    std::string text;
    std::string sourceFile;
    int sourceLine = 0;
    uint64_t warps = 0, threads = 0;
    uint64_t requests = 0, bytes = 0;
    uint64_t sectors = 0, idealSectors = 0;       ///< of global memory, and if lanes had been consecutive
    uint64_t wavefronts = 0, idealWavefronts = 0; ///< of shared memory; a copy between the two has both
};

struct Finding {
    std::string kind, message;
    int line = 0, sourceLine = 0;
    uint64_t count = 1;
    bool note = false; ///< worth knowing, nothing is wrong
};

/// What a launch did. On the virtual GPU everything but `hostSeconds` is counted and repeatable to the bit.
struct LaunchStats {
    uint64_t blocks = 0, threads = 0;
    uint64_t warpInstructions = 0, threadInstructions = 0;
    std::map<std::string, uint64_t> instructionsByClass; ///< warps
    uint64_t flops = 0;                                  ///< by instruction, fp16 to fp64, without tensor cores
    uint64_t tensorFlops = 0;
    uint64_t globalRequests = 0, globalBytes = 0, globalSectors = 0, globalIdealSectors = 0;
    uint64_t sharedRequests = 0, sharedBytes = 0, sharedWavefronts = 0, sharedIdealWavefronts = 0;
    uint64_t branches = 0, divergentBranches = 0, barriers = 0;
    std::vector<BufferTraffic> buffers;
    std::vector<LineCount> lines;
    std::vector<Finding> findings;
    std::string output; ///< printf
    std::optional<Modelled> modelled;
    std::optional<Measured> measured; ///< on a GPU that is here

    double hostSeconds = 0; ///< measured: how long the host waited, or computed as the virtual GPU
};

struct KernelInfo {
    std::string name;
    struct Parameter {
        std::string name, type;
        int64_t bytes;
    };
    std::vector<Parameter> parameters;
    int64_t sharedBytes = 0; ///< static
    int maxThreads = 1024;   ///< a block
};

class Kernel {
  public:
    virtual ~Kernel() = default;
    virtual const KernelInfo& info() const = 0;
    /// Runs to the end. Throws InputError when the configuration or the arguments do not fit the kernel, KernelError
    /// when the kernel went wrong (on an NVIDIA GPU DeviceLost), Cancelled.
    virtual LaunchStats launch(const LaunchConfig& config, std::span<const Argument> arguments) = 0;
};

class Module {
  public:
    virtual ~Module() = default;
    virtual std::vector<std::string> kernels() const = 0;
    /// Throws InputError when there is no such kernel, or when it uses what the device does not know.
    virtual Kernel& kernel(const std::string& name) = 0;
};

/// Z[b] = scale · X[b] · Y[b], or X[b] · Y[b]ᵀ, for each b of a batch. Row-major and contiguous: X [rows, inner],
/// Y [inner, columns] (transposed: [columns, inner]), Z [rows, columns]; one matrix after the other.
struct MatrixProduct {
    uint64_t x = 0, y = 0, z = 0;
    int64_t batch = 1, rows = 0, columns = 0, inner = 0;
    bool transposed = false;
    float scale = 1;
    number::Format inputs = number::Format::F32,
                   output = number::Format::F32; ///< f32, f16 or bf16; sums are f32 always
};

/// Matrix products by the GPU vendor's own library.
class MatrixLibrary {
  public:
    virtual ~MatrixLibrary() = default;
    virtual std::string name() const = 0; ///< with its version: "cuBLAS 13.0"
    /// Runs to the end, like Kernel::launch. Throws InputError when the product is too large, DeviceLost, Cancelled.
    virtual LaunchStats multiply(const MatrixProduct& product, const Repetitions& repeat,
                                 const std::atomic<bool>* cancel) = 0;
};

/// Transforms of rows of real numbers, in place: a row of `length` numbers has room for length / 2 + 1 complex ones.
struct FourierShape {
    int64_t rows = 1, length = 0; ///< length: even
    bool isForward = true;        ///< numbers to their spectrum, or back (times `length`)
};

/// One kind of transform, made ready: that takes longer than to run it.
class FourierPlan {
  public:
    virtual ~FourierPlan() = default;
    virtual int64_t workBytes() const = 0; ///< of device memory, that a run needs beside its rows
    /// f32. Runs to the end, like Kernel::launch. Throws DeviceLost, Cancelled.
    virtual LaunchStats run(uint64_t rows, uint64_t workArea, const Repetitions& repeat,
                            const std::atomic<bool>* cancel) = 0;
};

/// Fourier transforms by the GPU vendor's own library.
class FourierLibrary {
  public:
    virtual ~FourierLibrary() = default;
    virtual std::string name() const = 0; ///< with its version: "cuFFT 12.0"
    /// It must not outlive the device. Throws InputError for a shape that there is not.
    virtual std::shared_ptr<FourierPlan> plan(const FourierShape& shape) = 0;
};

/// A GPU: the virtual one, or an NVIDIA one.
class Device {
  public:
    virtual ~Device() = default;
    virtual std::string name() const = 0;
    /// Compute capability, 89: 8.9. Nothing: it runs what any GPU does (virtual GPU).
    virtual std::optional<int> architecture() const { return std::nullopt; }
    /// Memory whose name appears in counters and findings. Throws InputError with the sizes when it does not fit.
    virtual uint64_t allocate(int64_t bytes, const std::string& name) = 0;
    virtual void release(uint64_t address) = 0;
    /// Names of the buffers that have not been released: what leaks when nobody holds them any more.
    virtual std::vector<std::string> held() const = 0;
    virtual void upload(uint64_t to, const void* from, int64_t bytes) = 0;
    virtual void download(void* to, uint64_t from, int64_t bytes) = 0;
    /// Throws InputError naming `file` and the line, Cancelled. `cancel` is looked at while the text is read, and later
    /// while its kernels are made ready: it must outlive the module.
    virtual std::unique_ptr<Module> load(const std::string& ptx, const std::string& file,
                                         const std::atomic<bool>* cancel = nullptr) = 0;
    /// How long the launches of `work` take together, one after the other without a gap for the host: only they count,
    /// and their own repetitions do not. Nothing where there is nothing to measure (virtual GPU).
    virtual std::optional<Measured> measure(const Repetitions&, const std::function<void()>& /*work*/,
                                            const std::atomic<bool>* /*cancel*/ = nullptr) {
        return std::nullopt;
    }
    /// Null: the device has none.
    virtual MatrixLibrary* matrixLibrary() { return nullptr; }
    virtual FourierLibrary* fourierLibrary() { return nullptr; } ///< null: the device has none
};

/// Device memory that is released with its owner.
class Buffer {
  public:
    Buffer(Device& device, int64_t bytes, const std::string& name)
        : owner(&device), at(device.allocate(bytes, name)), size(bytes) {}
    Buffer(Buffer&& other) noexcept : owner(std::exchange(other.owner, nullptr)), at(other.at), size(other.size) {}
    Buffer& operator=(Buffer&& other) noexcept {
        std::swap(owner, other.owner);
        std::swap(at, other.at);
        std::swap(size, other.size);
        return *this;
    }
    ~Buffer() {
        if (owner)
            owner->release(at);
    }
    uint64_t address() const { return at; }
    int64_t bytes() const { return size; }
    void upload(const void* from) { owner->upload(at, from, size); }
    void download(void* to) const { owner->download(to, at, size); }

  private:
    Device* owner;
    uint64_t at;
    int64_t size;
};

/// A kernel stopped: an access out of bounds, a trap, a failed assertion. One sentence with kernel, block, thread,
/// line.
struct KernelError : std::runtime_error {
    explicit KernelError(Finding f) : std::runtime_error(f.message), finding(std::move(f)) {}
    Finding finding;
};

} // namespace warplight::gpu
