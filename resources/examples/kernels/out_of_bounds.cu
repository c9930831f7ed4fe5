// A three-point average that forgets the last element: the thread at the end reads one number behind the array.
extern "C" __global__ void out_of_bounds(const float* x, float* y, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        y[i] = (x[i > 0 ? i - 1 : 0] + x[i] + x[i + 1]) / 3;
}
