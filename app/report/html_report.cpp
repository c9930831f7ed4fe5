// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/report/html_report.h"

#include "app/report/html_style.h"
#include "app/report/picture.h"
#include "app/report/print_figure.h"
#include "app/report/report_text.h"
#include "app/report/table_print.h"
#include "app/views/figure_view.h"
#include "app/views/scene_paint.h"
#include "app/views/table_view.h"
#include "app/views/theme.h"
#include "core/formats/atomic_file.h"

#include <QObject>
#include <QPainter>
#include <QRegularExpression>
#include <QTextDocument>
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace warplight::app {
namespace {

constexpr int pictureWidth = 760; ///< of figures: so wide, letters keep their size on the screen and on paper
constexpr int widePicture = 1180; ///< of two panes of code: a page on its side
constexpr int halfHeight = 440, pageHeight = 960, wideHeight = 640; ///< of half a page, a page, one on its side

QString qt(const std::string& text) { return QString::fromStdString(text); }

QString markdown(const std::string& text) {
    QTextDocument document;
    document.setMarkdown(qt(text));
    // Only the body: QTextDocument writes a page of its own.
    const QString html = document.toHtml();
    static const QRegularExpression body("<body[^>]*>(.*)</body>", QRegularExpression::DotMatchesEverythingOption);
    static const QRegularExpression looks(" style=\"[^\"]*\"");
    return body.match(html).captured(1).remove(looks);
}

/// Runs and figures by their number: ids from elsewhere may hold anything.
QString runAnchor(size_t run) { return QString("run%1").arg(run + 1); }
QString figureAnchor(size_t run, size_t figure) { return QString("run%1-%2").arg(run + 1).arg(figure + 1); }

bool isPicture(const lab::Figure& figure) { return !std::holds_alternative<lab::Metric>(figure.content); }

QString contentsHtml(const std::vector<lab::RunRecord>& runs) {
    QString html = QString("<nav><h2>%1</h2><ol>").arg(QObject::tr("Contents"));
    const auto entry = [](const QString& anchor, const QString& title) {
        return QString("<li><a href=\"#%1\">%2</a>").arg(anchor, title.toHtmlEscaped());
    };
    for (size_t r = 0; r < runs.size(); ++r) {
        html += entry(runAnchor(r), runName(runs[r])) + "<ol>";
        for (size_t f = 0; f < runs[r].figures().size(); ++f)
            if (const lab::Figure& figure = runs[r].figures()[f]; isPicture(figure))
                html += entry(figureAnchor(r, f), qt(figure.title)) + "</li>";
        html += "</ol></li>";
    }
    return html + "</ol></nav>";
}

/// Title, findings, contents.
QString frontHtml(const std::vector<lab::RunRecord>& runs, const QString& title) {
    QString html =
        QString("<!DOCTYPE html><html lang=en><head><meta charset=utf-8><title>%1</title><style>%2</style></head><body>"
                "<h1>%1</h1><p class=muted>%3</p><section class=findings><h2>%4</h2>")
            .arg(title.toHtmlEscaped(), htmlStyle,
                 QObject::tr("A report by Warplight. Every number says whether it was measured, counted, modelled or "
                             "is a reference."),
                 QObject::tr("Findings"));
    if (runs.empty())
        html += QString("<p>%1</p>").arg(QObject::tr("The session holds no run."));
    for (const auto& run : runs)
        html += QString("<p>%1</p>").arg(findings(run).toHtmlEscaped());
    html += "</section>";
    return runs.empty() ? html : html + contentsHtml(runs);
}

QString pairsTable(const Pairs& pairs) {
    QString html = "<table>";
    for (const auto& [name, value] : pairs)
        html += QString("<tr><td class=muted>%1</td><td>%2</td></tr>").arg(name.toHtmlEscaped(), value.toHtmlEscaped());
    return html + "</table>";
}

QString columnsHtml(const TableModel& model, const std::vector<int>& columns, const QString& caption) {
    const auto kind = [&](int column) {
        return model.table().columns[static_cast<size_t>(column)].numeric ? "" : " class=text";
    };
    QString html = "<table>";
    if (!caption.isEmpty())
        html += QString("<caption>%1</caption>").arg(caption);
    html += "<thead><tr>";
    for (const int column : columns) {
        const QString provenance = model.headerData(column, Qt::Horizontal, Qt::ToolTipRole).toString();
        html +=
            QString("<th%1>%2%3</th>")
                .arg(kind(column), model.headerData(column, Qt::Horizontal, Qt::DisplayRole).toString().toHtmlEscaped(),
                     provenance.isEmpty() ? QString() : QString("<br><span class=badge>%1</span>").arg(provenance));
    }
    html += "</tr></thead><tbody>";
    for (int row = 0; row < model.rowCount(); ++row) {
        html += "<tr>";
        for (const int column : columns)
            html +=
                QString("<td%1>%2</td>").arg(kind(column), model.index(row, column).data().toString().toHtmlEscaped());
        html += "</tr>";
    }
    return html + "</tbody></table>";
}

/// What is too wide for paper stands in parts, as in the PDF.
QString tableHtml(const lab::Figure& figure, const TablePlan& plan) {
    TableModel model;
    model.setTable(std::get<lab::Table>(figure.content));
    if (model.rowCount() == 0)
        return QString("<p class=muted>%1</p>").arg(QObject::tr("The table has no rows."));
    QString html;
    for (const auto& columns : plan.parts)
        html += columnsHtml(model, columns,
                            plan.parts.size() == 1 ? QString()
                                                   : QObject::tr("columns %1 to %2 of %3")
                                                         .arg(columns[1] + 1)
                                                         .arg(columns.back() + 1)
                                                         .arg(model.columnCount()));
    return html;
}

QString embedded(QString svg) {
    static const QRegularExpression prologue("<\\?xml[^>]*\\?>|<!DOCTYPE[^>]*>");
    return svg.remove(prologue);
}

/// The film strip, and all sentences to unfold.
QString stepsHtml(const lab::Figure& figure) {
    const auto& steps = std::get<lab::Steps>(figure.content);
    if (steps.steps.empty())
        return QString("<p class=muted>%1</p>").arg(QObject::tr("No step was recorded."));
    const double width = isRich(steps) ? pictureWidth : pictureWidth / 2.0;
    const QSize size = QSizeF(width, width * frameShape(steps)).toSize();
    QString html = isRich(steps) ? "<div class=\"strip rich\">" : "<div class=strip>";
    for (const size_t at : tellingSteps(steps, mostFrames)) {
        html += QString("<div class=frame><p><b>%1</b> %2</p>")
                    .arg(QObject::tr("step %1 of %2").arg(at + 1).arg(steps.steps.size()),
                         qt(steps.steps[at].caption).toHtmlEscaped());
        html += embedded(svgOf(qt(steps.steps[at].caption), size, [&](QPainter& painter, const QRectF& area) {
            paintScene(painter, area, steps, steps.steps[at], leastType);
        }));
        QStringList facts;
        for (const auto& fact : shortFacts(steps.steps[at]))
            facts << QString("%1: %2 <span class=badge>%3</span>")
                         .arg(qt(fact.title).toHtmlEscaped(), qt(fact.text).toHtmlEscaped(),
                              badgeText(fact.provenance));
        if (!facts.isEmpty())
            html += QString("<p class=muted>%1</p>").arg(facts.join("; "));
        html += "</div>";
    }
    html += QString("</div><details><summary>%1</summary><ol>").arg(QObject::tr("All steps in words"));
    for (const auto& step : steps.steps)
        html += QString("<li>%1</li>").arg(qt(step.caption).toHtmlEscaped());
    return html + "</ol></details>";
}

/// As wide as the page, with the height that goes with it.
QString pictureHtml(const lab::RunRecord& run, const lab::Figure& figure) {
    const auto view = viewOf(run, figure);
    QSize size = view->pictureSize();
    const int tall = size.height();
    if (const auto* source = std::get_if<lab::Source>(&figure.content)) // letters keep their size: fewer lines
        size = source->panes.size() > 1 ? QSize(widePicture, std::min(tall, wideHeight))
                                        : QSize(pictureWidth, std::min(tall, pageHeight));
    else if (std::holds_alternative<lab::Timeline>(figure.content))
        size = {pictureWidth, std::min(tall, halfHeight)};
    else
        size = size.scaled(pictureWidth, 10'000, Qt::KeepAspectRatio);
    return embedded(
        svgOf(qt(figure.title), size, [&](QPainter& painter, const QRectF& area) { view->render(painter, area); }));
}

QString figureHtml(const lab::RunRecord& run, const lab::Figure& figure, const QString& anchor, const TablePlan& plan) {
    QString body, kind;
    if (std::holds_alternative<lab::Table>(figure.content)) {
        body = tableHtml(figure, plan);
        kind = plan.landscape ? "flows wide" : "flows";
    } else if (const auto* note = std::get_if<lab::Note>(&figure.content)) {
        body = markdown(note->markdown);
        kind = "flows";
    } else if (std::holds_alternative<lab::Steps>(figure.content)) {
        body = stepsHtml(figure);
        kind = "flows";
    } else {
        body = pictureHtml(run, figure);
        const auto* source = std::get_if<lab::Source>(&figure.content);
        kind = !source                    ? (std::holds_alternative<lab::Heatmap>(figure.content) ? "map" : "picture")
               : source->panes.size() > 1 ? "wide"
                                          : "code";
    }
    return QString("<figure id=\"%1\" class=\"%2\"><h3>%3 <span class=muted>%4</span></h3><div class=scroll>%5</div>"
                   "<div class=muted>%6</div></figure>")
        .arg(anchor, kind, qt(figure.title).toHtmlEscaped(), qt(figure.subtitle).toHtmlEscaped(), body,
             markdown(figure.explain));
}

/// All but its figures.
QString runHtml(const lab::RunRecord& run, const ReportOptions& options, const QString& anchor) {
    QString html = QString("<section class=run id=\"%1\"><h2>%2</h2>").arg(anchor, runName(run).toHtmlEscaped());
    html += "<div class=pairs>" + pairsTable(circumstances(run, options)) + pairsTable(settingsOf(run)) +
            "</div><div class=metrics>";
    for (const auto& figure : run.figures())
        if (const auto* metric = std::get_if<lab::Metric>(&figure.content))
            html += QString("<div><b>%1</b>%2 <span class=badge>%3</span></div>")
                        .arg(metricText(*metric).toHtmlEscaped(),
                             qt(metric->caption.empty() ? figure.title : metric->caption).toHtmlEscaped(),
                             badgeText(metric->provenance));
    html += "</div>";
    for (const auto& log : run.logs())
        html += QString("<p class=\"%1\">%2</p>")
                    .arg(log.level == lab::Log::Level::Warning ? "warning" : "muted", qt(log.text).toHtmlEscaped());
    if (run.ended() && run.ended()->outcome == lab::RunEnded::Outcome::Failed)
        html += QString("<p class=failed>%1</p>")
                    .arg(QObject::tr("The run failed: %1").arg(qt(run.ended()->message)).toHtmlEscaped());
    return html;
}

} // namespace

ReportPieces htmlPieces(const std::vector<lab::RunRecord>& runs, const QString& file, const ReportOptions& options) {
    const auto out = std::make_shared<formats::AtomicFile>(file.toStdString());
    ReportPieces pieces;
    const auto add = [&](auto html) {
        pieces.push_back({true, [=] {
                              out->stream() << html().toStdString();
                              return true;
                          }});
    };
    add([&runs, options] { return frontHtml(runs, reportTitle(runs, options)); });
    for (size_t r = 0; r < runs.size(); ++r) {
        const lab::RunRecord& run = runs[r];
        add([&run, options, r] { return runHtml(run, options, runAnchor(r)); });
        for (size_t f = 0; f < run.figures().size(); ++f) {
            const lab::Figure& figure = run.figures()[f];
            if (!isPicture(figure))
                continue;
            const auto plan = std::make_shared<TablePlan>();
            if (std::holds_alternative<lab::Table>(figure.content)) {
                const auto table = std::make_shared<std::shared_ptr<TablePrint>>(); // made in its turn
                pieces.push_back({true, [=, &figure] {
                                      if (!*table)
                                          *table = std::make_shared<TablePrint>(figure);
                                      if (!(*table)->measure())
                                          return false;
                                      *plan = (*table)->plan();
                                      table->reset();
                                      return true;
                                  }});
            }
            add([=, &run, &figure] { return figureHtml(run, figure, figureAnchor(r, f), *plan); });
        }
        add([] { return QString("</section>"); });
    }
    add([] { return QString("</body></html>\n"); });
    pieces.push_back({false, [out] {
                          out->commit();
                          return true;
                      }});
    return pieces;
}

} // namespace warplight::app
