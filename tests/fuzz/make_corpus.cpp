// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lab/session.h"
#include "tests/core/lab/every_figure.h"

#include <fmt/format.h>
#include <fstream>
#include <ios>

int main(int, char** arguments) {
    using namespace warplight;
    lab::RunRecord record;
    int number = 0;
    for (const lab::Frame& frame : test::everyFrame()) {
        record.apply(frame);
        const auto bytes = lab::encode(frame);
        std::ofstream(fmt::format("{}/frame/{:02}", arguments[1], number++), std::ios::binary)
            .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    }
    lab::saveSession(fmt::format("{}/session/small", arguments[1]), {&record});
}
