#include "app/report/html_report.h"

#include "app/report/picture.h"
#include "app/views/table_view.h"
#include "app/views/theme.h"
#include "core/formats/atomic_file.h"
#include "core/lab/json.h"

#include <QRegularExpression>
#include <QSysInfo>
#include <QTextDocument>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace warplight::app {
namespace {

QString qt(const std::string& text) { return QString::fromStdString(text); }

const char* style = R"(
body { font: 15px/1.5 Inter, system-ui, sans-serif; color: #1c2430; background: #fff; max-width: 900px; margin: 40px auto; padding: 0 20px; }
h1 { font-size: 28px; margin-bottom: 4px; } h2 { font-size: 20px; margin-top: 48px; border-top: 1px solid #e3e6eb; padding-top: 24px; }
h3 { font-size: 16px; margin: 32px 0 2px; } .muted { color: #667085; } .badge { border: 1px solid #e3e6eb; border-radius: 4px; padding: 0 5px; font-size: 12px; color: #667085; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px; } td, th { padding: 3px 12px 3px 0; text-align: right; }
td:first-child, th:first-child { text-align: left; } th { color: #667085; font-weight: 500; border-bottom: 1px solid #e3e6eb; }
.metrics { display: flex; flex-wrap: wrap; gap: 28px; margin: 16px 0; } .metrics b { font-size: 22px; display: block; }
svg { width: 100%; height: auto; } figure { margin: 0; break-inside: avoid; } .step { margin: 6px 0; } pre { font-size: 12px; white-space: pre-wrap; }
)";

QString markdown(const std::string& text) {
    QTextDocument document;
    document.setMarkdown(qt(text));
    // Only the body: QTextDocument writes a page of its own.
    const QString html = document.toHtml();
    static const QRegularExpression body("<body[^>]*>(.*)</body>", QRegularExpression::DotMatchesEverythingOption);
    static const QRegularExpression looks(" style=\"[^\"]*\"");
    return body.match(html).captured(1).remove(looks);
}

QString headHtml(const QString& title) {
    return QString("<!DOCTYPE html><html lang=en><head><meta "
                   "charset=utf-8><title>%1</title><style>%2</style></head><body><h1>%1</h1>"
                   "<p class=muted>A report by Warplight. Every number says whether it was measured, counted, "
                   "modelled or is a reference.</p>")
        .arg(title.toHtmlEscaped(), style);
}

QString pairsTable(const std::vector<std::pair<QString, QString>>& pairs) {
    QString html = "<table>";
    for (const auto& [name, value] : pairs)
        html += QString("<tr><td class=muted>%1</td><td>%2</td></tr>").arg(name.toHtmlEscaped(), value.toHtmlEscaped());
    return html + "</table>";
}

QString tableHtml(const lab::Table& table) {
    TableModel model;
    model.setTable(table);
    QString html = "<table><tr>";
    for (int column = 0; column < model.columnCount(); ++column) {
        const QString provenance = model.headerData(column, Qt::Horizontal, Qt::ToolTipRole).toString();
        html += QString("<th>%1%2</th>")
                    .arg(model.headerData(column, Qt::Horizontal, Qt::DisplayRole).toString().toHtmlEscaped(),
                         provenance.isEmpty() ? QString() : QString("<br><span class=badge>%1</span>").arg(provenance));
    }
    for (int row = 0; row < model.rowCount(); ++row) {
        html += "</tr><tr>";
        for (int column = 0; column < model.columnCount(); ++column)
            html += QString("<td>%1</td>").arg(model.index(row, column).data().toString().toHtmlEscaped());
    }
    return html + "</tr></table>";
}

QString stepsHtml(const lab::Steps& steps) {
    QString html = "<ol>";
    for (const auto& step : steps.steps) {
        html += QString("<li class=step>%1").arg(qt(step.caption).toHtmlEscaped());
        for (const auto& fact : step.facts)
            html += QString("<br><span class=muted>%1: %2 <span class=badge>%3</span></span>")
                        .arg(qt(fact.title).toHtmlEscaped(), qt(fact.text).toHtmlEscaped(), badgeText(fact.provenance));
        html += "</li>";
    }
    return html + "</ol>";
}

QString figureHtml(const lab::RunRecord& run, const lab::Figure& figure) {
    QString body;
    if (const auto* table = std::get_if<lab::Table>(&figure.content))
        body = tableHtml(*table);
    else if (const auto* note = std::get_if<lab::Note>(&figure.content))
        body = markdown(note->markdown);
    else if (const auto* steps = std::get_if<lab::Steps>(&figure.content))
        body = stepsHtml(*steps);
    else {
        body = pictureSvg(run, figure);
        body.remove(QRegularExpression("<\\?xml[^>]*\\?>")).remove(QRegularExpression("<!DOCTYPE[^>]*>"));
    }
    return QString("<figure><h3>%1 <span class=muted>%2</span></h3>%3<div class=muted>%4</div></figure>")
        .arg(qt(figure.title).toHtmlEscaped(), qt(figure.subtitle).toHtmlEscaped(), body, markdown(figure.explain));
}

/// All but its figures.
QString runHtml(const lab::RunRecord& run, const ReportOptions& options) {
    QString html = QString("<h2>%1</h2>").arg(qt(run.start().title).toHtmlEscaped());
    html += "<div style='display:flex;gap:60px;flex-wrap:wrap'>" + pairsTable(circumstances(run, options)) +
            pairsTable(settingsOf(run)) + "</div><div class=metrics>";
    for (const auto& figure : run.figures())
        if (const auto* metric = std::get_if<lab::Metric>(&figure.content))
            html += QString("<div><b>%1</b>%2 <span class=badge>%3</span></div>")
                        .arg(metric->value
                                 ? numberText(*metric->value, qt(metric->unit), qt(metric->format)).toHtmlEscaped()
                                 : "–",
                             qt(metric->caption).toHtmlEscaped(), badgeText(metric->provenance));
    html += "</div>";
    for (const auto& log : run.logs())
        html += QString("<p class=muted>%1</p>").arg(qt(log.text).toHtmlEscaped());
    return html;
}

} // namespace

QString reportTitle(const std::vector<lab::RunRecord>& runs, const ReportOptions& options) {
    if (!options.title.isEmpty())
        return options.title;
    QStringList names;
    for (const auto& run : runs)
        if (!names.contains(qt(run.start().title)))
            names << qt(run.start().title);
    return names.isEmpty()     ? QObject::tr("An empty session")
           : names.size() == 1 ? names.front()
                               : names.mid(0, names.size() - 1).join(", ") + QObject::tr(" and ") + names.back();
}

std::vector<std::pair<QString, QString>> circumstances(const lab::RunRecord& run, const ReportOptions& options) {
    const lab::Machine& machine = run.start().machine;
    std::vector<std::pair<QString, QString>> pairs{
        {QObject::tr("Processor"), QString("%1, %2 cores").arg(qt(machine.cpu)).arg(machine.cores)},
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

std::vector<std::pair<QString, QString>> settingsOf(const lab::RunRecord& run) {
    std::vector<std::pair<QString, QString>> pairs;
    for (const auto& [name, value] : run.start().settings)
        pairs.emplace_back(qt(name),
                           qt(lab::toJson(value).dump()).remove('"').remove('[').remove(']').replace(',', ", "));
    return pairs;
}

ReportPieces htmlPieces(const std::vector<lab::RunRecord>& runs, const QString& file, const ReportOptions& options) {
    const auto out = std::make_shared<formats::AtomicFile>(file.toStdString());
    ReportPieces pieces;
    const auto add = [&](auto html) { pieces.push_back({true, [=] { out->stream() << html().toStdString(); }}); };
    add([&runs, options] { return headHtml(reportTitle(runs, options)); });
    for (const auto& run : runs) {
        add([&run, options] { return runHtml(run, options); });
        for (const auto& figure : run.figures())
            if (!std::holds_alternative<lab::Metric>(figure.content))
                add([&run, &figure] { return figureHtml(run, figure); });
    }
    add([] { return QString("</body></html>\n"); });
    pieces.push_back({false, [out] { out->commit(); }});
    return pieces;
}

} // namespace warplight::app
