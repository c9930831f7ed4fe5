// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/engine/engine_client.h"

#include "app/engine/engine_worker.h"
#include "core/lab/json.h"

#include <QElapsedTimer>
#include <QThread>
#include <QTimer>
#include <exception>
#include <string>
#include <utility>
#include <variant>

#include <set>

namespace warplight::app {
namespace {

constexpr int quickDeath = 3000; // ms: an engine that dies sooner than this will not get better by itself
constexpr int mostQuickDeaths = 3;

nlohmann::json settingsJson(const std::map<std::string, lab::Value>& settings) {
    nlohmann::json result = nlohmann::json::object();
    for (const auto& [name, value] : settings)
        result[name] = lab::toJson(value);
    return result;
}

} // namespace

struct EngineClient::Private {
    QThread thread;
    EngineWorker* worker = nullptr;
    State state = State::Starting;
    qint64 processId = 0;
    std::vector<lab::Description> experiments;
    std::vector<lab::DeviceInfo> devices;
    lab::Machine machine;
    lab::RunId nextRun = 1;
    quint64 nextTicket = 1;
    std::set<lab::RunId> going, answered; ///< runs begun and not ended; runs this engine process knows
    QElapsedTimer alive;
    int quickDeaths = 0;
    qint64 silence = 0; ///< ms

