// Mamba-2's SSD by chunks, in f32.
#include "linear_attention_chunked.cuh"
#include "ssd.cuh"

// ssd_states: grid (tiles of 32 features · tiles of 64 columns, heads). ssd_outputs: grid (tiles of rows, heads).
extern "C" __global__ void __launch_bounds__(threads, 3) ssd_states(SsdProblem<float> p, float* states, int chunk) {
    writeStates<Rule::Retention>(p, states, nullptr, chunk);
}
#define SSD_OUTPUTS(chunk)                                                                                                     \
    extern "C" __global__ void __launch_bounds__(threads, 3) ssd_outputs_c##chunk(SsdProblem<float> p, const float* states) { \
        answer<Rule::Retention, chunk>(p, states, nullptr);                                                                    \
    }
SSD_OUTPUTS(16)
SSD_OUTPUTS(32)
SSD_OUTPUTS(64)
SSD_OUTPUTS(128)
