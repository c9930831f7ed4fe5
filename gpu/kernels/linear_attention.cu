// Linear attention step by step, in f32.
#include "linear_attention_recurrent.cuh"

// Kernels for up to D features. Grid: (tiles of 32 columns, heads); 160 threads, 128 where nothing is normalised.
#define RECURRENT_KERNELS(D)                                                                                                                                         \
    extern "C" __global__ void __launch_bounds__(160, 2) linear_recurrent_add_d##D(LinearProblem<float> p) { recurrent<D, Rule::Add>(p); }                              \
    extern "C" __global__ void __launch_bounds__(160, 2) linear_recurrent_retention_d##D(LinearProblem<float> p) { recurrent<D, Rule::Retention>(p); }                  \
    extern "C" __global__ void __launch_bounds__(160, 2) linear_recurrent_gla_d##D(LinearProblem<float> p) { recurrent<D, Rule::Gla>(p); }                              \
    extern "C" __global__ void __launch_bounds__(160, 2) linear_recurrent_delta_d##D(LinearProblem<float> p) { recurrent<D, Rule::Delta>(p); }                          \
    extern "C" __global__ void __launch_bounds__(160, 2) linear_recurrent_gated_delta_d##D(LinearProblem<float> p) { recurrent<D, Rule::GatedDelta>(p); }
RECURRENT_KERNELS(32)
RECURRENT_KERNELS(64)
RECURRENT_KERNELS(128)
RECURRENT_KERNELS(256)
