// SPDX-License-Identifier: GPL-3.0-or-later
// What NCCL's calls do, on the GPUs of the stand-in driver.
#include "gpu/number/half.h"
#include "tests/gpu/standin/nccl_world.h"
#include "tests/gpu/standin/standin.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace standin_nccl {
namespace {

using namespace warplight;

constexpr int notReady = 600, illegalAddress = 700; // of the driver
constexpr double bytesPerSecond = 1e11;

/// Calls that were made in one group: they begin together and are over together.
struct Group {
    std::vector<std::shared_ptr<Call>> calls;
    bool begun = false;
};

/// Those in a stream. (The driver drops what waits on a GPU that is lost.)
std::map<void*, std::unique_ptr<Group>>& groups() {
    static std::map<void*, std::unique_ptr<Group>> all;
    return all;
}

std::vector<double> read(const Call& call, uint64_t address, uint64_t count) {
    const int64_t size = bytesOf(call.type);
    std::vector<char> raw(count * static_cast<uint64_t>(size));
    standinReadOn(call.comm->device, address, raw.data(), static_cast<int64_t>(raw.size()));
    std::vector<double> values(count);
    for (uint64_t i = 0; i < count; ++i) {
        uint16_t half = 0;
        float single = 0;
        if (call.type == F64) {
            std::memcpy(&values[i], raw.data() + 8 * i, 8);
        } else if (call.type == F32) {
            std::memcpy(&single, raw.data() + 4 * i, 4);
            values[i] = static_cast<double>(single);
        } else {
            std::memcpy(&half, raw.data() + 2 * i, 2);
            values[i] = static_cast<double>(call.type == F16 ? number::f16ToFloat(half) : number::bf16ToFloat(half));
        }
    }
    return values;
}

void write(const Call& call, uint64_t address, const std::vector<double>& values) {
    const int64_t size = bytesOf(call.type);
    std::vector<char> raw(values.size() * static_cast<uint64_t>(size));
    for (uint64_t i = 0; i < values.size(); ++i) {
        const auto single = static_cast<float>(values[i]);
        const uint16_t half = call.type == F16 ? number::floatToF16(single) : number::floatToBf16(single);
        const void* from = call.type == F64   ? static_cast<const void*>(&values[i])
                           : call.type == F32 ? static_cast<const void*>(&single)
                                              : &half;
        std::memcpy(raw.data() + static_cast<uint64_t>(size) * i, from, static_cast<size_t>(size));
    }
    standinWriteOn(call.comm->device, address, raw.data(), static_cast<int64_t>(raw.size()));
}

/// All clocks to the last of them, and on by the time of so many bytes.
void passTime(const std::vector<std::shared_ptr<Call>>& calls, double bytes) {
    double last = 0;
    for (const auto& call : calls)
        last = std::max(last, standinClockOn(call->comm->device, 0));
    for (const auto& call : calls)
        standinClockOn(call->comm->device, last + bytes / bytesPerSecond);
}

void fail(Call& call, int result, const std::string& why) {
    call.comm->asyncError = result;
    control().lastError = why;
}

void meet(Call& send, Call& receive, const std::shared_ptr<Call>& a, const std::shared_ptr<Call>& b) {
    const int64_t bytes = static_cast<int64_t>(send.count) * bytesOf(send.type);
    if (send.count != receive.count || send.type != receive.type) {
        for (Call* call : {&send, &receive})
            fail(*call, InvalidUsage, "a message of another size than its receiver's");
        return;
    }
    std::vector<char> data(static_cast<size_t>(bytes));
    standinReadOn(send.comm->device, send.from, data.data(), bytes);
    standinWriteOn(receive.comm->device, receive.to, data.data(), bytes);
    send.done = receive.done = true;
    passTime({a, b}, static_cast<double>(bytes));
    control().log += std::to_string(send.comm->rank) + " -> " + std::to_string(receive.comm->rank) + ": " +
                     std::to_string(bytes) + " bytes\n";
}

double combined(int operation, double a, double b) {
    if (operation == Max)
        return std::isnan(a) || b <= a ? a : b;
    return a + b;
}

/// All ranks have come.
void complete(const std::vector<std::shared_ptr<Call>>& calls) {
    const Call& first = *calls[0];
    for (const auto& call : calls)
        if (call->kind != first.kind || call->count != first.count || call->type != first.type ||
            call->operation != first.operation || call->peer != first.peer) {
            for (const auto& one : calls)
                fail(*one, InvalidUsage, "ranks disagree about a collective");
            return;
        }
    const uint64_t ranks = calls.size(), n = first.count, size = static_cast<uint64_t>(bytesOf(first.type));
    const uint64_t all = first.kind == Kind::ReduceScatter ? n * ranks : n;
    std::vector<std::vector<double>> given;
    for (const auto& call : calls)
        given.push_back(read(*call, call->from, all));
    std::vector<double> sum = given[0];
    for (uint64_t r = 1; r < ranks; ++r)
        for (uint64_t i = 0; i < all; ++i)
            sum[i] = combined(first.operation, sum[i], given[r][i]);
    if (first.operation == Average)
        for (double& x : sum)
            x /= static_cast<double>(ranks);
    for (uint64_t r = 0; r < ranks; ++r) {
        const Call& call = *calls[r];
        if (first.kind == Kind::AllReduce)
            write(call, call.to, sum);
        else if (first.kind == Kind::ReduceScatter)
            write(call, call.to,
                  {sum.begin() + static_cast<int64_t>(r * n), sum.begin() + static_cast<int64_t>((r + 1) * n)});
        else if (first.kind == Kind::AllGather)
            for (uint64_t from = 0; from < ranks; ++from)
                write(call, call.to + from * n * size, given[from]);
        else
            write(call, call.to, given[static_cast<size_t>(first.peer)]);
    }
    constexpr const char* names[] = {"", "", "all-reduce", "reduce-scatter", "all-gather", "broadcast"};
    control().log += std::string(names[static_cast<int>(first.kind)]) + " of " + std::to_string(n) + "\n";
    for (const auto& call : calls)
        call->done = true;
    passTime(calls, 2.0 * static_cast<double>(all * size));
}

void begin(const std::shared_ptr<Call>& call) {
    World& world = *call->comm->world;
    if (call->kind == Kind::Send || call->kind == Kind::Receive) {
        const bool sends = call->kind == Kind::Send;
        const int rank = call->comm->rank;
        const auto way = sends ? std::pair(rank, call->peer) : std::pair(call->peer, rank);
        auto& partners = sends ? world.receives[way] : world.sends[way];
        if (partners.empty()) {
            (sends ? world.sends : world.receives)[way].push_back(call);
            return;
        }
        const std::shared_ptr<Call> partner = partners.front();
        partners.pop_front();
        sends ? meet(*call, *partner, call, partner) : meet(*partner, *call, partner, call);
        return;
    }
    const uint64_t turn = call->comm->collectives++;
    world.collectives[turn].push_back(call);
    if (static_cast<int>(world.collectives[turn].size()) < world.ranks)
        return;
    std::vector<std::shared_ptr<Call>> arrived = std::move(world.collectives[turn]);
    world.collectives.erase(turn);
    std::sort(arrived.begin(), arrived.end(),
              [](const auto& a, const auto& b) { return a->comm->rank < b->comm->rank; });
    complete(arrived);
}

int work(void* data) {
    auto* const group = static_cast<Group*>(data);
    const Comm& comm = *group->calls[0]->comm;
    if (!comm.aborted) {
        if (comm.hangs)
            return notReady;
        try {
            if (!std::exchange(group->begun, true))
                for (const auto& call : group->calls)
                    begin(call);
        } catch (const std::exception&) { // outside every buffer
            groups().erase(data);
            return illegalAddress;
        }
        for (const auto& call : group->calls)
            if (!call->done)
                return notReady;
    }
    groups().erase(data);
    return 0;
}

} // namespace

int64_t bytesOf(int type) { return type == F64 ? 8 : type == F32 ? 4 : 2; }

Control& control() {
    static Control c;
    return c;
}

void enqueue(std::vector<std::shared_ptr<Call>> calls) {
    const int device = calls[0]->comm->device;
    auto group = std::make_unique<Group>(Group{std::move(calls), false});
    void* const data = group.get();
    groups()[data] = std::move(group);
    standinEnqueueOn(device, "nccl", work, data);
}

} // namespace standin_nccl
