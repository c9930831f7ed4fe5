// Runs: asked for, streamed in, stopped, let go; and what the figures on the page ask of the engine.
#include "app/shell/main_window.h"

#include "app/shell/page_view.h"
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
#include <optional>
#include <string>
#include <vector>

#include <exception>
#include <utility>
#include <variant>

namespace warplight::app {
namespace {

constexpr double cheap = 1.0; // seconds: what takes less reruns by itself

QString qt(const std::string& text) { return QString::fromStdString(text); }

} // namespace

void MainWindow::connectEngine() {
    connect(&client, &EngineClient::ready, this, &MainWindow::engineReady);
    connect(&client, &EngineClient::frames, this, &MainWindow::takeFrames);
    connect(&client, &EngineClient::stateChanged, this, &MainWindow::showState);
    connect(&client, &EngineClient::lost, this, &MainWindow::say);
    connect(&client, &EngineClient::checked, this, &MainWindow::takeChecked);
    connect(&client, &EngineClient::probed, this,
            [this](lab::RunId run, const QString& figure, qint64 row, qint64 col, const QStringList& lines) {
                FigureView* view = pageView->view(figure.toStdString());
                if (view && runs.shown(experiment) == run)
                    view->setProbe(row, col, lines);
            });
}

void MainWindow::checkNow() {
    debounce.stop();
    checking = true;
    checkTicket = client.check(experiment, settings->values());
}

void MainWindow::takeChecked(quint64 ticket, const EngineClient::Checked& result) {
    if (ticket != checkTicket && ticket != adaptTicket)
        return;
    const bool adapted = !result.parameters.empty() && settings->adapt(result.parameters, keptSettings[experiment]);
    if (ticket == adaptTicket && std::exchange(restoring, false)) {
        const QSignalBlocker quiet(settings);
        for (const auto& [name, value] : keptSettings[experiment])
            settings->setValue(name, value);
    }
    if (ticket != checkTicket)
        return;
    if (adapted) // what was found wrong may be about fields that have gone
        return checkNow();
    checking = false;
    const bool asked = std::exchange(runsWhenChecked, false);
    for (const auto& [id, sentence] : result.errors)
        settings->setError(id, sentence);
    const auto together = result.errors.find("");
    refused = together != result.errors.end();
    if (refused)
        say(together->second);
    if (result.errors.empty() && !settings->hasErrors() && (asked || result.estimatedSeconds < cheap))
        return runNow();
    showState();
    if (result.errors.empty())
        status->setText(tr("Settings changed: press Run (about %1 s).").arg(result.estimatedSeconds, 0, 'g', 2));
}

void MainWindow::runNow() {
    if (client.state() == EngineClient::State::Lost) {
        runsWhenReady = !experiment.isEmpty();
        checking = runsWhenChecked = false;
        debounce.stop();
        banner->hide();
        client.start();
        return;
    }
    if (experiment.isEmpty())
        return;
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
    refused = stopWanted = false;
    letGo.clear();
    adaptTicket = client.check(experiment, settings->values());
    runs.ask(experiment, client.run(experiment, settings->values(), device->currentData().toString()));
    showState();
}

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

/// Stop asks the run to end; an engine that gives no sign of life any more is ended with it.
void MainWindow::stop() {
    if (client.silence() > 0) {
        stopWanted = false;
        client.replace();
    } else if (const auto run = runs.newest(experiment)) {
        stopWanted = client.isGoing(*run);
        client.cancel(*run);
    }
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
                refused |= *page == experiment;
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
