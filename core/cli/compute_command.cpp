#include "core/cli/compute_command.h"

#include "core/error.h"
#include "core/formats/tensor_file.h"
#include "core/labs/attention/tensors.h"
#include "gpu/number/half.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace warplight::cli {
namespace {

using tensor::DType;

DType dtypeByName(const std::string& name) {
    for (const DType dtype : {DType::F32, DType::F16, DType::BF16})
        if (tensor::name(dtype) == name)
            return dtype;
    throw InputError(fmt::format("--dtype {}: expected f32, f16 or bf16", name));
}

/// What Q's file holds, as far as O can be written so; everything else becomes f32.
DType dtypeLike(const std::string& spec) {
    const DType stored = formats::tensorEntry(spec).dtype;
    return stored == DType::F16 || stored == DType::BF16 ? stored : DType::F32;
}

void roundTo(DType dtype, tensor::Tensor& tensor) {
    for (float& x : tensor.values)
        x = dtype == DType::F16    ? number::f16ToFloat(number::floatToF16(x))
            : dtype == DType::BF16 ? number::bf16ToFloat(number::floatToBf16(x))
                                   : x;
}

} // namespace

CLI::App* addComputeCommand(CLI::App& app, ComputeOptions& options) {
    CLI::App* compute = app.add_subcommand("compute", "One operator on your own tensors");
    compute->require_subcommand(1);
    CLI::App* attention = compute->add_subcommand("attention", "O = softmax(scale · Q Kᵀ + mask) V");
    const char* spec = "FILE.npy, FILE.npz:key, FILE.safetensors:name or FILE.safetensors.index.json:name";
    attention->add_option("--q", options.q, spec)->required();
    attention->add_option("--k", options.k, spec)->required();
    attention->add_option("--v", options.v, spec)->required();
    attention->add_option("-o,--output", options.o, "Where O goes: FILE.npy, FILE.npz[:key] or FILE.safetensors[:name]")
        ->required();
    attention->add_option("--lse", options.lse, "Where the log-sum-exp of each row goes (f32); may be the file of O");
    attention->add_flag("--causal", options.causal, "Mask aligned bottom-right");
    attention->add_option("--scale", options.scale, "Instead of 1/√headDim");
    attention->add_option("--implementation", options.implementation,
                          "A rung of the ladder: flash-packed, standard, ...");
    attention->add_option("--dtype", options.dtype,
                          "f32, f16 or bf16: inputs are rounded to it, O is stored in it (default: as Q)");
    attention->add_option("--layout", options.layout, "BHND or BNHD, for four dimensions");
    attention->add_option("--device", options.device, "What to run on")->check(CLI::IsMember({"cpu"}));
    attention->add_option("--threads", options.threads, "0 = all");
    return attention;
}

void computeAttention(const ComputeOptions& options) {
    const cpu::Implementation implementation = cpu::implementationByName(options.implementation);
    const labs::Layout layout = labs::layoutByName(options.layout);
    tensor::Tensor q = formats::loadTensor(options.q), k = formats::loadTensor(options.k),
                   v = formats::loadTensor(options.v);
    const DType dtype = options.dtype.empty() ? dtypeLike(options.q) : dtypeByName(options.dtype);
    for (tensor::Tensor* input : {&q, &k, &v})
        roundTo(dtype, *input);
    const labs::AttentionTensors inputs = labs::arrangeAttention(
        std::move(q), std::move(k), std::move(v), layout, "--q " + options.q, "--k " + options.k, "--v " + options.v);
    cpu::AttentionProblem problem = inputs.problem();
    std::vector<float> o(inputs.q.values.size()),
        lse(static_cast<size_t>(problem.batch * problem.queryHeads * problem.queryLen));
    problem.o = o.data();
    problem.lse = lse.data();
    problem.causal = options.causal;
    problem.scale = options.scale.value_or(problem.scale);
    cpu::Execution execution;
    execution.threads = options.threads;
    cpu::attentionForward(implementation, problem, execution);
    std::vector<formats::OutputTensor> outputs{{options.o, {"o", labs::outputLike(inputs, o), dtype}}};
    if (!options.lse.empty())
        outputs.push_back({options.lse, {"lse", labs::rowsLike(inputs, lse), DType::F32}});
    formats::saveTensors(outputs);
}

} // namespace warplight::cli
