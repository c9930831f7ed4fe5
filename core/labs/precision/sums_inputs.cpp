// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/precision/sums_inputs.h"

#include "core/error.h"
#include "core/formats/tensor_file.h"
#include "core/tensor/pieces.h"
#include "core/tensor/random.h"
#include "core/text/echo.h"
#include "gpu/number/float_format.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <span>
#include <utility>

namespace warplight::labs::precision {
namespace {

using lab::Parameter;

/// Groups of four: a large number, a small one, the large one's opposite, another small one.
void fillCancelling(std::span<float> out, uint64_t seed, const std::atomic<bool>* cancel) {
    tensor::fillUniform(out, seed, 0, 0, 1, cancel);
    for (size_t i = 0; i < out.size(); i += 4) {
        out[i] = 1024 * (1 + out[i]);
        if (i + 2 < out.size())
            out[i + 2] = -out[i];
    }
}

void fill(const std::string& kind, std::span<float> out, uint64_t seed, uint64_t stream,
          const std::atomic<bool>* cancel) {
    if (kind == "uniform")
        return tensor::fillUniform(out, seed, stream, 0, 1, cancel);
    if (kind == "gaussian")
        return tensor::fillGaussian(out, seed, stream, 1, cancel);
    if (kind == "cancelling" && stream == 0)
        return fillCancelling(out, seed, cancel);
    if (kind == "ascending" || kind == "descending") {
        const auto count = static_cast<double>(out.size());
        return inPieces(out.size(), sizeof(float), cancel, [&](size_t begin, size_t end) {
            for (size_t i = begin; i < end; ++i)
                out[i] = static_cast<float>(static_cast<double>(kind == "ascending" ? i + 1 : out.size() - i) / count);
        });
    }
    // Opposite terms stay opposite in a dot product.
    std::fill(out.begin(), out.end(), kind == "tenth" ? 0.1f : kind == "thousandth" ? 0.001f : 1.0f);
}

/// The first numbers of a tensor, at most so many.
std::vector<float> beginningOf(const std::string& file, int64_t length, const std::atomic<bool>* cancel) {
    if (file.empty())
        throw InputError("file is empty, expected a file with a tensor");
    std::vector<float> numbers;
    formats::streamTensor(
        file,
        [&](std::span<const float> more) {
            const size_t room = static_cast<size_t>(length) - numbers.size();
            numbers.insert(numbers.end(), more.begin(),
                           more.begin() + static_cast<std::ptrdiff_t>(std::min(room, more.size())));
        },
        cancel);
    if (numbers.empty())
        throw InputError(fmt::format("{}: holds no numbers, expected at least one", echoed(file)));
    return numbers;
}

/// As the format stores them.
void roundAll(std::span<float> numbers, number::Format format, const std::string& file,
              const std::atomic<bool>* cancel) {
    inPieces(numbers.size(), sizeof(float), cancel, [&](size_t begin, size_t end) {
        for (size_t i = begin; i < end; ++i) {
            const float kept = number::rounded(numbers[i], format);
            if (!std::isfinite(kept)) // what is made up fits
                throw InputError(fmt::format("{}: number {} is {}, expected finite numbers that {} holds", echoed(file),
                                             i + 1, numbers[i], number::floatFormat(number::name(format)).title));
            numbers[i] = kept;
        }
    });
}

} // namespace

std::vector<Parameter::Option> sumInputKinds() {
    return {{"ones", "ones", "Every partial sum is a whole number."},
            {"tenth", "0.1", "As the format stores it."},
            {"thousandth", "0.001", "As the format stores it."},
            {"uniform", "uniform, 0 to 1", "By chance, none negative."},
            {"gaussian", "gaussian", "Of mean 0 and deviation 1: sums stay small."},
            {"cancelling", "cancelling", "Large terms and their opposites, small ones between them."},
            {"ascending", "ascending", "Evenly from near 0 to 1."},
            {"descending", "descending", "Evenly from 1 to near 0."},
            {"file", "a file", "The numbers of your own tensor."}};
}

number::Format formatNamed(const std::string& id) {
    return id == "f16" ? number::Format::F16 : id == "bf16" ? number::Format::BF16 : number::Format::F32;
}

std::vector<std::string> seededSumInputs() { return {"uniform", "gaussian", "cancelling"}; }

SumInputs makeSumInputs(const lab::Settings& settings, const std::atomic<bool>* cancel) {
    const std::string& kind = settings.text("input");
    const number::Format format = formatNamed(settings.text("format"));
    const bool products = settings.text("what") == "dot";
    SumInputs inputs;
    if (kind == "file") {
        inputs.a = beginningOf(settings.text("file"), settings.integer("length"), cancel);
    } else {
        growTo(inputs.a, static_cast<size_t>(settings.integer("length")), cancel);
        const auto seed = static_cast<uint64_t>(settings.integer("seed"));
        fill(kind, inputs.a, seed, 0, cancel);
        if (products) {
            growTo(inputs.b, inputs.a.size(), cancel);
            fill(kind, inputs.b, seed, 1, cancel);
        }
    }
    roundAll(inputs.a, format, settings.text("file"), cancel);
    roundAll(inputs.b, format, settings.text("file"), cancel);
    if (products && kind == "file") {
        growTo(inputs.b, inputs.a.size(), cancel);
        copyInPieces(std::as_bytes(std::span(inputs.a)), std::as_writable_bytes(std::span(inputs.b)), cancel);
    }
    return inputs;
}

} // namespace warplight::labs::precision
