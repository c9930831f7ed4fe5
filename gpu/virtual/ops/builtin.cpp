// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/virtual/ops/builtin.h"

#include "gpu/virtual/block.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fmt/format.h>
#include <fmt/printf.h>
#include <string>

namespace warplight::vgpu {
namespace {

/// Host pointer to `bytes` at a generic address as the lane sees it; null if there is nothing.
const std::byte* read(const Warp& w, int lane, uint64_t address, int64_t bytes) {
    const Block& block = *w.block;
    const uint64_t offset = address & 0xffffffffu;
    if (address >> 32 == localWindow >> 32)
        return static_cast<int64_t>(offset) + bytes <= block.localPerThread
                   ? w.local + lane * block.localPerThread + offset
                   : nullptr;
    if (address >> 32 == sharedWindow >> 32)
        return offset + static_cast<uint64_t>(bytes) <= block.shared.size() ? block.shared.data() + offset : nullptr;
    return block.launch->memory->find(address, bytes) >= 0 ? block.launch->memory->host(address) : nullptr;
}

std::string text(const Warp& w, int lane, uint64_t address) {
    std::string all;
    for (const std::byte* c; all.size() < 4096 && (c = read(w, lane, address + all.size(), 1)) && *c != std::byte{};)
        all += static_cast<char>(*c);
    return all;
}

uint64_t argument(const Warp& w, const Program::Call& call, size_t index, int lane) {
    if (index >= call.arguments.size())
        return 0;
    const Program::Function::Slot& slot = call.arguments[index];
    uint64_t value = 0;
    std::memcpy(&value, w.rows[0] + slot.offset + static_cast<uint32_t>(lane) * slot.bytes,
                std::min<uint32_t>(slot.bytes, 8));
    return value;
}

/// printf's format with arguments as CUDA packs them: 4 or 8 bytes each, aligned to their size, doubles for %f.
std::string format(const Warp& w, int lane, const std::string& pattern, uint64_t arguments) {
    std::string out;
    uint64_t at = 0;
    const auto take = [&](uint64_t bytes) {
        at = (at + bytes - 1) / bytes * bytes;
        uint64_t value = 0;
        if (const std::byte* from = read(w, lane, arguments + at, static_cast<int64_t>(bytes)))
            std::memcpy(&value, from, bytes);
        at += bytes;
        return value;
    };
    for (size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] != '%') {
            out += pattern[i];
            continue;
        }
        size_t end = i + 1;
        std::string flags = "%";
        bool wide = false;
        while (end < pattern.size() && std::strchr("-+ #0123456789.*hlLqjzt", pattern[end])) {
            if (pattern[end] == '*')
                flags += std::to_string(static_cast<int32_t>(take(4)));
            else if (std::strchr("lLqjzt", pattern[end]))
                wide = true;
            else if (pattern[end] != 'h')
                flags += pattern[end];
            ++end;
        }
        if (end >= pattern.size())
            break;
        const char kind = pattern[end];
        i = end;
        if (kind == '%')
            out += '%';
        else if (kind == 's')
            out += fmt::sprintf(flags + "s", text(w, lane, take(8)));
        else if (kind == 'c')
            out += static_cast<char>(take(4));
        else if (std::strchr("di", kind))
            out += wide ? fmt::sprintf(flags + "d", static_cast<int64_t>(take(8)))
                        : fmt::sprintf(flags + "d", static_cast<int32_t>(take(4)));
        else if (std::strchr("uxXo", kind))
            out +=
                wide ? fmt::sprintf(flags + kind, take(8)) : fmt::sprintf(flags + kind, static_cast<uint32_t>(take(4)));
        else if (kind == 'p')
            out += fmt::format("{:#x}", take(8));
        else if (std::strchr("fFeEgGaA", kind))
            out += fmt::sprintf(flags + kind, std::bit_cast<double>(take(8)));
    }
    return out;
}

} // namespace

bool isBuiltin(const std::string& name) { return name == "vprintf" || name == "__assertfail"; }

void runBuiltin(Warp& w, const Op* op, const Program::Call& call) {
    for (int lane = 0; lane < warpSize; ++lane) {
        if (!has(w.mask, lane))
            continue;
        if (call.builtin == "__assertfail")
            w.block->fault(w, op, lane, "assert",
                           fmt::format("assertion '{}' failed at {}:{}", text(w, lane, argument(w, call, 0, lane)),
                                       text(w, lane, argument(w, call, 1, lane)),
                                       static_cast<uint32_t>(argument(w, call, 2, lane))));
        const std::string line = format(w, lane, text(w, lane, argument(w, call, 0, lane)), argument(w, call, 1, lane));
        if (w.block->worker->output.size() < (1u << 20)) // as CUDA's own buffer: what does not fit is lost
            w.block->worker->output += line;
        if (!call.returns.empty()) {
            const auto length = static_cast<uint32_t>(line.size());
            std::memcpy(w.rows[0] + call.returns[0].offset + static_cast<uint32_t>(lane) * call.returns[0].bytes,
                        &length, 4);
        }
    }
}

} // namespace warplight::vgpu
