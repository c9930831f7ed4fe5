// Causal linear attention by chunks, in f32.
#include "linear_attention_chunked.cuh"

// linear_states: grid (tiles of 32 features · tiles of 64 columns, heads). linear_outputs: grid (tiles of queries, heads).
#define STATES_KERNEL(name, rule)                                                                                                                        \
    extern "C" __global__ void __launch_bounds__(threads, 3) linear_states_##name(LinearProblem<float> p, float* states, float* sums, int chunk) {          \
        writeStates<Rule::rule>(p, states, sums, chunk);                                                                                                 \
    }
#define OUTPUTS_KERNEL(name, rule, chunk)                                                                                                                \
    extern "C" __global__ void __launch_bounds__(threads, 3) linear_outputs_##name##_c##chunk(LinearProblem<float> p, const float* states, const float* sums) { \
        answer<Rule::rule, chunk>(p, states, sums);                                                                                                      \
    }
#define CHUNKED_KERNELS(name, rule)                                                                                                                      \
    STATES_KERNEL(name, rule)                                                                                                                            \
    OUTPUTS_KERNEL(name, rule, 16)                                                                                                                       \
    OUTPUTS_KERNEL(name, rule, 32)                                                                                                                       \
    OUTPUTS_KERNEL(name, rule, 64)                                                                                                                       \
    OUTPUTS_KERNEL(name, rule, 128)
CHUNKED_KERNELS(add, Add)
CHUNKED_KERNELS(retention, Retention)
CHUNKED_KERNELS(gla, Gla)
