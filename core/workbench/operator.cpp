// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/workbench/operator.h"

#include "core/error.h"
#include "core/tensor/pieces.h"
#include "core/text/echo.h"
#include "gpu/host/memory_budget.h"
#include "gpu/ops/kernel_library.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace warplight::workbench {

Implementation::Implementation() = default;
Implementation::Implementation(const Implementation&) = default;
Implementation::Implementation(Implementation&&) noexcept = default;
Implementation& Implementation::operator=(const Implementation&) = default;
Implementation& Implementation::operator=(Implementation&&) noexcept = default;
Implementation::~Implementation() = default;

Operator::Operator() = default;
Operator::Operator(const Operator&) = default;
Operator::Operator(Operator&&) noexcept = default;
Operator& Operator::operator=(const Operator&) = default;
Operator& Operator::operator=(Operator&&) noexcept = default;
Operator::~Operator() = default;

std::optional<number::Format> Implementation::kernelFormat(number::Format stored) const {
    for (const number::Format format : {stored, number::Format::F32})
        if (std::find(formats.begin(), formats.end(), format) != formats.end())
            return format;
    return std::nullopt;
}

Implementation implementationOf(std::string_view id, std::string_view title, std::string_view improves,
                                Implementation::Device device, int colour) {
    Implementation i;
    i.id = id;
    i.title = title;
    i.improves = improves;
    i.device = device;
    i.colour = colour;
    return i;
}

bool libraryIsThere(const Implementation& i, gpu::Device& device) {
    return !i.library || (i.transforms ? device.fourierLibrary() != nullptr : device.matrixLibrary() != nullptr);
}

std::string whyNotOn(const Implementation& i, std::optional<int> architecture, std::string_view gpu) {
    return gpu::whyNotOn(architecture, i.architecture, gpu);
}

std::string refusalOf(const std::function<void()>& check) {
    try {
        check();
    } catch (const InputError& error) {
        return error.what();
    }
    return {};
}

const TensorSpec* Operator::tensor(std::string_view name) const {
    const auto found =
        std::find_if(tensors.begin(), tensors.end(), [&](const TensorSpec& t) { return t.name == name; });
    return found == tensors.end() ? nullptr : &*found;
}

const Implementation* Operator::find(std::string_view wanted) const {
    const auto found =
        std::find_if(ladder.begin(), ladder.end(), [&](const Implementation& i) { return i.id == wanted; });
    return found == ladder.end() ? nullptr : &*found;
}

std::vector<const Implementation*> Operator::onDevice(Implementation::Device device) const {
    std::vector<const Implementation*> found;
    for (const Implementation& i : ladder)
        if (i.device == device)
            found.push_back(&i);
    return found;
}

const Implementation& Operator::implementation(std::string_view wanted, Implementation::Device device) const {
    std::vector<std::string> known;
    for (const Implementation* i : onDevice(device)) {
        if (i->id == wanted)
            return *i;
        if (!i->library)
            known.push_back(i->id);
    }
    throw InputError(fmt::format("{} '{}': on {} there are {}", rungOption, echoed(wanted),
                                 device == Implementation::Device::Cpu ? "the CPU" : "a GPU", fmt::join(known, ", ")));
}

number::Format Operator::formatOf(const TensorSpec& spec, const Problem& problem) {
    return spec.fixed ? *spec.fixed : spec.role == TensorSpec::Role::Statistic ? number::Format::F32 : problem.format;
}

std::vector<int64_t> shapeOf(const TensorSpec& spec, const Problem& problem) {
    std::vector<int64_t> extents;
    for (const std::string& extent : spec.extents)
        extents.push_back(problem[extent]);
    return extents;
}

Tensors Operator::allocate(const Problem& problem, const std::atomic<bool>* cancel) const {
    Tensors made;
    for (const TensorSpec& spec : tensors) {
        if (spec.role == TensorSpec::Role::Between)
            continue;
        tensor::Tensor& t = made[spec.name];
        t.shape = shapeOf(spec, problem);
        growTo(t.values, static_cast<size_t>(tensor::elementCount(t.shape)), cancel);
    }
    return made;
}

int64_t Operator::tensorBytes(const Problem& problem) const {
    int64_t all = 0;
    for (const TensorSpec& spec : tensors) {
        if (spec.role == TensorSpec::Role::Between)
            continue;
        int64_t bytes = sizeof(float);
        for (const int64_t extent : shapeOf(spec, problem))
            bytes = saturatedProduct(bytes, extent);
        all = saturatedSum(all, bytes);
    }
    return all;
}

gpu::TensorTraffic compulsoryTraffic(const std::vector<TensorSpec>& tensors, const Problem& problem) {
    gpu::TensorTraffic all;
    for (const TensorSpec& spec : tensors) {
        if (spec.role == TensorSpec::Role::Between)
            continue;
        auto bytes = static_cast<double>(number::bytes(Operator::formatOf(spec, problem)));
        for (const int64_t extent : shapeOf(spec, problem))
            bytes *= static_cast<double>(extent);
        (spec.role == TensorSpec::Role::Input ? all[spec.name].read : all[spec.name].written) = bytes;
    }
    return gpu::withoutEmpty(std::move(all));
}

gpu::TensorTraffic Operator::compulsory(const Problem& problem) const {
    return compulsoryBytes ? compulsoryBytes(problem) : compulsoryTraffic(tensors, problem);
}

std::map<std::string, int64_t> coloursOf(const Operator& op) {
    std::map<std::string, int64_t> colours;
    for (const Implementation& i : op.ladder)
        colours[i.id] = i.colour;
    for (const TensorSpec& t : op.tensors)
        colours["tensor." + t.label()] = t.colour;
    return colours;
}

std::shared_ptr<const Operator> Operators::add(Operator op) {
    return all.emplace_back(std::make_shared<const Operator>(std::move(op)));
}

const Operator& Operators::find(std::string_view id) const {
    std::vector<std::string> known;
    for (const auto& op : all) {
        if (op->id == id)
            return *op;
        known.push_back(op->id);
    }
    throw InputError(
        fmt::format("there is no operator '{}': the known ones are {}", echoed(id), fmt::join(known, ", ")));
}

} // namespace warplight::workbench
