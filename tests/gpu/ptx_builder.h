// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/virtual/virtual_device.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace warplight::test {

/// A kernel around a few lines of PTX. Arrays a, b, c, d of `bytes` a thread: `body` finds its element of a, b, c in
/// %a, %b, %c (of the types given) and leaves its result in %d, which is stored.
struct OneInstruction {
    std::string typeA, typeB, typeC, typeD; ///< of registers: "f32", "b16" …
    std::string body;

    static int bytes(const std::string& type) { return std::stoi(type.substr(1)) / 8; }

    std::string ptx() const {
        std::string text = ".version 8.8\n.target sm_90\n.address_size 64\n.visible .entry k(.param .u64 pa, .param "
                           ".u64 pb, .param .u64 pc, .param .u64 pd)\n{\n";
        const std::string types[] = {typeA, typeB, typeC, typeD}, names[] = {"a", "b", "c", "d"};
        for (int i = 0; i < 4; ++i)
            text += ".reg ." + types[i] + " %" + names[i] + ";\n.reg .b64 %p" + names[i] + ";\n";
        text += ".reg .b32 %t;\n.reg .b64 %o;\n.reg .pred %p, %q;\n.reg .b32 %x, %y;\nmov.u32 %t, %ctaid.x;\n"
                "mov.u32 %x, %ntid.x;\nmov.u32 %y, %tid.x;\nmad.lo.u32 %t, %t, %x, %y;\n";
        for (int i = 0; i < 4; ++i) {
            const std::string n = names[i];
            text += "ld.param.u64 %p" + n + ", [p" + n + "];\nmul.wide.u32 %o, %t, " + std::to_string(bytes(types[i])) +
                    ";\nadd.s64 %p" + n + ", %p" + n + ", %o;\n";
            if (i < 3)
                text += "ld.global.b" + std::to_string(bytes(types[i]) * 8) + " %" + n + ", [%p" + n + "];\n";
        }
        text += body + "\nst.global.b" + std::to_string(bytes(typeD) * 8) + " [%pd], %d;\nret;\n}\n";
        return text;
    }

    /// Runs one thread an element; the arrays have as many as `a`: at most 1024, or a multiple of it.
    template <class D, class A, class B, class C>
    std::vector<D> run(gpu::Device& device, const std::vector<A>& a, const std::vector<B>& b,
                       const std::vector<C>& c) const {
        const auto module = device.load(ptx(), "test.ptx");
        const auto upload = [&](const auto& values, const char* name) {
            gpu::Buffer buffer(device, static_cast<int64_t>(values.size() * sizeof(values[0])), name);
            buffer.upload(values.data());
            return buffer;
        };
        const gpu::Buffer da = upload(a, "a"), db = upload(b, "b"), dc = upload(c, "c"),
                          dd(device, static_cast<int64_t>(a.size() * sizeof(D)), "d");
        gpu::LaunchConfig config;
        config.block = {static_cast<uint32_t>(std::min<size_t>(a.size(), 1024))};
        config.grid = {static_cast<uint32_t>(a.size() / config.block.x)};
        module->kernel("k").launch(config,
                                   std::vector<gpu::Argument>{da.address(), db.address(), dc.address(), dd.address()});
        std::vector<D> d(a.size());
        dd.download(d.data());
        return d;
    }
};

} // namespace warplight::test
