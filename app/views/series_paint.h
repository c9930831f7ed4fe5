// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"

#include <QPen>
#include <QString>

namespace warplight::app {

/// A curve without a label belongs to the one whose id stands before its dot: the same chip hides both.
QString legendId(const lab::Curve& curve);

/// What a logarithmic axis cannot show is left out instead of hiding the rest.
bool drawable(double value, lab::Scale scale);

QPen penOf(const lab::Curve& curve, bool pinned);

} // namespace warplight::app
