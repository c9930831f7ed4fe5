// The same sums with a warp a row: lanes read consecutive elements and add up their parts in the end.
extern "C" __global__ void coalesced(const float* matrix, float* sums, int rows, int columns) {
    const int row = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
    if (row >= rows)
        return;
    float sum = 0;
    for (int c = lane; c < columns; c += 32)
        sum += matrix[row * columns + c];
    for (int step = 16; step > 0; step /= 2)
        sum += __shfl_xor_sync(0xffffffffu, sum, step);
    if (lane == 0)
        sums[row] = sum;
}
