// SPDX-License-Identifier: GPL-3.0-or-later
// Matrix multiply-accumulate of a warp (PTX ISA, 9.7.15).
//
// Where the elements lie (9.7.15.5): lane = 4·g + t. With E elements of A or B in a 32-bit register,
//   register i of A holds row g + 8·(i & 1), columns E·t + 4E·(i >> 1) …;  register i of B holds column g, rows E·t +
//   4E·i …; register i of C and D holds row g + 8·(i >> 1), column 2t + (i & 1).
#include "gpu/virtual/ops/tensor.h"

#include "gpu/number/small_float.h"
#include "gpu/virtual/block.h"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fmt/format.h>
#include <map>
#include <string>
#include <tuple>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gpu/virtual/ops/tensor.cpp"
#define WARPLIGHT_WITH_AVX512
#include "gpu/virtual/ops/targets.h"
#include "hwy/foreach_target.h" // IWYU pragma: keep

#include "gpu/virtual/ops/lanes-inl.h"
#include "gpu/virtual/ops/tensor-inl.h"

HWY_BEFORE_NAMESPACE();
namespace warplight::vgpu::HWY_NAMESPACE {

HWY_INLINE void needsWholeWarp(Warp& w, const Op* op) {
    if (w.mask != fullMask)
        w.block->fault(w, op, std::countr_zero(w.mask), "divergence",
                       "a matrix instruction that not all lanes of the warp execute,");
}

// ---- the formats of A and B, as elements of a 32-bit register

struct HalfElement {
    static constexpr int perRegister = 2;
    using Number = float;
    static HWY_INLINE float at(uint32_t word, int e) { return halfToFloat(static_cast<uint16_t>(word >> (16 * e))); }
};
struct BfloatElement {
    static constexpr int perRegister = 2;
    using Number = float;
    static HWY_INLINE float at(uint32_t word, int e) { return bfloatToFloat(static_cast<uint16_t>(word >> (16 * e))); }
};
struct Tf32Element { // the low 13 bits are not there
    static constexpr int perRegister = 1;
    using Number = float;
    static HWY_INLINE float at(uint32_t word, int) { return floatOf(word & 0xffffe000u); }
};
template <class Format>
std::array<float, 256> float8Numbers() {
    std::array<float, 256> numbers{};
    for (size_t code = 0; code < numbers.size(); ++code)
        numbers[code] = number::fromFloat8<Format>(static_cast<uint8_t>(code));
    return numbers;
}
template <class Format>
struct Float8Element {
    static constexpr int perRegister = 4;
    using Number = float;
    static inline const std::array<float, 256> ofCode = float8Numbers<Format>();
    static HWY_INLINE float at(uint32_t word, int e) { return ofCode[static_cast<uint8_t>(word >> (8 * e))]; }
};
template <class T>
struct ByteElement {
    static constexpr int perRegister = 4;
    using Number = int32_t;
    static HWY_INLINE int32_t at(uint32_t word, int e) { return static_cast<T>(word >> (8 * e)); }
};

template <class Number>
HWY_INLINE Number multiplyAdd(Number a, Number b, Number c) {
    if constexpr (std::is_same_v<Number, float>)
        return __builtin_fmaf(a, b, c);
    else if constexpr (std::is_same_v<Number, double>)
        return __builtin_fma(a, b, c);
    else
        return static_cast<Number>(static_cast<uint32_t>(a) * static_cast<uint32_t>(b) + static_cast<uint32_t>(c));
}

HWY_INLINE float canonicalNumber(float x) { return canonical(x); }
HWY_INLINE int32_t canonicalNumber(int32_t x) { return x; }

/// c[16][8] += a[16][k] · b[k][8], k ascending.
template <int k, class Number>
HWY_INLINE void multiply(const Number* HWY_RESTRICT a, const Number* HWY_RESTRICT b, Number* HWY_RESTRICT c) {
    for (int row = 0; row < 16; ++row)
        for (int i = 0; i < k; ++i)
            for (int column = 0; column < 8; ++column)
                c[row * 8 + column] = multiplyAdd(a[row * k + i], b[i * 8 + column], c[row * 8 + column]);
}

/// Elements of one register of A (row stride k) or, with rows and columns exchanged, of B.
template <class Element>
HWY_INLINE void unpack(const uint32_t* row, typename Element::Number* to, int stride) {
    constexpr int each = Element::perRegister;
    for (int g = 0; g < 8; ++g)
        for (int t = 0; t < 4; ++t)
            for (int e = 0; e < each; ++e)
                to[g * stride + t * each + e] = Element::at(row[4 * g + t], e);
}

#if HWY_MAX_BYTES >= 32

template <class Element>
using WidenOf = std::conditional_t<std::is_same_v<Element, HalfElement>, WidenHalf, WidenBfloat>;
template <class Element>
constexpr bool isHalf = std::is_same_v<Element, HalfElement> || std::is_same_v<Element, BfloatElement>;

/// The registers of A (or, with rows and columns exchanged, of B), each element to where `place` says.
template <class Element, int registers, class Place>
HWY_INLINE void widenEach(const Warp& w, const Row* rows, float* to, Place place) {
    constexpr int each = Element::perRegister;
    for (int i = 0; i < registers; ++i) {
        const uint32_t* row = in<uint32_t>(w, rows[i]);
        for (int lane = 0; lane < warpSize; ++lane)
            for (int e = 0; e < each; ++e)
                to[place(i, lane >> 2, each * (lane & 3) + e)] = Element::at(row[lane], e);
    }
}

template <class A, class B, bool halfSums, int aRegisters>
const Op* multiplyFloatMatrices(Warp& w, const Op* op) {
    needsWholeWarp(w, op);
    constexpr int each = A::perRegister, bRegisters = aRegisters / 2, k = 4 * each * bRegisters;
    constexpr int sums = halfSums ? 2 : 4;
    const Row* rows = w.block->program->rows.data() + op->detail;
    const Row *rowsOfA = rows + sums, *rowsOfB = rowsOfA + aRegisters, *rowsOfC = rowsOfB + bRegisters;

    alignas(64) float b[8 * k];
    if constexpr (isHalf<B> && bRegisters == 2)
        widenB<WidenOf<B>>(in<uint16_t>(w, rowsOfB[0]), in<uint16_t>(w, rowsOfB[1]), b);
    else if constexpr (isHalf<B>)
        widenB<WidenOf<B>>(in<uint16_t>(w, rowsOfB[0]), b);
    else
        widenEach<B, bRegisters>(w, rowsOfB, b,
                                 [](int i, int g, int element) { return placeOfB(4 * each * i + element, g); });

    alignas(64) float buffer[4][warpSize];
    const float* c[4];
    float* d[4];
    if constexpr (halfSums) { // a register has both the even and the odd columns of eight rows
        for (int i = 0; i < 2; ++i) {
            const uint32_t* row = in<uint32_t>(w, rowsOfC[i]);
            for (int lane = 0; lane < warpSize; ++lane) {
                buffer[2 * i][lane] = halfToFloat(static_cast<uint16_t>(row[lane]));
                buffer[2 * i + 1][lane] = halfToFloat(static_cast<uint16_t>(row[lane] >> 16));
            }
        }
        for (int i = 0; i < 4; ++i)
            c[i] = d[i] = buffer[i];
    } else {
        // The first sums are written before the last factors are read: not into a register that holds such.
        bool apart = true;
        for (int i = 0; i < 2; ++i)
            apart = apart && rows[i] != rowsOfA[1] && rows[i] != rowsOfA[aRegisters - 1] && rows[i] != rowsOfC[2] &&
                    rows[i] != rowsOfC[3];
        for (int i = 0; i < 4; ++i) {
            c[i] = in<float>(w, rowsOfC[i]);
            d[i] = apart ? out<float>(w, rows[i]) : buffer[i];
        }
    }

    if constexpr (isHalf<A>) {
        HalvesOfA<WidenOf<A>> a{};
        for (int i = 0; i < aRegisters; ++i)
            a.registers[i] = in<uint16_t>(w, rowsOfA[i]);
        multiplyFloats<k>(a, b, c, d);
    } else {
        alignas(64) float a[16 * k];
        widenEach<A, aRegisters>(w, rowsOfA, a, [](int i, int g, int element) {
            return placeOfA<k>(g + 8 * (i & 1), 4 * each * (i >> 1) + element);
        });
        multiplyFloats<k>(FloatsOfA<k>{a}, b, c, d);
    }

    for (int i = 0; i < sums; ++i) {
        uint32_t* row = out<uint32_t>(w, rows[i]);
        if constexpr (halfSums) {
            for (int lane = 0; lane < warpSize; ++lane)
                row[lane] = floatToHalf(buffer[2 * i][lane]) |
                            static_cast<uint32_t>(floatToHalf(buffer[2 * i + 1][lane])) << 16;
        } else if (d[i] == buffer[i]) {
            std::memcpy(row, buffer[i], sizeof(buffer[i]));
        }
    }
    return op + 1;
}

#endif

/// One element after the other.
template <class A, class B, bool halfSums, int aRegisters>
const Op* multiplyPlainly(Warp& w, const Op* op) {
    needsWholeWarp(w, op);
    using Number = typename A::Number;
    constexpr int each = A::perRegister, bRegisters = aRegisters / 2, k = 4 * each * bRegisters;
    alignas(64) Number a[16 * k], bt[8 * k], b[k * 8], c[16 * 8];
    const Row* rows = w.block->program->rows.data() + op->detail;
    constexpr int sums = halfSums ? 2 : 4;
    for (int i = 0; i < aRegisters; ++i)
        unpack<A>(in<uint32_t>(w, rows[sums + i]), a + 8 * (i & 1) * k + 4 * each * (i >> 1), k);
    for (int i = 0; i < bRegisters; ++i)
        unpack<B>(in<uint32_t>(w, rows[sums + aRegisters + i]), bt + 4 * each * i, k);
    for (int column = 0; column < 8; ++column)
        for (int i = 0; i < k; ++i)
            b[i * 8 + column] = bt[column * k + i];
    const Row* from = rows + sums + aRegisters + bRegisters;
    for (int i = 0; i < sums; ++i) {
        const uint32_t* row = in<uint32_t>(w, from[i]);
        for (int lane = 0; lane < warpSize; ++lane) {
            const int g = lane >> 2, t = lane & 3;
            if constexpr (halfSums) {
                c[(g + 8 * i) * 8 + 2 * t] = halfToFloat(static_cast<uint16_t>(row[lane]));
                c[(g + 8 * i) * 8 + 2 * t + 1] = halfToFloat(static_cast<uint16_t>(row[lane] >> 16));
            } else {
                c[(g + 8 * (i >> 1)) * 8 + 2 * t + (i & 1)] = std::bit_cast<Number>(row[lane]);
            }
        }
    }
    multiply<k>(a, b, c);
    for (int i = 0; i < sums; ++i) {
        uint32_t* row = out<uint32_t>(w, rows[i]);
        for (int lane = 0; lane < warpSize; ++lane) {
            const int g = lane >> 2, t = lane & 3;
            if constexpr (halfSums)
                row[lane] = floatToHalf(c[(g + 8 * i) * 8 + 2 * t]) |
                            static_cast<uint32_t>(floatToHalf(c[(g + 8 * i) * 8 + 2 * t + 1])) << 16;
            else
                row[lane] = std::bit_cast<uint32_t>(canonicalNumber(c[(g + 8 * (i >> 1)) * 8 + 2 * t + (i & 1)]));
        }
    }
    return op + 1;
}

template <class A, class B, bool halfSums, int aRegisters>
const Op* multiplyMatrices(Warp& w, const Op* op) {
#if HWY_MAX_BYTES >= 32
    if constexpr (std::is_same_v<typename A::Number, float>)
        return multiplyFloatMatrices<A, B, halfSums, aRegisters>(w, op);
    else
#endif
        return multiplyPlainly<A, B, halfSums, aRegisters>(w, op);
}

/// m8n8k4 in f64: lane 4g + t holds A[g][t], B[t][g], C[g][2t], C[g][2t + 1].
const Op* multiplyDoubles(Warp& w, const Op* op) {
    needsWholeWarp(w, op);
    const Row* rows = w.block->program->rows.data() + op->detail;
    const double *a = in<double>(w, rows[2]), *b = in<double>(w, rows[3]), *c0 = in<double>(w, rows[4]),
                 *c1 = in<double>(w, rows[5]);
    double result[2][warpSize];
    for (int lane = 0; lane < warpSize; ++lane) {
        const int g = lane >> 2, t = lane & 3;
        for (int i = 0; i < 2; ++i) {
            double sum = i == 0 ? c0[lane] : c1[lane];
            for (int k = 0; k < 4; ++k)
                sum = __builtin_fma(a[4 * g + k], b[4 * (2 * t + i) + k], sum);
            result[i][lane] = sum;
        }
    }
    std::memcpy(out<double>(w, rows[0]), result[0], sizeof(result[0]));
    std::memcpy(out<double>(w, rows[1]), result[1], sizeof(result[1]));
    return op + 1;
}

template <class A, class B>
void addShapes(std::map<std::string, MatrixOperation>& t, const std::string& types, const std::string& wide,
               const std::string& narrow) {
    constexpr int each = A::perRegister;
    const bool integer = std::is_same_v<typename A::Number, int32_t>;
    const std::string sum = integer ? "s32" : "f32";
    t[wide + ".row.col." + sum + "." + types + "." + sum] = {
        &multiplyMatrices<A, B, false, 4>, 4, 4, 2, 4, 4, 2u * 16 * 8 * 8 * each};
    t[narrow + ".row.col." + sum + "." + types + "." + sum] = {
        &multiplyMatrices<A, B, false, 2>, 4, 2, 1, 4, 4, 2u * 16 * 8 * 4 * each};
}

MatrixOperation findMatrixOperation(const std::string& name) {
    static const std::map<std::string, MatrixOperation> table = [] {
        std::map<std::string, MatrixOperation> t;
        addShapes<HalfElement, HalfElement>(t, "f16.f16", "m16n8k16", "m16n8k8");
        addShapes<BfloatElement, BfloatElement>(t, "bf16.bf16", "m16n8k16", "m16n8k8");
        addShapes<Tf32Element, Tf32Element>(t, "tf32.tf32", "m16n8k8", "m16n8k4");
        t["m16n8k16.row.col.f16.f16.f16.f16"] = {
            &multiplyMatrices<HalfElement, HalfElement, true, 4>, 2, 4, 2, 2, 4, 2 * 16 * 8 * 16};
        t["m16n8k8.row.col.f16.f16.f16.f16"] = {
            &multiplyMatrices<HalfElement, HalfElement, true, 2>, 2, 2, 1, 2, 4, 2 * 16 * 8 * 8};
        addShapes<ByteElement<int8_t>, ByteElement<int8_t>>(t, "s8.s8", "m16n8k32", "m16n8k16");
        addShapes<ByteElement<int8_t>, ByteElement<uint8_t>>(t, "s8.u8", "m16n8k32", "m16n8k16");
        addShapes<ByteElement<uint8_t>, ByteElement<int8_t>>(t, "u8.s8", "m16n8k32", "m16n8k16");
        addShapes<ByteElement<uint8_t>, ByteElement<uint8_t>>(t, "u8.u8", "m16n8k32", "m16n8k16");
        using Four = Float8Element<number::E4M3>;
        using Five = Float8Element<number::E5M2>;
        addShapes<Four, Four>(t, "e4m3.e4m3", "m16n8k32", "m16n8k16");
        addShapes<Four, Five>(t, "e4m3.e5m2", "m16n8k32", "m16n8k16");
        addShapes<Five, Four>(t, "e5m2.e4m3", "m16n8k32", "m16n8k16");
        addShapes<Five, Five>(t, "e5m2.e5m2", "m16n8k32", "m16n8k16");
        t["m8n8k4.row.col.f64.f64.f64.f64"] = {&multiplyDoubles, 2, 1, 1, 2, 8, 2 * 8 * 8 * 4};
        return t;
    }();
    const auto found = table.find(name);
    return found == table.end() ? MatrixOperation{} : found->second;
}

} // namespace warplight::vgpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace warplight::vgpu {
HWY_EXPORT(findMatrixOperation);
MatrixOperation matrixOperation(const std::string& name) { return HWY_DYNAMIC_DISPATCH(findMatrixOperation)(name); }

} // namespace warplight::vgpu
#endif
