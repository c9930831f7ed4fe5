// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/collectives/gpus/gpu_rank.h"

#include "core/error.h"
#include "gpu/cuda/cuda_module.h"
#include "gpu/ops/kernel_library.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <thread>
#include <utility>

namespace warplight::collectives {
namespace {

constexpr int64_t threadsOfABlock = 256, blocksOfAMultiprocessor = 8;
constexpr int64_t packBytes = 16; ///< that a thread of our kernels takes at a time
constexpr auto pause = std::chrono::microseconds(50);

nccl::DataType dataType(number::Format type) {
    switch (type) {
    case number::Format::F32:
        return nccl::DataType::F32;
    case number::Format::F64:
        return nccl::DataType::F64;
    case number::Format::F16:
        return nccl::DataType::F16;
    case number::Format::BF16:
        return nccl::DataType::BF16;
    default:
        throw InputError(fmt::format("elements are {}, expected f32, f64, f16 or bf16", number::name(type)));
    }
}

void* pointer(uint64_t address) { return reinterpret_cast<void*>(address); }

bool overlap(Range a, Range b) { return std::max(a.begin, b.begin) < std::min(a.end, b.end); }

/// Where a step's receives go first. A message that only takes a place nobody reads or writes in this step goes there
/// at once; all others to scratch memory, which lies to 16 bytes as its range does, so that kernels can go 16 bytes at
/// a time.
constexpr int64_t direct = -1;

int64_t placeReceives(const Step& step, int64_t elementBytes, std::vector<int64_t>& offsets) {
    int64_t used = 0;
    offsets.clear();
    for (size_t i = 0; i < step.receives.size(); ++i) {
        const Step::Receive& receive = step.receives[i];
        bool free = !receive.reduce;
        for (const Step::Send& send : step.sends)
            free = free && !overlap(receive.range, send.range);
        for (size_t other = 0; free && other < step.receives.size(); ++other)
            free = other == i || !overlap(receive.range, step.receives[other].range);
        if (free) {
            offsets.push_back(direct);
            continue;
        }
        const int64_t phase = receive.range.begin * elementBytes % packBytes;
        used = (used + packBytes - 1) / packBytes * packBytes + phase;
        offsets.push_back(used);
        used += receive.range.size() * elementBytes;
    }
    return used;
}

/// A group is closed whatever happens in it: NCCL counts them by thread.
class OpenGroup {
  public:
    explicit OpenGroup(const nccl::Library& l) : library(l) {}
    ~OpenGroup() {
        if (open)
            library.groupEnd();
    }
    OpenGroup(const OpenGroup&) = delete;
    OpenGroup& operator=(const OpenGroup&) = delete;
    nccl::Result end() {
        open = false;
        return library.groupEnd();
    }

