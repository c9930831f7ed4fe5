// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"
#include "core/lab/run.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace warplight::labs::linear {

/// One of the products of three matrices, as it ran.
struct Product {
    std::string name, of; ///< "S", "Q Kᵀ"
    int64_t rows = 0, columns = 0, inner = 0;
    double flops = 0;   ///< counted on the virtual GPU, else 2 · rows · columns · inner
    double bytes = 0;   ///< that its loops asked memory for: counted; 0: nobody counted them
    double seconds = 0; ///< measured on a CPU, modelled on the virtual GPU
};

/// (Q Kᵀ) V and Q (Kᵀ V) of one length: the same numbers, brackets elsewhere.
struct Orders {
    int64_t length = 0, features = 0;
    std::array<Product, 4> products; ///< S = Q Kᵀ, O = S V; M = Kᵀ V, O = Q M
    double largestDifference = 0;    ///< of the two outputs, relative to the largest of them

    double sum(size_t order, double Product::*what) const {
        return products[2 * order].*what + products[2 * order + 1].*what;
    }
};

/// Runs both on the run's device, "vgpu" or "cpu". `gpu`: whose time is modelled. Throws Cancelled, InputError.
Orders runOrders(int64_t length, int64_t features, uint64_t seed, const std::string& gpu, lab::Run& run);
/// f32 numbers that they hold at one time, at most.
int64_t heldBytes(int64_t length, int64_t features);

/// All three inputs and what is made of them, to scale, product by product.
lab::Steps orderScene(const Orders& orders, bool counted);

} // namespace warplight::labs::linear
