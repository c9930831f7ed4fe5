// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/shell/main_window.h"

#include "app/report/report.h"
#include "app/shell/command_bar.h"
#include "app/shell/command_palette.h"
#include "app/shell/focus_ring.h"
#include "app/shell/navigation.h"
#include "app/shell/page_remark.h"
#include "app/shell/page_view.h"
#include "app/shell/presentation.h"
#include "app/shell/run_controller.h"
#include "app/shell/settings_form.h"
#include "app/shell/wrapped_text.h"
#include "app/views/scene_motion.h"
#include "app/views/theme.h"
#include "core/lab/session.h"

#include <QAction>
#include <QApplication>
#include <QComboBox>
#include <QFile>
#include <QFileInfo>
#include <QLabel>
#include <QProgressBar>
#include <QScrollArea>
#include <QScrollBar>
#include <QSettings>
#include <exception>

#include <algorithm>
#include <cmath>
#include <sstream>
#include <utility>

namespace warplight::app {
namespace {

constexpr qsizetype longestSentence = 1000; // of the banner

QString qt(const std::string& text) { return QString::fromStdString(text); }

} // namespace

MainWindow::MainWindow(QStringList engineCommand, QWidget* parent)
    : QMainWindow(parent), client(std::move(engineCommand)) {
    setWindowTitle("Warplight");
    setAcceptDrops(true);
    FocusRing::install();
    buildActions();
    buildLayout();
    control = makeController();
    exportTurn.setInterval(0);
    connect(&exportTurn, &QTimer::timeout, this, &MainWindow::exportNext);
    connect(settings, &SettingsForm::changed, control, &RunController::settingsChanged);
    connect(settings, &SettingsForm::textLeft, this,
            [this](const QString& page, const std::string& id, const QString& text) {
                keptSettings[page][id] = text.toStdString();
                status->setText(tr("The text belongs to what was chosen before: it is kept, and there again with it."));
            });
    connect(&frameClock, &FrameClock::ticked, this,
            [this](double worst) { frameTime->setText(tr("frame %1 ms").arg(worst, 0, 'f', 1)); });
    connect(&systemTheme, &SystemTheme::preferred, this, [this](bool dark) {
        if (followsSystem && dark != Theme::current().dark)
            Theme::setCurrent(dark ? Theme::darkTheme() : Theme::lightTheme());
    });
    connect(&systemTheme, &SystemTheme::motionPreferred, this, [](bool moves) {
        if (!QSettings().contains("motion"))
            setMotionWanted(moves);
    });
    setMotionWanted(QSettings().value("motion", "on").toString() != "off");
    systemTheme.askMotion();
    connect(device, &QComboBox::activated, this, [this] { chosenDevice = device->currentData().toString(); });
    connect(device, &QComboBox::currentIndexChanged, this, [this] {
        settings->setDevice(device->currentData().toString().toStdString());
        emit settings->changed();
    });
    connect(&reader, &SessionReader::done, this,
            [this](const QString& file, const std::shared_ptr<lab::Session>& session, const QString& refusal) {
                try {
                    session ? showSession(file, *session) : refuse(refusal);
                } catch (const std::exception& error) {
                    refuse(error.what());
                }
                showState();
                emit sessionOpened(file);
            });
    connect(&saver, &SessionSaver::done, this, &MainWindow::endSaving);
    connectPage();
    connectEngine();
    client.start();
    showState();
}

MainWindow::~MainWindow() = default;

void MainWindow::engineReady() {
    if (navigation->isEmpty()) {
        for (const lab::Description& description : client.experiments())
            Theme::keepColours(description.colours);
        navigation->setPages(client.experiments());
        if (experiment.isEmpty())
            showExperiment(navigation->firstPage());
    }
    for (const QString& file : std::exchange(toOpen, {}))
        takeSession(file);
    control->engineReady();
    showState();
}

/// Those that the page's experiment runs on, in its order; the one that the user has chosen stays where it can.
void MainWindow::listDevices(const lab::Description& description) {
    const QSignalBlocker quiet(device);
    device->clear();
    for (const std::string& id : description.devices)
        for (const lab::DeviceInfo& info : client.devices())
            if (info.available && (info.id == id || (id == "cuda" && info.id.starts_with("cuda:")))) {
                device->addItem(qt(info.id + " · " + info.title), qt(info.id));
                device->setItemData(device->count() - 1, qt(info.detail), Qt::ToolTipRole);
            }
    device->setCurrentIndex(std::max(0, device->findData(chosenDevice)));
    settings->setDevice(device->currentData().toString().toStdString());
}

void MainWindow::chooseDevice(const QString& id) {
    chosenDevice = id;
    if (const int index = device->findData(id); index >= 0)
        device->setCurrentIndex(index);
}

const lab::Description* MainWindow::described(const QString& id) const {
    const auto& all = client.experiments();
    const auto found = std::find_if(all.begin(), all.end(), [&](const auto& d) { return qt(d.id) == id; });
    return found == all.end() ? nullptr : &*found;
}

void MainWindow::showExperiment(const QString& id) {
    const lab::Description* description = described(id);
    if (!description || id == experiment)
        return;
    if (!experiment.isEmpty())
        keptSettings[experiment] = settings->values();
    experiment = id;
    listDevices(*description);
    navigation->choose(id);
    control->pageOpened();
    letGo.clear();
    settings->setParameters(description->parameters, id);
    restoreSettings();
    about->setMarkdown(QString("**%1**\n\n%2").arg(qt(description->question), qt(description->about)));
    pageView->setDescription(qt(description->title), qt(description->sentence));
    showPage();
    scroll->verticalScrollBar()->setValue(0);
    if (!runs.newest(id) && !showExample()) // a first visit shows a finished run, not empty panels
        runNow();
    showState();
}

void MainWindow::restoreSettings() {
    std::map<std::string, lab::Value> values = settings->values();
    const QSignalBlocker quiet(settings);
    for (const auto& [name, value] : keptSettings[experiment]) {
        settings->setValue(name, value);
        values[name] = value;
    }
    control->formRestored(client.check(experiment, values));
}

bool MainWindow::showExample() {
    QFile file(QString(":/examples/%1.warplight").arg(experiment));
    if (!file.open(QIODevice::ReadOnly))
        return false;
    std::istringstream stream(file.readAll().toStdString());
    lab::Session session = lab::readSession(stream, file.fileName().toStdString());
    if (session.runs.empty())
        return false;
    runs.take(std::move(session.runs.front()), RunStore::Origin::Example);
    showPage();
    return true;
}

void MainWindow::openWith(const QString& id, const std::map<std::string, lab::Value>& values) {
    const bool ran = runs.newest(id).has_value();
    for (const auto& [name, value] : values)
        keptSettings[id][name] = value;
    if (id == experiment)
        for (const auto& [name, value] : values)
            settings->setValue(name, value);
    showExperiment(id);
    if (ran)
        runNow();
}

void MainWindow::follow(const lab::Link& link) {
    std::map<std::string, lab::Value> values;
    for (const lab::Description& description : client.experiments())
        for (const lab::Parameter& parameter : description.parameters)
            if (const auto text = link.settings.find(parameter.id);
                description.id == link.experiment && text != link.settings.end())
                values[parameter.id] = lab::parseValue(parameter, text->second);
    openWith(qt(link.experiment), values);
}

const lab::RunRecord* MainWindow::currentRun() const {
    const auto run = runs.newest(experiment);
    return run ? runs.find(*run) : nullptr;
}

const lab::RunRecord* MainWindow::shownRun() const {
    const auto run = runs.shown(experiment);
    return run ? runs.find(*run) : nullptr;
}

void MainWindow::showPage() {
    pageView->showRecord(shownRun(), runs.shown(experiment).value_or(0));
    showPinned();
}

void MainWindow::showPinned() {
    const auto run = runs.pinned(experiment);
    pageView->setPinned(run ? runs.find(*run) : nullptr, tr("pinned"));
}

void MainWindow::showState() {
    const lab::RunRecord *record = currentRun(), *shown = shownRun();
    const auto newest = runs.newest(experiment);
    const bool running = newest && client.isGoing(*newest);
    const bool silent = client.silence() > 0;
    control->watch();
    stopAction->setEnabled(running || silent);
    pinAction->setEnabled(shown && shown->ended());
    saveAction->setEnabled(runs.hasOwn());
    exportAction->setEnabled(shown && shown->ended() && !runs.isExample(*runs.shown(experiment)));
    progress->setVisible(running);
    if (silent) {
        status->setText(tr("The engine is not answering (%1 s). Stop ends it.").arg(client.silence(), 0, 'f', 0));
    } else if (running && record) {
        progress->setValue(static_cast<int>(1000 * std::max(0.0, record->progress().fraction)));
        status->setText(qt(record->progress().text));
    } else if (client.state() == EngineClient::State::Starting) {
        status->setText(tr("Starting the engine…"));
    } else if (client.state() == EngineClient::State::Lost) {
        status->setText(tr("No engine: Run starts a new one."));
    } else if (running) {
        status->setText(tr("Waiting for the engine…"));
    } else if (reader.isReading()) {
        status->setText(tr("Opening a session…"));
    } else if (saver.isSaving()) {
        status->setText(closesWhenSaved ? tr("The window closes when %1 is written.").arg(saver.file())
                                        : tr("Saving %1…").arg(saver.file()));
    } else {
        const QString end = record && record->ended() && record->ended()->outcome == lab::RunEnded::Outcome::Finished
                                ? tr("Finished in %1").arg(numberText(record->ended()->seconds, "s"))
                                : tr("Ready");
        status->setText(letGo.isEmpty() ? end : QString("%1 · %2").arg(end, letGo));
    }
    showExport();
    pageView->setRemark(remark());
}

QString MainWindow::remark() const {
    if (experiment.isEmpty())
        return {};
    const auto newest = runs.newest(experiment), shown = runs.shown(experiment);
    PageFacts facts{currentRun(),
                    shownRun(),
                    newest && client.isGoing(*newest),
                    shown && runs.isExample(*shown),
                    control->refused(),
                    {},
                    bannerText()};
    if (facts.shown && (facts.refused || facts.newest != facts.shown))
        facts.changed = settings->titlesOfOthers(facts.shown->start().settings);
    return pageRemark(facts);
}

void MainWindow::say(const QString& sentence) {
    banner->setText(sentence.size() > longestSentence ? sentence.left(longestSentence) + "…" : sentence);
    banner->show();
}

void MainWindow::refuse(const QString& sentence) {
    say(sentence);
    emit refused(sentence);
}

QString MainWindow::bannerText() const { return banner->isHidden() ? QString() : banner->text(); }

void MainWindow::togglePin() {
    runs.togglePin(experiment);
    showPinned();
    status->setText(runs.pinned(experiment) ? tr("Pinned: later runs are drawn over this one.")
                                            : tr("Comparing ended."));
}

void MainWindow::toggleMotion() {
    setMotionWanted(!motionWanted());
    QSettings().setValue("motion", motionWanted() ? "on" : "off");
    status->setText(motionWanted() ? tr("Players show how things move.") : tr("Players change without motion."));
}

void MainWindow::followSystemTheme() {
    followsSystem = true;
    QSettings().remove("theme");
    systemTheme.ask();
}

void MainWindow::toggleTheme() {
    followsSystem = false;
    Theme::setCurrent(Theme::current().dark ? Theme::lightTheme() : Theme::darkTheme());
    QSettings().setValue("theme", Theme::current().dark ? "dark" : "light");
}

void MainWindow::togglePresentation() {
    const bool on = !presentation->isOn();
    const auto scaleType = [&] {
        setUiScale(on ? Presentation::scaleFor(height()) : 1);
        Theme::setCurrent(Theme::current());
    };
    if (!on) // what comes back must find small type, or it widens the window
        scaleType();
    for (QWidget* widget : besides)
        widget->setVisible(!on);
    presentation->set(on);
    if (on)
        scaleType();
    showPage(); // figures take their sizes anew
}

/// On another screen, type has another size.
void MainWindow::resizeEvent(QResizeEvent* event) {
    QMainWindow::resizeEvent(event);
    if (!presentation || !presentation->isOn() || std::fabs(Presentation::scaleFor(height()) / uiScale() - 1) < 0.05)
        return;
    setUiScale(Presentation::scaleFor(height()));
    Theme::setCurrent(Theme::current());
    showPage();
}

void MainWindow::openPalette() {
    auto* palette = new CommandPalette(this);
    for (QAction* action : actions())
        if (action != paletteAction && action->isEnabled())
            palette->add(action->text(), action->shortcut().toString(QKeySequence::NativeText),
                         [action] { action->trigger(); });
    for (const QString& file : QSettings().value("recent").toStringList())
        if (QFileInfo::exists(file))
            palette->add(tr("Open %1").arg(QFileInfo(file).fileName()), {}, [this, file] { openSession(file); });
    for (const lab::Description& description : client.experiments())
        palette->add(qt(description.lab + " › " + description.title), {},
                     [this, id = qt(description.id)] { showExperiment(id); });
    palette->open();
}

} // namespace warplight::app
