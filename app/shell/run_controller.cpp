// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/shell/run_controller.h"

#include <utility>

namespace warplight::app {
namespace {

constexpr int debounceTime = 250; // ms after the last change of a setting
constexpr double cheap = 1.0;     // seconds: what takes less reruns by itself

} // namespace

RunController::RunController(Desk with, QObject* parent) : QObject(parent), desk(std::move(with)) {
    debounce.setSingleShot(true);
    debounce.setInterval(debounceTime);
    connect(&debounce, &QTimer::timeout, this, &RunController::checkNow);
}

void RunController::pageOpened() {
    debounce.stop();
    form = Form::Checked;
    checkTicket = 0; // its answer is about the page before
    if (pending == Pending::RunChecked)
        pending = Pending::Nothing;
    refusal = false;
}

void RunController::formRestored(quint64 ticket) {
    restoring = true;
    adaptTicket = ticket;
}

void RunController::settingsChanged() {
    restoring = false; // what somebody sets now counts
    if (desk.formIsWrong()) {
        debounce.stop();
        form = form == Form::Changed ? Form::Checked : form;
        return;
    }
    if (form == Form::Checked && desk.adjust())
        return;
    form = Form::Changed;
    debounce.start();
}

void RunController::checkNow() {
    debounce.stop();
    form = Form::Asked;
    checkTicket = desk.check();
}

void RunController::engineReady() {
    if (form == Form::Asked) // the engine that was asked has gone
        checkNow();
    if (pending == Pending::RunWithEngine) {
        pending = Pending::Nothing;
        run();
    }
}

void RunController::answered(quint64 ticket, const EngineClient::Checked& result) {
    if (ticket != checkTicket && ticket != adaptTicket)
        return;
    const bool adapted = !result.parameters.empty() && desk.adaptForm(result.parameters);
    if (ticket == adaptTicket && std::exchange(restoring, false))
        desk.restoreForm();
    if (ticket != checkTicket)
        return;
    if (adapted) // what was found wrong may be about fields that have gone
        return checkNow();
    if (form == Form::Asked)
        form = Form::Checked;
    const bool asked = pending == Pending::RunChecked;
    if (asked)
        pending = Pending::Nothing;
    desk.showErrors(result.errors);
    refusal = result.errors.contains("");
    const bool right = result.errors.empty() && !desk.formIsWrong();
    if (right && (asked || result.estimatedSeconds < cheap))
        return run();
    emit stateChanged();
    if (result.errors.empty())
        emit waitsForRun(result.estimatedSeconds);
}

void RunController::run() {
    if (desk.engineIsLost()) {
        pending = desk.hasPage() ? Pending::RunWithEngine : Pending::Nothing;
        form = Form::Checked;
        debounce.stop();
        return desk.startEngine();
    }
    if (!desk.hasPage())
        return;
    if (desk.formIsWrong()) {
        emit formWrong();
        return;
    }
    if (form != Form::Checked) { // what changed last may bring other settings along: first the form follows
        pending = Pending::RunChecked;
        if (form == Form::Changed)
            checkNow();
        return;
    }
    refusal = stopping = false;
    adaptTicket = desk.check();
    desk.run();
    emit stateChanged();
}

void RunController::stop() {
    if (desk.engineIsSilent()) {
        stopping = false;
        desk.replaceEngine();
    } else {
        stopping = desk.runIsGoing();
        desk.cancel();
    }
}

void RunController::watch() {
    stopping = stopping && desk.runIsGoing();
    if (stopping && desk.engineIsSilent()) // it has had its time to stop by itself
        stop();
}

} // namespace warplight::app
