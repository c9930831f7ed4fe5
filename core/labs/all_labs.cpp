// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/all_labs.h"

#include "core/labs/allreduce/allreduce_lab.h"
#include "core/labs/attention/attention_lab.h"
#include "core/labs/blocks/blocks_lab.h"
#include "core/labs/devices/devices_lab.h"
#include "core/labs/inspector/inspector_lab.h"
#include "core/labs/linear/linear_lab.h"
#include "core/labs/precision/precision_lab.h"
#include "core/labs/precision/training_operators.h"
#include "core/labs/profile/profile_lab.h"
#include "core/labs/ssm/ssm_lab.h"
#include "core/workbench/page.h"

namespace warplight::labs {

void registerAll(lab::Registry& registry, workbench::Operators& operators) {
    attention::registerLab(registry, operators);
    linear::registerLab(registry, operators);
    ssm::registerLab(registry, operators);
    workbench::registerPages(registry, operators.add(blocks::softmaxOperator()));
    workbench::registerPages(registry, operators.add(blocks::matmulOperator()));
    precision::registerPages(registry);
    allreduce::registerLab(registry);
    inspector::registerLab(registry);
    profile::registerLab(registry);
    tools::registerLab(registry);
    precision::registerLogs(registry);
    workbench::registerPages(registry, operators.add(precision::castOperator()));
    workbench::registerPages(registry, operators.add(precision::adamwOperator()));
}

} // namespace warplight::labs
