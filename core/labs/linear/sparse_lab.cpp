// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/linear/sparse_lab.h"

#include "core/workbench/page.h"

namespace warplight::labs::linear {

void registerSparse(lab::Registry& registry, workbench::Operators& operators) {
    registry.add(makePatterns());
    workbench::registerPages(registry, operators.add(sparseAttentionOperator()));
    workbench::registerPages(registry, operators.add(lowRankAttentionOperator()));
}

} // namespace warplight::labs::linear
