// What orders the accesses of a block's warps, and what does not. One block of 64 threads.
// Compiled to orders.ptx by: nvcc -std=c++17 -arch=sm_80 -ptx orders.cu
#include <cuda/atomic>

using Flag = cuda::atomic_ref<int, cuda::thread_scope_block>;

/// Warp 0 fills s and sets the flag; warp 1 waits for it and reads s.
template <class Set, class Wait>
__device__ void handOver(const int* x, int* y, Set set, Wait wait) {
    __shared__ int s[32], flag;
    if (threadIdx.x == 0)
        flag = 0;
    __syncthreads();
    if (threadIdx.x < 32) {
        s[threadIdx.x] = x[threadIdx.x];
        __syncwarp();
        if (threadIdx.x == 0)
            set(flag);
    } else {
        wait(flag);
        y[threadIdx.x - 32] = s[63 - threadIdx.x];
    }
}
extern "C" __global__ void releaseAcquire(const int* x, int* y) {
    handOver(
        x, y, [](int& f) { Flag(f).store(1, cuda::memory_order_release); },
        [](int& f) {
            while (Flag(f).load(cuda::memory_order_acquire) == 0)
                ;
        });
}
extern "C" __global__ void fences(const int* x, int* y) {
    handOver(
        x, y,
        [](int& f) {
            __threadfence_block();
            *(volatile int*)&f = 1;
        },
        [](int& f) {
            while (*(volatile int*)&f == 0)
                ;
            __threadfence_block();
        });
}
extern "C" __global__ void relaxed(const int* x, int* y) { // the flag is none, but orders nothing
    handOver(
        x, y, [](int& f) { Flag(f).store(1, cuda::memory_order_relaxed); },
        [](int& f) {
            while (Flag(f).load(cuda::memory_order_relaxed) == 0)
                ;
        });
}
extern "C" __global__ void plainFlag(const int* x, int* y) { // volatile keeps the compiler, asm the plain accesses
    handOver(
        x, y,
        [](int& f) { asm volatile("st.shared.b32 [%0], 1;" ::"r"((unsigned)__cvta_generic_to_shared(&f))
                                  : "memory"); },
        [](int& f) {
            int seen;
            do
                asm volatile("ld.shared.b32 %0, [%1];"
                             : "=r"(seen)
                             : "r"((unsigned)__cvta_generic_to_shared(&f))
                             : "memory");
            while (seen == 0);
        });
}

extern "C" __global__ void sameValue(const int* x, int* y) { // both warps write the same
    __shared__ volatile int s[32];
    s[threadIdx.x & 31] = x[threadIdx.x & 31];
    __syncthreads();
    y[threadIdx.x] = s[threadIdx.x & 31];
}
extern "C" __global__ void otherValue(const int* x, int* y) {
    __shared__ volatile int s[32];
    s[threadIdx.x & 31] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = s[threadIdx.x & 31];
}

template <bool waits>
__device__ void copyAsync(const int* x, int* y) {
    __shared__ int s[64];
    const unsigned to = __cvta_generic_to_shared(&s[threadIdx.x]);
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(to), "l"(x + threadIdx.x));
    asm volatile("cp.async.commit_group;");
    if (waits)
        asm volatile("cp.async.wait_group 0;");
    __syncthreads();
    y[threadIdx.x] = s[63 - threadIdx.x];
}
extern "C" __global__ void copyWaited(const int* x, int* y) { copyAsync<true>(x, y); }
extern "C" __global__ void copyNotWaited(const int* x, int* y) { copyAsync<false>(x, y); }
extern "C" __global__ void copyWaitedTooLate(const int* x, int* y) { // other warps cannot know that it is there
    __shared__ int s[64];
    const unsigned to = __cvta_generic_to_shared(&s[threadIdx.x]);
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(to), "l"(x + threadIdx.x));
    __syncthreads();
    asm volatile("cp.async.wait_all;" ::: "memory");
    y[threadIdx.x] = *(volatile int*)&s[63 - threadIdx.x];
}
