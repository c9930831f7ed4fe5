// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/collectives/rank_memory.h"

#include <climits>
#include <cstddef>
#include <cstdint>
#include <linux/futex.h>
#include <new>
#include <span>
#include <stdexcept>
#include <sys/syscall.h>
#include <unistd.h>

namespace warplight::collectives {
namespace {

constexpr size_t page = 4096;

size_t upTo(size_t multiple, size_t bytes) { return (bytes + multiple - 1) / multiple * multiple; }

size_t rowsBegin() { return upTo(64, sizeof(RankMemory::Head)); }
size_t boardBegins(int ranks) { return rowsBegin() + static_cast<size_t>(ranks) * sizeof(RankRow); }

} // namespace

// std::atomic's own wait is for threads of one process: its futex is private.
void ProcessBell::ring() {
    count.fetch_add(1, std::memory_order_seq_cst);
    syscall(SYS_futex, &count, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

void ProcessBell::wait(uint32_t seen, std::chrono::milliseconds most) {
    static_assert(sizeof(count) == 4 && std::atomic<uint32_t>::is_always_lock_free);
    const timespec time{most.count() / 1000, most.count() % 1000 * 1'000'000};
    syscall(SYS_futex, &count, FUTEX_WAIT, seen, &time, nullptr, 0);
}

DataLayout::DataLayout(int ranks, size_t vectorBytes, int repetitions, size_t mostSent, size_t mostReceived)
    : rowBytes(upTo(page, vectorBytes)), mostSent(mostSent), mostReceived(mostReceived) {
    const auto rows = static_cast<size_t>(ranks);
    const auto take = [&](size_t bytes) {
        const size_t begin = total;
        total = upTo(page, begin + bytes);
        return begin;
    };
    inputs = take(rows * rowBytes);
    vectors = take(rows * rowBytes);
    spans = take(static_cast<size_t>(repetitions) * rows * 2 * sizeof(double));
    sent = take(rows * mostSent * sizeof(RankLog::Sent));
    received = take(rows * mostReceived * sizeof(RankLog::Received));
}

RankMemory::RankMemory(int ranks, uint64_t token)
    : control(SharedMemory::create(upTo(64, boardBegins(ranks)) + RankBoard::bytesFor(ranks))),
      data(SharedMemory::create(page)) {
    auto* made = new (control.data()) Head{};
    made->token = token;
    made->ranks = ranks;
    made->dataDescriptor = data.descriptor();
    for (int rank = 0; rank < ranks; ++rank)
        new (&row(rank)) RankRow{};
    RankBoard(control.data() + upTo(64, boardBegins(ranks)), ranks, true);
}

RankMemory::RankMemory(pid_t program, int descriptor, uint64_t token)
    : control(SharedMemory::open(program, descriptor)) {
    if (control.size() < rowsBegin() || head().token != token)
        throw std::runtime_error("the program that started this rank has gone on to something else");
    data = SharedMemory::open(program, head().dataDescriptor);
}

RankRow& RankMemory::row(int rank) const { return reinterpret_cast<RankRow*>(control.data() + rowsBegin())[rank]; }

RankBoard RankMemory::board() const { return {control.data() + upTo(64, boardBegins(ranks())), ranks(), false}; }

void RankMemory::reserveData(size_t bytes, const std::atomic<bool>* cancel) { data.growTo(bytes, cancel); }

size_t RankMemory::vectorBytes() const {
    return static_cast<size_t>(head().command.elements * number::bytes(head().command.type));
}

std::span<std::byte> RankMemory::input(int rank) const {
    const DataLayout& layout = head().command.layout;
    return {data.data() + layout.inputs + static_cast<size_t>(rank) * layout.rowBytes, vectorBytes()};
}

std::span<std::byte> RankMemory::vector(int rank) const {
    const DataLayout& layout = head().command.layout;
    return {data.data() + layout.vectors + static_cast<size_t>(rank) * layout.rowBytes, vectorBytes()};
}

double* RankMemory::span(int repetition, int rank) const {
    return reinterpret_cast<double*>(data.data() + head().command.layout.spans) +
           (static_cast<size_t>(repetition) * static_cast<size_t>(ranks()) + static_cast<size_t>(rank)) * 2;
}

RankLog::Sent* RankMemory::sent(int rank) const {
    const DataLayout& layout = head().command.layout;
    return reinterpret_cast<RankLog::Sent*>(data.data() + layout.sent) + static_cast<size_t>(rank) * layout.mostSent;
}

RankLog::Received* RankMemory::received(int rank) const {
    const DataLayout& layout = head().command.layout;
    return reinterpret_cast<RankLog::Received*>(data.data() + layout.received) +
           static_cast<size_t>(rank) * layout.mostReceived;
}

} // namespace warplight::collectives
