// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/report/report_text.h"

#include "app/views/theme.h"
#include "core/lab/json.h"

#include <QObject>
#include <QSysInfo>
#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <type_traits>
#include <variant>

namespace warplight::app {
namespace {

constexpr qsizetype longestValue = 120; ///< characters of a setting
constexpr int mostRemarks = 4;          ///< about the code, in the findings

QString qt(const std::string& text) { return QString::fromStdString(text); }

QString shortened(const QString& text) {
    if (text.isEmpty())
        return "–";
    const qsizetype lines = text.count('\n') + 1 - text.endsWith('\n');
    const QString first = text.section('\n', 0, 0);
    const QString shown = first.size() > longestValue ? first.left(longestValue) + "…" : first;
    return lines > 1 ? QObject::tr("%1 … (%2 lines)").arg(shown).arg(lines) : shown;
}

QString valueWords(const lab::Value& value) {
    return std::visit(
        [](const auto& held) {
            using Held = std::decay_t<decltype(held)>;
            if constexpr (std::is_same_v<Held, std::string>)
                return shortened(qt(held));
            else if constexpr (std::is_same_v<Held, std::vector<std::string>>) {
                QStringList all;
                for (const std::string& each : held)
                    all << qt(each);
                return all.isEmpty() ? QString("–") : all.join(", ");
            } else if constexpr (std::is_same_v<Held, std::vector<int64_t>>) {
                QStringList all;
                for (const int64_t each : held)
                    all << QString::number(each);
                return all.isEmpty() ? QString("–") : all.join(", ");
            } else
                return qt(lab::toJson(lab::Value(held)).dump());
        },
        value);
}

/// With a full stop, as sentences are put one after another.
QString sentence(QString text) {
    text = text.simplified();
    return text.isEmpty() || QString(".!?:").contains(text.back()) ? text : text + '.';
}

QString howItRan(const lab::RunRecord& run) {
    const lab::RunStarted& start = run.start();
    QString who = runName(run);
    QString where = start.device.empty() ? QString() : QObject::tr(" on %1").arg(qt(start.device));
    if (!start.machine.cpu.empty())
        where += QObject::tr(" of a machine with %1, %2 cores").arg(qt(start.machine.cpu)).arg(start.machine.cores);
    if (!run.ended())
        return QObject::tr("%1%2 had not ended when this was printed; it is shown as it stood.").arg(who, where);
    const QString time = numberText(run.ended()->seconds, "s");
    switch (run.ended()->outcome) {
    case lab::RunEnded::Outcome::Cancelled:
        return QObject::tr("%1%2 was stopped after %3; it is shown as it stood.").arg(who, where, time);
    case lab::RunEnded::Outcome::Failed:
        return QObject::tr("%1%2 failed after %3: %4").arg(who, where, time, sentence(qt(run.ended()->message)));
    case lab::RunEnded::Outcome::Finished:
        break;
    }
    return QObject::tr("%1 ran%2 and took %3.").arg(who, where, time);
}

QString headline(const lab::Figure& figure, const lab::Metric& metric) {
    QString text = metricText(metric);
    if (!metric.caption.empty())
        text += ' ' + qt(metric.caption);
    if (!figure.title.empty() && !text.contains(qt(figure.title), Qt::CaseInsensitive))
        text = qt(figure.title) + ": " + text;
    QString from = badgeText(metric.provenance);
    if (metric.low && metric.high)
        from += QObject::tr(", %1 to %2")
                    .arg(numberText(*metric.low, qt(metric.unit), qt(metric.format)),
                         numberText(*metric.high, qt(metric.unit), qt(metric.format)));
    return QString("%1 (%2)").arg(text, from);
}

/// Errors and warnings beside lines of code, the worst first, each text once.
QStringList remarksOf(const lab::RunRecord& run) {
    QStringList said, all;
    for (const auto severity : {lab::Source::Severity::Error, lab::Source::Severity::Warning})
        for (const lab::Figure& figure : run.figures())
            if (const auto* source = std::get_if<lab::Source>(&figure.content))
                for (const auto& pane : source->panes)
                    for (const auto& line : pane.lines)
                        if (line.severity == severity && !line.remark.empty() && !said.contains(qt(line.remark))) {
                            said << qt(line.remark);
                            all << QString("%1:%2: %3").arg(qt(pane.title)).arg(line.number).arg(qt(line.remark));
                        }
    return all;
}

} // namespace

QString runName(const lab::RunRecord& run) {
    const lab::RunStarted& start = run.start();
    return !start.title.empty()        ? qt(start.title)
           : !start.experiment.empty() ? qt(start.experiment)
                                       : QObject::tr("A run");
}

QString reportTitle(const std::vector<lab::RunRecord>& runs, const ReportOptions& options) {
    if (!options.title.isEmpty())
        return options.title;
    QStringList names;
    for (const auto& run : runs)
        if (!names.contains(runName(run)))
            names << runName(run);
    return names.isEmpty()     ? QObject::tr("An empty session")
           : names.size() == 1 ? names.front()
                               : names.mid(0, names.size() - 1).join(", ") + QObject::tr(" and ") + names.back();
}

Pairs circumstances(const lab::RunRecord& run, const ReportOptions& options) {
    const lab::Machine& machine = run.start().machine;
    Pairs pairs{{QObject::tr("Processor"), QString("%1, %2 cores").arg(qt(machine.cpu)).arg(machine.cores)},
                {QObject::tr("Kernels for"), qt(machine.instructionSet)},
                {QObject::tr("Memory"), numberText(static_cast<double>(machine.memoryBytes), "B")},
                {QObject::tr("System"), qt(machine.system)},
                {QObject::tr("Device"), qt(run.start().device)},
                {QObject::tr("Started"), qt(run.start().startTime)},
                {QObject::tr("Warplight"), qt(machine.version)}};
    if (run.ended())
        pairs.emplace_back(QObject::tr("Took"), numberText(run.ended()->seconds, "s"));
    if (options.includeHostAndUser) {
        pairs.emplace_back(QObject::tr("Host"), QSysInfo::machineHostName());
        pairs.emplace_back(QObject::tr("User"), qEnvironmentVariable("USER"));
    }
    return pairs;
}

Pairs settingsOf(const lab::RunRecord& run) {
    Pairs pairs;
    for (const auto& [name, value] : run.start().settings)
        pairs.emplace_back(qt(name), valueWords(value));
    return pairs;
}

QString metricText(const lab::Metric& metric) {
    return metric.value ? numberText(*metric.value, qt(metric.unit), qt(metric.format)) : QString("–");
}

QString findings(const lab::RunRecord& run) {
    QStringList said{howItRan(run)}, numbers, warnings, elsewhere;
    for (const lab::Figure& figure : run.figures()) {
        if (const auto* metric = std::get_if<lab::Metric>(&figure.content); metric && metric->value)
            numbers << headline(figure, *metric);
        if (const auto* series = std::get_if<lab::Series>(&figure.content))
            for (const auto& curve : series->curves)
                if (const QString device = qt(curve.device); !device.isEmpty() && device != qt(run.start().device))
                    elsewhere << device;
    }
    elsewhere.removeDuplicates();
    if (!elsewhere.isEmpty())
        said << QObject::tr("Some of its curves are of %1.").arg(elsewhere.join(", "));
    if (!numbers.isEmpty())
        said << sentence(numbers.join("; "));
    else if (run.figures().empty())
        said << QObject::tr("It has shown no figure.");
    for (const lab::Log& log : run.logs())
        if (log.level == lab::Log::Level::Warning)
            warnings << sentence(qt(log.text));
    warnings.removeDuplicates();
    if (!warnings.isEmpty())
        said << QObject::tr("It warned: %1").arg(warnings.join(' '));
    if (const QStringList remarks = remarksOf(run); !remarks.isEmpty()) {
        said << QObject::tr("In the code: %1").arg(sentence(remarks.mid(0, mostRemarks).join("; ")));
        if (remarks.size() > mostRemarks)
            said << QObject::tr("%1 more remarks stand beside the lines.").arg(remarks.size() - mostRemarks);
    }
    return said.join(' ');
}

namespace {

template <class T>
size_t differing(const std::vector<T>& a, const std::vector<T>& b) {
    const size_t both = std::min(a.size(), b.size());
    size_t count = std::max(a.size(), b.size()) - both;
    for (size_t i = 0; i < both; ++i)
        count += a[i] != b[i];
    return count;
}

/// How many things of the scene are not as in the other.
size_t difference(const lab::Steps::Step& a, const lab::Steps::Step& b) {
    return differing(a.cells, b.cells) + differing(a.labels, b.labels) + differing(a.arrows, b.arrows) +
           differing(a.regions, b.regions) + differing(a.matrices, b.matrices) + differing(a.bars, b.bars);
}

} // namespace

std::vector<size_t> tellingSteps(const lab::Steps& steps, size_t most) {
    const size_t count = steps.steps.size();
    std::set<size_t> taken;
    if (count == 0)
        return {};
    std::vector<size_t> change(count, SIZE_MAX), apart(count, SIZE_MAX); // to the nearest one taken
    const auto take = [&](size_t step) {
        taken.insert(step);
        for (size_t i = 0; i < count; ++i) {
            change[i] = std::min(change[i], difference(steps.steps[i], steps.steps[step]));
            apart[i] = std::min(apart[i], i < step ? step - i : i - step);
        }
    };
    take(0);
    take(count - 1);
    if (steps.opensAt > 0 && static_cast<size_t>(steps.opensAt) < count && taken.size() < most)
        take(static_cast<size_t>(steps.opensAt));
    while (taken.size() < std::min(most, count)) {
        size_t best = 0;
        for (size_t i = 1; i < count; ++i) // of those that differ alike, the one in the middle of a gap
            if (std::pair(change[i], apart[i]) > std::pair(change[best], apart[best]))
                best = i;
        if (change[best] == 0)
            break;
        take(best);
    }
    return {taken.begin(), taken.end()};
}

} // namespace warplight::app
