// Matrix multiply-accumulate of a warp (PTX ISA, 9.7.15).
//
// Where the elements lie (9.7.15.5): lane = 4·g + t. With E elements of A or B in a 32-bit register,
//   register i of A holds row g + 8·(i & 1), columns E·t + 4E·(i >> 1) …;  register i of B holds column g, rows E·t +
//   4E·i …; register i of C and D holds row g + 8·(i >> 1), column 2t + (i & 1).
#include "gpu/virtual/ops/tensor.h"

#include "gpu/number/small_float.h"
#include "gpu/virtual/block.h"

#include <cstring>
#include <fmt/format.h>
#include <map>
#include <tuple>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gpu/virtual/ops/tensor.cpp"
#include "gpu/virtual/ops/targets.h"
#include "hwy/foreach_target.h" // IWYU pragma: keep

#include "gpu/virtual/ops/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace warplight::vgpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

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
struct Float8Element {
    static constexpr int perRegister = 4;
    using Number = float;
    static HWY_INLINE float at(uint32_t word, int e) {
        return number::fromFloat8<Format>(static_cast<uint8_t>(word >> (8 * e)));
    }
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

/// c[16][8] += a[16][k] · b[k][8], k ascending.
template <int k, class Number>
HWY_INLINE void multiply(const Number* HWY_RESTRICT a, const Number* HWY_RESTRICT b, Number* HWY_RESTRICT c) {
#if HWY_MAX_BYTES >= 32
    if constexpr (std::is_same_v<Number, float>) {
        const hn::FixedTag<float, 8> d;
        for (int half = 0; half < 2; ++half) { // eight rows at a time stay in registers
            const float* rows = a + half * 8 * k;
            float* sums = c + half * 64;
            auto s0 = hn::Load(d, sums), s1 = hn::Load(d, sums + 8), s2 = hn::Load(d, sums + 16),
                 s3 = hn::Load(d, sums + 24);
            auto s4 = hn::Load(d, sums + 32), s5 = hn::Load(d, sums + 40), s6 = hn::Load(d, sums + 48),
                 s7 = hn::Load(d, sums + 56);
            for (int i = 0; i < k; ++i) {
                const auto x = hn::Load(d, b + i * 8);
                s0 = hn::MulAdd(hn::Set(d, rows[i]), x, s0);
                s1 = hn::MulAdd(hn::Set(d, rows[k + i]), x, s1);
                s2 = hn::MulAdd(hn::Set(d, rows[2 * k + i]), x, s2);
                s3 = hn::MulAdd(hn::Set(d, rows[3 * k + i]), x, s3);
                s4 = hn::MulAdd(hn::Set(d, rows[4 * k + i]), x, s4);
                s5 = hn::MulAdd(hn::Set(d, rows[5 * k + i]), x, s5);
                s6 = hn::MulAdd(hn::Set(d, rows[6 * k + i]), x, s6);
                s7 = hn::MulAdd(hn::Set(d, rows[7 * k + i]), x, s7);
            }
            hn::Store(s0, d, sums), hn::Store(s1, d, sums + 8), hn::Store(s2, d, sums + 16),
                hn::Store(s3, d, sums + 24);
            hn::Store(s4, d, sums + 32), hn::Store(s5, d, sums + 40), hn::Store(s6, d, sums + 48),
                hn::Store(s7, d, sums + 56);
        }
        return;
    }
#endif
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

template <class A, class B, bool halfSums, int aRegisters>
const Op* multiplyMatrices(Warp& w, const Op* op) {
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
                row[lane] = std::bit_cast<uint32_t>(c[(g + 8 * (i >> 1)) * 8 + 2 * t + (i & 1)]);
        }
    }
    return op + 1;
}

#if HWY_MAX_BYTES >= 32
/// 64 consecutive 16-bit elements, eight rows of eight, to f32.
template <class Element>
HWY_INLINE void widen(const uint32_t* row, float* to, int stride) {
    const hn::FixedTag<float, 8> d;
    for (int g = 0; g < 8; ++g) {
        if constexpr (std::is_same_v<Element, HalfElement>) {
            const hn::FixedTag<hwy::float16_t, 8> dh;
            hn::Store(hn::PromoteTo(d, hn::Load(dh, reinterpret_cast<const hwy::float16_t*>(row + 4 * g))), d,
                      to + g * stride);
        } else {
            const hn::FixedTag<uint16_t, 8> du;
            const hn::FixedTag<uint32_t, 8> dw;
            const auto wide = hn::PromoteTo(dw, hn::Load(du, reinterpret_cast<const uint16_t*>(row + 4 * g)));
            hn::Store(hn::BitCast(d, hn::ShiftLeft<16>(wide)), d, to + g * stride);
        }
    }
}

