// SPDX-License-Identifier: GPL-3.0-or-later
// Comparisons (PTX ISA, 9.7.6).
#include "gpu/virtual/ops/families.h"

#include <cstdint>
#include <string>
#include <tuple>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gpu/virtual/ops/compare.cpp"
#include "gpu/virtual/ops/targets.h"
#include "hwy/foreach_target.h" // IWYU pragma: keep

#include "gpu/virtual/ops/compare-inl.h"

HWY_BEFORE_NAMESPACE();
namespace warplight::vgpu::HWY_NAMESPACE {

template <class F>
struct FlushInputs {
    static HWY_INLINE bool apply(float a, float b) { return F::apply(flush(a), flush(b)); }
};

template <class T, Relation r>
void addRelation(HandlerTable& t, const std::string& relation, const std::string& type) {
    add<Compare<r>, Predicate, T, T>(t, "setp." + relation + "." + type, OpClass::Compare);
    if constexpr (std::is_same_v<T, float>)
        add<FlushInputs<Compare<r>>, Predicate, T, T>(t, "setp." + relation + ".ftz." + type, OpClass::Compare);
}
template <class T>
void addOrdered(HandlerTable& t, const std::string& type) {
    addRelation<T, Relation::Eq>(t, "eq", type);
    addRelation<T, Relation::Ne>(t, "ne", type);
    addRelation<T, Relation::Lt>(t, "lt", type);
    addRelation<T, Relation::Le>(t, "le", type);
    addRelation<T, Relation::Gt>(t, "gt", type);
    addRelation<T, Relation::Ge>(t, "ge", type);
    if constexpr (std::is_unsigned_v<T>) {
        addRelation<T, Relation::Lt>(t, "lo", type);
        addRelation<T, Relation::Le>(t, "ls", type);
        addRelation<T, Relation::Gt>(t, "hi", type);
        addRelation<T, Relation::Ge>(t, "hs", type);
    }
}
template <class T>
void addFloatRelations(HandlerTable& t, const std::string& type) {
    addOrdered<T>(t, type);
    addRelation<T, Relation::Equ>(t, "equ", type);
    addRelation<T, Relation::Neu>(t, "neu", type);
    addRelation<T, Relation::Ltu>(t, "ltu", type);
    addRelation<T, Relation::Leu>(t, "leu", type);
    addRelation<T, Relation::Gtu>(t, "gtu", type);
    addRelation<T, Relation::Geu>(t, "geu", type);
    addRelation<T, Relation::Num>(t, "num", type);
    addRelation<T, Relation::Nan>(t, "nan", type);
}

void addComparisonOperations(HandlerTable& t) {
    addOrdered<int16_t>(t, "s16");
    addOrdered<uint16_t>(t, "u16");
    addOrdered<int32_t>(t, "s32");
    addOrdered<uint32_t>(t, "u32");
    addOrdered<int64_t>(t, "s64");
    addOrdered<uint64_t>(t, "u64");
    addOrdered<uint16_t>(t, "b16");
    addOrdered<uint32_t>(t, "b32");
    addOrdered<uint64_t>(t, "b64");
    addFloatRelations<float>(t, "f32");
    addFloatRelations<double>(t, "f64");
}

} // namespace warplight::vgpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace warplight::vgpu {
HWY_EXPORT(addComparisonOperations);
void addComparisons(HandlerTable& table) { HWY_DYNAMIC_DISPATCH(addComparisonOperations)(table); }
} // namespace warplight::vgpu
#endif
