// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/experiment.h"
#include "core/lab/frame.h"

#include <QObject>
#include <QString>
#include <QStringList>
#include <string>

#include <map>
#include <memory>
#include <vector>

namespace warplight::app {

/// Owns the engine: starts `warplight-cli serve` (or another command line, such as one over ssh), speaks
/// docs/protocol.md with it on a thread of its own, and starts a new one when it dies or hangs. Frames arrive decoded
/// and in batches, at most one batch per screen frame, so that the GUI thread never parses and never waits.
class EngineClient : public QObject {
    Q_OBJECT
  public:
    enum class State { Starting, Ready, Running, Lost };

    struct Checked {
        std::map<QString, QString> errors; ///< by parameter id; empty key = the settings together
        double estimatedSeconds = 0;
        std::vector<lab::Parameter> parameters; ///< as they are beside these settings; empty: not known
    };

    explicit EngineClient(QStringList commandLine, QObject* parent = nullptr);
    ~EngineClient() override; ///< ends the engine process; leaves none behind

    void start();
    State state() const;
    /// Seconds for which the engine, or the run in it, has given no sign of life; 0 while it answers. It may be busy,
    /// it may hang: at the hang timeout it is ended and replaced.
    double silence() const;
    /// Ends the engine now and starts another; its runs end as cancelled.
    void replace();
    qint64 processId() const;

    const std::vector<lab::Description>& experiments() const; ///< empty until ready()
    const std::vector<lab::DeviceInfo>& devices() const;
    const lab::Machine& machine() const;

    /// Starts a run; frames of it arrive through frames(). Returns its id at once.
    lab::RunId run(const QString& experiment, const std::map<std::string, lab::Value>& settings, const QString& device);
    bool isGoing(lab::RunId run) const; ///< asked for and not ended
    /// A run that is going on follows these values of live settings.
    void adjust(lab::RunId run, const std::map<std::string, lab::Value>& settings);
    void cancel(lab::RunId run);
    /// Asks whether settings are right and how long they would take; answered by checked() with the same ticket.
    quint64 check(const QString& experiment, const std::map<std::string, lab::Value>& settings);

    void requestTile(lab::RunId run, const QString& figure, int level, qint64 tileRow, qint64 tileCol);
    void dropTiles(lab::RunId run, const QString& figure);
    void requestProbe(lab::RunId run, const QString& figure, qint64 row, qint64 col);
    void select(lab::RunId run, const QString& figure, qint64 row, qint64 col);
    void forget(lab::RunId run);
    /// True while this engine process can still answer tiles, probes and selections of the run.
    bool answersFor(lab::RunId run) const;

    /// A run that stops looking at its cancel flag for longer than this is a hang: the engine is ended and replaced.
    void setHangTimeout(int milliseconds);

  signals:
    void stateChanged(warplight::app::EngineClient::State state);
    void ready();
    void frames(const std::vector<warplight::lab::Frame>& batch);
    void checked(quint64 ticket, const warplight::app::EngineClient::Checked& result);
    void probed(warplight::lab::RunId run, const QString& figure, qint64 row, qint64 col, const QStringList& lines);
    /// The engine died or hung: why, in a sentence a user can act on. Runs that were going on end as failed
    /// (a RunEnded frame follows for each). A new engine is already being started, unless the sentence says that
    /// this has been tried too often. `why` is the same without what is done about it.
    void lost(const QString& sentence, const QString& why);

  private:
    struct Private;
    std::unique_ptr<Private> d;
};

} // namespace warplight::app
