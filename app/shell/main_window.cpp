#include "app/shell/main_window.h"

#include "app/report/report.h"
#include "app/shell/command_palette.h"
#include "app/shell/dropped_tensors.h"
#include "app/shell/page_view.h"
#include "app/shell/settings_form.h"
#include "app/views/figure_view.h"
#include "app/views/theme.h"
#include "core/formats/atomic_file.h"
#include "core/lab/figure_csv.h"

#include <QAction>
#include <QDragEnterEvent>
#include <QFileDialog>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QLabel>
#include <QListWidget>
#include <QMimeData>
#include <QProgressBar>
#include <QPushButton>
#include <QScrollArea>
#include <QScrollBar>
#include <QSettings>
#include <QVBoxLayout>

namespace warplight::app {
namespace {

constexpr int debounceTime = 250; // ms after the last change of a setting
constexpr double cheap = 1.0;     // seconds: what takes less reruns by itself
constexpr int navigationWidth = 180, settingsWidth = 260;

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
    connect(&debounce, &QTimer::timeout, this, [this] { checkTicket = client.check(experiment, settings->values()); });
    connect(settings, &SettingsForm::changed, this, &MainWindow::settingsChanged);
    connect(&client, &EngineClient::ready, this, &MainWindow::engineReady);
    connect(&client, &EngineClient::frames, this, &MainWindow::takeFrames);
    connect(&client, &EngineClient::stateChanged, this, &MainWindow::showState);
    connect(&client, &EngineClient::lost, this, &MainWindow::say);
    connect(&client, &EngineClient::checked, this, [this](quint64 ticket, const EngineClient::Checked& result) {
        if (ticket != checkTicket)
            return;
        for (const auto& [id, sentence] : result.errors)
            settings->setError(id, sentence);
        if (result.errors.empty() && !settings->hasErrors() && result.estimatedSeconds < cheap)
            runNow();
        else if (result.errors.empty())
            status->setText(tr("Settings changed: press Run (about %1 s).").arg(result.estimatedSeconds, 0, 'g', 2));
    });
    connect(pageView, &PageView::statusText, reading, &QLabel::setText);
    connectMaps();
    connect(pageView, &PageView::csvWanted, this, [this](const QString& figure, const QString& file) {
        const lab::RunRecord* record = currentRun();
        try {
            formats::AtomicFile out(file.toStdString());
            out.stream() << lab::figureCsv(*record, *record->figure(figure.toStdString()));
            out.commit();
        } catch (const std::exception& error) {
            say(error.what());
        }
    });
    client.start();
    showState();
}

MainWindow::~MainWindow() = default;

void MainWindow::buildActions() {
    const auto make = [this](const QString& text, const QKeySequence& shortcut, auto slot) {
        auto* action = new QAction(text, this);
        action->setShortcut(shortcut);
        action->setToolTip(QString("%1 (%2)").arg(text, shortcut.toString(QKeySequence::NativeText)));
        action->setStatusTip(action->toolTip());
        connect(action, &QAction::triggered, this, slot);
        addAction(action);
        return action;
    };
    runAction = make(tr("Run"), QKeySequence("Ctrl+R"), [this] { runNow(); });
    stopAction = make(tr("Stop"), QKeySequence("Esc"), [this] { stop(); });
    pinAction = make(tr("Compare"), QKeySequence("Ctrl+D"), [this] { togglePin(); });
    pinAction->setToolTip(tr("Pin this run: later runs are drawn over it (Ctrl+D)"));
    openAction = make(tr("Open…"), QKeySequence::Open, [this] {
        if (const QString file =
                QFileDialog::getOpenFileName(this, tr("Open session"), {}, tr("Sessions (*.warplight)"));
            !file.isEmpty())
            openSession(file);
    });
    saveAction = make(tr("Save…"), QKeySequence::Save, [this] {
        if (const QString file = QFileDialog::getSaveFileName(this, tr("Save session"), "session.warplight",
                                                              tr("Sessions (*.warplight)"));
            !file.isEmpty())
            saveSession(file);
    });
    exportAction = make(tr("Export…"), QKeySequence("Ctrl+E"), [this] {
        if (const QString file =
                QFileDialog::getSaveFileName(this, tr("Export report"), "report.html",
                                             tr("Web page (*.html);;PDF (*.pdf);;Folder of SVG, PNG, CSV, JSON (*)"));
            !file.isEmpty())
            exportReport(file);
    });
    themeAction = make(tr("Light or dark"), QKeySequence("Ctrl+T"), [this] { toggleTheme(); });
    paletteAction = make(tr("Search commands"), QKeySequence("Ctrl+K"), [this] { openPalette(); });
    fullScreenAction =
        make(tr("Full screen"), QKeySequence("F11"), [this] { isFullScreen() ? showNormal() : showFullScreen(); });
    make(tr("Quit"), QKeySequence::Quit, [this] { close(); });
}

QPushButton* MainWindow::button(QAction* action, const char* objectName) {
    auto* result = new QPushButton(action->text(), this);
    if (objectName)
        result->setObjectName(objectName);
    result->setToolTip(action->toolTip());
    connect(result, &QPushButton::clicked, action, &QAction::trigger);
    connect(action, &QAction::changed, result, [result, action] { result->setEnabled(action->isEnabled()); });
    return result;
}

void MainWindow::buildLayout() {
    const auto frame = [this](const char* name) {
        auto* result = new QFrame(this);
        result->setObjectName(name);
        return result;
    };
    auto* bar = frame("bar");
    auto* barLayout = new QHBoxLayout(bar);
    barLayout->setContentsMargins(16, 8, 16, 8);
    auto* brand = new QLabel("Warplight", bar);
    brand->setFont(textFont(15, QFont::Bold));
    brand->setFixedWidth(navigationWidth - 24);
    device = new QLabel(bar);
    device->setObjectName("muted");
    barLayout->addWidget(brand);
    barLayout->addWidget(button(runAction, "primary"));
    for (QAction* action : {stopAction, pinAction})
        barLayout->addWidget(button(action));
    barLayout->addStretch();
    barLayout->addWidget(device);
    for (QAction* action : {paletteAction, openAction, saveAction, exportAction, themeAction})
        barLayout->addWidget(button(action));

    navigation = new QListWidget(this);
    navigation->setFixedWidth(navigationWidth);
    navigation->setAccessibleName(tr("Pages"));
    connect(navigation, &QListWidget::currentItemChanged, this, [this](QListWidgetItem* item) {
        if (item && !item->data(Qt::UserRole).isNull())
            showExperiment(item->data(Qt::UserRole).toString());
    });
    auto* left = frame("side");
    auto* leftLayout = new QVBoxLayout(left);
    leftLayout->setContentsMargins(8, 12, 8, 8);
    leftLayout->addWidget(navigation);

    pageView = new PageView(this);
    scroll = new QScrollArea(this);
    scroll->setWidgetResizable(true);
    scroll->setFrameShape(QFrame::NoFrame);
    scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    scroll->setWidget(pageView);
    banner = new QLabel(this);
    banner->setObjectName("banner");
    banner->setWordWrap(true);
    banner->hide();
    auto* middle = new QVBoxLayout;
    middle->setContentsMargins(0, 0, 0, 0);
    middle->addWidget(banner);
    middle->addWidget(scroll, 1);

    settings = new SettingsForm(this);
    about = new QLabel(this);
    about->setObjectName("muted");
    about->setWordWrap(true);
    about->setTextFormat(Qt::MarkdownText);
    auto* side = new QWidget;
    auto* sideLayout = new QVBoxLayout(side);
    auto* heading = new QLabel(tr("Settings"), side);
    heading->setFont(textFont(13, QFont::DemiBold));
    sideLayout->setContentsMargins(14, 14, 14, 14);
    sideLayout->addWidget(heading);
    sideLayout->addWidget(settings);
    sideLayout->addSpacing(12);
    sideLayout->addWidget(about);
    sideLayout->addStretch();
    auto* sideScroll = new QScrollArea(this);
    sideScroll->setObjectName("side");
    sideScroll->setWidgetResizable(true);
    sideScroll->setFrameShape(QFrame::NoFrame);
    sideScroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    sideScroll->setWidget(side);
    auto* right = frame("side");
    right->setFixedWidth(settingsWidth);
    auto* rightLayout = new QVBoxLayout(right);
    rightLayout->setContentsMargins(0, 0, 0, 0);
    rightLayout->addWidget(sideScroll);

    auto* foot = frame("bar");
    auto* footLayout = new QHBoxLayout(foot);
    footLayout->setContentsMargins(16, 6, 16, 6);
    progress = new QProgressBar(foot);
    progress->setTextVisible(false);
    progress->setFixedSize(200, 6);
    progress->setRange(0, 1000);
    status = new QLabel(foot);
    status->setObjectName("muted");
    reading = new QLabel(foot);
    reading->setObjectName("muted");
    footLayout->addWidget(progress);
    footLayout->addWidget(status);
    footLayout->addStretch();
    footLayout->addWidget(reading);

    auto* body = new QHBoxLayout;
    body->setSpacing(1);
    body->addWidget(left);
    body->addLayout(middle, 1);
    body->addWidget(right);
    auto* central = new QWidget(this);
    auto* all = new QVBoxLayout(central);
    all->setContentsMargins(0, 0, 0, 0);
    all->setSpacing(1);
    all->addWidget(bar);
    all->addLayout(body, 1);
    all->addWidget(foot);
    setCentralWidget(central);
}

void MainWindow::engineReady() {
    if (!client.devices().empty())
        device->setText(qt(client.devices().front().id + " · " + client.devices().front().title));
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

void MainWindow::showExperiment(const QString& id) {
    const auto& all = client.experiments();
    const auto description = std::find_if(all.begin(), all.end(), [&](const auto& d) { return qt(d.id) == id; });
    if (description == all.end() || id == experiment)
        return;
    if (!experiment.isEmpty())
        keptSettings[experiment] = settings->values();
    experiment = id;
    for (int row = 0; row < navigation->count(); ++row)
        if (navigation->item(row)->data(Qt::UserRole).toString() == id)
            navigation->setCurrentRow(row);
    debounce.stop();
    settings->setParameters(description->parameters);
    {
        const QSignalBlocker quiet(settings);
        for (const auto& [name, value] : keptSettings[id])
            settings->setValue(name, value);
    }
    about->setText(QString("**%1**\n\n%2").arg(qt(description->question), qt(description->about)));
    pageView->setDescription(qt(description->title), qt(description->sentence));
    pageView->showRecord(currentRun());
    if (pinned.contains(id))
        pageView->setPinned(&runs.at(pinned.at(id)), tr("pinned"));
    scroll->verticalScrollBar()->setValue(0);
    if (!currentRun()) // a first visit shows a finished run, not empty panels
        runNow();
    showState();
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

void MainWindow::runNow() {
    if (experiment.isEmpty() || client.state() == EngineClient::State::Lost) {
        if (client.state() == EngineClient::State::Lost)
            client.start();
        return;
    }
    if (settings->hasErrors()) {
        status->setText(tr("A setting is wrong: see the red line in the form."));
        return;
    }
    banner->hide();
    latest[experiment] = client.run(experiment, settings->values(), "cpu");
    showState();
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
            pageView->showRecord(&record);
        else
            pageView->refresh(record);
        for (const lab::TilePut* tile : tiles)
            pageView->addTile(*tile);
        if (pinned.contains(experiment))
            pageView->setPinned(&runs.at(pinned.at(experiment)), tr("pinned"));
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

void MainWindow::showState() {
    const lab::RunRecord* record = currentRun();
    const bool running = record && record->running() && client.state() == EngineClient::State::Running;
    stopAction->setEnabled(running);
    pinAction->setEnabled(record && record->ended());
    saveAction->setEnabled(!runs.empty());
    exportAction->setEnabled(record && record->ended());
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
    const bool on = pinned.contains(experiment);
    pageView->setPinned(on ? &runs.at(pinned.at(experiment)) : nullptr, tr("pinned"));
    status->setText(on ? tr("Pinned: later runs are drawn over this one.") : tr("Comparing ended."));
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
            pageView->showRecord(currentRun());
        else
            showExperiment(last);
        setWindowTitle(tr("%1 – Warplight").arg(QFileInfo(file).fileName()));
    } catch (const std::exception& error) {
        say(error.what());
    }
    showState();
}

bool MainWindow::saveSession(const QString& file) {
    try {
        std::vector<const lab::RunRecord*> ended;
        for (const auto& [id, record] : runs)
            if (record.ended())
                ended.push_back(&record);
        lab::saveSession(file.toStdString(), ended);
        setWindowTitle(tr("%1 – Warplight").arg(QFileInfo(file).fileName()));
        return true;
    } catch (const std::exception& error) {
        say(error.what());
        return false;
    }
}

bool MainWindow::exportReport(const QString& target) {
    try {
        std::vector<const lab::RunRecord*> newest; // one run a page: what the window shows
        for (const auto& [id, run] : latest)
            if (runs.contains(run) && runs.at(run).ended())
                newest.push_back(&runs.at(run));
        writeReport(newest, target);
        status->setText(tr("Wrote %1").arg(target));
        return true;
    } catch (const std::exception& error) {
        say(error.what());
        return false;
    }
}

void MainWindow::toggleTheme() {
    Theme::setCurrent(Theme::current().dark ? Theme::lightTheme() : Theme::darkTheme());
    QSettings().setValue("theme", Theme::current().dark ? "dark" : "light");
}

void MainWindow::openPalette() {
    CommandPalette palette(this);
    for (QAction* action : actions())
        if (action != paletteAction && action->isEnabled())
            palette.add(action->text(), action->shortcut().toString(QKeySequence::NativeText),
                        [action] { action->trigger(); });
    for (const lab::Description& description : client.experiments())
        palette.add(qt(description.lab + " › " + description.title), {},
                    [this, id = qt(description.id)] { showExperiment(id); });
    palette.exec();
}

} // namespace warplight::app
