// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lab/figure.h"

#include "core/lab/json_members.h"

#include <string_view>

namespace warplight::lab {

std::string_view kindName(const Figure& figure) { return vocabulary::figureKinds.at(figure.content.index()); }

} // namespace warplight::lab
