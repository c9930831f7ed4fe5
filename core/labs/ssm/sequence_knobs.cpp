// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/ssm/sequence_knobs.h"

#include "core/workbench/knobs.h"

#include <cstdint>
#include <vector>

namespace warplight::labs::ssm {

using lab::Parameter;
using workbench::dimension;
using workbench::Knob;
using workbench::Page;

Knob lengthKnob(Page page) {
    const bool race = page == Page::Race;
    return dimension("seqLen", "T", "sequence length",
                     Parameter::integer("seqLen", "Sequence length", race ? 2048 : 256, 1, race ? 1 << 20 : 8192,
                                        "T, the steps of a sequence."),
                     race ? std::vector<int64_t>{256, 512, 1024, 2048, 4096} : std::vector<int64_t>{64, 128, 256, 512},
                     256);
}

Knob batchKnob() {
    return dimension("batch", "batch", "sequences", Parameter::integer("batch", "Batch", 1, 1, 256, "Sequences."),
                     {1, 2, 4, 8});
}

} // namespace warplight::labs::ssm
