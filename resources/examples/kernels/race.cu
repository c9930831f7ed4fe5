// A block sums its 256 numbers in shared memory by halving. A barrier is missing inside the loop: a warp may read what
// another has not added yet, and the sum is right only by luck.
extern "C" __global__ void race(const float* x, float* sums) {
    __shared__ float part[256];
    const int i = threadIdx.x;
    part[i] = x[blockIdx.x * 256 + i];
    __syncthreads();
    for (int half = 128; half > 0; half /= 2)
        if (i < half)
            part[i] += part[i + half]; // __syncthreads() belongs behind this
    if (i == 0)
        sums[blockIdx.x] = part[0];
}
