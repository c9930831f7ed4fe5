// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/attention/attention.h"
#include "core/tensor/tensor.h"

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace warplight::labs::attention {

/// How four-dimensional tensors lie: [batch, heads, sequence, headDim] or, as flash attention's users have it,
/// [batch, sequence, heads, headDim].
enum class Layout { Bhnd, Bnhd };

Layout layoutByName(const std::string& name); ///< "BHND", "BNHD"; throws InputError

/// Q, K, V of a user, brought to [batch, heads, sequence, headDim], and the problem they pose.
struct AttentionTensors {
    tensor::Tensor q, k, v;           ///< always four dimensions, BHND
    std::vector<int64_t> outputShape; ///< the shape that Q had: O is given back in it
    Layout layout = Layout::Bhnd;

    /// Dimensions and pointers of the inputs filled in; scale 1/√headDim, not causal, no outputs.
    cpu::AttentionProblem problem() const;
};

/// What shapes of rank 2 ([sequence, headDim]), 3 ([heads, sequence, headDim]) or 4 pose together: dimensions and
/// scale, no pointers. K and V may have fewer heads (grouped queries) and another length than Q. The names are for
/// messages: throws InputError naming the tensor, its shape and what was expected.
cpu::AttentionProblem problemOf(const std::vector<int64_t>& q, const std::vector<int64_t>& k,
                                const std::vector<int64_t>& v, Layout layout, const std::string& qName,
                                const std::string& kName, const std::string& vName);

/// One head of such a tensor, [sequence, headDim]; `head` counts batch times heads. Throws Cancelled.
std::vector<float> headOf(tensor::Tensor tensor, Layout layout, int64_t head, const std::atomic<bool>* cancel);

/// A tensor of rank 2 to 4 as [batch, heads, sequence, headDim]. Throws InputError with the name for other ranks.
tensor::Tensor toBhnd(tensor::Tensor tensor, Layout layout, const std::string& name);

/// Brings three tensors into one problem; throws as problemOf does.
AttentionTensors arrangeAttention(tensor::Tensor q, tensor::Tensor k, tensor::Tensor v, Layout layout,
                                  const std::string& qName, const std::string& kName, const std::string& vName);

/// O [batch, heads, sequence, headDim] in the layout and rank of Q.
tensor::Tensor outputLike(const AttentionTensors& inputs, const std::vector<float>& o);
/// One number a query row: [batch, heads, sequence], with as many of these dimensions as Q has besides its features.
tensor::Tensor rowsLike(const AttentionTensors& inputs, const std::vector<float>& rows);

} // namespace warplight::labs::attention
