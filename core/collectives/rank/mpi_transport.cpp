// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/collectives/rank/mpi_transport.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <span>
#include <stdexcept>
#include <string_view>

namespace warplight::collectives {
namespace {

/// Up to so many bytes are received into room for more, so that a mismatch can be told with both sizes.
constexpr size_t longestCopy = 4096;

/// A piece fits the second-level cache together with what it is combined with; one is combined while the next comes.
constexpr size_t pieceBytes = 256 * 1024;
constexpr size_t depth = 2;

} // namespace

void checkMpi(int code, const char* function) {
    if (code == MPI_SUCCESS)
        return;
    char text[MPI_MAX_ERROR_STRING];
    int length = 0;
    MPI_Error_string(code, text, &length);
    throw std::runtime_error(
        fmt::format("{} failed: {}", function, std::string_view(text, static_cast<size_t>(length))));
}

MpiTransport::MpiTransport(RankMemory& memory, int rank)
    : memory(memory), board(memory.board()), self(rank), ranks(memory.ranks()) {
    int* highest = nullptr;
    int isThere = 0;
    MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_TAG_UB, &highest, &isThere);
    tagSteps = (isThere ? int64_t{*highest} : 32767) / 2; // MPI promises that much
    pieces.resize(depth * pieceBytes);
    requests.resize(depth, MPI_REQUEST_NULL);
}

int MpiTransport::tag(int64_t step, bool isLast) const {
    return static_cast<int>(step % tagSteps * 2) + (isLast ? 1 : 0);
}

void MpiTransport::setWorking(int64_t step) {
    board.setWorking(self, step);
    memory.row(self).step.store(step, std::memory_order_relaxed);
}

void MpiTransport::setWaiting(int64_t step, int other) { board.setWaiting(self, step, other); }

void MpiTransport::send(int to, int64_t step, std::span<const std::byte> data) {
    setWorking(step);
    size_t offset = 0;
    do {
        const size_t bytes = std::min(pieceBytes, data.size() - offset);
        MPI_Request request = MPI_REQUEST_NULL;
        checkMpi(MPI_Isend(data.data() + offset, static_cast<int>(bytes), MPI_BYTE, to,
                           tag(step, offset + bytes == data.size()), MPI_COMM_WORLD, &request),
                 "MPI_Isend");
        if (request != MPI_REQUEST_NULL)
            outstanding.push_back({request, to, step});
        offset += bytes;
    } while (offset < data.size());
}

void MpiTransport::take(MPI_Request& request, const Expected& expected, size_t offset, size_t bytes) {
    MPI_Status status;
    int isThere = 0;
    int code = MPI_Test(&request, &isThere, &status);
    if (code == MPI_SUCCESS && !isThere) {
        setWaiting(expected.step, expected.from);
        code = MPI_Wait(&request, &status);
    }
    int kind = MPI_SUCCESS;
    if (code != MPI_SUCCESS)
        MPI_Error_class(code, &kind);
    if (kind != MPI_ERR_TRUNCATE)
        checkMpi(code, "MPI_Wait");

    int count = 0;
    MPI_Get_count(&status, MPI_BYTE, &count);
    const size_t end = offset + static_cast<size_t>(count);
    const bool isLast = status.MPI_TAG % 2 == 1;
    if (kind == MPI_SUCCESS && status.MPI_TAG / 2 != expected.step % tagSteps)
        throw CountMismatch(fmt::format("Rank {} sends its message of step {} where rank {} expects that of step {}.",
                                        expected.from, status.MPI_TAG / 2, self, expected.step));
    if (kind == MPI_ERR_TRUNCATE || (!isLast && offset + bytes == expected.bytes))
        throw CountMismatch(fmt::format("Rank {} sends more in step {} than the {} bytes that rank {} expects.",
                                        expected.from, expected.step, expected.bytes, self));
    if (end != offset + bytes || isLast != (end == expected.bytes))
        throw CountMismatch(fmt::format("Rank {} sends {} bytes in step {} where rank {} expects {}.", expected.from,
                                        end, expected.step, self, expected.bytes));
    setWorking(expected.step);
}

template <class Room, class Done>
void MpiTransport::forEachPiece(const Expected& expected, const Room& room, const Done& done) {
    const size_t count = std::max<size_t>(1, (expected.bytes + pieceBytes - 1) / pieceBytes);
    const auto post = [&](size_t piece) {
        const std::span<std::byte> into = room(piece);
        checkMpi(MPI_Irecv(into.data(), static_cast<int>(into.size()), MPI_BYTE, expected.from, MPI_ANY_TAG,
                           MPI_COMM_WORLD, &requests[piece % depth]),
                 "MPI_Irecv");
    };
    for (size_t piece = 0; piece < std::min(count, depth); ++piece)
        post(piece);
    for (size_t piece = 0; piece < count; ++piece) {
        const size_t offset = piece * pieceBytes;
        const size_t bytes = std::min(pieceBytes, expected.bytes - offset);
        take(requests[piece % depth], expected, offset, bytes);
        done(piece, offset, bytes);
        if (piece + depth < count)
            post(piece + depth);
    }
}

void MpiTransport::receivePieces(int from, int64_t step, size_t bytes, TakePiece takePiece, void* context) {
    const auto place = [&](size_t piece) { return std::span(pieces).subspan(piece % depth * pieceBytes, pieceBytes); };
    forEachPiece({from, step, bytes}, place, [&](size_t piece, size_t offset, size_t size) {
        takePiece(context, offset, place(piece).first(size));
    });
}

void MpiTransport::receive(int from, int64_t step, std::span<std::byte> data) {
    if (data.size() <= longestCopy) {
        receivePieces(from, step, data.size(), [&](size_t offset, std::span<const std::byte> piece) {
            std::copy(piece.begin(), piece.end(), data.begin() + static_cast<std::ptrdiff_t>(offset));
        });
        return;
    }
    forEachPiece(
        {from, step, data.size()},
        [&](size_t piece) {
            const size_t offset = piece * pieceBytes;
            return data.subspan(offset, std::min(pieceBytes, data.size() - offset));
        },
        [](size_t, size_t, size_t) {});
}

void MpiTransport::finishSends() {
    for (Outstanding& each : outstanding) {
        int isThere = 0;
        checkMpi(MPI_Test(&each.request, &isThere, MPI_STATUS_IGNORE), "MPI_Test");
        if (isThere)
            continue;
        setWaiting(each.step, each.to);
        checkMpi(MPI_Wait(&each.request, MPI_STATUS_IGNORE), "MPI_Wait");
    }
    outstanding.clear();
}

} // namespace warplight::collectives
