// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>

namespace warplight::collectives {

/// What joins the ranks of a run, seen from one of them. Messages between two ranks arrive in the order in which they
/// were sent.
class Transport {
  public:
    virtual ~Transport() = default;
    virtual int rank() const = 0;
    virtual int size() const = 0;

    /// Starts sending; `data` must stay as it is until finishSends(). `step` goes along and is checked at the other
    /// end.
    virtual void send(int to, int64_t step, std::span<const std::byte> data) = 0;
    /// Waits for the next message from that rank and puts it there. Throws CountMismatch when its size or step is not
    /// the one expected here, RankFailure when nothing comes in time.
    virtual void receive(int from, int64_t step, std::span<std::byte> data) = 0;
    /// The same, but hands the message over in pieces as they come, in order, so that they can be combined while they
    /// are in the cache: `take(offset, piece)` with offset in bytes, a multiple of 8.
    template <class Take>
    void receivePieces(int from, int64_t step, size_t bytes, Take&& take) {
        receivePieces(
            from, step, bytes,
            [](void* context, size_t offset, std::span<const std::byte> piece) {
                (*static_cast<std::remove_reference_t<Take>*>(context))(offset, piece);
            },
            &take);
    }
    virtual void finishSends() = 0;

  protected:
    using TakePiece = void (*)(void* context, size_t offset, std::span<const std::byte> piece);
    virtual void receivePieces(int from, int64_t step, size_t bytes, TakePiece take, void* context) = 0;
};

/// A rank died, hangs or is too slow. The message names it and says what others were waiting for.
struct RankFailure : std::runtime_error {
    RankFailure(int rank, const std::string& sentence) : std::runtime_error(sentence), rank(rank) {}
    int rank;
};

/// Two ranks do not agree on what is sent.
struct CountMismatch : std::runtime_error {
    using std::runtime_error::runtime_error;
};

} // namespace warplight::collectives
