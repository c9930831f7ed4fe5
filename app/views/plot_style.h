#pragma once

#include "core/lab/figure.h"

#include <qcustomplot.h>

namespace warplight::app {

/// Colours, fonts and thin grid of the current theme for a plot and its axes.
void stylePlot(QCustomPlot& plot);

/// Scale, title and ticks of an axis: powers of two as 256, 1k, 4k; decades; SI prefixes otherwise.
void setUpAxis(QCPAxis& axis, const lab::Axis& description);

} // namespace warplight::app
