// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/report/report.h"
#include "app/shell/main_window.h"
#include "app/shell/screenshot.h"
#include "app/views/theme.h"
#include "core/error.h"
#include "core/text/echo.h"

#include <QApplication>
#include <QCommandLineParser>
#include <QElapsedTimer>
#include <QProcess>
#include <QSettings>
#include <QTimer>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>

using namespace warplight;
using namespace warplight::app;

namespace {

constexpr int badUse = 2; // exit code
constexpr int leastSide = 200, mostSide = 16384;

/// The system's choice where it tells: a dark window colour.
bool systemIsDark() { return QApplication::palette().color(QPalette::Window).lightness() < 128; }

/// What somebody gave, as messages repeat it.
QString echo(const QString& given) { return QString::fromStdString(echoed(given.toStdString())); }

int refuse(const QString& sentence, int exitCode = badUse) {
    std::fprintf(stderr, "warplight: %s\n", qPrintable(sentence));
    return exitCode;
}

/// The command line. What is wrong in it is told before anything needs a display.
struct Options {
    QCommandLineParser parser;
    const QCommandLineOption engine{
        "engine", QObject::tr("The engine's command line, for example \"ssh box warplight-cli serve\""), "command"};
    const QCommandLineOption page{"page", QObject::tr("The page to begin with, for example attention.tiles"),
                                  "experiment"};
    const QCommandLineOption device{"device", QObject::tr("Where to run, for example vgpu"), "device"};
    const QCommandLineOption set{"set", QObject::tr("A setting of that page, for example seqLen=64; may be repeated"),
                                 "name=value"};
    const QCommandLineOption theme{"theme", "light | dark", "theme"};
    const QCommandLineOption size{"size", QObject::tr("Of the window, for example 1280x800"), "size", "1440x900"};
    const QCommandLineOption screenshot{
        "screenshot", QObject::tr("Save a picture of the window after the first run, and end"), "file.png"};
    const QCommandLineOption timing{"startup-time", QObject::tr("Print the time to the first paint, and end")};

    Options() {
        parser.setSingleDashWordOptionMode(QCommandLineParser::ParseAsLongOptions); // -platform is Qt's
        parser.setApplicationDescription(QObject::tr("A desktop lab for attention kernels"));
        parser.addHelpOption();
        parser.addVersionOption();
        parser.addPositionalArgument(
            "files", QObject::tr("Sessions (.warplight) or tensors (.npy, .npz, .safetensors) to open"), "[files]");
        parser.addOptions({engine, page, device, set, theme, size, screenshot, timing});
    }

    QStringList command() const {
        return parser.isSet(engine) ? QProcess::splitCommand(parser.value(engine))
                                    : QStringList{QCoreApplication::applicationDirPath() + "/warplight-cli", "serve"};
    }
    /// Empty where it is none.
    QSize windowSize() const {
        const QStringList sides = parser.value(size).split('x');
        const int width = sides.value(0).toInt(), height = sides.value(1).toInt();
        const bool fits = sides.size() == 2 && std::clamp(width, leastSide, mostSide) == width &&
                          std::clamp(height, leastSide, mostSide) == height;
        return fits ? QSize(width, height) : QSize();
    }
    /// Why the program cannot begin with these values; empty: it can.
    QString mistake() const {
        if (command().isEmpty())
            return QObject::tr("--engine: is empty, expected a command line such as \"ssh box warplight-cli serve\"");
        if (parser.isSet(theme) && parser.value(theme) != "light" && parser.value(theme) != "dark")
            return QObject::tr("--theme: expected light or dark, not \"%1\"").arg(echo(parser.value(theme)));
        if (windowSize().isEmpty())
            return QObject::tr("--size: expected width x height in pixels, each from %1 to %2, as 1280x800, not \"%3\"")
                .arg(leastSide)
                .arg(mostSide)
                .arg(echo(parser.value(size)));
        for (const QString& setting : parser.values(set)) {
            if (setting.indexOf('=') < 1)
                return QObject::tr("--set: expected name=value, not \"%1\"").arg(echo(setting));
            if (!parser.isSet(page))
                return QObject::tr("--set %1: expected --page as well, the page that the setting belongs to")
                    .arg(echo(setting));
        }
        try {
            if (parser.isSet(screenshot))
                checkPictureFile(parser.value(screenshot));
        } catch (const InputError& error) {
            return QObject::tr("--screenshot %1").arg(error.what());
        }
        return {};
    }
};

/// Throws InputError for a device, a page or a setting that is not there.
void begin(MainWindow& window, const Options& options) {
    if (const QString wanted = options.parser.value(options.device); options.parser.isSet(options.device)) {
        QStringList known;
        for (const lab::DeviceInfo& info : window.engine().devices())
            if (info.available)
                known << QString::fromStdString(info.id);
        if (!known.contains(wanted))
            throw InputError(QObject::tr("--device: expected one of %1, not \"%2\"")
                                 .arg(known.join(", "), echo(wanted))
                                 .toStdString());
        window.chooseDevice(wanted);
    }
    if (!options.parser.isSet(options.page))
        return;
    const QString page = options.parser.value(options.page);
    lab::Link link{{}, page.toStdString(), {}};
    const auto& all = window.engine().experiments();
    const auto known = std::find_if(all.begin(), all.end(), [&](const auto& d) { return d.id == link.experiment; });
    if (known == all.end())
        throw InputError(QObject::tr("--page %1: there is no such page; warplight-cli list names them")
                             .arg(echo(page))
                             .toStdString());
    if (const QString device = options.parser.value(options.device);
        !device.isEmpty() && !lab::runsOn(*known, device.toStdString()))
        throw InputError(QObject::tr("--device %1: the page %2 does not run on it").arg(device, page).toStdString());
    for (const QString& setting : options.parser.values(options.set)) {
        const std::string name = setting.section('=', 0, 0).toStdString();
        const auto& parameters = known->parameters;
        if (std::none_of(parameters.begin(), parameters.end(), [&](const auto& p) { return p.id == name; }))
            throw InputError(QObject::tr("--set %1: %2 has no such setting; warplight-cli describe names them")
                                 .arg(echo(setting), page)
                                 .toStdString());
        link.settings[name] = setting.section('=', 1).toStdString();
    }
    window.follow(link);
}

/// Help, version and mistakes, which need no display. The exit code, or nothing when the window is to open.
std::optional<int> settledWithoutDisplay(int argc, char** argv) {
    QCoreApplication application(argc, argv);
    Options options;
    options.parser.parse(QCoreApplication::arguments()); // options that are not known may be Qt's own
    if (options.parser.isSet("help"))
        options.parser.showHelp();
    if (options.parser.isSet("version"))
        options.parser.showVersion();
    if (const QString mistake = options.mistake(); !mistake.isEmpty())
        return refuse(mistake);
    return std::nullopt;
}

} // namespace

