// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/engine/engine_client.h"

#include <QObject>
#include <QTimer>
#include <vector>

#include <functional>
#include <map>

namespace warplight::app {

/// Decides when the page's experiment is asked about, run and stopped, whatever comes in between: settings that change
/// while a check is on its way, Run pressed meanwhile or while there is no engine, an engine that hangs after Stop.
class RunController : public QObject {
    Q_OBJECT
  public:
    /// What it works with: the form of the page that is open, and the engine.
    struct Desk {
        std::function<bool()> hasPage;
        std::function<bool()> formIsWrong;
        /// Takes the parameters as they are beside the settings; returns whether it is another form now.
        std::function<bool(const std::vector<lab::Parameter>&)> adaptForm;
        std::function<void()> restoreForm; ///< fills what is kept for the page into fields that have just come
        std::function<void(const std::map<QString, QString>&)> showErrors;
        std::function<quint64()> check; ///< of the form as it is; answered() brings the ticket back
        std::function<void()> run;      ///< the form as it is
        /// Where the run that is going on can follow the form as it is: has it follow. Returns whether it can.
        std::function<bool()> adjust;
        std::function<bool()> engineIsLost, engineIsSilent, runIsGoing;
        std::function<void()> startEngine, replaceEngine, cancel;
    };

    explicit RunController(Desk desk, QObject* parent = nullptr);

    void pageOpened(); ///< another page: what was to come for the one before does not come
    /// The form has been filled with what is kept; the answer to `ticket` may bring fields that more is kept for.
    void formRestored(quint64 ticket);
    void settingsChanged();
    void engineReady();
    void answered(quint64 ticket, const EngineClient::Checked& result);
    /// Now, or as soon as the form has been checked, or as soon as there is an engine.
    void run();
    /// Asks the run to end; an engine that gives no sign of life any more is ended with it, also later.
    void stop();
    void watch(); ///< the engine's state may have changed
    void refuse() { refusal = true; }
    void forgetRefusal() { refusal = false; }

    bool refused() const { return refusal; } ///< what the form says now could not be run
    bool isStopping() const { return stopping; }

  signals:
    void stateChanged();
    void waitsForRun(double estimatedSeconds); ///< the settings are right and take long: somebody has to press Run
    void formWrong();                          ///< Run was pressed, a field stands in red

  private:
    enum class Form { Checked, Changed, Asked };               ///< as far as the engine knows it
    enum class Pending { Nothing, RunChecked, RunWithEngine }; ///< Run was pressed, and waits for this

    void checkNow();

    Desk desk;
    QTimer debounce;
    Form form = Form::Checked;
    Pending pending = Pending::Nothing;
    quint64 checkTicket = 0; ///< whose answer decides about a rerun
    quint64 adaptTicket = 0; ///< whose answer only tells the form which settings there are now
    bool restoring = false;  ///< until the answer to adaptTicket, or until somebody sets something
    bool stopping = false, refusal = false;
};

} // namespace warplight::app
