#include "app/report/report.h"
#include "app/shell/main_window.h"
#include "app/views/theme.h"
#include "core/error.h"

#include <QApplication>
#include <QCommandLineParser>
#include <QElapsedTimer>
#include <QProcess>
#include <QSettings>
#include <QTimer>

#include <algorithm>
#include <cstdio>

using namespace warplight;
using namespace warplight::app;

namespace {

constexpr int settleTime = 400; // ms from the end of a run until its last frame is painted

/// The system's choice where it tells: a dark window colour.
bool systemIsDark() { return QApplication::palette().color(QPalette::Window).lightness() < 128; }

/// Ends the program with a sentence for a page or a setting that is not there.
void openPage(MainWindow& window, const QString& page, const QStringList& settings) {
    try {
        lab::Link link{{}, page.toStdString(), {}};
        const auto& all = window.engine().experiments();
        const auto known = std::find_if(all.begin(), all.end(), [&](const auto& d) { return d.id == link.experiment; });
        if (known == all.end())
            throw InputError("--page " + link.experiment + ": there is no such page; warplight-cli list names them");
        for (const QString& setting : settings) {
            const std::string name = setting.section('=', 0, 0).toStdString();
            const auto& parameters = known->parameters;
            if (std::none_of(parameters.begin(), parameters.end(), [&](const auto& p) { return p.id == name; }))
                throw InputError("--set " + setting.toStdString() + ": " + link.experiment + " has no setting '" +
                                 name + "'; warplight-cli describe names them");
            link.settings[name] = setting.section('=', 1).toStdString();
        }
        window.follow(link);
    } catch (const InputError& error) {
        std::fprintf(stderr, "%s\n", error.what());
        QTimer::singleShot(0, [] { QApplication::exit(2); });
    }
}

} // namespace

int main(int argc, char** argv) {
    QElapsedTimer sinceStart;
    sinceStart.start();
    const bool report = argc > 1 && QByteArrayView(argv[1]) == "report";
    if (report && qEnvironmentVariableIsEmpty("QT_QPA_PLATFORM")) // needs no display
        qputenv("QT_QPA_PLATFORM", "offscreen");
    QApplication application(argc, argv);
    QApplication::setApplicationName("warplight");
    QApplication::setOrganizationName("warplight");
    QApplication::setApplicationVersion(WARPLIGHT_VERSION);
    if (report) {
        loadFonts();
        return reportMain(QApplication::arguments().mid(1));
    }
    QCommandLineParser parser;
    parser.setApplicationDescription(QObject::tr("A desktop lab for attention kernels"));
    parser.addHelpOption();
    parser.addVersionOption();
    parser.addPositionalArgument(
        "files", QObject::tr("Sessions (.warplight) or tensors (.npy, .npz, .safetensors) to open"), "[files]");
    const QCommandLineOption engine(
        "engine", QObject::tr("The engine's command line, for example \"ssh box warplight-cli serve\""), "command");
    const QCommandLineOption page("page", QObject::tr("The page to begin with, for example attention.tiles"),
                                  "experiment");
    const QCommandLineOption device("device", QObject::tr("Where to run, for example vgpu"), "device");
    const QCommandLineOption set("set", QObject::tr("A setting of that page, for example seqLen=64; may be repeated"),
                                 "name=value");
    const QCommandLineOption theme("theme", "light | dark", "theme");
    const QCommandLineOption size("size", QObject::tr("Of the window, for example 1280x800"), "size", "1440x900");
    const QCommandLineOption screenshot(
        "screenshot", QObject::tr("Save a picture of the window after the first run, and end"), "file.png");
    const QCommandLineOption timing("startup-time", QObject::tr("Print the time to the first paint, and end"));
    parser.addOptions({engine, page, device, set, theme, size, screenshot, timing});
    parser.process(application);

    loadFonts();
    const QString wanted = parser.isSet(theme) ? parser.value(theme) : QSettings().value("theme").toString();
    Theme::setCurrent(wanted.isEmpty()   ? (systemIsDark() ? Theme::darkTheme() : Theme::lightTheme())
                      : wanted == "dark" ? Theme::darkTheme()
                                         : Theme::lightTheme());

    const QStringList command = parser.isSet(engine)
                                    ? QProcess::splitCommand(parser.value(engine))
                                    : QStringList{QApplication::applicationDirPath() + "/warplight-cli", "serve"};
    MainWindow window(command);
    if (wanted.isEmpty())
        window.followSystemTheme();
    const QStringList sides = parser.value(size).split('x');
    window.resize(sides.value(0).toInt(), sides.value(1).toInt());
    QObject::connect(&window.engine(), &EngineClient::ready, &window, [&] {
        if (parser.isSet(device))
            window.chooseDevice(parser.value(device));
        if (parser.isSet(page))
            openPage(window, parser.value(page), parser.values(set));
        if (!parser.positionalArguments().isEmpty())
            window.openFiles(parser.positionalArguments());
        if (parser.isSet(screenshot) && window.currentRun() && window.currentRun()->ended())
            window.runNow(); // a picture shows this machine, not the example
    });
    if (parser.isSet(screenshot))
        QObject::connect(&window, &MainWindow::runEnded, &window, [&] {
            const QString shown = parser.isSet(page) ? parser.value(page) : window.currentExperiment();
            if (window.currentExperiment() == shown)
                QTimer::singleShot(settleTime, &window,
                                   [&] { QApplication::exit(window.grab().save(parser.value(screenshot)) ? 0 : 1); });
        });
    window.show();
    if (parser.isSet(timing))
        QTimer::singleShot(0, &window, [&] {
            window.repaint();
            std::printf("%lld ms\n", static_cast<long long>(sinceStart.elapsed()));
            QApplication::exit(0);
        });
    return QApplication::exec();
}
