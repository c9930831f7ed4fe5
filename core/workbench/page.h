// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"
#include "core/workbench/operator.h"

#include <memory>
#include <string>
#include <vector>

namespace warplight::workbench {

using OperatorList = std::vector<std::shared_ptr<const Operator>>;

/// Race, Traffic or Accuracy of one operator, or of several on the same inputs in one picture.
/// `chosen`: implementations that race at first, where not all that their operators choose.
std::unique_ptr<lab::Experiment> makeRace(OperatorList operators, std::vector<std::string> chosen = {});
std::unique_ptr<lab::Experiment> makeTraffic(OperatorList operators);
std::unique_ptr<lab::Experiment> makeAccuracy(OperatorList operators);

/// All three, as far as the operator's implementations have something to show on them.
void registerPages(lab::Registry& registry, const std::shared_ptr<const Operator>& op);

/// An implementation on a page, with what it computes.
struct Contestant {
    const Operator* op = nullptr;
    const Implementation* implementation = nullptr;
};

/// What is common to the pages of some operators: the knobs of all, and which of them is the axis.
class PageSetup {
  public:
    PageSetup(OperatorList operators, Page page, std::vector<std::string> chosen = {});

    const Operator& first() const { return *operators.front(); }
    const OperatorList& all() const { return operators; }
    Page page() const { return which; }
    /// Id, lab, title, sentence, question, about, devices and colours; no parameters.
    lab::Description describe() const;
    /// "against" where there is a choice, then each knob's sweep and single value.
    std::vector<lab::Parameter> knobParameters() const;
    /// "implementations" on the CPU and "kernels" on GPUs, and "cublas" where a library takes part.
    std::vector<lab::Parameter> ladderParameters() const;
    /// Those that the settings choose on a device, in the ladder's order. Throws InputError when there are none.
    std::vector<Contestant> chosen(const lab::Settings& settings, const std::string& device) const;

    const Knob& axis(const lab::Settings& settings) const;
    /// Ascending values of the axis; the one problem of a page that sweeps nothing has one.
    std::vector<double> points(const lab::Settings& settings) const;
    Problem problem(const Operator& op, const lab::Settings& settings, double x) const;
    /// The same with every knob at its probe, if that is less.
    Problem probe(const Operator& op, const lab::Settings& settings, double x) const;
    lab::Axis xAxis(const lab::Settings& settings) const;
    const std::vector<Knob>& knobs() const { return every; }
    /// Whether the settings choose an axis at all (Accuracy: not at first).
    bool sweeps(const lab::Settings& settings) const;

  private:
    Problem fromKnobs(const Operator& op, const lab::Settings& settings, double x, bool small) const;

    OperatorList operators;
    Page which;
    std::vector<Knob> every;          ///< of all operators, each id once
    std::vector<std::string> atFirst; ///< implementations that are chosen at first; empty: as their operators say
};

/// "N = 512"
std::string atText(const Knob& knob, double x);
/// The id of a knob's column: "seq_len" of seqLen.
std::string columnOf(const Knob& knob);
/// A point of an axis in a table: whole numbers as such.
lab::Table::Cell cellOf(double x);
/// An axis that fits its data.
lab::Axis axisOf(std::string title, std::string unit, lab::Scale scale);
/// A curve's id, label and colour are the same on every page.
lab::Curve curveOf(const std::string& id, lab::Provenance provenance,
                   lab::Curve::Style style = lab::Curve::Style::LineAndPoints);
lab::Figure headline(const std::string& id, const std::string& title, const std::string& explain, lab::Metric metric);

} // namespace warplight::workbench
