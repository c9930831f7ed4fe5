// SPDX-License-Identifier: GPL-3.0-or-later
// Runs: asked for, streamed in, stopped, let go; and what the figures on the page ask of the engine.
#include "app/shell/main_window.h"

#include "app/shell/page_view.h"
#include "app/shell/run_controller.h"
#include "app/shell/settings_form.h"
#include "app/views/figure_view.h"
#include "core/error.h"
#include "core/formats/atomic_file.h"
#include "core/lab/figure_csv.h"
#include "core/lab/timeline_trace.h"

#include <QApplication>
#include <QClipboard>
#include <QComboBox>
#include <QDateTime>
#include <QLabel>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <exception>
#include <utility>
#include <variant>

namespace warplight::app {
namespace {

QString qt(const std::string& text) { return QString::fromStdString(text); }

} // namespace

void MainWindow::connectEngine() {
    connect(&client, &EngineClient::ready, this, &MainWindow::engineReady);
    connect(&client, &EngineClient::frames, this, &MainWindow::takeFrames);
    connect(&client, &EngineClient::stateChanged, this, &MainWindow::showState);
    connect(&client, &EngineClient::lost, this, &MainWindow::say);
    connect(&client, &EngineClient::checked, control, &RunController::answered);
    connect(&client, &EngineClient::probed, this,
            [this](lab::RunId run, const QString& figure, qint64 row, qint64 col, const QStringList& lines) {
                FigureView* view = pageView->view(figure.toStdString());
                if (view && runs.shown(experiment) == run)
                    view->setProbe(row, col, lines);
            });
}

RunController* MainWindow::makeController() {
    RunController::Desk desk;
    desk.hasPage = [this] { return !experiment.isEmpty(); };
    desk.formIsWrong = [this] { return settings->hasErrors(); };
    desk.adaptForm = [this](const std::vector<lab::Parameter>& parameters) {
        return settings->adapt(parameters, keptSettings[experiment]);
    };
    desk.restoreForm = [this] {
        const QSignalBlocker quiet(settings);
        for (const auto& [name, value] : keptSettings[experiment])
            settings->setValue(name, value);
    };
    desk.showErrors = [this](const std::map<QString, QString>& errors) {
        for (const auto& [id, sentence] : errors)
            settings->setError(id, sentence);
        if (const auto together = errors.find(""); together != errors.end())
            say(together->second);
        if (!errors.empty())
            emit refused(errors.begin()->second);
    };
    desk.check = [this] { return client.check(experiment, settings->values()); };
    desk.run = [this] {
        banner->hide();
        letGo.clear();
        runs.ask(experiment, client.run(experiment, settings->values(), device->currentData().toString()));
    };
    desk.adjust = [this] {
        const auto run = runs.newest(experiment);
        const lab::RunRecord* record = run && client.isGoing(*run) ? runs.find(*run) : nullptr;
        const auto moved =
            record ? settings->liveBeside(record->start().settings) : std::map<std::string, lab::Value>();
        if (!moved.empty())
            client.adjust(*run, moved);
        return !moved.empty();
    };
    desk.engineIsLost = [this] { return client.state() == EngineClient::State::Lost; };
    desk.engineIsSilent = [this] { return client.silence() > 0; };
    desk.runIsGoing = [this] {
        const auto run = runs.newest(experiment);
        return run && client.isGoing(*run);
    };
    desk.startEngine = [this] {
        banner->hide();
        client.start();
    };
    desk.replaceEngine = [this] { client.replace(); };
    desk.cancel = [this] {
        if (const auto run = runs.newest(experiment))
            client.cancel(*run);
    };
    auto* result = new RunController(std::move(desk), this);
    connect(result, &RunController::stateChanged, this, &MainWindow::showState);
    connect(result, &RunController::waitsForRun, this, [this](double seconds) {
        status->setText(tr("Settings changed: press Run (about %1 s).").arg(seconds, 0, 'g', 2));
    });
    connect(result, &RunController::formWrong, this, [this] {
        status->setText(tr("A setting is wrong: see the red line in the form."));
        emit refused(tr("%1: a setting is wrong.").arg(experiment));
    });
    return result;
}

void MainWindow::runNow() { control->run(); }
void MainWindow::stop() { control->stop(); }

/// A setting turned back and forth runs often: of each page the newest runs are kept.
void MainWindow::letOldRunsGo() {
    QStringList unsaved, saved;
    for (const RunStore::LetGo& gone : runs.dropOld(experiment)) {
        client.forget(gone.run);
        const QDateTime started = QDateTime::fromString(gone.started, Qt::ISODate).toLocalTime();
        (gone.saved ? saved : unsaved) << (started.isValid() ? started.toString("HH:mm:ss") : tr("an unknown time"));
    }
    QStringList parts;
    if (!unsaved.isEmpty())
        parts << tr("let go, not saved: the run of %1").arg(unsaved.join(", "));
    if (!saved.isEmpty())
        parts << tr("let go, still in its file: the run of %1").arg(saved.join(", "));
    letGo = parts.join(" · ");
}

void MainWindow::takeFrames(const std::vector<lab::Frame>& batch) {
    bool mine = false, ended = false;
    std::vector<const lab::TilePut*> tiles;
    const auto newest = runs.newest(experiment), shownBefore = runs.shown(experiment);
    for (const lab::Frame& frame : batch) {
        const lab::RunId id = lab::runOf(frame);
        const bool ends = std::holds_alternative<lab::RunEnded>(frame);
        try {
            if (!runs.apply(frame)) { // it ended before it began, or was let go
                const auto page = ends ? runs.refuse(id) : std::nullopt;
                if (!page)
                    continue;
                const QString why = qt(std::get<lab::RunEnded>(frame).message);
                if (!why.isEmpty() && !bannerText().startsWith(why))
                    say(why);
                if (*page == experiment) {
                    control->refuse();
                    emit refused(why);
                }
            }
        } catch (const std::exception& error) {
            say(tr("The engine sent something that does not fit: %1").arg(error.what()));
        }
        mine |= newest == id || shownBefore == id;
        ended |= newest == id && ends;
        if (const auto* tile = std::get_if<lab::TilePut>(&frame))
            tiles.push_back(tile);
    }
    if (mine) {
        const auto shown = runs.shown(experiment);
        const bool fresh = shown && pageView->shownRun() != *shown;
        if (fresh)
            showPage(); // with its tiles
        else
            pageView->refresh();
        for (const lab::TilePut* tile : tiles)
            if (!fresh && shown == tile->run)
                pageView->addTile(*tile);
        showPinned();
    }
    if (ended)
        letOldRunsGo();
    showState();
    if (ended)
        emit runEnded();
}

/// What the figures ask for: tiles, values under the pointer, details of a row; their numbers in files.
void MainWindow::connectPage() {
    connect(pageView, &PageView::statusText, reading, &QLabel::setText);
    const auto answering = [this](auto&& ask) {
        if (const auto run = runs.shown(experiment); run && client.answersFor(*run))
            ask(*run);
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
    connect(pageView, &PageView::csvWanted, this, &MainWindow::saveNumbers);
    connect(pageView, &PageView::traceWanted, this, &MainWindow::saveTrace);
}

const lab::Figure& MainWindow::figureOf(lab::RunId run, const QString& figure) const {
    const lab::RunRecord* record = runs.find(run);
    const lab::Figure* found = record ? record->figure(figure.toStdString()) : nullptr;
    if (!found)
        throw InputError(tr("The run with the figure '%1' is not kept any more.").arg(figure).toStdString());
    return *found;
}

void MainWindow::saveNumbers(lab::RunId run, const QString& figure, const QString& file) {
    try {
        const lab::Figure& found = figureOf(run, figure);
        const std::string csv = lab::figureCsv(*runs.find(run), found);
        if (file.isEmpty())
            return QApplication::clipboard()->setText(qt(csv));
        formats::AtomicFile out(file.toStdString());
        out.stream() << csv;
        out.commit();
    } catch (const std::exception& error) {
        say(error.what());
    }
}

void MainWindow::saveTrace(lab::RunId run, const QString& figure, const QString& file) {
    try {
        lab::saveTimelineTrace(std::get<lab::Timeline>(figureOf(run, figure).content), file.toStdString());
    } catch (const std::exception& error) {
        say(error.what());
    }
}

} // namespace warplight::app
