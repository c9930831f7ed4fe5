// SPDX-License-Identifier: GPL-3.0-or-later
// mov: of one register, and of parts of one.
#include "gpu/virtual/decode/decoder.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

namespace warplight::vgpu {

void FunctionDecoder::move() {
    const Type type = typeModifier();
    const Operand &to = operand(0), &from = operand(1);
    if (to.kind == Operand::Kind::Vector || from.kind == Operand::Kind::Vector) {
        moveVector();
        return;
    }
    if (type.bits == 128) {
        const WideRows value = wideRows(from), dst = wideRows(to);
        laneInto("mov.b64", dst.low, {value.low});
        laneInto("mov.b64", dst.high, {value.high});
        return;
    }
    const Row dst = target(to, type);
    const Widening saved = widening;
    const Row value = source(from, type);
    widening = saved;
    const char* name = type.kind == 'p'  ? "mov.pred"
                       : type.bits <= 16 ? "mov.b16"
                       : type.bits == 32 ? "mov.b32"
                                         : "mov.b64";
    laneInto(name, dst, {value});
    finishTarget();
}

/// mov.b64 {a, b}, c and back: parts of equal width, the lowest first. 128 bits are two rows of 64.
void FunctionDecoder::moveVector() {
    const Type type = typeModifier();
    const bool unpack = operand(0).kind == Operand::Kind::Vector;
    const std::vector<Operand>& parts = (unpack ? operand(0) : operand(1)).parts;
    const int whole = type.bits / 8, part = whole / static_cast<int>(std::max<size_t>(parts.size(), 1));
    const int least = whole == 16 ? 4 : 2;
    if ((whole != 4 && whole != 8 && whole != 16) || part < least || parts.size() < 2 ||
        part * static_cast<int>(parts.size()) != whole)
        refuse("expected two or four parts of 16 or 32 bits, or of 128 bits two of 64 or four of 32");
    if (whole < 16) {
        if (unpack) {
            unpackInto(parts, whole, source(operand(1), type));
        } else {
            const Row value = packed(parts, whole);
            laneInto("mov.b" + std::to_string(whole * 8), target(operand(0), type), {value});
            finishTarget();
        }
        return;
    }
    const WideRows wide = wideRows(operand(unpack ? 1 : 0));
    const auto half = static_cast<std::ptrdiff_t>(parts.size() / 2);
    const std::vector<Operand> low(parts.begin(), parts.begin() + half), high(parts.begin() + half, parts.end());
    if (unpack) {
        unpackInto(low, 8, wide.low);
        unpackInto(high, 8, wide.high);
        return;
    }
    const Row lowValue = packed(low, 8), highValue = packed(high, 8);
    laneInto("mov.b64", wide.low, {lowValue});
    laneInto("mov.b64", wide.high, {highValue});
}

/// The parts of a value of `whole` bytes, the lowest first.
void FunctionDecoder::unpackInto(const std::vector<Operand>& parts, int whole, Row value) {
    const int part = whole / static_cast<int>(parts.size());
    const std::string w = std::to_string(whole * 8), p = std::to_string(part * 8);
    for (size_t i = 0; i < parts.size(); ++i) {
        if (parts[i].kind == Operand::Kind::None)
            continue;
        const Row shifted =
            i == 0 ? value : lane("shr.u" + w, whole, {value, constant(i * static_cast<size_t>(part) * 8, 4)});
        laneInto(part == whole ? "mov.b" + w : "cvt.u" + p + ".u" + w, target(parts[i], {'b', part * 8}), {shifted});
        finishTarget();
    }
}

Row FunctionDecoder::packed(const std::vector<Operand>& parts, int whole) {
    const int part = whole / static_cast<int>(parts.size());
    const std::string w = std::to_string(whole * 8), p = std::to_string(part * 8);
    Row sum = noRow;
    for (size_t i = 0; i < parts.size(); ++i) {
        const Row own = source(parts[i], {'b', part * 8});
        const Row wide = part == whole ? own : lane("cvt.u" + w + ".u" + p, whole, {own});
        const Row shifted =
            i == 0 ? wide : lane("shl.b" + w, whole, {wide, constant(i * static_cast<size_t>(part) * 8, 4)});
        sum = i == 0 ? shifted : lane("or.b" + w, whole, {sum, shifted});
    }
    return sum;
}

} // namespace warplight::vgpu
