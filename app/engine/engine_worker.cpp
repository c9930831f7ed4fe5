// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/engine/engine_worker.h"

#include "core/lab/cbor.h"
#include "core/lab/json.h"

#include <QtEndian>
#include <exception>
#include <span>
#include <stdexcept>
#include <string>

#include <utility>

namespace warplight::app {
namespace {

constexpr int screenFrame = 16;    // ms
constexpr int watchInterval = 500; // ms between two looks at the engine
constexpr int farewell = 1500;     // ms an engine gets to end by itself
constexpr int remarkable = 2000;   // ms of silence that the user is told of
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
    greeted = false;
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
                 ? tr("The engine crashed.")
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
            if (!process) // that message was its end
                return;
            at += 4 + static_cast<qsizetype>(length);
        }
        buffer.remove(0, at);
        lastSign.start(); // what took us time was not its silence
    } catch (const std::exception& error) {
        lose(tr("The engine sent something that is no message (%1).").arg(error.what()));
    }
}

void EngineWorker::take(const nlohmann::json& message) {
    const std::string type = message.is_object() ? message.value("type", "") : "";
    if (type == "pong") {
        const auto stalled = static_cast<qint64>(message.value("stalledSeconds", 0.0) * 1000);
        if (stalled > hangTimeout)
            lose(tr("The run hung: it had not answered for %1 s, and its engine was ended.").arg(hangTimeout / 1000.0));
        else
            tellSilence(stalled);
    } else if (type == "hello" || type == "checked" || type == "failed" || type == "probed" || type == "selected") {
        greeted = true;
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
    if (!process)
        return;
    const qint64 silence = lastSign.elapsed();
    if (silence > hangTimeout)
        return lose(tr("The engine had not answered for %1 s and was ended.").arg(hangTimeout / 1000.0));
    if (greeted && silence > remarkable)
        tellSilence(silence);
    send({{"type", "ping"}, {"id", 0}});
}

void EngineWorker::tellSilence(qint64 milliseconds) {
    const qint64 worthTelling = milliseconds > remarkable ? milliseconds : 0;
    if (std::exchange(toldSilence, worthTelling) != worthTelling)
        emit silent(worthTelling);
}

void EngineWorker::end(const QString& why) {
    if (toldSilence > 0) // it may have been replaced since the user asked
        lose(why, true);
}

void EngineWorker::lose(const QString& sentence, bool wanted) {
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
    tellSilence(0);
    emit lost(sentence, wanted);
}

void EngineWorker::stop() {
    if (!process)
        return;
    process->disconnect(this);
    process->closeWriteChannel();
    if (toldSilence > 0) // it would not hear it
        process->kill();
    if (!process->waitForFinished(farewell)) {
        process->kill();
        process->waitForFinished(farewell);
    }
    delete process;
    process = nullptr;
    watchTimer->stop();
}

} // namespace warplight::app
