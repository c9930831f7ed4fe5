// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/shell/page_remark.h"

#include <QCoreApplication>

namespace warplight::app {
namespace {

QString tr(const char* text) { return QCoreApplication::translate("PageRemark", text); }

/// "as of the code before": named after what was changed since.
QString asOf(const QStringList& changed) {
    if (changed.isEmpty())
        return tr("The figures below are those of the run before.");
    const QString first = changed.first().toLower(), others = changed.mid(1).join(", ");
    return others.isEmpty() ? tr("The figures below are as of the %1 before.").arg(first)
                            : tr("The figures below are as of the %1 before (changed as well: %2).").arg(first, others);
}

QString exampleSentence(const lab::RunRecord& record, bool going) {
    const QString machine = tr("measured on another machine (%1, %2 threads).")
                                .arg(QString::fromStdString(record.start().machine.cpu))
                                .arg(record.start().machine.cores);
    return going ? tr("These figures were %1 This one's are on their way.").arg(machine)
                 : tr("An example, %1 Run measures this one.").arg(machine);
}

QString whatBecameOf(const PageFacts& facts) {
    using Outcome = lab::RunEnded::Outcome;
    const auto& end = facts.newest->ended();
    if (!end || end->outcome == Outcome::Finished)
        return {};
    const bool itsFigures = facts.newest == facts.shown;
    const bool some = itsFigures && !facts.newest->figures().empty();
    if (end->outcome == Outcome::Cancelled)
        return some         ? tr("The run was stopped; what had been measured is shown.")
               : itsFigures ? tr("The run was stopped before it had a figure.")
                            : tr("The run was stopped before it had a figure. %1").arg(asOf(facts.changed));
    const QString why = QString::fromStdString(end->message);
    const QString said = !why.isEmpty() && facts.banner.startsWith(why) // the window tells why
                             ? tr("The run ended with its engine.")
                             : tr("The run failed: %1").arg(why);
    return some         ? tr("%1 What had come is shown. Press Run to try again.").arg(said)
           : itsFigures ? tr("%1 Press Run to try again.").arg(said)
                        : QString("%1 %2").arg(said, asOf(facts.changed));
}

} // namespace

QString pageRemark(const PageFacts& facts) {
    QStringList lines;
    if (facts.newest)
        lines << whatBecameOf(facts);
    else if (!facts.going && !facts.shown)
        lines << tr("Nothing has run here yet. Press Run (Ctrl+R).");
    if (facts.refused && facts.shown)
        lines << asOf(facts.changed);
    if (facts.example && facts.shown)
        lines << exampleSentence(*facts.shown, facts.going);
    lines.removeAll(QString());
    lines.removeDuplicates();
    return lines.join('\n');
}

} // namespace warplight::app
