// How fast memory can be: STREAM's copy and triad (McCalpin 1995), four floats a thread and step.
extern "C" __global__ void stream_copy(const float4* a, float4* b, long long n) {
    const long long step = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step)
        b[i] = a[i];
}

/// c = a + s · b
extern "C" __global__ void stream_triad(const float4* a, const float4* b, float4* c, float s, long long n) {
    const long long step = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
        const float4 x = a[i], y = b[i];
        c[i] = make_float4(x.x + s * y.x, x.y + s * y.y, x.z + s * y.z, x.w + s * y.w);
    }
}
