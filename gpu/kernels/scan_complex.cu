// The linear scan of complex numbers, pairs (real, imaginary): kernels of scan.cu for float2. Chunks are of 512 steps, 16
// bytes of a and b a thread as there; scan_reset is that of real numbers.
#include "scan.cuh"
#include "scan_tiles.cuh"

extern "C" __global__ void __launch_bounds__(128) scan_complex_serial(ScanRows<float2> p) { serial(p); }

/// Grid channels; tiles of blockDim steps, a power of two up to 512.
extern "C" __global__ void __launch_bounds__(512) scan_complex_hillis_steele(ScanRows<float2> p) { hillisSteele(p); }
extern "C" __global__ void __launch_bounds__(512) scan_complex_sklansky(ScanRows<float2> p) { sklansky(p); }
/// Grid channels; tiles of two steps a thread, a power of two up to 1024.
extern "C" __global__ void __launch_bounds__(512) scan_complex_blelloch(ScanRows<float2> p) { blelloch(p); }

/// Grid channels · (chunks - 1): pairs [channels, chunks - 1].
extern "C" __global__ void __launch_bounds__(256) scan_complex_pairs(ScanRows<float2> p, Pair<float2>* pairs, int chunks) {
    chunkPairs(p, pairs, chunks);
}

/// Grid channels: the state behind each chunk but the last, states [channels, chunks - 1].
extern "C" __global__ void __launch_bounds__(256) scan_complex_carry(ScanRows<float2> p, const Pair<float2>* pairs, float2* states, int chunks) {
    carry(p, pairs, states, chunks);
}

/// Grid channels · chunks.
extern "C" __global__ void __launch_bounds__(256) scan_complex_states(ScanRows<float2> p, const float2* states, int chunks) {
    chunkStates(p, states, chunks);
}

/// Grid channels · chunks. Left to itself the compiler wants five blocks a multiprocessor, and spills on sm_120.
extern "C" __global__ void __launch_bounds__(256, 4) scan_complex_look_back(ScanRows<float2> p, LookBack<float2> told, int chunks) {
    onePass(p, told, chunks);
}
