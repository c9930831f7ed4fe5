// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/allreduce/vectors.h"

#include "core/error.h"
#include "core/tensor/pieces.h"
#include "core/tensor/random.h"
#include "core/tensor/release.h"
#include "gpu/number/half.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <numeric>
#include <string>

namespace warplight::labs::allreduce {
namespace {

template <class T>
T read(std::span<const std::byte> from, int64_t index) {
    T value;
    std::memcpy(&value, from.data() + static_cast<size_t>(index) * sizeof(T), sizeof(T));
    return value;
}

template <class T>
void write(std::span<std::byte> to, int64_t index, T value) {
    std::memcpy(to.data() + static_cast<size_t>(index) * sizeof(T), &value, sizeof(T));
}

} // namespace

std::vector<lab::Parameter::Option> vectorKinds() {
    return {{"random", "uniform", "Uniform in [-1, 1)."},
            {"gradients", "gradients", "Normal, with a scale of its own for every rank."},
            {"cancelling", "cancelling", "Large numbers that cancel out between ranks, and small ones that stay."},
            {"integers", "integers", "From -8 to 8: exact in any order."}};
}

double elementAt(number::Format type, std::span<const std::byte> vector, int64_t index) {
    switch (type) {
    case number::Format::F64:
        return read<double>(vector, index);
    case number::Format::F16:
        return number::f16ToFloat(read<uint16_t>(vector, index));
    case number::Format::BF16:
        return number::bf16ToFloat(read<uint16_t>(vector, index));
    default:
        return read<float>(vector, index);
    }
}

void setElement(number::Format type, std::span<std::byte> vector, int64_t index, double value) {
    switch (type) {
    case number::Format::F64:
        return write(vector, index, value);
    case number::Format::F16:
        return write(vector, index, number::floatToF16(static_cast<float>(value)));
    case number::Format::BF16:
        return write(vector, index, number::floatToBf16(static_cast<float>(value)));
    default:
        return write(vector, index, static_cast<float>(value));
    }
}

RankVectors makeVectors(std::string_view kind, number::Format type, int ranks, int64_t elements, uint64_t seed,
                        const std::atomic<bool>* cancel) {
    const auto kinds = vectorKinds();
    if (std::none_of(kinds.begin(), kinds.end(), [&](const auto& known) { return known.id == kind; }))
        throw InputError(
            fmt::format("input '{}': expected random, gradients, cancelling or integers", std::string(kind)));
    const int64_t bytes = number::bytes(type);
    RankVectors vectors(static_cast<size_t>(ranks));
    const ReleasesBeside release(vectors);
    std::vector<float> numbers;
    growTo(numbers, static_cast<size_t>(elements), cancel);
    for (int rank = 0; rank < ranks; ++rank) {
        const auto stream = static_cast<uint64_t>(rank);
        if (kind == "gradients")
            tensor::fillGaussian(numbers, seed, stream, std::exp2(static_cast<float>(rank % 7) - 3), cancel);
        else
            tensor::fillUniform(numbers, seed, stream, -1, 1, cancel);
        auto& vector = vectors[static_cast<size_t>(rank)];
        growTo(vector, static_cast<size_t>(elements * bytes), cancel);
        const auto valueAt = [&](size_t i) {
            if (kind == "integers")
                return std::nearbyint(8 * numbers[i]);
            if (kind != "cancelling" || rank / 2 * 2 + 1 >= ranks)
                return numbers[i];
            // Pairs of ranks hold opposite large numbers; the last of an odd count none.
            const float large = 4.0f * static_cast<float>(1 + (i + static_cast<size_t>(rank / 2)) % 7);
            return numbers[i] + (rank % 2 == 0 ? large : -large);
        };
        inPieces(numbers.size(), sizeof(float), cancel, [&](size_t begin, size_t end) {
            for (size_t i = begin; i < end; ++i)
                setElement(type, vector, static_cast<int64_t>(i), static_cast<double>(valueAt(i)));
        });
    }
    return vectors;
}

ExactSums exactSums(number::Format type, const RankVectors& vectors, const std::atomic<bool>* cancel) {
    const int64_t elements = vectors.empty() ? 0 : static_cast<int64_t>(vectors[0].size()) / number::bytes(type);
    ExactSums exact;
    constexpr int64_t look = 1 << 14;
    for (int64_t i = 0; i < elements; ++i) {
        if (i % look == 0)
            checkCancelled(cancel);
        long double sum = 0, lost = 0, magnitude = 0; // Neumaier's compensated sum, in 64 bits of fraction
        for (const auto& vector : vectors) {
            const long double value = elementAt(type, vector, i);
            const long double more = sum + value;
            lost += std::fabs(sum) >= std::fabs(value) ? (sum - more) + value : (value - more) + sum;
            sum = more;
            magnitude += std::fabs(value);
        }
        exact.sums.push_back(static_cast<double>(sum + lost));
        exact.magnitudes.push_back(static_cast<double>(magnitude));
    }
    return exact;
}

double unitInLastPlace(number::Format type, double value) {
    const int fractionBits = type == number::Format::F64   ? 52
                             : type == number::Format::F32 ? 23
                             : type == number::Format::F16 ? 10
                                                           : 7;
    const int least = type == number::Format::F64 ? -1022 : type == number::Format::F16 ? -14 : -126;
    const int exponent = value == 0 || !std::isfinite(value) ? least : std::max(std::ilogb(value), least);
    return std::ldexp(1.0, exponent - fractionBits);
}

} // namespace warplight::labs::allreduce
