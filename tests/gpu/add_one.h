// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

namespace warplight::test {

/// Adds 1 to each of n integers, one a thread.
inline constexpr const char* addOne = R"(
.version 7.0
.target sm_80
.address_size 64
.visible .entry addOne(.param .u64 addOne_x, .param .u32 addOne_n)
{
    .reg .pred %p<2>;
    .reg .b32 %r<6>;
    .reg .b64 %rd<4>;
    ld.param.u64 %rd1, [addOne_x];
    ld.param.u32 %r1, [addOne_n];
    mov.u32 %r2, %tid.x;
    setp.ge.u32 %p1, %r2, %r1;
    @%p1 bra $L1;
    mul.wide.u32 %rd2, %r2, 4;
    add.s64 %rd3, %rd1, %rd2;
    ld.global.u32 %r3, [%rd3];
    add.u32 %r4, %r3, 1;
    st.global.u32 [%rd3], %r4;
$L1:
    ret;
}
)";

} // namespace warplight::test
