#include "app/shell/main_window.h"

#include "app/report/report.h"
#include "app/shell/command_palette.h"
#include "app/shell/dropped_tensors.h"
#include "app/shell/page_view.h"
#include "app/shell/settings_form.h"
#include "app/shell/wrapped_text.h"
#include "app/views/figure_view.h"
#include "app/views/theme.h"
#include "core/formats/atomic_file.h"
#include "core/lab/figure_csv.h"

#include <QAction>
#include <QApplication>
#include <QClipboard>
#include <QComboBox>
#include <QDragEnterEvent>
#include <QFileDialog>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QLabel>
#include <QListWidget>
#include <QMenu>
#include <QMimeData>
#include <QProgressBar>
#include <QPushButton>
#include <QScrollArea>
#include <QScrollBar>
#include <QSettings>
#include <QVBoxLayout>

#include <sstream>

namespace warplight::app {
namespace {

constexpr int debounceTime = 250;   // ms after the last change of a setting
constexpr double cheap = 1.0;       // seconds: what takes less reruns by itself
constexpr int mostRecent = 8;       // files
constexpr size_t mostRunsKept = 10; // of a page, besides the one shown and the pinned one
constexpr double presentationScale = 1.4;

QString qt(const std::string& text) { return QString::fromStdString(text); }

} // namespace

MainWindow::MainWindow(QStringList engineCommand, QWidget* parent)
    : QMainWindow(parent), client(std::move(engineCommand)) {
    setWindowTitle("Warplight");
    setAcceptDrops(true);
    buildActions();
    buildLayout();
    debounce.setSingleShot(true);
    debounce.setInterval(debounceTime);
    connect(&debounce, &QTimer::timeout, this, &MainWindow::checkNow);
    connect(settings, &SettingsForm::changed, this, &MainWindow::settingsChanged);
    connect(&frameClock, &FrameClock::ticked, this,
            [this](double worst) { frameTime->setText(tr("frame %1 ms").arg(worst, 0, 'f', 1)); });
    connect(&systemTheme, &SystemTheme::preferred, this, [this](bool dark) {
        if (followsSystem && dark != Theme::current().dark)
            Theme::setCurrent(dark ? Theme::darkTheme() : Theme::lightTheme());
    });
    connect(&client, &EngineClient::ready, this, &MainWindow::engineReady);
    connect(&client, &EngineClient::frames, this, &MainWindow::takeFrames);
    connect(&client, &EngineClient::stateChanged, this, &MainWindow::showState);
    connect(&client, &EngineClient::lost, this, &MainWindow::say);
    connect(&client, &EngineClient::checked, this, [this](quint64 ticket, const EngineClient::Checked& result) {
        if (ticket != checkTicket && ticket != adaptTicket)
            return;
        const bool adapted = !result.parameters.empty() && settings->adapt(result.parameters, keptSettings[experiment]);
        if (ticket != checkTicket)
            return;
        if (adapted) // what was found wrong may be about fields that have gone
            return checkNow();
        checking = false;
        const bool asked = std::exchange(runsWhenChecked, false);
        for (const auto& [id, sentence] : result.errors)
            settings->setError(id, sentence);
        if (const auto together = result.errors.find(""); together != result.errors.end())
            say(together->second);
        if (result.errors.empty() && !settings->hasErrors() && (asked || result.estimatedSeconds < cheap))
            runNow();
        else if (result.errors.empty())
            status->setText(tr("Settings changed: press Run (about %1 s).").arg(result.estimatedSeconds, 0, 'g', 2));
    });
    connect(pageView, &PageView::statusText, reading, &QLabel::setText);
    connectMaps();
    connect(pageView, &PageView::csvWanted, this, [this](const QString& figure, const QString& file) {
        const lab::RunRecord* record = currentRun();
        try {
            if (file.isEmpty())
                return QApplication::clipboard()->setText(
                    qt(lab::figureCsv(*record, *record->figure(figure.toStdString()))));
            formats::AtomicFile out(file.toStdString());
            out.stream() << lab::figureCsv(*record, *record->figure(figure.toStdString()));
            out.commit();
        } catch (const std::exception& error) {
            say(error.what());
        }
    });
    connect(device, &QComboBox::activated, this, [this] { chosenDevice = device->currentData().toString(); });
    connect(device, &QComboBox::currentIndexChanged, this, [this] {
        settings->setDevice(device->currentData().toString().toStdString());
        emit settings->changed();
    });
    client.start();
    showState();
}

MainWindow::~MainWindow() = default;

void MainWindow::engineReady() {
    if (navigation->count() == 0) {
        QString lab;
        for (const lab::Description& description : client.experiments()) {
            if (qt(description.lab) != lab) {
                lab = qt(description.lab);
                auto* heading = new QListWidgetItem(lab, navigation);
                heading->setFlags(Qt::NoItemFlags);
                heading->setForeground(Theme::current().muted);
            }
            auto* item = new QListWidgetItem(qt(description.title), navigation);
            item->setData(Qt::UserRole, qt(description.id));
            item->setToolTip(qt(description.question));
        }
        if (experiment.isEmpty() && navigation->count() > 1)
            navigation->setCurrentRow(1);
    }
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

void MainWindow::showExperiment(const QString& id) {
    const auto& all = client.experiments();
    const auto description = std::find_if(all.begin(), all.end(), [&](const auto& d) { return qt(d.id) == id; });
    if (description == all.end() || id == experiment)
        return;
    if (!experiment.isEmpty())
        keptSettings[experiment] = settings->values();
    experiment = id;
    listDevices(*description);
    for (int row = 0; row < navigation->count(); ++row)
        if (navigation->item(row)->data(Qt::UserRole).toString() == id)
            navigation->setCurrentRow(row);
    debounce.stop();
    checking = runsWhenChecked = false;
    settings->setParameters(description->parameters);
    {
        const QSignalBlocker quiet(settings);
        for (const auto& [name, value] : keptSettings[id])
            settings->setValue(name, value);
    }
    about->setMarkdown(QString("**%1**\n\n%2").arg(qt(description->question), qt(description->about)));
    pageView->setDescription(qt(description->title), qt(description->sentence));
    pageView->setNotice({});
    showPage();
    scroll->verticalScrollBar()->setValue(0);
    if (!currentRun() && !showExample()) // a first visit shows a finished run, not empty panels
        runNow();
    showState();
}

bool MainWindow::showExample() {
    QFile file(QString(":/examples/%1.warplight").arg(experiment));
    if (!file.open(QIODevice::ReadOnly))
        return false;
    std::istringstream stream(file.readAll().toStdString());
    lab::Session session = lab::readSession(stream, file.fileName().toStdString());
    if (session.runs.empty())
        return false;
    examples.insert(nextOpened);
    latest[experiment] = nextOpened;
    const lab::RunRecord& record = runs[nextOpened++] = std::move(session.runs.front());
    pageView->setNotice(tr("An example, measured on another machine (%1, %2 threads). Run measures this one.")
                            .arg(qt(record.start().machine.cpu))
                            .arg(record.start().machine.cores));
    showPage();
    return true;
}

void MainWindow::openWith(const QString& id, const std::map<std::string, lab::Value>& values) {
    const bool ran = latest.contains(id);
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

void MainWindow::openFiles(const QStringList& files) {
    QStringList tensors;
    for (const QString& file : files)
        if (file.endsWith(".warplight", Qt::CaseInsensitive))
            openSession(file);
        else
            tensors.append(file);
    if (tensors.isEmpty())
        return;
    try {
        const DroppedTensors dropped = settingsForDropped(tensors, client.experiments(), experiment);
        openWith(dropped.experiment, dropped.settings);
    } catch (const std::exception& error) {
        say(error.what());
    }
}

void MainWindow::dragEnterEvent(QDragEnterEvent* event) {
    if (event->mimeData()->hasUrls())
        event->acceptProposedAction();
}

void MainWindow::dropEvent(QDropEvent* event) {
    QStringList files;
    for (const QUrl& url : event->mimeData()->urls())
        if (url.isLocalFile())
            files.append(url.toLocalFile());
    openFiles(files);
}

const lab::RunRecord* MainWindow::currentRun() const {
    const auto id = latest.find(experiment);
    const auto record = id == latest.end() ? runs.end() : runs.find(id->second);
    return record == runs.end() ? nullptr : &record->second;
}

void MainWindow::showPage() {
    pageView->showRecord(currentRun());
    showPinned();
}

void MainWindow::showPinned() {
    const auto run = pinned.find(experiment);
    pageView->setPinned(run == pinned.end() ? nullptr : &runs.at(run->second), tr("pinned"));
}

void MainWindow::runNow() {
    if (experiment.isEmpty() || client.state() == EngineClient::State::Lost) {
        if (client.state() == EngineClient::State::Lost)
            client.start();
        checking = runsWhenChecked = false;
        return;
    }
    if (settings->hasErrors()) {
        status->setText(tr("A setting is wrong: see the red line in the form."));
        return;
    }
    if (debounce.isActive() || checking) { // what changed last may bring other settings along: first the form follows
        runsWhenChecked = true;
        if (debounce.isActive())
            checkNow();
        return;
    }
    banner->hide();
    pageView->setNotice({});
    adaptTicket = client.check(experiment, settings->values());
    latest[experiment] = client.run(experiment, settings->values(), device->currentData().toString());
    dropOldRuns();
    showState();
}

/// A setting turned back and forth runs often: of each page the newest runs are kept, the pinned one in any case.
void MainWindow::dropOldRuns() {
    std::vector<lab::RunId> old;
    for (const auto& [id, record] : runs)
        if (qt(record.start().experiment) == experiment && record.ended() && latest[experiment] != id &&
            !(pinned.contains(experiment) && pinned.at(experiment) == id))
            old.push_back(id);
    for (size_t i = 0; i + mostRunsKept < old.size(); ++i) {
        client.forget(old[i]);
        examples.erase(old[i]);
        runs.erase(old[i]);
    }
}

void MainWindow::stop() {
    if (const auto run = latest.find(experiment); run != latest.end())
        client.cancel(run->second);
}

void MainWindow::takeFrames(const std::vector<lab::Frame>& batch) {
    bool mine = false, fresh = false, ended = false;
    std::vector<const lab::TilePut*> tiles;
    const auto current = latest.find(experiment);
    for (const lab::Frame& frame : batch) {
        const lab::RunId id = lab::runOf(frame);
        try {
            if (!runs.contains(id) && !std::holds_alternative<lab::RunStarted>(frame)) { // it ended before it began
                const auto* end = std::get_if<lab::RunEnded>(&frame);
                if (end && !end->message.empty())
                    say(qt(end->message));
                continue;
            }
            runs[id].apply(frame);
        } catch (const std::exception& error) {
            say(tr("The engine sent something that does not fit: %1").arg(error.what()));
        }
        const bool ofPage = current != latest.end() && current->second == id;
        mine |= ofPage;
        fresh |= ofPage && std::holds_alternative<lab::RunStarted>(frame);
        ended |= ofPage && std::holds_alternative<lab::RunEnded>(frame);
        if (const auto* tile = std::get_if<lab::TilePut>(&frame); tile && ofPage)
            tiles.push_back(tile);
    }
    if (mine) {
        const lab::RunRecord& record = runs.at(current->second);
        if (fresh)
            showPage();
        else
            pageView->refresh(record);
        for (const lab::TilePut* tile : tiles)
            pageView->addTile(*tile);
        showPinned();
    }
    showState();
    if (ended)
        emit runEnded();
}

/// What a heat map asks of the engine: tiles, values under the pointer, details of a row.
void MainWindow::connectMaps() {
    const auto answering = [this](auto&& ask) {
        if (const auto run = latest.find(experiment); run != latest.end() && client.answersFor(run->second))
            ask(run->second);
    };
    connect(pageView, &PageView::tileWanted, this, [=, this](const QString& figure, int level, qint64 row, qint64 col) {
        answering([&](lab::RunId run) { client.requestTile(run, figure, level, row, col); });
    });
    connect(pageView, &PageView::tilesDropped, this,
            [=, this](const QString& figure) { answering([&](lab::RunId run) { client.dropTiles(run, figure); }); });
    connect(pageView, &PageView::probeWanted, this, [=, this](const QString& figure, qint64 row, qint64 col) {
        answering([&](lab::RunId run) { client.requestProbe(run, figure, row, col); });
    });
    connect(pageView, &PageView::selected, this, [=, this](const QString& figure, qint64 row, qint64 col) {
        answering([&](lab::RunId run) { client.select(run, figure, row, col); });
    });
    connect(pageView, &PageView::linkActivated, this, &MainWindow::follow, Qt::QueuedConnection); // the view goes away
    connect(&client, &EngineClient::probed, this,
            [this](lab::RunId run, const QString& figure, qint64 row, qint64 col, const QStringList& lines) {
                FigureView* view = pageView->view(figure.toStdString());
                if (view && latest.contains(experiment) && latest.at(experiment) == run)
                    view->setProbe(row, col, lines);
            });
}

void MainWindow::settingsChanged() {
    if (settings->hasErrors()) {
        debounce.stop();
        return;
    }
    debounce.start();
}

void MainWindow::checkNow() {
    debounce.stop();
    checking = true;
    checkTicket = client.check(experiment, settings->values());
}

void MainWindow::showState() {
    const lab::RunRecord* record = currentRun();
    const bool running = record && record->running() && client.state() == EngineClient::State::Running;
    stopAction->setEnabled(running);
    pinAction->setEnabled(record && record->ended());
    saveAction->setEnabled(runs.size() > examples.size());
    exportAction->setEnabled(record && record->ended() && !examples.contains(latest.at(experiment)));
    progress->setVisible(running);
    if (running) {
        progress->setValue(static_cast<int>(1000 * std::max(0.0, record->progress().fraction)));
        status->setText(qt(record->progress().text));
    } else if (client.state() == EngineClient::State::Starting) {
        status->setText(tr("Starting the engine…"));
    } else if (client.state() == EngineClient::State::Lost) {
        status->setText(tr("No engine: Run starts a new one."));
    } else if (record && record->ended()) {
        status->setText(record->ended()->outcome == lab::RunEnded::Outcome::Finished
                            ? tr("Finished in %1").arg(numberText(record->ended()->seconds, "s"))
                            : tr("Ready"));
    } else {
        status->setText(tr("Ready"));
    }
}

void MainWindow::say(const QString& sentence) {
    banner->setText(sentence);
    banner->show();
}

QString MainWindow::bannerText() const { return banner->isHidden() ? QString() : banner->text(); }

void MainWindow::togglePin() {
    if (pinned.erase(experiment) == 0 && currentRun() && currentRun()->ended())
        pinned[experiment] = latest.at(experiment);
    showPinned();
    status->setText(pinned.contains(experiment) ? tr("Pinned: later runs are drawn over this one.")
                                                : tr("Comparing ended."));
}

void MainWindow::openSession(const QString& file) {
    try {
        lab::Session session = lab::openSession(file.toStdString());
        QString last;
        for (lab::RunRecord& record : session.runs) {
            last = qt(record.start().experiment);
            latest[last] = nextOpened;
            runs[nextOpened++] = std::move(record);
        }
        if (!session.damage.empty())
            say(qt(session.damage));
        if (last == experiment)
            showPage();
        else
            showExperiment(last);
        if (const lab::RunRecord* run = currentRun()) { // where it ran; without running again
            const QSignalBlocker quiet(device);
            chooseDevice(qt(run->start().device));
            settings->setDevice(run->start().device);
        }
        setWindowTitle(tr("%1 – Warplight").arg(QFileInfo(file).fileName()));
        addRecent(file);
    } catch (const std::exception& error) {
        say(error.what());
    }
    showState();
}

bool MainWindow::saveSession(const QString& file) {
    try {
        std::vector<const lab::RunRecord*> ended;
        for (const auto& [id, record] : runs)
            if (record.ended() && !examples.contains(id))
                ended.push_back(&record);
        lab::saveSession(file.toStdString(), ended);
        setWindowTitle(tr("%1 – Warplight").arg(QFileInfo(file).fileName()));
        addRecent(file);
        return true;
    } catch (const std::exception& error) {
        say(error.what());
        return false;
    }
}

void MainWindow::addRecent(const QString& file) {
    QStringList recent = QSettings().value("recent").toStringList();
    const QString path = QFileInfo(file).absoluteFilePath();
    recent.removeAll(path);
    recent.prepend(path);
    QSettings().setValue("recent", QStringList(recent.mid(0, mostRecent)));
}

/// What was opened or saved last, as far as it is still there.
void MainWindow::fillOpenMenu(QMenu* menu) {
    menu->clear();
    menu->addAction(openAction);
    menu->addSeparator();
    for (const QString& file : QSettings().value("recent").toStringList())
        if (QFileInfo::exists(file))
            menu->addAction(QFileInfo(file).fileName(), this, [this, file] { openSession(file); })->setToolTip(file);
}

bool MainWindow::exportReport(const QString& target) {
    try {
        std::vector<const lab::RunRecord*> newest; // one run a page: what the window shows
        for (const auto& [id, run] : latest)
            if (runs.contains(run) && runs.at(run).ended() && !examples.contains(run))
                newest.push_back(&runs.at(run));
        writeReport(newest, target);
        status->setText(tr("Wrote %1").arg(target));
        return true;
    } catch (const std::exception& error) {
        say(error.what());
        return false;
    }
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
    const bool on = !besides.front()->isHidden();
    const auto scaleType = [on] {
        setUiScale(on ? presentationScale : 1);
        Theme::setCurrent(Theme::current());
    };
    if (!on) // what comes back must find small type, or it widens the window
        scaleType();
    for (QWidget* widget : besides)
        widget->setVisible(!on);
    if (on)
        scaleType();
    showPage(); // figures take their sizes anew
}

void MainWindow::openPalette() {
    CommandPalette palette(this);
    for (QAction* action : actions())
        if (action != paletteAction && action->isEnabled())
            palette.add(action->text(), action->shortcut().toString(QKeySequence::NativeText),
                        [action] { action->trigger(); });
    for (const QString& file : QSettings().value("recent").toStringList())
        if (QFileInfo::exists(file))
            palette.add(tr("Open %1").arg(QFileInfo(file).fileName()), {}, [this, file] { openSession(file); });
    for (const lab::Description& description : client.experiments())
        palette.add(qt(description.lab + " › " + description.title), {},
                    [this, id = qt(description.id)] { showExperiment(id); });
    palette.exec();
}

} // namespace warplight::app
