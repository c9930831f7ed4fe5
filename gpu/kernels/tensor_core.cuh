// The tensor core's instructions and what feeds them, for f16 and bf16. Where the elements of a fragment lie is told in
// the PTX manual, 9.7.15.5: lane = 4·g + t holds rows g and g + 8, columns 2t and 2t + 1 of each 8×8 part.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

/// A tile of `D` 16-bit numbers a row in shared memory. Rows are cut into chunks of 16 bytes, and a chunk's place is
/// exchanged by the row's number, so that equal chunks of eight rows lie in eight different groups of four banks:
/// neither ldmatrix nor cp.async has a bank conflict.
template <int D>
struct Swizzle {
    static constexpr int chunks = D / 8, perLine = chunks >= 8 ? 1 : 8 / chunks, mask = chunks >= 8 ? 7 : chunks - 1;
    /// Byte offset of a chunk.
    __device__ static unsigned at(int row, int chunk) { return (row * chunks + (chunk ^ (row / perLine & mask))) * 16; }
};

/// Copies 16 bytes to shared memory behind the threads' back; zeros if not `valid`.
__device__ __forceinline__ void copyAsync(unsigned to, const void* from, bool valid) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(valid ? 16 : 0));
}
__device__ __forceinline__ void commitCopies() { asm volatile("cp.async.commit_group;"); }
template <int outstanding>
__device__ __forceinline__ void waitCopies() {
    asm volatile("cp.async.wait_group %0;" ::"n"(outstanding) : "memory");
}

__device__ __forceinline__ void loadMatrices(unsigned (&r)[4], unsigned address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
}
__device__ __forceinline__ void loadTransposed(unsigned (&r)[4], unsigned address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
}

/// c[16×8] += a[16×16] · b[16×8], sums in f32.
template <class T>
__device__ __forceinline__ void multiplyAdd(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1);
template <>
__device__ __forceinline__ void multiplyAdd<__half>(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
template <>
__device__ __forceinline__ void multiplyAdd<__nv_bfloat16>(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// One in the last place of the exponent of both numbers of a register.
template <class T>
constexpr unsigned exponentOne = 0;
template <>
constexpr unsigned exponentOne<__half> = 0x04000400;
template <>
constexpr unsigned exponentOne<__nv_bfloat16> = 0x00800080;

/// Two numbers rounded into one register, `low` in the lower half.
template <class T>
__device__ __forceinline__ unsigned pack(float low, float high);
template <>
__device__ __forceinline__ unsigned pack<__half>(float low, float high) {
    unsigned r;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
    return r;
}
template <>
__device__ __forceinline__ unsigned pack<__nv_bfloat16>(float low, float high) {
    unsigned r;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
    return r;
}