    void send(nlohmann::json message) {
        QMetaObject::invokeMethod(worker, [worker = worker, message = std::move(message)] { worker->send(message); });
    }
};

EngineClient::EngineClient(QStringList commandLine, QObject* parent) : QObject(parent), d(std::make_unique<Private>()) {
    d->worker = new EngineWorker(std::move(commandLine));
    d->worker->moveToThread(&d->thread);
    connect(&d->thread, &QThread::finished, d->worker, &QObject::deleteLater);
    const auto enter = [this](State state) {
        if (d->state == state)
            return;
        d->state = state;
        emit stateChanged(state);
    };
    connect(d->worker, &EngineWorker::started, this, [this](qint64 id) {
        d->processId = id;
        d->alive.start();
    });
    connect(d->worker, &EngineWorker::framesCame, this, [this, enter](const std::vector<lab::Frame>& batch) {
        for (const lab::Frame& frame : batch)
            if (std::holds_alternative<lab::RunEnded>(frame))
                d->going.erase(lab::runOf(frame));
        emit frames(batch);
        if (d->state != State::Lost)
            enter(d->going.empty() ? State::Ready : State::Running);
    });
    connect(d->worker, &EngineWorker::answered, this, [this, enter](const nlohmann::json& message) {
        const std::string type = message["type"].get<std::string>();
        try {
            if (type == "hello") {
                d->experiments.clear();
                for (const auto& description : message.at("experiments"))
                    d->experiments.push_back(lab::descriptionFromJson(description));
                d->devices.clear();
                for (const auto& device : message.at("devices"))
                    d->devices.push_back({device.at("id").get<std::string>(), device.at("title").get<std::string>(),
                                          device.at("detail").get<std::string>(), device.at("available").get<bool>()});
                d->machine = lab::machineFromJson(message.at("machine"));
                enter(d->going.empty() ? State::Ready : State::Running);
                emit ready();
            } else if (type == "checked") {
                Checked result;
                for (const auto& [name, sentence] : message.at("errors").items())
                    result.errors[QString::fromStdString(name)] = QString::fromStdString(sentence.get<std::string>());
                result.estimatedSeconds = message.at("estimatedSeconds").get<double>();
                for (const auto& parameter : message.value("parameters", nlohmann::json::array()))
                    result.parameters.push_back(lab::parameterFromJson(parameter));
                emit checked(message.at("id").get<quint64>(), result);
            } else if (type == "probed") {
                QStringList lines;
                for (const auto& line : message.at("lines"))
                    lines << QString::fromStdString(line.get<std::string>());
                emit probed(message.at("run").get<lab::RunId>(),
                            QString::fromStdString(message.at("figure").get<std::string>()),
                            message.at("row").get<qint64>(), message.at("col").get<qint64>(), lines);
            } else if (type == "failed" && message.contains("run") && !message.contains("figure") &&
                       d->going.contains(message["run"].get<lab::RunId>())) {
                const lab::RunId run = message["run"].get<lab::RunId>();
                d->going.erase(run);
                enter(d->going.empty() ? State::Ready : State::Running);
                emit frames({lab::RunEnded{run, lab::RunEnded::Outcome::Failed,
                                           message.value("message", "the engine refused the run"), 0}});
            }
        } catch (const std::exception& error) {
            const QString why = tr("The engine sent an answer that cannot be read (%1).").arg(error.what());
            emit lost(why, why);
        }
    });
    connect(d->worker, &EngineWorker::silent, this, [this](qint64 milliseconds) {
        d->silence = milliseconds;
        emit stateChanged(d->state);
    });
    connect(d->worker, &EngineWorker::lost, this, [this, enter](const QString& sentence, bool wanted) {
        enter(State::Lost);
        const auto outcome = wanted ? lab::RunEnded::Outcome::Cancelled : lab::RunEnded::Outcome::Failed;
        std::vector<lab::Frame> ends;
        for (const lab::RunId run : d->going)
            ends.push_back(lab::RunEnded{run, outcome, sentence.toStdString(), 0});
        d->going.clear();
        d->answered.clear();
        d->quickDeaths = wanted || (d->alive.isValid() && d->alive.elapsed() > quickDeath) ? 0 : d->quickDeaths + 1;
        d->alive.invalidate();
        const bool again = d->quickDeaths < mostQuickDeaths;
        emit lost(again ? tr("%1 What had come is kept; a new engine has been started.").arg(sentence)
                        : tr("%1 It had been started %2 times within seconds: Run tries again.")
                              .arg(sentence)
                              .arg(mostQuickDeaths),
                  sentence);
        if (!ends.empty())
            emit frames(ends);
        if (again)
            start();
        else
            d->quickDeaths = 0;
    });
    d->thread.start();
}

EngineClient::~EngineClient() {
    QMetaObject::invokeMethod(d->worker, &EngineWorker::stop, Qt::BlockingQueuedConnection);
    d->thread.quit();
    d->thread.wait();
}

void EngineClient::start() {
    d->state = State::Starting;
    emit stateChanged(d->state);
    QMetaObject::invokeMethod(d->worker, &EngineWorker::start);
}

void EngineClient::replace() {
    QMetaObject::invokeMethod(d->worker,
                              [worker = d->worker] { worker->end(tr("The engine did not answer and was ended.")); });
}

EngineClient::State EngineClient::state() const { return d->state; }
double EngineClient::silence() const { return static_cast<double>(d->silence) / 1000; }
bool EngineClient::isGoing(lab::RunId run) const { return d->going.contains(run); }
qint64 EngineClient::processId() const { return d->processId; }
const std::vector<lab::Description>& EngineClient::experiments() const { return d->experiments; }
const std::vector<lab::DeviceInfo>& EngineClient::devices() const { return d->devices; }
const lab::Machine& EngineClient::machine() const { return d->machine; }

lab::RunId EngineClient::run(const QString& experiment, const std::map<std::string, lab::Value>& settings,
                             const QString& device) {
    const lab::RunId run = d->nextRun++;
    d->going.insert(run);
    d->answered.insert(run);
    d->send({{"type", "run"},
             {"id", d->nextTicket++},
             {"run", run},
             {"experiment", experiment.toStdString()},
             {"settings", settingsJson(settings)},
             {"device", device.toStdString()}});
    d->state = State::Running;
    emit stateChanged(d->state);
    return run;
}

void EngineClient::adjust(lab::RunId run, const std::map<std::string, lab::Value>& settings) {
    d->send({{"type", "adjust"}, {"id", d->nextTicket++}, {"run", run}, {"settings", settingsJson(settings)}});
}

void EngineClient::cancel(lab::RunId run) { d->send({{"type", "cancel"}, {"run", run}}); }

quint64 EngineClient::check(const QString& experiment, const std::map<std::string, lab::Value>& settings) {
    const quint64 ticket = d->nextTicket++;
    d->send({{"type", "check"},
             {"id", ticket},
             {"experiment", experiment.toStdString()},
             {"settings", settingsJson(settings)}});
    return ticket;
}

void EngineClient::requestTile(lab::RunId run, const QString& figure, int level, qint64 tileRow, qint64 tileCol) {
    d->send({{"type", "tile"},
             {"run", run},
             {"figure", figure.toStdString()},
             {"level", level},
             {"tileRow", tileRow},
             {"tileCol", tileCol}});
}
void EngineClient::dropTiles(lab::RunId run, const QString& figure) {
    d->send({{"type", "dropTiles"}, {"run", run}, {"figure", figure.toStdString()}});
}
void EngineClient::requestProbe(lab::RunId run, const QString& figure, qint64 row, qint64 col) {
    d->send({{"type", "probe"},
             {"id", d->nextTicket++},
             {"run", run},
             {"figure", figure.toStdString()},
             {"row", row},
             {"col", col}});
}
void EngineClient::select(lab::RunId run, const QString& figure, qint64 row, qint64 col) {
    d->send({{"type", "select"},
             {"id", d->nextTicket++},
             {"run", run},
             {"figure", figure.toStdString()},
             {"row", row},
             {"col", col}});
}
void EngineClient::forget(lab::RunId run) {
    d->answered.erase(run);
    d->send({{"type", "forget"}, {"run", run}});
}
bool EngineClient::answersFor(lab::RunId run) const { return d->answered.contains(run); }

void EngineClient::setHangTimeout(int milliseconds) {
    QMetaObject::invokeMethod(d->worker, [worker = d->worker, milliseconds] { worker->setHangTimeout(milliseconds); });
}

} // namespace warplight::app
