// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/collectives/doorbell.h"
#include "core/collectives/rank_board.h"
#include "core/collectives/transport.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace warplight::collectives {

/// The run has ended for a reason that somebody else has reported; unwinds a rank's thread.
struct RunEnded {};

/// A bounded queue with one writer and one reader. Short messages are copied into it; of a long one it holds the
/// address, and the reader takes it straight out of the sender's vector: nothing is copied twice, and ranks that all
/// send something large at once cannot block each other.
struct Channel {
    static constexpr size_t slotCount = 4;
    static constexpr size_t longestCopy = 4096; ///< bytes
    struct Slot {
        int64_t step = 0;
        std::span<const std::byte> data;
        std::vector<std::byte> copy;
    };
    alignas(64) std::atomic<uint64_t> published = 0; ///< messages, by the writer
    alignas(64) std::atomic<uint64_t> taken = 0;     ///< messages, by the reader
    std::array<Slot, slotCount> slots;
};

/// What the ranks of a run on threads share. Channels are made when a pair first talks.
class ThreadNetwork {
  public:
    explicit ThreadNetwork(int ranks);
    ~ThreadNetwork();
    ThreadNetwork(const ThreadNetwork&) = delete;
    ThreadNetwork& operator=(const ThreadNetwork&) = delete;

    Channel& channel(int from, int to);
    Doorbell& bell(int rank) { return bells[static_cast<size_t>(rank)]; }
    int ranks() const { return rankCount; }
    int spins() const { return spinCount; }
    RankBoard& board() { return rankBoard; }

    /// Everybody stops waiting: RunEnded is thrown to them.
    void end();
    bool hasEnded() const { return ended.load(std::memory_order_seq_cst); }
    /// Sleeps until ready(), as `rank`; throws RunEnded.
    template <class Ready>
    void wait(int rank, const Ready& ready) {
        bell(rank).wait(spinCount, [&] { return ready() || hasEnded(); });
        if (hasEnded())
            throw RunEnded();
    }
    /// Until all ranks are here.
    void meet(int rank);

  private:
    struct alignas(64) BoardLine {
        std::array<std::byte, 64> bytes;
    };
    int rankCount, spinCount;
    std::vector<std::atomic<Channel*>> channels; ///< [from, to]
    std::vector<Doorbell> bells;
    std::vector<BoardLine> boardMemory;
    RankBoard rankBoard;
    std::atomic<bool> ended = false;
    std::atomic<int> here = 0;
    std::atomic<int64_t> meetings = 0;
};

class ThreadTransport : public Transport {
  public:
    ThreadTransport(ThreadNetwork& network, int rank) : network(network), self(rank) {}
    int rank() const override { return self; }
    int size() const override { return network.ranks(); }
    void send(int to, int64_t step, std::span<const std::byte> data) override;
    void receive(int from, int64_t step, std::span<std::byte> data) override;
    void finishSends() override;
    using Transport::receivePieces;

  protected:
    void receivePieces(int from, int64_t step, size_t bytes, TakePiece take, void* context) override;

  private:
    struct Outstanding {
        Channel* channel;
        uint64_t number; ///< taken when so many messages are
        int to;
        int64_t step;
    };
    ThreadNetwork& network;
    int self;
    std::vector<Outstanding> outstanding;
};

} // namespace warplight::collectives
