// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/error.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <span>
#include <vector>

namespace warplight {

/// What takes long only because it is large goes in pieces of some milliseconds, with a look at the wish to cancel
/// before each.
inline constexpr size_t pieceBytes = 4 << 20;

/// Calls use(begin, end) for pieces of `count` elements of that size. Throws Cancelled.
template <class Use>
void inPieces(size_t count, size_t elementBytes, const std::atomic<bool>* cancel, const Use& use) {
    const size_t piece = std::max<size_t>(pieceBytes / std::max<size_t>(elementBytes, 1), 1);
    for (size_t begin = 0; begin < count; begin += piece) {
        checkCancelled(cancel);
        use(begin, std::min(count, begin + piece));
    }
}

/// Elements of the vector up to `count`, zero at first: new memory is slow, since the system clears it.
template <class T>
void growTo(std::vector<T>& vector, size_t count, const std::atomic<bool>* cancel) {
    vector.reserve(count);
    inPieces(count, sizeof(T), cancel, [&](size_t, size_t end) { vector.resize(std::max(vector.size(), end)); });
}

template <class From>
void copyInPieces(const From& from, std::span<std::byte> to, const std::atomic<bool>* cancel) {
    inPieces(to.size(), 1, cancel, [&](size_t begin, size_t end) {
        std::copy(from.begin() + static_cast<std::ptrdiff_t>(begin), from.begin() + static_cast<std::ptrdiff_t>(end),
                  to.begin() + static_cast<std::ptrdiff_t>(begin));
    });
}

} // namespace warplight
