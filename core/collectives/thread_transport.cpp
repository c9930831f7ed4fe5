// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/collectives/thread_transport.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fmt/format.h>
#include <span>
#include <thread>

namespace warplight::collectives {
namespace {

/// Between two pieces a rank says that it is getting ahead and looks whether the run has ended. A piece fits the
/// second-level cache together with what it is combined with.
constexpr size_t pieceBytes = 256 << 10;

constexpr int spinsWithACore = 2000, spinsWithout = 20; // pauses, of some 40 ns

} // namespace

ThreadNetwork::ThreadNetwork(int ranks)
    : rankCount(ranks),
      spinCount(ranks <= static_cast<int>(std::thread::hardware_concurrency()) ? spinsWithACore : spinsWithout),
      channels(static_cast<size_t>(ranks) * static_cast<size_t>(ranks)),
      bells(static_cast<size_t>(ranks)),
      boardMemory((RankBoard::bytesFor(ranks) + sizeof(BoardLine) - 1) / sizeof(BoardLine)),
      rankBoard(boardMemory.data(), ranks, true) {}

ThreadNetwork::~ThreadNetwork() {
    for (auto& channel : channels)
        delete channel.load(std::memory_order_relaxed);
}

Channel& ThreadNetwork::channel(int from, int to) {
    auto& place = channels[static_cast<size_t>(from) * static_cast<size_t>(rankCount) + static_cast<size_t>(to)];
    Channel* there = place.load(std::memory_order_acquire);
    if (there)
        return *there;
    auto made = std::make_unique<Channel>();
    if (place.compare_exchange_strong(there, made.get(), std::memory_order_acq_rel))
        return *made.release();
    return *there; // the other end was faster
}

void ThreadNetwork::end() {
    ended.store(true, std::memory_order_seq_cst);
    for (Doorbell& each : bells)
        each.ring();
}

void ThreadNetwork::meet(int rank) {
    const int64_t meeting = meetings.load(std::memory_order_seq_cst);
    if (here.fetch_add(1, std::memory_order_seq_cst) + 1 == rankCount) {
        here.store(0, std::memory_order_seq_cst);
        meetings.store(meeting + 1, std::memory_order_seq_cst);
        for (Doorbell& each : bells)
            each.ring();
    }
    wait(rank, [&] { return meetings.load(std::memory_order_seq_cst) != meeting; });
}

void ThreadTransport::send(int to, int64_t step, std::span<const std::byte> data) {
    Channel& channel = network.channel(self, to);
    const uint64_t number = channel.published.load(std::memory_order_relaxed);
    const auto hasRoom = [&] { return number - channel.taken.load(std::memory_order_seq_cst) < Channel::slotCount; };
    if (!hasRoom()) {
        network.board().setWaiting(self, step, to);
        network.wait(self, hasRoom);
    }
    network.board().setWorking(self, step);
    Channel::Slot& slot = channel.slots[number % Channel::slotCount];
    slot.step = step;
    slot.data = data;
    if (data.size() <= Channel::longestCopy) {
        slot.copy.assign(data.begin(), data.end());
        slot.data = slot.copy;
    } else {
        outstanding.push_back({&channel, number + 1, to, step});
    }
    channel.published.store(number + 1, std::memory_order_seq_cst);
    network.bell(to).ring();
}

void ThreadTransport::receivePieces(int from, int64_t step, size_t bytes, TakePiece take, void* context) {
    Channel& channel = network.channel(from, self);
    const uint64_t number = channel.taken.load(std::memory_order_relaxed);
    const auto hasCome = [&] { return channel.published.load(std::memory_order_seq_cst) > number; };
    if (!hasCome()) {
        network.board().setWaiting(self, step, from);
        network.wait(self, hasCome);
    }
    const Channel::Slot& slot = channel.slots[number % Channel::slotCount];
    if (slot.step != step)
        throw CountMismatch(fmt::format("Rank {} sends its message of step {} where rank {} expects that of step {}.",
                                        from, slot.step, self, step));
    if (slot.data.size() != bytes)
        throw CountMismatch(fmt::format("Rank {} sends {} bytes in step {} where rank {} expects {}.", from,
                                        slot.data.size(), step, self, bytes));
    network.board().setWorking(self, step);
    for (size_t offset = 0; offset < bytes; offset += pieceBytes) {
        if (offset > 0) {
            if (network.hasEnded())
                throw RunEnded();
            network.board().setWorking(self, step);
        }
        take(context, offset, slot.data.subspan(offset, std::min(pieceBytes, bytes - offset)));
    }
    channel.taken.store(number + 1, std::memory_order_seq_cst);
    network.bell(from).ring();
}

void ThreadTransport::receive(int from, int64_t step, std::span<std::byte> data) {
    receivePieces(from, step, data.size(), [&](size_t offset, std::span<const std::byte> piece) {
        std::memcpy(data.data() + offset, piece.data(), piece.size());
    });
}

void ThreadTransport::finishSends() {
    for (const Outstanding& each : outstanding) {
        const auto isTaken = [&] { return each.channel->taken.load(std::memory_order_seq_cst) >= each.number; };
        if (!isTaken()) {
            network.board().setWaiting(self, each.step, each.to);
            network.wait(self, isTaken);
        }
    }
    outstanding.clear();
}

} // namespace warplight::collectives