  private:
    const nccl::Library& library;
    bool open = true;
};

} // namespace

GpuRank::GpuRank(int rank, std::shared_ptr<const nccl::Library> l)
    : index(rank), library(std::move(l)), device(rank), token(device, 4, "meeting") {
    module = device.load(std::string(gpu::kernelText("reduce")), "reduce.ptx");
    mostBlocks =
        blocksOfAMultiprocessor * std::max(1, device.cuda().attribute(cuda::DeviceAttribute::MultiprocessorCount));
    const float one = 1;
    token.upload(&one);
}

GpuRank::~GpuRank() {
    device.cuda().driver().contextSetCurrent(device.cuda().handle()); // the last thread here may have used another's
    marks.clear();
}

void GpuRank::leave() noexcept {
    if (const nccl::CommHandle comm = handle.exchange(nullptr))
        device.cuda().lost() ? library->commAbort(comm) : library->commDestroy(comm);
}

void GpuRank::abort() noexcept {
    if (const nccl::CommHandle comm = handle.exchange(nullptr))
        library->commAbort(comm);
}

void GpuRank::check(nccl::Result result, const char* doing) {
    if (result == nccl::Result::Success)
        return;
    // An error of the GPU itself has a better name there.
    if (const cuda::Result own = device.cuda().driver().streamQuery(stream());
        own != cuda::Result::Success && own != cuda::Result::NotReady)
        device.cuda().check(own, doing);
    throw nccl::NcclError(result,
                          fmt::format("{}: {} failed with {}", name(), doing, library->text(result, handle.load())));
}

cuda::FunctionHandle GpuRank::function(const std::string& kernel) {
    auto known = functions.find(kernel);
    if (known == functions.end())
        known = functions.emplace(kernel, static_cast<cuda::CudaKernel&>(module->kernel(kernel)).function()).first;
    return known->second;
}

void GpuRank::start(cuda::FunctionHandle kernel, void** arguments, int64_t elements) {
    const int64_t each = threadsOfABlock * std::max<int64_t>(1, packBytes / elementBytes);
    const auto blocks = static_cast<unsigned>(std::min((elements + each - 1) / each, mostBlocks));
    device.cuda().check(device.cuda().driver().launchKernel(kernel, blocks, 1, 1, threadsOfABlock, 1, 1, 0, stream(),
                                                            arguments, nullptr),
                        "the kernel that combines");
}

void GpuRank::launch(const std::string& kernel, uint64_t into, uint64_t from, int64_t elements) {
    long long n = elements;
    void* arguments[] = {&into, &from, &n};
    start(function(kernel), arguments, elements);
}

void GpuRank::launchDivide(number::Format of, uint64_t into, double divisor, int64_t elements) {
    long long n = elements;
    void* arguments[] = {&into, &divisor, &n};
    start(function("divide_" + number::name(of)), arguments, elements);
}

void GpuRank::prepare(const CollectiveCall& call, const std::vector<std::byte>& input) {
    type = dataType(call.type);
    elementBytes = number::bytes(call.type);
    vector.reset(), original.reset(), scratch.reset(); // before the next ones are there
    int64_t scratchBytes = 0;
    Step step;
    std::vector<int64_t> offsets;
    for (int64_t i = 0; i < call.schedule->steps(); ++i) {
        call.schedule->step(index, i, step);
        scratchBytes = std::max(scratchBytes, placeReceives(step, elementBytes, offsets));
    }
    const auto bytes = static_cast<int64_t>(input.size());
    vector = std::make_unique<gpu::Buffer>(device, bytes, "vector");
    original = std::make_unique<gpu::Buffer>(device, bytes, "vector as given");
    scratch = std::make_unique<gpu::Buffer>(device, scratchBytes, "received");
    original->upload(input.data());
}

void GpuRank::putBack() {
    device.cuda().enter();
    if (vector->bytes() > 0)
        device.cuda().check(device.cuda().driver().memcpyDeviceToDevice(vector->address(), original->address(),
                                                                        static_cast<size_t>(vector->bytes()), stream()),
                            "putting the vector back");
}

void GpuRank::meet() {
    check(library->allReduce(pointer(token.address()), pointer(token.address()), 1, nccl::DataType::F32,
                             nccl::Operation::Max, comm(), stream()),
          "ncclAllReduce");
}

void GpuRank::runStep(const CollectiveCall& call, const Step& step) {
    std::vector<int64_t> offsets;
    placeReceives(step, elementBytes, offsets);
    const auto place = [&](size_t i) {
        return offsets[i] == direct ? at(step.receives[i].range.begin)
                                    : scratch->address() + static_cast<uint64_t>(offsets[i]);
    };
    const auto isEmpty = [](const auto& message) { return message.range.size() == 0; }; // nothing to be sent
    if (!std::all_of(step.sends.begin(), step.sends.end(), isEmpty) ||
        !std::all_of(step.receives.begin(), step.receives.end(), isEmpty)) {
        check(library->groupStart(), "ncclGroupStart");
        OpenGroup group(*library);
        for (const Step::Send& send : step.sends)
            if (!isEmpty(send))
                check(library->send(pointer(at(send.range.begin)), static_cast<size_t>(send.range.size()), type,
                                    send.to, comm(), stream()),
                      "ncclSend");
        for (size_t i = 0; i < step.receives.size(); ++i)
            if (!isEmpty(step.receives[i]))
                check(library->receive(pointer(place(i)), static_cast<size_t>(step.receives[i].range.size()), type,
                                       step.receives[i].from, comm(), stream()),
                      "ncclRecv");
        check(group.end(), "ncclGroupEnd");
    }
    const std::string kernel =
        fmt::format("reduce_{}_{}", call.reduction == Reduction::Max ? "max" : "sum", number::name(call.type));
    for (size_t i = 0; i < step.receives.size(); ++i) {
        const Step::Receive& receive = step.receives[i];
        if (isEmpty(receive) || offsets[i] == direct)
            continue;
        if (receive.reduce)
            launch(kernel, at(receive.range.begin), place(i), receive.range.size());
        else
            device.cuda().check(device.cuda().driver().memcpyDeviceToDevice(
                                    at(receive.range.begin), place(i),
                                    static_cast<size_t>(receive.range.size() * elementBytes), stream()),
                                "putting a message in its place");
    }
}

void GpuRank::runLibrary(const CollectiveCall& call) {
    const int64_t n = call.schedule->elements(), ranks = call.schedule->ranks();
    const Collective collective = call.schedule->collective();
    const auto operation = call.reduction == Reduction::Max                       ? nccl::Operation::Max
                           : call.reduction == Reduction::Average && call.divides ? nccl::Operation::Average
                                                                                  : nccl::Operation::Sum;
    if (n == 0)
        return;
    void* const all = pointer(at(0));
    void* const own = pointer(at(n / ranks * index));
    const auto count = static_cast<size_t>(n), each = static_cast<size_t>(n / ranks);
    switch (collective) {
    case Collective::Allreduce:
        check(library->allReduce(all, all, count, type, operation, comm(), stream()), "ncclAllReduce");
        return;
    case Collective::ReduceScatter:
        check(library->reduceScatter(all, own, each, type, operation, comm(), stream()), "ncclReduceScatter");
        return;
    case Collective::AllGather:
        check(library->allGather(own, all, each, type, comm(), stream()), "ncclAllGather");
        return;
    case Collective::Broadcast:
        check(library->broadcast(all, all, count, type, 0, comm(), stream()), "ncclBroadcast");
        return;
    }
}

void GpuRank::divideSum(const CollectiveCall& call) {
    if (call.reduction != Reduction::Average || !call.divides)
        return;
    const int ranks = call.schedule->ranks();
    Range range{0, call.schedule->elements()};
    if (call.schedule->collective() == Collective::ReduceScatter)
        range = chunkRange(range.end, ranks, index);
    else if (call.schedule->collective() != Collective::Allreduce)
        return;
    if (range.size() > 0)
        launchDivide(call.type, at(range.begin), static_cast<double>(ranks), range.size());
}

void GpuRank::mark() {
    if (marksUsed == marks.size())
        marks.push_back(std::make_unique<cuda::Event>(device.cuda()));
    marks[marksUsed++]->record();
}

void GpuRank::await(const std::function<void()>& look) {
    device.cuda().enter();
    for (cuda::Result result; (result = device.cuda().driver().streamQuery(stream())) != cuda::Result::Success;) {
        if (result != cuda::Result::NotReady)
            device.cuda().check(result, "a collective");
        nccl::Result behind = nccl::Result::Success;
        if (const nccl::CommHandle c = comm())
            if (library->commGetAsyncError(c, &behind) == nccl::Result::Success)
                check(behind, "a collective");
        look();
        std::this_thread::sleep_for(pause);
    }
    for (size_t i = 0; i < marksUsed; ++i)
        marks[i]->wait("a collective"); // so that their times can be asked for
}

void GpuRank::download(std::vector<std::byte>& to) {
    to.resize(static_cast<size_t>(vector->bytes()));
    vector->download(to.data());
}

} // namespace warplight::collectives
