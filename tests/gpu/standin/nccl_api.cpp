// SPDX-License-Identifier: GPL-3.0-or-later
// The functions of libnccl that gpu/nccl looks up (NCCL user guide 2.28, "NCCL API").
#include "gpu/nccl/nccl_types.h"
#include "tests/gpu/standin/nccl_world.h"
#include "tests/gpu/standin/standin_nccl.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace standin_nccl;

namespace {

using warplight::nccl::CommHandle;
using warplight::nccl::UniqueId;
using Answer = warplight::nccl::Result;
using DataType = warplight::nccl::DataType;
using Reduces = warplight::nccl::Operation;
using warplight::cuda::StreamHandle;

/// What an ncclComm_t points at here.
std::shared_ptr<Comm>& commOf(CommHandle handle) { return *reinterpret_cast<std::shared_ptr<Comm>*>(handle); }
CommHandle handleOf(std::shared_ptr<Comm> comm) {
    return reinterpret_cast<CommHandle>(new std::shared_ptr<Comm>(std::move(comm)));
}

std::map<std::string, std::shared_ptr<World>>& worlds() {
    static std::map<std::string, std::shared_ptr<World>> w; // by unique id
    return w;
}

thread_local int depth = 0;
thread_local std::vector<std::shared_ptr<Call>> grouped;

int answer(int result, const char* why) {
    control().lastError = why;
    return result;
}

/// Under the lock, failing when a test wants that.
Answer call(const char* function, const std::function<int()>& body) {
    struct Locked {
        const char* function;
        const std::function<int()>& body;
        int result;
    } locked{function, body, Success};
    standinLocked(
        [](void* data) {
            auto& l = *static_cast<Locked*>(data);
            for (auto fault = control().faults.begin(); fault != control().faults.end(); ++fault)
                if (fault->function == l.function && --fault->calls == 0) {
                    l.result = answer(fault->result, "as a test wanted it");
                    control().faults.erase(fault);
                    return;
                }
            l.result = l.body();
        },
        &locked);
    return static_cast<Answer>(locked.result);
}

std::shared_ptr<Comm> makeComm(const std::shared_ptr<World>& world, int rank, int device) {
    auto comm = std::make_shared<Comm>();
    comm->world = world, comm->rank = rank, comm->device = device;
    const Control& c = control();
    comm->hangs = std::count(c.hanging.begin(), c.hanging.end(), rank) > 0;
    comm->sticks = std::count(c.sticking.begin(), c.sticking.end(), rank) > 0;
    if (const auto error = c.asyncErrors.find(rank); error != c.asyncErrors.end())
        comm->asyncError = error->second;
    ++control().comms;
    return comm;
}

/// All calls of a thread's group, a stream at a time.
void flush() {
    std::vector<std::shared_ptr<Call>> calls = std::move(grouped);
    grouped.clear();
    while (!calls.empty()) {
        const auto others = std::stable_partition(
            calls.begin(), calls.end(), [&, comm = calls[0]->comm](const auto& c) { return c->comm == comm; });
        enqueue({calls.begin(), others});
        calls.erase(calls.begin(), others);
    }
}

Answer add(const char* function, CommHandle handle, Call made) {
    return call(function, [&] {
        if (!handle || commOf(handle)->aborted)
            return answer(InvalidArgument, "no communicator");
        made.comm = commOf(handle);
        if (made.type < F16 || made.type > BF16 ||
            (made.operation != Sum && made.operation != Max && made.operation != Average))
            return answer(InvalidArgument, "a type or operation that this library does not know");
        const bool reads = made.kind != Kind::Receive, writes = made.kind != Kind::Send;
        if (made.count > 0 && ((reads && made.from == 0) || (writes && made.to == 0)))
            return answer(InvalidArgument, "a buffer is null");
        if (made.peer < 0 || made.peer >= made.comm->world->ranks)
            return answer(InvalidArgument, "there is no such rank");
        if (standinDeviceOfStream(made.stream) != made.comm->device)
            return answer(InvalidUsage, "the stream is not of the communicator's GPU");
        grouped.push_back(std::make_shared<Call>(std::move(made)));
        if (depth == 0)
            flush();
        return int(Success);
    });
}

uint64_t at(const void* pointer) { return reinterpret_cast<uint64_t>(pointer); }

} // namespace

