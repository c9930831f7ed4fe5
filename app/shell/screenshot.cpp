// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/shell/screenshot.h"

#include "app/shell/main_window.h"
#include "core/error.h"
#include "core/formats/atomic_file.h"
#include "core/text/echo.h"

#include <QBuffer>
#include <QFileInfo>
#include <QImageWriter>
#include <QPixmap>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

namespace warplight::app {
namespace {

constexpr int settleTime = 200;          // ms between two looks
constexpr int mostLooks = 15;            // at a window that never stands still
constexpr int longestGreeting = 25'000;  // ms; of silence EngineClient knows before, and says more about it
constexpr int badInput = 2, failure = 1; // exit codes

QByteArray kindOf(const QString& file) { return QFileInfo(file).suffix().toLower().toLatin1(); }

} // namespace

void checkPictureFile(const QString& file) {
    const QList<QByteArray> known = QImageWriter::supportedImageFormats();
    if (!known.contains(kindOf(file)))
        throw InputError(
            QObject::tr("%1: expected the name of a picture, which ends in .png or another of %2")
                .arg(file.isEmpty() ? "\"\"" : QString::fromStdString(echoed(file.toStdString())), known.join(", "))
                .toStdString());
    formats::checkWritable(file.toStdString());
}

Screenshot::Screenshot(MainWindow& of, QString target, QString wanted)
    : QObject(&of), window(of), file(std::move(target)), page(std::move(wanted)) {
    greeting.setSingleShot(true);
    connect(&greeting, &QTimer::timeout, this, [this] {
        end(failure, tr("The engine had not said which pages there are after %1 s.").arg(longestGreeting / 1000));
    });
    connect(&window.engine(), &EngineClient::ready, &greeting, &QTimer::stop);
    connect(&window.engine(), &EngineClient::lost, this,
            [this](const QString&, const QString& why) { end(failure, why); });
    connect(&window, &MainWindow::refused, this, [this](const QString& sentence) { end(badInput, sentence); });
    connect(&window, &MainWindow::runEnded, this, &Screenshot::runEnded);
    looks.setInterval(settleTime);
    connect(&looks, &QTimer::timeout, this, &Screenshot::look);
    greeting.start(longestGreeting);
}

void Screenshot::runEnded() {
    if ((!page.isEmpty() && window.currentExperiment() != page) || window.isOpening())
        return;
    const lab::RunRecord* run = window.currentRun();
    if (run && run->ended() && run->ended()->outcome == lab::RunEnded::Outcome::Failed)
        return end(badInput, QString::fromStdString(run->ended()->message));
    if (!over)
        looks.start();
}

/// The picture is taken once two in a row are equal.
void Screenshot::look() {
    const QImage now = window.grab().toImage();
    if (now != before && ++looked < mostLooks) {
        before = now;
        return;
    }
    looks.stop();
    try {
        save(now);
        end(0, {});
    } catch (const InputError& error) {
        end(badInput, error.what());
    } catch (const std::exception& error) {
        end(failure, error.what());
    }
}

void Screenshot::save(const QImage& picture) {
    QBuffer encoded;
    encoded.open(QIODevice::WriteOnly);
    if (!picture.save(&encoded, kindOf(file).constData()))
        throw std::runtime_error(tr("%1: the picture could not be made, it may be too large").arg(file).toStdString());
    formats::AtomicFile out(file.toStdString());
    out.stream() << encoded.data().toStdString();
    out.commit();
}

void Screenshot::end(int exitCode, const QString& sentence) {
    looks.stop();
    greeting.stop();
    if (!std::exchange(over, true))
        emit done(exitCode, sentence);
}

} // namespace warplight::app
