// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/shell/session_reader.h"

#include "core/error.h"

#include <QMetaObject>
#include <exception>

namespace warplight::app {

SessionReader::SessionReader() { thread.setMaxThreadCount(1); }

SessionReader::~SessionReader() {
    cancelled = true;
    thread.clear();
    thread.waitForDone();
}

void SessionReader::read(const QString& file) {
    ++waiting;
    thread.start([this, file] {
        std::shared_ptr<lab::Session> session;
        QString refusal;
        try {
            session = std::make_shared<lab::Session>(lab::openSession(file.toStdString(), &cancelled));
        } catch (const Cancelled&) {
            return;
        } catch (const std::exception& error) {
            refusal = QString::fromStdString(error.what());
        }
        QMetaObject::invokeMethod(
            this,
            [this, file, session, refusal] {
                --waiting;
                emit done(file, session, refusal);
            },
            Qt::QueuedConnection);
    });
}

} // namespace warplight::app
