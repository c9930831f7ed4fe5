// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/collectives/files/nccl_tests.h"
#include "core/error.h"

#include <QTest>
#include <string>
#include <string_view>
#include <vector>

#include <cmath>

/// Texts as nccl-tests prints them, made by hand after its format with figures that people published.

namespace QTest {
template <>
inline char* toString(const std::string& text) {
    return qstrdup(text.c_str());
}
} // namespace QTest

namespace warplight::test {

using namespace collectives;

inline std::vector<NcclTests> runsOf(const std::string& text) {
    profiles::TextSource source(text);
    return readNcclTestRuns(source, {"memory", nullptr, {}});
}
inline NcclTests runOf(const std::string& text) { return runsOf(text).at(0); }

inline std::string refusal(const std::string& text) {
    try {
        runsOf(text);
    } catch (const InputError& error) {
        return error.what();
    }
    return "";
}

inline bool warns(const NcclTests& run, std::string_view words) {
    for (const std::string& warning : run.warnings)
        if (warning.find(words) != std::string::npos)
            return true;
    return false;
}

inline std::string rankLines(int ranks) {
    std::string text = "# Using devices\n";
    for (int r = 0; r < ranks; ++r)
        text += "#  Rank " + std::to_string(r) + " Group  0 Pid   6899 on node-" + std::to_string(r / 8) + " device  " +
                std::to_string(r % 8) + " [0000:04:00] NVIDIA H100 80GB HBM3\n";
    return text;
}

constexpr const char* columns = R"(#
#                                                              out-of-place                       in-place
#       size         count      type   redop    root     time   algbw   busbw #wrong     time   algbw   busbw #wrong
#        (B)    (elements)                               (us)  (GB/s)  (GB/s)            (us)  (GB/s)  (GB/s)
)";
constexpr const char* footer = "# Out of bounds values : 0 OK\n# Avg bus bandwidth    : 242.855 \n#\n";

// kvcache-ai/Mooncake #3484, 8 ranks.
constexpr const char* rowOf16MiB = "    16777216       4194304     float     sum      -1   121.33  138.28  242.00      "
                                   " 0   120.47  139.26  243.71       0\n";

inline std::string plain() { return rankLines(8) + columns + rowOf16MiB + footer; }

/// Whether two numbers are the same but for the last bit.
inline bool same(double a, double b) { return std::fabs(a - b) <= 1e-12 * std::fabs(b); }

} // namespace warplight::test

#define SAME(a, b) QVERIFY2(same(a, b), qPrintable(QString("%1 is not %2").arg(a, 0, 'g', 17).arg(b, 0, 'g', 17)))
