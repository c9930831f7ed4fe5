#include "app/report/report.h"

#include "app/report/html_report.h"
#include "app/report/pdf_report.h"
#include "app/report/picture.h"
#include "app/views/theme.h"
#include "core/error.h"
#include "core/formats/atomic_file.h"
#include "core/lab/figure_csv.h"
#include "core/lab/json.h"
#include "core/lab/timeline_trace.h"

#include <QBuffer>
#include <QCommandLineParser>
#include <QDir>
#include <QFileInfo>
#include <QImage>
#include <exception>
#include <string>
#include <variant>

#include <cstdio>

namespace warplight::app {
namespace {

void writeText(const QString& file, const std::string& text) {
    formats::AtomicFile out(file.toStdString());
    out.stream() << text;
    out.commit();
}

void writeImage(const QString& file, const QImage& image) {
    QBuffer png;
    png.open(QIODevice::WriteOnly);
    image.save(&png, "PNG");
    writeText(file, png.data().toStdString());
}

/// A folder with a folder a run: SVG, PNG, CSV and JSON of every figure.
void writeFolder(const std::vector<const lab::RunRecord*>& runs, const QString& target) {
    for (size_t i = 0; i < runs.size(); ++i) {
        const QString folder =
            QString("%1/%2-%3").arg(target).arg(i + 1).arg(QString::fromStdString(runs[i]->start().experiment));
        if (!QDir().mkpath(folder))
            throw InputError((folder + ": cannot be made, expected a folder that allows writing").toStdString());
        for (const lab::Figure& figure : runs[i]->figures()) {
            const QString base = folder + '/' + QString::fromStdString(figure.id);
            writeText(base + ".json",
                      lab::toJson(figure, true).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + '\n');
            if (const std::string csv = lab::figureCsv(*runs[i], figure); !csv.empty())
                writeText(base + ".csv", csv);
            if (const auto* timeline = std::get_if<lab::Timeline>(&figure.content))
                lab::saveTimelineTrace(*timeline, (base + ".trace.json").toStdString());
            writeText(base + ".svg", pictureSvg(*runs[i], figure).toStdString());
            writeImage(base + ".png", pictureImage(*runs[i], figure));
        }
    }
}

} // namespace

void writeReport(const std::vector<const lab::RunRecord*>& runs, const QString& target, const ReportOptions& options) {
    const Theme before = Theme::current();
    Theme::setCurrent(options.darkFigures ? Theme::darkTheme() : Theme::lightTheme());
    struct Restore { // also when writing fails
        const Theme& theme;
        ~Restore() { Theme::setCurrent(theme); }
    } restore{before};
    if (target.endsWith(".html", Qt::CaseInsensitive) || target.endsWith(".htm", Qt::CaseInsensitive))
        writeText(target, htmlReport(runs, options).toStdString());
    else if (target.endsWith(".pdf", Qt::CaseInsensitive))
        writePdfReport(runs, target, options);
    else
        writeFolder(runs, target);
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
    const auto fail = [](const QString& sentence) {
        std::fprintf(stderr, "warplight: %s\n", qPrintable(sentence));
        return 2;
    };
    if (!parser.parse(arguments))
        return fail(parser.errorText());
    if (parser.isSet("help"))
        parser.showHelp();
    if (parser.positionalArguments().isEmpty() || !parser.isSet(output))
        return fail("report: expected a session file and -o with a target");
    try {
        std::vector<lab::Session> sessions;
        for (const QString& file : parser.positionalArguments()) {
            sessions.push_back(lab::openSession(file.toStdString()));
            if (!sessions.back().damage.empty())
                std::fprintf(stderr, "warplight: %s\n", sessions.back().damage.c_str());
        }
        std::vector<const lab::RunRecord*> runs;
        for (const lab::Session& session : sessions)
            for (const lab::RunRecord& run : session.runs)
                runs.push_back(&run);
        writeReport(runs, parser.value(output), {parser.value(title), parser.isSet(host), false});
    } catch (const std::exception& error) {
        return fail(error.what());
    }
    return 0;
}

} // namespace warplight::app
