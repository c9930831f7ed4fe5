// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"

#include <qcustomplot.h>

namespace warplight::app {

/// Colours, fonts and thin grid of the current theme for a plot and its axes.
void stylePlot(QCustomPlot& plot);

/// Scale, title and ticks of an axis: powers of two as 256, 1k, 4k; decades; SI prefixes otherwise.
void setUpAxis(QCPAxis& axis, const lab::Axis& description);

/// Whether the axis counts: its ticks are whole numbers then. After setUpAxis.
void countWhole(QCPAxis& axis, bool whole);

/// A number without a unit in some significant digits, without an exponent where that is no longer: 15000, 2e+07.
QString plainNumber(double value, int digits = 4);

/// Leaves out ticks whose labels would touch in a plot of this size; names of bars break into lines or stand aslant.
void fitTicks(QCustomPlot& plot, const QSizeF& size);

/// Does so before each replot, whatever the plot's size is then.
void keepTicksApart(QCustomPlot& plot);

/// A plot without data: its axes say nothing, a sentence stands in the middle.
void showEmptiness(QCustomPlot& plot, bool empty, const QString& sentence);

} // namespace warplight::app