extern "C" {

warplight::cuda::Result cuDeviceGetCount(int* count);

STANDIN_EXPORT Answer ncclGetVersion(int* version) {
    return call("ncclGetVersion", [&] {
        *version = control().version;
        return int(Success);
    });
}
STANDIN_EXPORT const char* ncclGetErrorString(Answer answered) {
    const auto result = static_cast<int>(answered);
    constexpr const char* texts[] = {"no error",
                                     "unhandled cuda error",
                                     "unhandled system error",
                                     "internal error",
                                     "invalid argument",
                                     "invalid usage",
                                     "remote process exited or there was a network error",
                                     "NCCL operation in progress"};
    return result >= 0 && result < 8 ? texts[result] : "unknown result code";
}
STANDIN_EXPORT const char* ncclGetLastError(CommHandle) { return control().lastError.c_str(); }

STANDIN_EXPORT Answer ncclCommInitAll(CommHandle* comms, int gpus, const int* ordinals) {
    return call("ncclCommInitAll", [&] {
        int count = 0;
        cuDeviceGetCount(&count);
        std::set<int> used;
        for (int i = 0; i < gpus; ++i) {
            const int device = ordinals ? ordinals[i] : i;
            if (device < 0 || device >= count)
                return answer(InvalidArgument, "there is no such GPU");
            if (!used.insert(device).second)
                return answer(InvalidUsage, "Duplicate GPU detected");
        }
        const auto world = std::make_shared<World>();
        world->ranks = gpus;
        for (int i = 0; i < gpus; ++i)
            comms[i] = handleOf(makeComm(world, i, ordinals ? ordinals[i] : i));
        return int(Success);
    });
}
STANDIN_EXPORT Answer ncclGetUniqueId(UniqueId* id) {
    return call("ncclGetUniqueId", [&] {
        static int next = 0;
        std::memset(id, 0, sizeof(UniqueId));
        std::strcpy(id->internal, ("world " + std::to_string(next++)).c_str());
        worlds()[id->internal] = std::make_shared<World>();
        return int(Success);
    });
}
/// The GPU is the rank's number here: the stand-in driver knows contexts, not CUDA's current device.
STANDIN_EXPORT Answer ncclCommInitRank(CommHandle* comm, int ranks, UniqueId id, int rank) {
    return call("ncclCommInitRank", [&] {
        const auto world = worlds().find(id.internal);
        if (world == worlds().end() || rank < 0 || rank >= ranks)
            return answer(InvalidArgument, "no such id or rank");
        world->second->ranks = ranks;
        *comm = handleOf(makeComm(world->second, rank, rank));
        return int(Success);
    });
}
STANDIN_EXPORT Answer ncclCommDestroy(CommHandle comm) {
    return call("ncclCommDestroy", [&] {
        --control().comms;
        delete &commOf(comm);
        return int(Success);
    });
}
STANDIN_EXPORT Answer ncclCommAbort(CommHandle comm) {
    return call("ncclCommAbort", [&] {
        commOf(comm)->aborted = true;
        World& world = *commOf(comm)->world;
        world.sends.clear(), world.receives.clear(), world.collectives.clear(); // nobody waits for them any more
        --control().comms;
        ++control().aborted;
        delete &commOf(comm);
        return int(Success);
    });
}
STANDIN_EXPORT Answer ncclCommGetAsyncError(CommHandle comm, Answer* result) {
    return call("ncclCommGetAsyncError", [&] {
        *result = static_cast<Answer>(commOf(comm)->asyncError);
        return int(Success);
    });
}
STANDIN_EXPORT Answer ncclGroupStart() {
    return call("ncclGroupStart", [] {
        ++depth;
        return int(Success);
    });
}
STANDIN_EXPORT Answer ncclGroupEnd() {
    std::shared_ptr<Comm> stuck;
    const Answer result = call("ncclGroupEnd", [&] {
        if (depth == 0)
            return answer(InvalidUsage, "ncclGroupEnd without ncclGroupStart");
        for (const auto& one : grouped)
            if (one->comm->sticks)
                stuck = one->comm;
        if (--depth == 0)
            flush();
        return int(Success);
    });
    while (stuck && !stuck->aborted) // without the lock
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return result;
}

STANDIN_EXPORT Answer ncclSend(const void* from, size_t count, DataType type, int peer, CommHandle comm,
                               StreamHandle stream) {
    return add("ncclSend", comm, {Kind::Send, at(from), 0, count, int(type), Sum, peer, nullptr, stream});
}
STANDIN_EXPORT Answer ncclRecv(void* to, size_t count, DataType type, int peer, CommHandle comm, StreamHandle stream) {
    return add("ncclRecv", comm, {Kind::Receive, 0, at(to), count, int(type), Sum, peer, nullptr, stream});
}
STANDIN_EXPORT Answer ncclAllReduce(const void* from, void* to, size_t count, DataType type, Reduces op,
                                    CommHandle comm, StreamHandle stream) {
    return add("ncclAllReduce", comm,
               {Kind::AllReduce, at(from), at(to), count, int(type), int(op), 0, nullptr, stream});
}
STANDIN_EXPORT Answer ncclReduceScatter(const void* from, void* to, size_t count, DataType type, Reduces op,
                                        CommHandle comm, StreamHandle stream) {
    return add("ncclReduceScatter", comm,
               {Kind::ReduceScatter, at(from), at(to), count, int(type), int(op), 0, nullptr, stream});
}
STANDIN_EXPORT Answer ncclAllGather(const void* from, void* to, size_t count, DataType type, CommHandle comm,
                                    StreamHandle stream) {
    return add("ncclAllGather", comm, {Kind::AllGather, at(from), at(to), count, int(type), Sum, 0, nullptr, stream});
}
STANDIN_EXPORT Answer ncclBroadcast(const void* from, void* to, size_t count, DataType type, int root, CommHandle comm,
                                    StreamHandle stream) {
    return add("ncclBroadcast", comm,
               {Kind::Broadcast, at(from), at(to), count, int(type), Sum, root, nullptr, stream});
}

STANDIN_EXPORT void standinNcclReset() {
    Control& c = control();
    const int live = c.comms;
    c = {};
    c.comms = live;
}
STANDIN_EXPORT void standinNcclFault(const char* function, int calls, int result) {
    control().faults.push_back({function, calls, result});
}
STANDIN_EXPORT void standinNcclAsyncError(int rank, int result) { control().asyncErrors[rank] = result; }
STANDIN_EXPORT void standinNcclHang(int rank) { control().hanging.push_back(rank); }
STANDIN_EXPORT void standinNcclStick(int rank) { control().sticking.push_back(rank); }
STANDIN_EXPORT void standinNcclVersion(int code) { control().version = code; }
STANDIN_EXPORT int standinNcclComms() { return control().comms; }
STANDIN_EXPORT int standinNcclAborted() { return control().aborted; }
STANDIN_EXPORT const char* standinNcclLog() { return control().log.c_str(); }
}
