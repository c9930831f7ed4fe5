// Products of the tensor core beside those of tensor_core.cuh: f16 sums, tf32 and 8-bit factors. Fragments lie as there,
// with one 32-bit number or four 8-bit ones in a register instead of two 16-bit ones: what ldmatrix loads as pairs of
// 16 bits are then rows of 32-bit or 8-bit numbers just as well.
#pragma once

#include "tensor_core.cuh"

/// c[16×8] += a[16×16] · b[16×8], sums in f16: two of a row in a register, rows g and g + 8.
__device__ __forceinline__ void multiplyAddInHalf(unsigned (&c)[2], const unsigned (&a)[4], unsigned b0, unsigned b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16 {%0, %1}, {%2, %3, %4, %5}, {%6, %7}, {%0, %1};"
                 : "+r"(c[0]), "+r"(c[1])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// The nearest number of tf32, of two as near the larger one, with 13 zeros behind it: the tensor core does not look there.
__device__ __forceinline__ unsigned roundToTf32(float x) {
    unsigned r;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(r) : "f"(x));
    return r;
}

/// c[16×8] += a[16×8] · b[8×8] in tf32, sums in f32.
__device__ __forceinline__ void multiplyAddTf32(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
