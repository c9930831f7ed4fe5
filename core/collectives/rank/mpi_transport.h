// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/collectives/rank_memory.h"

#include <cstddef>
#include <cstdint>
#include <mpi.h>
#include <span>
#include <vector>

namespace warplight::collectives {

/// Throws std::runtime_error with MPI's own words unless `code` is MPI_SUCCESS.
void checkMpi(int code, const char* function);

/// Messages of MPI. A long message goes as several pieces, so that a receiver can combine one while the
/// next is under way; receives for the next pieces are posted before they are needed. A piece's tag is its step and
/// whether it is the message's last, which is how a receiver notices that a sender counts differently.
class MpiTransport : public Transport {
  public:
    MpiTransport(RankMemory& memory, int rank);
    int rank() const override { return self; }
    int size() const override { return ranks; }
    void send(int to, int64_t step, std::span<const std::byte> data) override;
    void receive(int from, int64_t step, std::span<std::byte> data) override;
    void finishSends() override;
    void setWorking(int64_t step);
    using Transport::receivePieces;

  protected:
    void receivePieces(int from, int64_t step, size_t bytes, TakePiece take, void* context) override;

  private:
    struct Outstanding {
        MPI_Request request;
        int to;
        int64_t step;
    };

    void setWaiting(int64_t step, int other);
    int tag(int64_t step, bool isLast) const;
    struct Expected {
        int from;
        int64_t step;
        size_t bytes; ///< of the whole message
    };
    /// Waits for a piece and compares it with what is expected: `bytes` from `offset` on.
    void take(MPI_Request& request, const Expected& expected, size_t offset, size_t bytes);
    /// room(piece) is where to put it; done(piece, offset, bytes) when it is there.
    template <class Room, class Done>
    void forEachPiece(const Expected& expected, const Room& room, const Done& done);

    RankMemory& memory;
    RankBoard board;
    int self, ranks;
    int64_t tagSteps;                  ///< steps that tags tell apart
    std::vector<std::byte> pieces;     ///< that receives for combining are posted to
    std::vector<MPI_Request> requests; ///< of the pieces that are on their way
    std::vector<Outstanding> outstanding;
};

} // namespace warplight::collectives
