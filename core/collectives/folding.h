// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <bit>
#include <cstdint>

namespace warplight::collectives {

/// For algorithms that want a power of two: of the first 2 * extra() ranks the odd ones hand their vector to the even
/// one before them and wait for the result; those that stay are numbered anew.
class Folding {
  public:
    explicit Folding(int ranks)
        : staying(static_cast<int>(std::bit_floor(static_cast<unsigned>(ranks)))), folded(ranks - staying) {}
    int stayingRanks() const { return staying; }
    int extra() const { return folded; }
    int rounds() const { return std::bit_width(static_cast<unsigned>(staying)) - 1; }

    bool folds(int rank) const { return rank < 2 * folded; } ///< has a partner in the folding
    bool leaves(int rank) const { return folds(rank) && rank % 2 == 1; }
    int numberOf(int rank) const { return folds(rank) ? rank / 2 : rank - folded; }
    int rankOf(int number) const { return number < folded ? 2 * number : number + folded; }

  private:
    int staying, folded;
};

} // namespace warplight::collectives
