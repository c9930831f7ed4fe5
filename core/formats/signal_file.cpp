// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/formats/signal_file.h"

#include "core/error.h"
#include "core/formats/mapped_file.h"
#include "core/formats/tensor_file.h"
#include "core/text/lower_case.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <utility>

namespace warplight::formats {
namespace {

Signal fromTensor(const std::string& spec, const std::atomic<bool>* cancel) {
    tensor::Tensor x = loadTensor(spec, cancel);
    if (std::count_if(x.shape.begin(), x.shape.end(), [](int64_t extent) { return extent != 1; }) > 1)
        throw InputError(
            fmt::format("{}: shape {}, expected a signal of one channel: [samples]", spec, tensor::shapeText(x.shape)));
    return {std::move(x.values), {}};
}

} // namespace

Signal readSignal(const std::string& spec, const std::string& column, const std::atomic<bool>* cancel) {
    const std::string name = lowerCase(spec);
    const bool isTable = name.ends_with(".csv") || name.ends_with(".tsv") || name.ends_with(".txt");
    const bool isWav = name.ends_with(".wav");
    if (!isTable && !column.empty())
        throw InputError(fmt::format("{}: expected a .csv, .tsv or .txt to take the column '{}' from", spec, column));
    if (!isTable && !isWav) {
        Signal signal = fromTensor(spec, cancel);
        if (signal.samples.empty())
            throw InputError(fmt::format("{}: no samples, expected at least one", spec));
        return signal;
    }
    const MappedFile file(spec);
    if (isWav)
        return readWav(file.bytes(), spec, cancel);
    const auto bytes = file.bytes();
    return readSignalTable({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, spec, column, cancel);
}

} // namespace warplight::formats
