// Sums the columns of a matrix, one thread a row: neighbouring lanes read a whole row apart, so every lane fetches a sector
// of 32 bytes for the 4 that it uses. One thread a column reads the same numbers, eight lanes a sector.
extern "C" __global__ void uncoalesced(const float* matrix, float* sums, int rows, int columns) {
    const int row = blockIdx.x * blockDim.x + threadIdx.x;
    if (row >= rows)
        return;
    float sum = 0;
    for (int c = 0; c < columns; ++c)
        sum += matrix[row * columns + c];
    sums[row] = sum;
}
