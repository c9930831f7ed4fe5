#include "app/engine/engine_worker.h"

#include "core/lab/cbor.h"
#include "core/lab/json.h"

#include <QtEndian>

namespace warplight::app {
namespace {

constexpr int screenFrame = 16;    // ms
constexpr int watchInterval = 500; // ms between two looks at the engine
constexpr int farewell = 1500;     // ms an engine gets to end by itself
constexpr quint32 longestMessage = 256u << 20;

} // namespace

void EngineWorker::start() {
    if (!flushTimer) {
        flushTimer = new QTimer(this);
        flushTimer->setSingleShot(true);
        flushTimer->setInterval(screenFrame);
        connect(flushTimer, &QTimer::timeout, this, &EngineWorker::flush);
        watchTimer = new QTimer(this);
        watchTimer->setInterval(watchInterval);
        connect(watchTimer, &QTimer::timeout, this, &EngineWorker::watch);
    }
    buffer.clear();
    process = new QProcess(this);
    connect(process, &QProcess::readyReadStandardOutput, this, &EngineWorker::readOutput);
    connect(process, &QProcess::started, this, [this] { emit started(process->processId()); });
    connect(process, &QProcess::errorOccurred, this, [this](QProcess::ProcessError error) {
        if (error == QProcess::FailedToStart)
            lose(tr("The engine could not be started: %1 (%2).").arg(process->errorString(), commandLine.join(' ')));
    });
    connect(process, &QProcess::finished, this, [this](int code, QProcess::ExitStatus status) {
        readOutput();
        const QString said = QString::fromLocal8Bit(process->readAllStandardError()).trimmed().section('\n', -1);
        lose(status == QProcess::CrashExit
                 ? tr("The engine crashed. What had been received is kept; a new engine has been started.")
                 : tr("The engine ended (exit code %1%2).").arg(code).arg(said.isEmpty() ? QString() : ": " + said));
    });
    lastSign.start();
    process->start(commandLine.first(), commandLine.mid(1));
    watchTimer->start();
    send({{"type", "hello"}, {"id", 0}});
}

void EngineWorker::send(const nlohmann::json& message) {
    if (!process)
        return;
    const auto payload = lab::toCbor(message);
    QByteArray bytes(4, '\0');
    qToLittleEndian(static_cast<quint32>(payload.size()), bytes.data());
    process->write(bytes.append(reinterpret_cast<const char*>(payload.data()), static_cast<qsizetype>(payload.size())));
}

void EngineWorker::readOutput() {
    if (!process)
        return;
    buffer += process->readAllStandardOutput();
    lastSign.start();
    qsizetype at = 0;
    try {
        while (buffer.size() - at >= 4) {
            const quint32 length = qFromLittleEndian<quint32>(buffer.constData() + at);
            if (length > longestMessage)
                throw std::runtime_error("a message longer than the protocol allows");
            if (buffer.size() - at - 4 < static_cast<qsizetype>(length))
                break;
            take(lab::fromCbor(std::as_bytes(std::span(buffer.constData() + at + 4, length))));
            at += 4 + static_cast<qsizetype>(length);
        }
        buffer.remove(0, at);
    } catch (const std::exception& error) {
        lose(tr("The engine sent something that is no message (%1).").arg(error.what()));
    }
}

void EngineWorker::take(const nlohmann::json& message) {
    const std::string type = message.is_object() ? message.value("type", "") : "";
    if (type == "pong") {
        if (message.value("stalledSeconds", 0.0) * 1000 > hangTimeout)
            lose(tr("The run hung: it had not answered for %1 s. The engine was ended and a new one started.")
                     .arg(hangTimeout / 1000.0));
    } else if (type == "hello" || type == "checked" || type == "failed" || type == "probed" || type == "selected") {
        flush(); // what came before must arrive before
        emit answered(message);
    } else {
        pending.push_back(lab::frameFromJson(message));
        if (!flushTimer->isActive())
            flushTimer->start();
    }
}

void EngineWorker::flush() {
    if (pending.empty())
        return;
    std::vector<lab::Frame> batch;
    batch.swap(pending);
    emit framesCame(batch);
}

void EngineWorker::watch() {
    if (lastSign.elapsed() > hangTimeout)
        lose(tr("The engine had not answered for %1 s. It was ended and a new one started.").arg(hangTimeout / 1000.0));
    else
        send({{"type", "ping"}, {"id", 0}});
}

void EngineWorker::lose(const QString& sentence) {
    if (!process)
        return;
    QProcess* gone = process;
    process = nullptr;
    watchTimer->stop();
    gone->disconnect(this);
    gone->kill();
    gone->waitForFinished(farewell);
    gone->deleteLater();
    flush();
    emit lost(sentence);
}

void EngineWorker::stop() {
    if (!process)
        return;
    process->disconnect(this);
    process->closeWriteChannel();
    if (!process->waitForFinished(farewell)) {
        process->kill();
        process->waitForFinished(farewell);
    }
    delete process;
    process = nullptr;
    watchTimer->stop();
}

} // namespace warplight::app
