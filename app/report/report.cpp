// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/report/report.h"

#include "app/report/folder_report.h"
#include "app/report/html_report.h"
#include "app/report/pdf_report.h"
#include "app/views/theme.h"
#include "core/error.h"

#include <QCommandLineParser>
#include <algorithm>
#include <chrono>
#include <exception>
#include <future>
#include <iterator>
#include <utility>

#include <cstdio>

namespace warplight::app {
namespace {

constexpr std::chrono::milliseconds patience{10}; // shorter than a screen frame

ReportPieces piecesOf(const std::vector<lab::RunRecord>& runs, const QString& target, const ReportOptions& options) {
    if (target.endsWith(".html", Qt::CaseInsensitive) || target.endsWith(".htm", Qt::CaseInsensitive))
        return htmlPieces(runs, target, options);
    if (target.endsWith(".pdf", Qt::CaseInsensitive))
        return pdfPieces(runs, target, options);
    return folderPieces(runs, target);
}

} // namespace

ReportWriter::ReportWriter(std::vector<lab::RunRecord> taken, QString target, const ReportOptions& options)
    : runs(std::move(taken)),
      file(std::move(target)),
      dark(options.darkFigures),
      pieces(piecesOf(runs, file, options)) {}

void ReportWriter::step() {
    const ReportPiece& piece = pieces[next];
    if (piece.draws) {
        const Theme::Drawing look(dark ? Theme::darkTheme() : Theme::lightTheme());
        if (!piece.work())
            return;
    } else {
        if (!writing.valid())
            writing = std::async(std::launch::async, piece.work);
        if (writing.wait_for(patience) != std::future_status::ready)
            return;
        if (!writing.get())
            return;
    }
    ++next;
}

void writeReport(std::vector<lab::RunRecord> runs, const QString& target, const ReportOptions& options) {
    ReportWriter writer(std::move(runs), target, options);
    while (!writer.done())
        writer.step();
}

int reportMain(const QStringList& arguments) {
    QCommandLineParser parser;
    parser.setApplicationDescription("Print sessions as *.html, *.pdf or a folder of SVG, PNG, CSV and JSON.");
    parser.addHelpOption();
    parser.addPositionalArgument("sessions", "One or more .warplight files", "FILE.warplight...");
    const QCommandLineOption output({"o", "output"}, "Where to: *.html, *.pdf, or a folder", "target");
    const QCommandLineOption title("title", "Title of the report", "text");
    const QCommandLineOption host("include-host", "Name this machine and user in the report");
    parser.addOptions({output, title, host});
    const auto fail = [](const QString& sentence, int code = 2) {
        std::fprintf(stderr, "warplight: %s\n", qPrintable(sentence));
        return code;
    };
    if (!parser.parse(arguments))
        return fail(parser.errorText());
    if (parser.isSet("help"))
        parser.showHelp();
    if (parser.positionalArguments().isEmpty() || parser.value(output).isEmpty())
        return fail("report: expected a session file and -o with a target");
    try {
        std::vector<lab::RunRecord> runs;
        for (const QString& file : parser.positionalArguments()) {
            lab::Session session = lab::openSession(file.toStdString());
            if (!session.damage.empty())
                std::fprintf(stderr, "warplight: %s\n", session.damage.c_str());
            for (const lab::RunRecord& run : session.runs)
                Theme::keepColours(run.start().colours);
            std::move(session.runs.begin(), session.runs.end(), std::back_inserter(runs));
        }
        Theme::setCurrent(Theme::lightTheme()); // the program's fonts
        writeReport(std::move(runs), parser.value(output), {parser.value(title), parser.isSet(host), false});
    } catch (const InputError& error) {
        return fail(error.what());
    } catch (const std::exception& error) {
        return fail(error.what(), 1); // a full disk
    }
    return 0;
}

} // namespace warplight::app
