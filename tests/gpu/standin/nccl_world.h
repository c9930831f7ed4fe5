// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

/// What stands behind the stand-in for NCCL. All of it under the lock of the stand-in driver (standinLocked).
namespace standin_nccl {

// ncclResult_t, ncclDataType_t, ncclRedOp_t (NCCL user guide 2.28).
enum Result { Success = 0, SystemError = 2, InternalError = 3, InvalidArgument = 4, InvalidUsage = 5 };
enum Type { F16 = 6, F32 = 7, F64 = 8, BF16 = 9 };
enum Operation { Sum = 0, Product = 1, Max = 2, Min = 3, Average = 4 };

struct World;

struct Comm {
    std::shared_ptr<World> world;
    int rank = 0, device = 0;
    std::atomic<bool> aborted = false;
    bool hangs = false, sticks = false;
    int asyncError = 0;
    uint64_t collectives = 0; ///< that it has begun
};

enum class Kind { Send, Receive, AllReduce, ReduceScatter, AllGather, Broadcast };

/// One call.
struct Call {
    Kind kind;
    uint64_t from = 0, to = 0;
    uint64_t count = 0;
    int type = F32, operation = Sum, peer = 0; ///< peer: of a message; the root of a broadcast
    std::shared_ptr<Comm> comm;
    void* stream = nullptr;
    bool done = false;
};

/// The ranks that belong together, and what of theirs waits for a partner.
struct World {
    int ranks = 0;
    std::map<std::pair<int, int>, std::deque<std::shared_ptr<Call>>> sends, receives; ///< by (from, to)
    std::map<uint64_t, std::vector<std::shared_ptr<Call>>> collectives;               ///< by their order
};

int64_t bytesOf(int type);

/// Puts calls that belong together into the stream of their GPU.
void enqueue(std::vector<std::shared_ptr<Call>> calls);

struct Control {
    struct Fault {
        std::string function;
        int calls, result;
    };
    std::vector<Fault> faults;
    std::map<int, int> asyncErrors;     ///< by rank, for communicators to come as well
    std::vector<int> hanging, sticking; ///< ranks
    int version = 22809, comms = 0, aborted = 0;
    std::string log, lastError;
};
Control& control();

} // namespace standin_nccl
