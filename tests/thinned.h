// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

namespace warplight::test {

/// The step through a long table of a test: `otherwise`, or `step` where the address sanitizer makes each row many
/// times slower. Choose both without a common factor with the table's inner loops, so that every value of each still
/// gets its turn.
constexpr int thinned([[maybe_unused]] int step, [[maybe_unused]] int otherwise = 1) {
#ifdef __SANITIZE_ADDRESS__
    return step;
#else
    return otherwise;
#endif
}

/// A size or a count: `otherwise`, or the smaller `sanitized` under the address sanitizer.
constexpr long shortened([[maybe_unused]] long otherwise, [[maybe_unused]] long sanitized) {
#ifdef __SANITIZE_ADDRESS__
    return sanitized;
#else
    return otherwise;
#endif
}

} // namespace warplight::test
