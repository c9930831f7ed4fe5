// SPDX-License-Identifier: GPL-3.0-or-later
// Files: sessions opened and saved, files dropped on the window, reports.
#include "app/report/report.h"
#include "app/shell/dialogs.h"
#include "app/shell/dropped_tensors.h"
#include "app/shell/main_window.h"
#include "app/shell/run_controller.h"
#include "app/shell/settings_form.h"
#include "core/lab/session.h"

#include <QAction>
#include <QCloseEvent>
#include <QComboBox>
#include <QDragEnterEvent>
#include <QFileInfo>
#include <QLabel>
#include <QMenu>
#include <QMimeData>
#include <QSettings>

#include <exception>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace warplight::app {
namespace {

constexpr int mostRecent = 8; // files

QString qt(const std::string& text) { return QString::fromStdString(text); }

} // namespace

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
        refuse(error.what());
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

void MainWindow::openSession(const QString& file) {
    if (client.experiments().empty())
        toOpen.append(file); // which pages there are is still to be told
    else
        takeSession(file);
}

void MainWindow::takeSession(const QString& file) {
    reader.read(file);
    showState();
}

void MainWindow::showSession(const QString& file, lab::Session& session) {
    QString last;
    std::set<QString> unknown;
    std::map<QString, std::map<std::string, lab::Value>> opened;
    for (lab::RunRecord& record : session.runs) {
        const QString page = qt(record.start().experiment);
        if (described(page))
            last = page;
        else
            unknown.insert(page);
        if (!record.ended()) // the file breaks off in it: it can be looked at and saved like one that failed
            record.apply(lab::RunEnded{record.start().run, lab::RunEnded::Outcome::Failed,
                                       tr("Its session file ends in the middle of it.").toStdString(), 0});
        opened[page] = record.start().settings;
        runs.take(std::move(record), RunStore::Origin::File);
    }
    QStringList remarks;
    if (!session.damage.empty())
        remarks << qt(session.damage);
    if (!unknown.empty())
        remarks << tr("%1: this Warplight has no page %2; its runs are not shown, and kept when you save.")
                       .arg(file, QStringList(unknown.begin(), unknown.end()).join(", "));
    if (last.isEmpty() && !remarks.isEmpty())
        refuse(remarks.join('\n'));
    else if (!remarks.isEmpty())
        say(remarks.join('\n'));
    setWindowTitle(tr("%1 – Warplight").arg(QFileInfo(file).fileName()));
    addRecent(file);
    control->forgetRefusal();
    if (last == experiment)
        showPage();
    else
        showExperiment(last);
    for (auto& [page, values] : opened)
        keptSettings[page] = std::move(values);
    if (!last.isEmpty()) { // where and how it ran; without running again
        const QSignalBlocker quiet(device), silent(settings);
        chooseDevice(qt(currentRun()->start().device));
        settings->setDevice(currentRun()->start().device);
        restoreSettings();
    }
}

bool MainWindow::saveSession(const QString& file) {
    if (saver.isSaving()) {
        say(tr("%1 was not begun: %2 is still being written.").arg(file, saver.file()));
        return false;
    }
    try {
        beingSaved = runs.own();
        saver.save(file, beingSaved);
        showState();
        return true;
    } catch (const std::exception& error) {
        say(error.what());
        return false;
    }
}

void MainWindow::endSaving(const QString& file, const QString& refusal) {
    if (refusal.isEmpty()) {
        runs.markSaved(beingSaved);
        setWindowTitle(tr("%1 – Warplight").arg(QFileInfo(file).fileName()));
        addRecent(file);
    } else {
        say(refusal);
    }
    beingSaved.clear();
    showState();
    emit sessionSaved(file);
    if (std::exchange(closesWhenSaved, false) && refusal.isEmpty())
        close();
}

void MainWindow::closeEvent(QCloseEvent* event) {
    if (!saver.isSaving())
        return QMainWindow::closeEvent(event);
    event->ignore();
    closesWhenSaved = true;
    showState();
}

void MainWindow::addRecent(const QString& file) {
    QStringList recent = QSettings().value("recent").toStringList();
    const QString path = QFileInfo(file).absoluteFilePath();
    recent.removeAll(path);
    recent.prepend(path);
    QSettings().setValue("recent", QStringList(recent.mid(0, mostRecent)));
}

/// What was opened or saved last, as far as it is still there.
void MainWindow::fillOpenMenu() {
    openMenu->clear();
    openMenu->addAction(openAction);
    openMenu->addSeparator();
    for (const QString& file : QSettings().value("recent").toStringList())
        if (QFileInfo::exists(file))
            openMenu->addAction(QFileInfo(file).fileName(), this, [this, file] { openSession(file); })
                ->setToolTip(file);
}

bool MainWindow::exportReport(const QString& target) {
    if (report) {
        say(tr("%1 was not begun: %2 is still being written.").arg(target, report->target()));
        return false;
    }
    try {
        std::vector<lab::RunRecord> shown;                // copies: the window's go on changing
        for (const lab::RunRecord* run : runs.ownShown()) // one run a page: what the window shows
            shown.push_back(*run);
        report = std::make_unique<ReportWriter>(std::move(shown), target);
        exportTurn.start();
        showState();
        return true;
    } catch (const std::exception& error) {
        say(error.what());
        return false;
    }
}

void MainWindow::exportNext() {
    QString failure;
    try {
        report->step();
        showExport();
        if (!report->done())
            return;
    } catch (const std::exception& error) {
        failure = error.what();
    }
    exportTurn.stop();
    const QString target = std::exchange(report, nullptr)->target();
    showState();
    if (failure.isEmpty())
        status->setText(tr("Wrote %1").arg(target));
    else
        say(failure);
}

void MainWindow::showExport() {
    if (report)
        status->setText(
            tr("Writing %1: %2 of %3").arg(report->target()).arg(report->piecesDone()).arg(report->pieceCount()));
}

} // namespace warplight::app
