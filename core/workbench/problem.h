// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/number/format.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace warplight::workbench {

/// One point of an operator, the same for every device: where its knobs stand, and what its tensors are stored as.
struct Problem {
    std::map<std::string, double, std::less<>> numbers; ///< dimensions, options (a flag is 0 or 1) by name
    number::Format format = number::Format::F32;

    int64_t operator[](std::string_view name) const { return static_cast<int64_t>(numbers.find(name)->second); }
    double real(std::string_view name) const { return numbers.find(name)->second; }
    bool flag(std::string_view name) const { return numbers.find(name)->second != 0; }
    bool has(std::string_view name) const { return numbers.contains(name); }
    void set(std::string_view name, int64_t value) {
        numbers.insert_or_assign(std::string(name), static_cast<double>(value));
    }
    /// Unless the number is there.
    void setDefault(std::string_view name, double value) { numbers.try_emplace(std::string(name), value); }
    bool operator==(const Problem&) const = default;
};

} // namespace warplight::workbench
