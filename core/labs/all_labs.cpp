// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/all_labs.h"

#include "core/labs/allreduce/allreduce_lab.h"
#include "core/labs/attention/attention_lab.h"
#include "core/labs/blocks/blocks_lab.h"
#include "core/labs/devices/devices_lab.h"
#include "core/labs/inspector/inspector_lab.h"
#include "core/labs/profile/profile_lab.h"
#include "core/workbench/page.h"

#include <memory>
#include <utility>
#include <vector>

namespace warplight::labs {

void registerAll(lab::Registry& registry, workbench::Operators& operators) {
    registerAttentionLab(registry);
    registerAttentionOperators(operators);
    for (workbench::Operator op : {softmaxOperator(), matmulOperator()}) {
        operators.add(op);
        workbench::registerPages(registry, std::make_shared<const workbench::Operator>(std::move(op)));
    }
    registerAllreduceLab(registry);
    registerInspector(registry);
    registerProfileLab(registry);
    registerDevices(registry);
}

} // namespace warplight::labs
