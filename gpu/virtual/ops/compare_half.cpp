// SPDX-License-Identifier: GPL-3.0-or-later
// Comparisons of f16, bf16 and their packed pairs (PTX ISA, 9.7.7). Exact in f32.
#include "gpu/virtual/ops/families.h"

#include <cstdint>
#include <string>
#include <tuple>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gpu/virtual/ops/compare_half.cpp"
#include "gpu/virtual/ops/targets.h"
#include "hwy/foreach_target.h" // IWYU pragma: keep

#include "gpu/virtual/ops/compare-inl.h"
#include "gpu/virtual/ops/half-inl.h"

HWY_BEFORE_NAMESPACE();
namespace warplight::vgpu::HWY_NAMESPACE {

template <class H, Relation r, bool ftz>
struct CompareHalf {
    static HWY_INLINE float value(uint16_t x) { return H::widen(ftz ? H::flushed(x) : x); }
    static HWY_INLINE bool apply(uint16_t a, uint16_t b) { return Compare<r>::apply(value(a), value(b)); }
};
/// One half of a pair.
template <class F, int shift>
struct CompareOneOf {
    static HWY_INLINE bool apply(uint32_t a, uint32_t b) {
        return F::apply(static_cast<uint16_t>(a >> shift), static_cast<uint16_t>(b >> shift));
    }
};

/// "setp.lt.f16" for one number, "setp.lt.f16x2.low" and ".high" for a pair: the decoder makes one instruction of two.
template <class H, Relation r, bool ftz>
void addRelationOf(HandlerTable& t, const std::string& relation) {
    using One = CompareHalf<H, r, ftz>;
    const OpClass kind = OpClass::Compare;
    addAs<One, Predicate, uint16_t, uint16_t>(t, relation + H::name, kind, 0, {'p', 1}, {H::type, H::type});
    addAs<CompareOneOf<One, 0>, Predicate, uint32_t, uint32_t>(t, relation + H::pair + ".low", kind, 0, {'p', 1},
                                                               {H::pairType, H::pairType});
    addAs<CompareOneOf<One, 16>, Predicate, uint32_t, uint32_t>(t, relation + H::pair + ".high", kind, 0, {'p', 1},
                                                                {H::pairType, H::pairType});
}
template <Relation r>
void addHalfRelation(HandlerTable& t, const std::string& name) {
    addRelationOf<F16, r, false>(t, "setp." + name + ".");
    addRelationOf<F16, r, true>(t, "setp." + name + ".ftz.");
    addRelationOf<Bf16, r, false>(t, "setp." + name + ".");
}

void addHalfRelations(HandlerTable& t) {
    addHalfRelation<Relation::Eq>(t, "eq");
    addHalfRelation<Relation::Ne>(t, "ne");
    addHalfRelation<Relation::Lt>(t, "lt");
    addHalfRelation<Relation::Le>(t, "le");
    addHalfRelation<Relation::Gt>(t, "gt");
    addHalfRelation<Relation::Ge>(t, "ge");
    addHalfRelation<Relation::Equ>(t, "equ");
    addHalfRelation<Relation::Neu>(t, "neu");
    addHalfRelation<Relation::Ltu>(t, "ltu");
    addHalfRelation<Relation::Leu>(t, "leu");
    addHalfRelation<Relation::Gtu>(t, "gtu");
    addHalfRelation<Relation::Geu>(t, "geu");
    addHalfRelation<Relation::Num>(t, "num");
    addHalfRelation<Relation::Nan>(t, "nan");
}

} // namespace warplight::vgpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace warplight::vgpu {
HWY_EXPORT(addHalfRelations);
void addHalfComparisons(HandlerTable& table) { HWY_DYNAMIC_DISPATCH(addHalfRelations)(table); }
} // namespace warplight::vgpu
#endif