int main(int argc, char** argv) {
    QElapsedTimer sinceStart;
    sinceStart.start();
    const bool report = argc > 1 && QByteArrayView(argv[1]) == "report";
    if (report && qEnvironmentVariableIsEmpty("QT_QPA_PLATFORM")) // needs no display
        qputenv("QT_QPA_PLATFORM", "offscreen");
    QCoreApplication::setApplicationName("warplight");
    QCoreApplication::setOrganizationName("warplight");
    QCoreApplication::setApplicationVersion(WARPLIGHT_VERSION);
    if (const auto code = report ? std::nullopt : settledWithoutDisplay(argc, argv))
        return *code;
    QApplication application(argc, argv);
    if (report) {
        loadFonts();
        return reportMain(QApplication::arguments().mid(1));
    }
    Options options;
    const QCommandLineParser& parser = options.parser;
    if (!options.parser.parse(QApplication::arguments()))
        return refuse(parser.errorText());

    loadFonts();
    const QString wanted =
        parser.isSet(options.theme) ? parser.value(options.theme) : QSettings().value("theme").toString();
    Theme::setCurrent(wanted.isEmpty()   ? (systemIsDark() ? Theme::darkTheme() : Theme::lightTheme())
                      : wanted == "dark" ? Theme::darkTheme()
                                         : Theme::lightTheme());

    MainWindow window(options.command());
    if (wanted.isEmpty())
        window.followSystemTheme();
    window.resize(options.windowSize());
    const auto measure = [&] {
        if (parser.isSet(options.screenshot) && window.currentRun() && window.currentRun()->ended())
            window.runNow(); // a picture shows this machine, not the example
    };
    QObject::connect(&window, &MainWindow::sessionOpened, &window, measure);
    const auto obey = [&] {
        try {
            begin(window, options);
        } catch (const InputError& error) {
            const int code = refuse(QString::fromStdString(error.what()));
            return QTimer::singleShot(0, [code] { QApplication::exit(code); });
        }
        if (!parser.positionalArguments().isEmpty())
            window.openFiles(parser.positionalArguments());
        if (!window.isOpening())
            measure();
    };
    // Once: an engine that takes the place of one that died must not jump to pages and open files again.
    QObject::connect(&window.engine(), &EngineClient::ready, &window, obey, Qt::SingleShotConnection);
    if (parser.isSet(options.screenshot)) {
        auto* screenshot = new Screenshot(window, parser.value(options.screenshot), parser.value(options.page));
        QObject::connect(screenshot, &Screenshot::done, &window, [](int code, const QString& sentence) {
            if (code != 0)
                refuse(sentence, code);
            QTimer::singleShot(0, [code] { QApplication::exit(code); }); // also where it is told before the loop turns
        });
    }
    window.show();
    if (parser.isSet(options.timing))
        QTimer::singleShot(0, &window, [&] {
            window.repaint();
            std::printf("%lld ms\n", static_cast<long long>(sinceStart.elapsed()));
            QApplication::exit(0);
        });
    return QApplication::exec();
}
