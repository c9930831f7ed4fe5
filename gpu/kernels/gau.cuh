// The gated attention unit (Hua et al. 2022): what gau.cu and gau_mix.cu have in common.
//
// Y = (U ∘ A V) W_o with U = silu(X W_u), V = silu(X W_v), and queries and keys that are views γ ∘ Z + β of Z = silu(X W_z).
// Within a chunk (without chunks: the sequence) every token meets every other; across chunks attention is linear.
#pragma once

/// Tensors row-major and contiguous: views [views, batch · length, shared], v and u [batch, length, expanded], states
/// [batch, chunks, shared, expanded].
struct GauMixing {
    const float* views;
    const float* v;
    float* u;
    const float* states; ///< null: the linear part goes through pairs
    int batch, length, expanded, shared;
    int chunk;           ///< tokens of a chunk; 0: none
    int causal, seenKeys;
};
