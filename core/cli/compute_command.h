#pragma once

#include <optional>
#include <string>

namespace CLI {
class App;
}

namespace warplight::cli {

struct ComputeOptions {
    std::string q, k, v, o, lse, implementation, dtype, layout = "BHND", device = "cpu";
    std::optional<float> scale;
    bool causal = false;
    int threads = 0;
};

/// Registers `compute attention` and fills `options` when it is given.
CLI::App* addComputeCommand(CLI::App& app, ComputeOptions& options);

/// Reads the tensors, runs one rung, writes O (and the log-sum-exp). Throws InputError; writes nothing then.
void computeAttention(const ComputeOptions& options);

} // namespace warplight::cli
