// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/shell/main_window.h"
#include "app/shell/page_view.h"
#include "app/shell/settings_form.h"
#include "app/views/theme.h"

#include <QSignalSpy>
#include <QTest>

#include <memory>

namespace warplight::app {

/// The real window with a real engine, on one page; what a test of that page does again and again.
class PageFixture : public QObject {
  protected:
    std::unique_ptr<MainWindow> window;

    /// A window of its own that has shown the page's first run.
    void open(const QString& experiment) {
        Theme::setCurrent(Theme::lightTheme());
        window = std::make_unique<MainWindow>(QStringList{WARPLIGHT_TEST_ENGINE, "serve"});
        window->resize(1280, 800);
        window->show();
        QSignalSpy ready(&window->engine(), &EngineClient::ready);
        QVERIFY(ready.wait(5000));
        window->showExperiment(experiment);
        QTRY_VERIFY_WITH_TIMEOUT(finished(), 30000);
    }
    bool ended(lab::RunEnded::Outcome outcome) const {
        const lab::RunRecord* run = window->currentRun();
        return run && run->ended() && run->ended()->outcome == outcome;
    }
    bool finished() const { return ended(lab::RunEnded::Outcome::Finished); }
    void set(const char* id, const lab::Value& value) {
        window->form().setValue(id, value);
        emit window->form().changed();
    }
    void openSession(const QString& file) {
        QSignalSpy opened(window.get(), &MainWindow::sessionOpened);
        window->openSession(file);
        QTRY_COMPARE_WITH_TIMEOUT(opened.count(), 1, 10000);
    }
    void saveSession(const QString& file) {
        QSignalSpy saved(window.get(), &MainWindow::sessionSaved);
        QVERIFY(window->saveSession(file));
        QTRY_COMPARE_WITH_TIMEOUT(saved.count(), 1, 10000);
    }
    void run() {
        QSignalSpy ends(window.get(), &MainWindow::runEnded);
        window->runNow();
        QTRY_VERIFY_WITH_TIMEOUT(ends.count() > 0, 30000);
    }
};

} // namespace warplight::app
