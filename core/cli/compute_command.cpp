#include "core/cli/compute_command.h"

#include "core/cpu/attention/attention_memory.h"
#include "core/error.h"
#include "core/formats/tensor_file.h"
#include "core/labs/attention/tensors.h"
#include "core/text/echo.h"
#include "gpu/cuda/cuda_device.h"
#include "gpu/host/memory_budget.h"
#include "gpu/number/half.h"
#include "gpu/ops/attention.h"
#include "gpu/virtual/virtual_device.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fmt/format.h>
#include <memory>
#include <utility>
#include <vector>

namespace warplight::cli {
namespace {

number::Format dtypeByName(const std::string& name) {
    for (const number::Format dtype : {number::Format::F32, number::Format::F16, number::Format::BF16})
        if (number::name(dtype) == name)
            return dtype;
    throw InputError(fmt::format("--dtype {}: expected f32, f16 or bf16", echoed(name)));
}

/// What Q's file holds, as far as O can be written so; everything else becomes f32.
number::Format dtypeLike(const std::string& spec) {
    const number::Format stored = formats::tensorEntry(spec).dtype;
    return stored == number::Format::F16 || stored == number::Format::BF16 ? stored : number::Format::F32;
}

void roundTo(number::Format dtype, tensor::Tensor& tensor) {
    for (float& x : tensor.values)
        x = dtype == number::Format::F16    ? number::f16ToFloat(number::floatToF16(x))
            : dtype == number::Format::BF16 ? number::bf16ToFloat(number::floatToBf16(x))
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
    attention->add_option(
        "--implementation", options.implementation,
        "A rung of the ladder: flash-packed, standard, ... on cpu; flash2, flash2-mma, naive, ... on GPUs");
    attention->add_option("--dtype", options.dtype,
                          "f32, f16 or bf16: inputs are rounded to it, O is stored in it (default: as Q)");
    attention->add_option("--layout", options.layout, "BHND or BNHD, for four dimensions");
    attention->add_option("--device", options.device, "cpu, vgpu (the virtual GPU) or cuda:0 (see devices)")
        ->check([](const std::string& device) {
            return device == "cpu" || device == "vgpu" || device.starts_with("cuda:")
                       ? std::string()
                       : device + " is none of cpu, vgpu, cuda:0, cuda:1 ...";
        });
    attention->add_option("--threads", options.threads, "0 = all");
    return attention;
}

namespace {

cpu::Implementation implementationOf(const ComputeOptions& options) {
    return cpu::implementationByName(options.implementation.empty() ? "flash-packed" : options.implementation);
}

void onCpu(const ComputeOptions& options, cpu::AttentionProblem& problem) {
    cpu::Execution execution;
    execution.threads = options.threads;
    cpu::attentionForward(implementationOf(options), problem, execution);
}

std::unique_ptr<gpu::Device> gpuNamed(const std::string& id) {
    if (id == "vgpu")
        return vgpu::makeVirtualDevice();
    return std::make_unique<cuda::CudaDevice>(cuda::deviceNumber(id));
}

void onGpu(const ComputeOptions& options, number::Format dtype, cpu::AttentionProblem& problem) {
    const std::string best = dtype == number::Format::F32 ? "flash2" : "flash2-mma";
    const gpu::AttentionRung rung =
        gpu::attentionRungByName(options.implementation.empty() ? best : options.implementation);
    gpu::AttentionOptions how;
    how.threads = options.threads;
    if (gpu::info(rung).halfInputs || gpu::info(rung).anyInputs)
        how.format = dtype == number::Format::BF16  ? number::Format::BF16
                     : dtype == number::Format::F16 ? number::Format::F16
                                                    : number::Format::F32;
    const gpu::AttentionShape shape{problem.batch,  problem.queryHeads, problem.keyHeads, problem.queryLen,
                                    problem.keyLen, problem.headDim,    problem.scale,    problem.causal};
    const auto device = gpuNamed(options.device);
    gpu::KernelLibrary library(*device);
    const gpu::AttentionRun run = gpu::attentionForward(library, rung, shape, problem.q, problem.k, problem.v, how);
    std::copy(run.o.begin(), run.o.end(), problem.o);
    std::copy(run.lse.begin(), run.lse.end(), problem.lse);
}

} // namespace

void computeAttention(const ComputeOptions& options) {
    const bool onCpuAlone = options.device == "cpu";
    if (!options.implementation.empty()) { // before any file is read
        if (onCpuAlone)
            cpu::implementationByName(options.implementation);
        else
            gpu::attentionRungByName(options.implementation);
    }
    const labs::Layout layout = labs::layoutByName(options.layout);
    std::vector<formats::OutputTensor> outputs{{options.o, {"o", {}, number::Format::F32}}};
    if (!options.lse.empty())
        outputs.push_back({options.lse, {"lse", {}, number::Format::F32}});
    formats::checkOutputs(outputs);
    tensor::Tensor q = formats::loadTensor(options.q), k = formats::loadTensor(options.k),
                   v = formats::loadTensor(options.v);
    const number::Format dtype = options.dtype.empty() ? dtypeLike(options.q) : dtypeByName(options.dtype);
    for (tensor::Tensor* input : {&q, &k, &v})
        roundTo(dtype, *input);
    const labs::AttentionTensors inputs = labs::arrangeAttention(
        std::move(q), std::move(k), std::move(v), layout, "--q " + options.q, "--k " + options.k, "--v " + options.v);
    cpu::AttentionProblem problem = inputs.problem();
    MemoryNeed need{saturatedProduct(3 * sizeof(float), inputs.q.size()), 0, "--q " + echoed(options.q), {}};
    if (onCpuAlone)
        need.bytes =
            saturatedSum(need.bytes, cpu::extraBytesAtMost(implementationOf(options), problem, options.threads));
    requireMemory(need); // O, as it is computed, laid out and packed, and what the rung takes
    std::vector<float> o(inputs.q.values.size()),
        lse(static_cast<size_t>(problem.batch * problem.queryHeads * problem.queryLen));
    problem.o = o.data();
    problem.lse = lse.data();
    problem.causal = options.causal;
    problem.scale = options.scale.value_or(problem.scale);
    if (onCpuAlone)
        onCpu(options, problem);
    else
        onGpu(options, dtype, problem);
    outputs.front().tensor = {"o", labs::outputLike(inputs, o), dtype};
    if (!options.lse.empty())
        outputs.back().tensor = {"lse", labs::rowsLike(inputs, lse), number::Format::F32};
    formats::saveTensors(outputs);
}

} // namespace warplight::cli
