// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/ops/device_matrix.h"

#include "gpu/error.h"
#include "gpu/number/half.h"

#include <algorithm>
#include <cstddef>

namespace warplight::gpu {
namespace {

constexpr int64_t pieceNumbers = 1 << 20;

} // namespace

DeviceMatrix::DeviceMatrix(Device& d, const std::string& name, int64_t r, int64_t c, number::Format f,
                           int64_t columnsMultiple)
    : device(d),
      rows(r),
      columns(c),
      padded((c + columnsMultiple - 1) / columnsMultiple * columnsMultiple),
      format(f),
      buffer(d, r * padded * number::bytes(f), name) {}

template <class Use>
void DeviceMatrix::inPieces(const std::atomic<bool>* cancel, const Use& use) const {
    const int64_t piece = std::max<int64_t>(1, pieceNumbers / std::max<int64_t>(padded, 1));
    for (int64_t first = 0; first < rows; first += piece) {
        checkCancelled(cancel);
        use(first, std::min(rows, first + piece));
    }
}

void DeviceMatrix::upload(const float* from, const std::atomic<bool>* cancel) {
    std::vector<uint16_t> bits;
    std::vector<uint8_t> codes;
    std::vector<float> wide;
    inPieces(cancel, [&](int64_t first, int64_t last) {
        const auto numbers = static_cast<size_t>((last - first) * padded);
        const int64_t bytes = (last - first) * padded * number::bytes(format);
        if (format == number::Format::F32 && padded == columns) {
            device.upload(addressOf(first), from + first * columns, bytes);
            return;
        }
        const auto fill = [&](auto& values, const auto& stored) {
            values.assign(numbers, 0);
            for (int64_t r = first; r < last; ++r)
                for (int64_t c = 0; c < columns; ++c)
                    values[static_cast<size_t>((r - first) * padded + c)] = stored(from[r * columns + c]);
            device.upload(addressOf(first), values.data(), bytes);
        };
        if (format == number::Format::F32)
            fill(wide, [](float x) { return x; });
        else if (number::bytes(format) == 1)
            fill(codes, [this](float x) { return number::floatToByte(x, format); });
        else if (format == number::Format::BF16)
            fill(bits, number::floatToBf16);
        else
            fill(bits, number::floatToF16);
    });
}

void DeviceMatrix::fill(float value) { upload(std::vector<float>(static_cast<size_t>(rows * columns), value).data()); }

std::vector<float> DeviceMatrix::download(const std::atomic<bool>* cancel) const {
    std::vector<float> values;
    values.reserve(static_cast<size_t>(rows * columns));
    std::vector<uint16_t> bits;
    std::vector<uint8_t> codes;
    std::vector<float> wide;
    inPieces(cancel, [&](int64_t first, int64_t last) {
        const auto numbers = static_cast<size_t>((last - first) * padded);
        const int64_t bytes = (last - first) * padded * number::bytes(format);
        const auto take = [&](auto& stored, const auto& value) {
            stored.resize(numbers);
            device.download(stored.data(), addressOf(first), bytes);
            for (int64_t r = first; r < last; ++r)
                for (int64_t c = 0; c < columns; ++c)
                    values.push_back(value(stored[static_cast<size_t>((r - first) * padded + c)]));
        };
        if (format == number::Format::F32)
            take(wide, [](float x) { return x; });
        else if (number::bytes(format) == 1)
            take(codes, [this](uint8_t code) { return number::byteToFloat(code, format); });
        else if (format == number::Format::BF16)
            take(bits, number::bf16ToFloat);
        else
            take(bits, number::f16ToFloat);
    });
    return values;
}

} // namespace warplight::gpu
