// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/workbench/arrange.h"

#include "core/error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <string>
#include <utility>
#include <vector>

namespace warplight::workbench {

void refuseShape(const std::map<std::string, std::string>& origin, const std::string& name,
                 const std::vector<int64_t>& shape, const std::string& expected) {
    throw InputError(fmt::format("{}: shape {}, expected {}", origin.at(name), tensor::shapeText(shape), expected));
}

Arranged arrange(const Operator& op, Tensors& given, const std::map<std::string, std::string>& origin,
                 const std::string& layout) {
    if (op.arrangement)
        return op.arrangement->in(given, origin, layout);
    Arranged arranged;
    std::map<std::string, std::string> setBy; // extent -> the tensor that had it first
    size_t missing = 0;                       // leading dimensions that the first input lacks
    for (const TensorSpec& spec : op.tensors) {
        if (spec.role != TensorSpec::Role::Input || !given.contains(spec.name))
            continue;
        tensor::Tensor& t = given[spec.name];
        if (t.shape.empty() || t.shape.size() > spec.extents.size())
            refuseShape(origin, spec.name, t.shape, fmt::format("[{}]", fmt::join(spec.extents, ", ")));
        if (setBy.empty())
            missing = spec.extents.size() - t.shape.size();
        while (t.shape.size() < spec.extents.size())
            t.shape.insert(t.shape.begin(), 1);
        for (size_t i = 0; i < spec.extents.size(); ++i) {
            const std::string& extent = spec.extents[i];
            const auto [known, isNew] = setBy.try_emplace(extent, origin.at(spec.name));
            if (isNew)
                arranged.problem.set(extent, t.shape[i]);
            else if (arranged.problem[extent] != t.shape[i])
                throw InputError(fmt::format("{}: {} is {}, expected {} as in {}", origin.at(spec.name), extent,
                                             t.shape[i], arranged.problem[extent], known->second));
        }
    }
    arranged.out = [missing](const std::string&, tensor::Tensor made) {
        for (size_t i = 0; i < missing && made.shape.size() > 1 && made.shape.front() == 1; ++i)
            made.shape.erase(made.shape.begin());
        return made;
    };
    return arranged;
}

} // namespace warplight::workbench
