// Every lane of a warp takes a number of rounds of its own: the warp runs as long as its slowest lane, the others wait.
extern "C" __global__ void divergence(const float* x, float* y, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n)
        return;
    float value = x[i];
    for (int round = 0; round < i % 32; ++round)
        value = value * 0.5f + 1;
    y[i] = value;
}
