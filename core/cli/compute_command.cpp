// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cli/compute_command.h"

#include "core/cli/load_input.h"
#include "core/devices/gpus.h"
#include "core/error.h"
#include "core/formats/tensor_file.h"
#include "core/text/echo.h"
#include "core/text/lower_case.h"
#include "core/workbench/arrange.h"
#include "gpu/host/memory_budget.h"
#include "gpu/ops/kernel_library.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace warplight::cli {
namespace {

/// What was asked of one operator.
struct ComputeOptions {
    const workbench::Operator* op = nullptr;
    std::map<std::string, std::string> files;   ///< by tensor, as written; empty: not given
    std::map<std::string, std::string> options; ///< of the operator, as written; empty: not given
    std::map<std::string, bool> flags;
    std::string implementation, dtype, layout, device = "cpu";
    int threads = 0;
};

using number::Format;
using workbench::Implementation;
using workbench::Operator;
using workbench::Problem;
using workbench::Tensors;
using workbench::TensorSpec;
using Role = TensorSpec::Role;

/// "--dq" of dQ; the only output of an operator is -o.
std::string flagOf(const Operator& op, const TensorSpec& spec) {
    const auto outputs =
        std::count_if(op.tensors.begin(), op.tensors.end(), [](const TensorSpec& t) { return t.role == Role::Output; });
    if (spec.role == Role::Output && outputs == 1)
        return "-o,--output";
    return "--" + lowerCase(spec.name);
}

Format formatByName(const std::string& name) {
    for (const Format format : {Format::F32, Format::F16, Format::BF16})
        if (number::name(format) == name)
            return format;
    throw InputError(fmt::format("--dtype {}: expected f32, f16 or bf16", echoed(name)));
}

/// What a file holds, as far as outputs can be written so; everything else becomes f32.
Format formatLike(const std::string& spec) {
    const Format stored = formats::tensorEntry(spec).dtype;
    return stored == Format::F16 || stored == Format::BF16 ? stored : Format::F32;
}

/// "feature-map" of featureMap.
std::string kebabOf(const std::string& id) {
    std::string kebab;
    for (const char c : id) {
        if (std::isupper(static_cast<unsigned char>(c)))
            kebab += '-';
        kebab += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    return kebab;
}

Command addOperator(Command compute, ComputeOptions& given) {
    const Operator& op = *given.op;
    const Command command = compute.command(op.id, op.formula);
    for (const TensorSpec& spec : op.tensors) {
        if (spec.role == Role::Between)
            continue;
        const bool input = spec.role == Role::Input;
        const char* what = input ? "FILE.npy, FILE.npz:key, FILE.safetensors:name or FILE.safetensors.index.json:name"
                                 : "FILE.npy, FILE.npz[:key] or FILE.safetensors[:name]";
        const Option option = command.option(flagOf(op, spec), &given.files[spec.name],
                                             spec.doc.empty() ? what : fmt::format("{}: {}", spec.doc, what));
        if (spec.wanted)
            option.required();
    }
    for (const lab::Parameter& p : op.options)
        if (p.type == lab::Parameter::Type::Flag) {
            const bool otherwise = std::get<bool>(p.defaultValue);
            given.flags[p.id] = otherwise;
            command.flag((otherwise ? "!--no-" : "--") + p.id, given.flags[p.id], p.doc);
        } else {
            std::string doc = p.doc;
            for (const auto& option : p.options)
                doc += (&option == &p.options.front() ? " " : ", ") + option.id;
            const std::string kebab = kebabOf(p.id); // as the description has it, it is understood as well
            command.option(kebab == p.id ? "--" + kebab : fmt::format("--{},--{}", kebab, p.id), &given.options[p.id],
                           doc);
        }
    std::vector<std::string> ids[2];
    for (const Implementation& i : op.ladder)
        ids[i.onGpuDevice()].push_back(i.id);
    const bool isImplementation = op.rungOption == "implementation";
    command.option(isImplementation ? "--implementation" : fmt::format("--{},--implementation", op.rungOption),
                   &given.implementation,
                   fmt::format("{} on cpu{}{}{}", fmt::join(ids[0], ", "), ids[1].empty() ? "" : "; ",
                               fmt::join(ids[1], ", "), ids[1].empty() ? "" : " on GPUs"));
    command.option("--dtype", &given.dtype,
                   "f32, f16 or bf16: inputs are rounded to it, outputs are stored in it (default: as the first "
                   "input)");
    if (op.arrangement && !op.arrangement->layouts.empty())
        command.option("--layout", &given.layout,
                       fmt::format("{}, for four dimensions", fmt::join(op.arrangement->layouts, " or ")));
    command.option("--device", &given.device, "cpu, vgpu (the virtual GPU) or cuda:0 (see devices)")
        .check([](const std::string& device) {
            return device == "cpu" || device == "vgpu" || device.starts_with("cuda:")
                       ? std::string()
                       : device + " is none of cpu, vgpu, cuda:0, cuda:1 ...";
        });
    command.option("--threads", &given.threads, "0 = all").between(int64_t{0}, mostThreads);
    return command;
}

/// The best of the ladder: of those that take the format, else of those that take f32, which holds it; none that
/// rounds what it is given or breaks on some inputs, unless all do.
const Implementation& best(const Operator& op, Implementation::Device device, const Problem& problem) {
    const auto isFit = [&](const Implementation& i, bool exactly) {
        Problem asked = problem;
        const auto format = i.kernelFormat(problem.format);
        if (i.onGpuDevice() && (!format || (exactly && *format != problem.format)))
            return false;
        asked.format = format.value_or(Format::F32);
        return i.id != "reference" && i.chosen && !i.library && !i.wideUnits && !i.roundoff && i.breaksOn.empty() &&
               (!i.whyNot || i.whyNot(asked).empty());
    };
    const auto all = op.onDevice(device);
    for (const bool exactly : {true, false})
        for (auto i = all.rbegin(); i != all.rend(); ++i)
            if (isFit(**i, exactly))
                return **i;
    for (auto i = all.rbegin(); i != all.rend(); ++i) // it will say why it cannot
        if ((*i)->kernelFormat(problem.format))
            return **i;
    throw InputError(fmt::format("{}: nothing computes it on {} in {}", op.id,
                                 device == Implementation::Device::Cpu ? "the CPU" : "a GPU",
                                 number::name(problem.format)));
}

/// What a problem holds for an option's value: the number itself, or the place of what was chosen.
double numberOf(const lab::Parameter& p, const lab::Value& value) {
    if (const auto* chosen = std::get_if<std::string>(&value))
        for (size_t i = 0; i < p.options.size(); ++i)
            if (p.options[i].id == *chosen)
                return static_cast<double>(i);
    return std::holds_alternative<double>(value) ? std::get<double>(value)
                                                 : static_cast<double>(std::get<int64_t>(value));
}

/// What the operator's options say, into the numbers of the problem.
void takeOptions(const ComputeOptions& given, Problem& problem) {
    for (const lab::Parameter& p : given.op->options) {
        if (p.type == lab::Parameter::Type::Flag) {
            problem.numbers[p.id] = given.flags.at(p.id);
            continue;
        }
        const std::string& text = given.options.at(p.id);
        if (text.empty())
            continue;
        try {
            lab::Parameter named = p; // in messages
            named.id = kebabOf(p.id);
            problem.numbers[p.id] = numberOf(p, lab::parseValue(named, text));
        } catch (const InputError& error) {
            throw InputError(fmt::format("--{}", error.what()));
        }
    }
}

void computeOn(const ComputeOptions& given, const Implementation& how, Problem problem, Tensors& tensors) {
    const Operator& op = *given.op;
    if (!how.onGpuDevice()) {
        how.onCpu(problem, tensors, {given.threads, nullptr});
        return;
    }
    const std::optional<Format> format = how.kernelFormat(problem.format);
    if (!format) {
        std::vector<std::string> names;
        for (const Format f : how.formats)
            names.push_back(number::name(f));
        throw InputError(fmt::format("{}: {} takes {}", op.id, how.id, fmt::join(names, " or ")));
    }
    problem.format = *format;
    if (const std::string why = how.whyNot ? how.whyNot(problem) : ""; !why.empty())
        throw InputError(fmt::format("{}: {}", how.id, why));
    gpu::LaunchOptions options;
    options.threads = given.threads;
    const auto device = devices::openGpu(given.device);
    if (const std::string why = whyNotOn(how, device->architecture(), device->name()); !why.empty())
        throw InputError(fmt::format("{}: {}", how.id, why));
    if (!libraryIsThere(how, *device))
        throw InputError(fmt::format("{}: {} runs on an NVIDIA GPU beside which its library is found, not on {}", op.id,
                                     how.id, device->name()));
    gpu::KernelLibrary library(*device);
    how.onGpu(problem, tensors, library, options);
}

void compute(const ComputeOptions& given) {
    const Operator& op = *given.op;
    const auto device = given.device == "cpu" ? Implementation::Device::Cpu : Implementation::Device::Gpu;
    const Implementation* how = given.implementation.empty()
                                    ? nullptr
                                    : &op.implementation(given.implementation, device); // before any file is read
    std::string layout = given.layout;
    if (op.arrangement && !op.arrangement->layouts.empty()) {
        const auto& known = op.arrangement->layouts;
        if (layout.empty())
            layout = known.front();
        if (std::find(known.begin(), known.end(), layout) == known.end())
            throw InputError(
                fmt::format("layout '{}' is not known, expected {}", echoed(layout), fmt::join(known, " or ")));
    }
    std::vector<formats::OutputTensor> outputs;
    std::vector<const TensorSpec*> written;
    for (const TensorSpec& spec : op.tensors)
        if ((spec.role == Role::Output || spec.role == Role::Statistic) && !given.files.at(spec.name).empty()) {
            outputs.push_back({given.files.at(spec.name), {lowerCase(spec.name), {}, Format::F32}});
            written.push_back(&spec);
        }
    formats::checkOutputs(outputs);
    Tensors tensors;
    std::map<std::string, std::string> origin;
    std::string first;
    for (const TensorSpec& spec : op.tensors)
        if (spec.role == Role::Input && !given.files.at(spec.name).empty()) {
            const std::string& file = given.files.at(spec.name);
            origin[spec.name] = fmt::format("{} {}", flagOf(op, spec), file);
            tensors[spec.name] = loadInput(file);
            if (first.empty())
                first = spec.name;
        }
    const Format format = given.dtype.empty() ? formatLike(given.files.at(first)) : formatByName(given.dtype);
    for (const TensorSpec& spec : op.tensors)
        if (!spec.fixed && tensors.contains(spec.name))
            tensor::round(tensors[spec.name], format);
    workbench::Arranged arranged = workbench::arrange(op, tensors, origin, layout);
    Problem& problem = arranged.problem;
    problem.format = format;
    takeOptions(given, problem);
    if (op.complete)
        op.complete(problem);
    if (!how)
        how = &best(op, device, problem);
    const int64_t held = how->heldBytes && !how->onGpuDevice() ? how->heldBytes(problem, given.threads) : 0;
    requireMemory({saturatedSum(saturatedProduct(2, op.tensorBytes(problem)), held),
                   0,
                   echoed(origin.at(first)),
                   {}}); // outputs, as they are computed and laid out
    bool derives = false;
    for (const TensorSpec& spec : op.tensors) {
        if (spec.role == Role::Between || tensors.contains(spec.name))
            continue;
        derives = derives || spec.role == Role::Input;
        tensor::Tensor& made = tensors[spec.name];
        made.shape = workbench::shapeOf(spec, problem);
        made.values.resize(static_cast<size_t>(tensor::elementCount(made.shape)));
    }
    if (derives && op.derive)
        op.derive(problem, tensors, {given.threads, nullptr});
    computeOn(given, *how, problem, tensors);
    for (size_t i = 0; i < outputs.size(); ++i) {
        tensor::Tensor made = std::move(tensors.at(written[i]->name));
        outputs[i].tensor.tensor = arranged.out ? arranged.out(written[i]->name, std::move(made)) : std::move(made);
        const bool isOwn = how->makes && written[i]->role == Role::Output;
        outputs[i].tensor.dtype = isOwn ? *how->makes : Operator::formatOf(*written[i], problem);
    }
    formats::saveTensors(outputs);
}

} // namespace

Command addComputeCommand(Command app, const workbench::Operators& operators) {
    const Command all = app.command("compute", "One operator on your own tensors");
    all.needsCommand();
    for (const auto& op : operators.list()) {
        const auto given = std::make_shared<ComputeOptions>();
        given->op = op.get();
        addOperator(all, *given).does([given] {
            compute(*given);
            return 0;
        });
    }
    return all;
}

} // namespace warplight::cli
