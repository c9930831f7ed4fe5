// The depthwise causal convolution before a selective scan, in f32: y_t = bias + Σ_k w_k x_{t-width+1+k} of each channel, zeros
// before the first step, and silu of that where it is asked for. A block has 256 steps of a channel, whose inputs and those of
// the steps before lie in shared memory: each is read once, and those before once more by the next block.
namespace {

constexpr int steps = 256, widest = 16;

} // namespace

/// Grid (tiles of 256 steps, dim, batch), 256 threads. x, y [batch, dim, len], w [dim, width], bias [dim] or null.
extern "C" __global__ void __launch_bounds__(256) causal_conv(const float* x, const float* w, const float* bias, float* y, int dim, int len, int width, int silu) {
    __shared__ float in[steps + widest], weight[widest], added;
    const int e = blockIdx.y, first = blockIdx.x * steps, before = width - 1;
    const long long row = ((long long)blockIdx.z * dim + e) * len;
    for (int i = threadIdx.x; i < steps + before; i += steps) {
        const int t = first - before + i;
        in[i] = t >= 0 && t < len ? x[row + t] : 0;
    }
    if (threadIdx.x < width)
        weight[threadIdx.x] = w[e * width + threadIdx.x];
    if (threadIdx.x == 0)
        added = bias ? bias[e] : 0;
    __syncthreads();
    const int t = first + threadIdx.x;
    if (t >= len)
        return;
    float sum = added;
    for (int k = 0; k < width; ++k)
        if (t - before + k >= 0) // an infinite weight times a zero would be no number
            sum += weight[k] * in[threadIdx.x + k];
    y[row + t] = silu ? sum / (1 + expf(-sum)) : sum;
}