/// The case that attention lives on, m16n8k16 with f32 sums, with whole registers moved at a time.
template <class Element>
const Op* multiplyHalves(Warp& w, const Op* op) {
    needsWholeWarp(w, op);
    constexpr int k = 16;
    alignas(64) float a[16 * k], bt[8 * k], b[k * 8], c[16 * 8];
    const Row* rows = w.block->program->rows.data() + op->detail;
    for (int i = 0; i < 4; ++i)
        widen<Element>(in<uint32_t>(w, rows[4 + i]), a + 8 * (i & 1) * k + 8 * (i >> 1), k);
    for (int i = 0; i < 2; ++i)
        widen<Element>(in<uint32_t>(w, rows[8 + i]), bt + 8 * i, k);
    for (int column = 0; column < 8; ++column)
        for (int i = 0; i < k; ++i)
            b[i * 8 + column] = bt[column * k + i];
    const hn::FixedTag<float, 4> d4;
    for (int i = 0; i < 4; i += 2) { // two registers hold the even and the odd columns of eight rows
        const float* even = in<float>(w, rows[10 + i]);
        const float* odd = in<float>(w, rows[11 + i]);
        for (int g = 0; g < 8; ++g) {
            const auto x = hn::Load(d4, even + 4 * g), y = hn::Load(d4, odd + 4 * g);
            hn::Store(hn::InterleaveLower(d4, x, y), d4, c + (g + 4 * i) * 8);
            hn::Store(hn::InterleaveUpper(d4, x, y), d4, c + (g + 4 * i) * 8 + 4);
        }
    }
    multiply<k>(a, b, c);
    for (int i = 0; i < 4; i += 2) {
        float* even = out<float>(w, rows[i]);
        float* odd = out<float>(w, rows[i + 1]);
        for (int g = 0; g < 8; ++g) {
            const auto low = hn::Load(d4, c + (g + 4 * i) * 8), high = hn::Load(d4, c + (g + 4 * i) * 8 + 4);
            hn::Store(hn::ConcatEven(d4, high, low), d4, even + 4 * g);
            hn::Store(hn::ConcatOdd(d4, high, low), d4, odd + 4 * g);
        }
    }
    return op + 1;
}
#else
template <class Element>
const Op* multiplyHalves(Warp& w, const Op* op) {
    return multiplyMatrices<Element, Element, false, 4>(w, op);
}
#endif

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
        t["m16n8k16.row.col.f32.f16.f16.f32"].run = &multiplyHalves<HalfElement>;
        t["m16n8k16.row.col.f32.bf16.bf16.f32"].run = &multiplyHalves<BfloatElement>;
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
#include "gpu/virtual/ops/access.h"

namespace warplight::vgpu {
HWY_EXPORT(findMatrixOperation);
MatrixOperation matrixOperation(const std::string& name) { return HWY_DYNAMIC_DISPATCH(findMatrixOperation)(name); }

namespace {

/// The rows of the matrices: lane 8·j + r has the address of row r of matrix j.
Place locateRows(Warp& w, const Op* op, Pattern& p, uint64_t* address, AccessKind kind) {
    for (int i = 0; i < warpSize; ++i) {
        const uint64_t base = op->bytes == 8 ? in<uint64_t>(w, op->a)[i] : in<uint32_t>(w, op->a)[i];
        address[i] = base + static_cast<uint64_t>(op->imm);
        if (address[i] >> 32 == sharedWindow >> 32)
            address[i] &= 0xffffffffu;
    }
    const uint32_t mask = op->count >= 4 ? fullMask : (1u << (8 * op->count)) - 1;
    const uint64_t base = address[0];
    uint64_t difference = (p.mask ^ mask) | ((p.low ^ base) & 15) | (p.kind == Pattern::Unknown);
    for (int i = 0; i < 8 * op->count; ++i)
        difference |= (address[i] - base) ^ static_cast<uint64_t>(p.delta[i]);
    if (difference != 0) {
        p.mask = mask;
        p.low = static_cast<uint32_t>(base);
        for (int i = 0; i < warpSize; ++i)
            p.delta[i] = has(mask, i) ? static_cast<int64_t>(address[i] - base) : 0;
        completePattern(p, base, 16);
    }
    const uint32_t all = w.mask;
    w.setMask(mask);
    const Place place = locateShared(w, op, p, address, base, 16, kind);
    w.setMask(all);
    return place;
}

void wholeWarp(Warp& w, const Op* op) {
    if (w.mask != fullMask)
        w.block->fault(w, op, std::countr_zero(w.mask), "divergence",
                       "a matrix instruction that not all lanes of the warp execute,");
}

} // namespace

const Op* loadMatrix(Warp& w, const Op* op) {
    wholeWarp(w, op);
    uint64_t address[warpSize];
    const Place place = locateRows(w, op, patternOf(w, op->access, 0, false), address, AccessKind::Read);
    const Row* rows = w.block->program->rows.data() + op->detail;
    for (int j = 0; j < op->count; ++j) {
        auto* row = out<uint16_t>(w, rows[j]); // 8 × 8 elements, row-major
        for (int r = 0; r < 8; ++r) {
            const std::byte* from = place.host + place.offset[8 * j + r];
            if (!op->negated) {
                std::memcpy(row + 8 * r, from, 16);
                continue;
            }
            uint16_t element[8];
            std::memcpy(element, from, 16);
            for (int column = 0; column < 8; ++column)
                row[8 * column + r] = element[column];
        }
    }
    return op + 1;
}

const Op* storeMatrix(Warp& w, const Op* op) {
    wholeWarp(w, op);
    uint64_t address[warpSize];
    const Place place = locateRows(w, op, patternOf(w, op->access, 0, false), address, AccessKind::Write);
    const Row* rows = w.block->program->rows.data() + op->detail;
    for (int j = 0; j < op->count; ++j) {
        const auto* row = in<uint16_t>(w, rows[j]);
        for (int r = 0; r < 8; ++r) {
            uint16_t element[8];
            for (int column = 0; column < 8; ++column)
                element[column] = row[op->negated ? 8 * column + r : 8 * r + column];
            std::memcpy(place.host + place.offset[8 * j + r], element, 16);
        }
    }
    return op + 1;
}

const Op* moveMatrix(Warp& w, const Op* op) {
    wholeWarp(w, op);
    uint16_t turned[64];
    const auto* from = in<uint16_t>(w, op->a);
    for (int r = 0; r < 8; ++r)
        for (int column = 0; column < 8; ++column)
            turned[8 * column + r] = from[8 * r + column];
    std::memcpy(out<uint16_t>(w, op->dst), turned, sizeof(turned));
    return op + 1;
}

} // namespace warplight::vgpu
#endif
