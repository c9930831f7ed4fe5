// Transposes tiles of 32 × 32 through shared memory. Reading a column of the tile, all 32 lanes meet in one bank; with rows
// of 33 numbers they would not.
extern "C" __global__ void bank_conflict(const float* from, float* to, int n) {
    __shared__ float tile[32][32];
    const int x = blockIdx.x * 32, y = blockIdx.y * 32;
    for (int row = threadIdx.y; row < 32; row += blockDim.y)
        tile[row][threadIdx.x] = from[(y + row) * n + x + threadIdx.x];
    __syncthreads();
    for (int row = threadIdx.y; row < 32; row += blockDim.y)
        to[(x + row) * n + y + threadIdx.x] = tile[threadIdx.x][row];
}
