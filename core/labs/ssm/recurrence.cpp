// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/ssm/recurrence.h"

#include "core/labs/ssm/sequence_knobs.h"
#include "core/workbench/knobs.h"

#include <fmt/format.h>

namespace warplight::labs::ssm {

using lab::Parameter;
using workbench::Implementation;
using workbench::Knob;
using workbench::Operator;
using workbench::Page;
using workbench::Problem;

Operator recurrence(const char* id, const char* title, const char* formula, const char* flopsText) {
    Operator op;
    op.id = id;
    op.lab = "State space models";
    op.title = op.page = title;
    op.formula = formula;
    op.flopsText = flopsText;
    return op;
}

int recurrenceColour(std::string_view id) {
    return id == "reference" ? 4 : id == "plain" ? 10 : id == "vectors" ? 1 : 5;
}

Implementation recurrentOnGpu(const char* title) {
    return workbench::implementationOf(
        "recurrent", title,
        "Nothing but the inputs and the output goes through memory; nothing is parallel over the "
        "sequence.",
        Implementation::Device::Gpu, recurrenceColour("recurrent"));
}

std::vector<Knob> channelKnobs(Page page) {
    return {lengthKnob(page),
            workbench::dimension("channels", "channels", "channels",
                                 Parameter::integer("channels", "Channels", page == Page::Race ? 1024 : 256, 1, 1 << 14,
                                                    "Each with a state of its own."),
                                 {64, 256, 1024, 4096}),
            batchKnob()};
}

void setChannels(Problem& p) {
    p.setDefault("batch", 1);
    p.setDefault("seqLen", 256);
    p.setDefault("channels", 64);
}

std::string channelsInWords(const Problem& p) {
    return fmt::format("T = {} with {} channels{}", p["seqLen"], p["channels"],
                       p["batch"] == 1 ? "" : fmt::format(", batch {}", p["batch"]));
}

gpu::ChannelShape channelShape(const Problem& p) { return {p["batch"], p["seqLen"], p["channels"]}; }

} // namespace warplight::labs::ssm
