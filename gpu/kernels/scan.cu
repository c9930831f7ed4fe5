// The linear scan h_t = a_t h_{t-1} + b_t of rows in f32: a ladder. What pairs (a, b) are, and all that is in chunks:
// scan.cuh; tiles in shared memory: scan_tiles.cuh.
//
//   scan_serial         a thread a row, one step after the other: no work too much, and neighbours in a warp read far apart
//   scan_hillis_steele  a block a row, tile by tile in shared memory: each element takes in the one 1, 2, 4 … before it
//   scan_sklansky       the same number of steps with half the work, in place: half a block takes in the last of the other
//   scan_blelloch       up a tree and down again: work of 2 n for twice the barriers; padded, so that no banks conflict
//   scan_pairs, scan_carry, scan_states
//                       chunked: what each chunk of all rows does as one pair, the states between chunks, then h; a and b
//                       are read twice
//   scan_reset, scan_look_back
//                       in one pass: a chunk takes a number, tells what it does, and looks back for a state or, until there
//                       is one, for what the chunks since do (Merrill and Garland 2016, "Single-pass parallel prefix scan with
//                       decoupled look-back"). A state passes one chunk after the other whoever carries it: the bits do not
//                       depend on who was where.
#include "scan.cuh"
#include "scan_tiles.cuh"

extern "C" __global__ void __launch_bounds__(128) scan_serial(ScanRows<float> p) { serial(p); }

/// Grid channels; tiles of blockDim steps, a power of two up to 512.
extern "C" __global__ void __launch_bounds__(512) scan_hillis_steele(ScanRows<float> p) { hillisSteele(p); }
extern "C" __global__ void __launch_bounds__(512) scan_sklansky(ScanRows<float> p) { sklansky(p); }
/// Grid channels; tiles of two steps a thread, a power of two up to 1024.
extern "C" __global__ void __launch_bounds__(512) scan_blelloch(ScanRows<float> p) { blelloch(p); }

/// Grid channels · (chunks - 1): pairs [channels, chunks - 1].
extern "C" __global__ void __launch_bounds__(256) scan_pairs(ScanRows<float> p, Pair<float>* pairs, int chunks) { chunkPairs(p, pairs, chunks); }

/// Grid channels: the state behind each chunk but the last, states [channels, chunks - 1].
extern "C" __global__ void __launch_bounds__(256) scan_carry(ScanRows<float> p, const Pair<float>* pairs, float* states, int chunks) {
    carry(p, pairs, states, chunks);
}

/// Grid channels · chunks.
extern "C" __global__ void __launch_bounds__(256) scan_states(ScanRows<float> p, const float* states, int chunks) { chunkStates(p, states, chunks); }

extern "C" __global__ void __launch_bounds__(256) scan_reset(LookBack<float> told, int chunks) {
    const int i = blockIdx.x * 256 + threadIdx.x;
    if (i == 0)
        *told.tickets = 0;
    if (i < chunks)
        told.status[i] = untold;
}

/// Grid channels · chunks; blocks take chunks in the order in which they begin, so that whoever is waited for runs.
extern "C" __global__ void __launch_bounds__(256) scan_look_back(ScanRows<float> p, LookBack<float> told, int chunks) { onePass(p, told, chunks); }
