// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/formats/npz.h"
#include "core/ssm/hippo.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

namespace warplight::test {

/// An array of tests/oracles/ssm in double precision; of complex numbers, T is std::complex<double>.
template <class T = double>
std::vector<T> oracle(const std::string& file, const std::string& name) {
    const std::vector<std::byte> npy =
        formats::readNpzMember(std::string(WARPLIGHT_TEST_DATA "/oracles/ssm/") + file + ".npz", name);
    const size_t begin = 10 + std::to_integer<size_t>(npy.at(8)) + 256 * std::to_integer<size_t>(npy.at(9));
    std::vector<T> values((npy.size() - begin) / sizeof(T));
    std::memcpy(values.data(), npy.data() + begin, values.size() * sizeof(T));
    return values;
}

/// The largest difference, NaN where a number is none; infinity for other sizes.
template <class T>
double worst(std::span<const T> a, std::span<const T> b) {
    if (a.size() != b.size() || a.empty())
        return HUGE_VAL;
    double most = 0;
    for (size_t i = 0; i < a.size(); ++i) {
        const double off = std::abs(a[i] - b[i]);
        if (std::isnan(off))
            return off;
        most = std::max(most, off);
    }
    return most;
}
template <class T>
double worst(const std::vector<T>& a, const std::vector<T>& b) {
    return worst(std::span<const T>(a), std::span<const T>(b));
}

/// c = A c + B u
inline std::vector<double> stepped(const ssm::System& s, const std::vector<double>& c, double u) {
    std::vector<double> next(s.b);
    for (size_t i = 0; i < next.size(); ++i) {
        next[i] *= u;
        for (size_t k = 0; k < c.size(); ++k)
            next[i] += s.a[i * c.size() + k] * c[k];
    }
    return next;
}

} // namespace warplight::test
