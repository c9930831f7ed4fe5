// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/engine/engine_client.h"
#include "app/shell/frame_clock.h"
#include "app/shell/run_store.h"
#include "app/shell/session_reader.h"
#include "app/shell/session_saver.h"
#include "app/shell/system_theme.h"

#include <QMainWindow>
#include <QTimer>

#include <map>
#include <memory>
#include <string>
#include <vector>

class QComboBox;
class QLabel;
class QMenu;
class QProgressBar;
class QPushButton;
class QScrollArea;

namespace warplight::app {

class CommandBar;
class Navigation;
class PageView;
class Presentation;
class ReportWriter;
class RunController;
class SettingsForm;
class WrappedText;

/// The window: pages on the left, figures in the middle, settings on the right, run state at the bottom.
class MainWindow : public QMainWindow {
    Q_OBJECT
  public:
    explicit MainWindow(QStringList engineCommand, QWidget* parent = nullptr);
    ~MainWindow() override;

    EngineClient& engine() { return client; }
    FrameClock& frames() { return frameClock; }
    PageView& page() { return *pageView; }
    SettingsForm& form() { return *settings; }
    QString currentExperiment() const { return experiment; }
    const lab::RunRecord* currentRun() const; ///< the page's newest; null: none, or it has not begun yet
    const lab::RunRecord* shownRun() const;   ///< the one whose figures stand on the page; null: none
    QString bannerText() const;

    void listDevices(const lab::Description& description);
    void showExperiment(const QString& id);
    void chooseDevice(const QString& id); ///< where runs of this page run; nothing if it cannot
    /// Shows an experiment with these settings over what was set there, and runs it.
    void openWith(const QString& id, const std::map<std::string, lab::Value>& values);
    void follow(const lab::Link& link);
    /// Session files are opened; tensor files go to the page that takes them.
    void openFiles(const QStringList& files);
    void openSession(const QString& file); ///< begins to; see sessionOpened
    bool isOpening() const { return reader.isReading(); }
    /// Begins to write all runs that have ended; see sessionSaved. It goes on beside the window, which closes only when
    /// it is done. False: it could not begin, and the window says why.
    bool saveSession(const QString& file);
    bool isSaving() const { return saver.isSaving(); }
    /// Begins to write a report of the runs as they are shown now. It goes on a figure or less a turn of the event
    /// loop, and ends with the window. False: it could not begin, and the window says why.
    bool exportReport(const QString& target);
    bool isExporting() const { return report != nullptr; }

  public slots:
    void runNow();
    void stop();
    void togglePin();
    void toggleTheme();
    void toggleMotion();       ///< of players, from one step to the next
    void followSystemTheme();  ///< now and whenever it changes, until a theme is chosen
    void togglePresentation(); ///< in front of a room: larger type, nothing but one figure
    void openPalette();

  signals:
    void runEnded();
    /// Something that was asked for does not come, and the window says why: a file was not opened, a run did not begin.
    void refused(const QString& sentence);
    void sessionOpened(const QString& file); ///< and shown, or the window says why not
    void sessionSaved(const QString& file);  ///< whole, or the window says why not

  protected:
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dropEvent(QDropEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void closeEvent(QCloseEvent* event) override; ///< a session that is being saved is written first

  private:
    void buildActions();
    void buildLayout();
    void connectPage();
    void connectEngine();
    void engineReady();
    void takeFrames(const std::vector<lab::Frame>& batch);
    RunController* makeController();
    void restoreSettings(); ///< what is kept for this page into the form, also into fields that come with others
    void letOldRunsGo();
    void showPage(); ///< the run to be shown from scratch, and the pinned one over it
    void showPinned();
    void showState();
    QString remark() const;
    bool showExample(); ///< a finished run that comes with the program; false if there is none for this page
    void saveNumbers(lab::RunId run, const QString& figure, const QString& file);
    void saveTrace(lab::RunId run, const QString& figure, const QString& file);
    const lab::Figure& figureOf(lab::RunId run, const QString& figure) const; ///< throws InputError if it has gone
    void takeSession(const QString& file);
    void showSession(const QString& file, lab::Session& session);
    void exportNext();
    void showExport(); ///< how far it is
    void endSaving(const QString& file, const QString& refusal);
    void addRecent(const QString& file);
    void fillOpenMenu();
    void say(const QString& sentence);
    void refuse(const QString& sentence);
    const lab::Description* described(const QString& id) const; ///< null: no such page
    QPushButton* button(QAction* action, const char* objectName = nullptr);

    EngineClient client;
    RunStore runs;
    std::map<QString, std::map<std::string, lab::Value>> keptSettings; ///< by experiment
    QString experiment;
    RunController* control;
    QString letGo; ///< which runs had to go, until the next run
    SessionReader reader;
    SessionSaver saver;
    SessionSaver::Runs beingSaved;
    bool closesWhenSaved = false;
    QStringList toOpen; ///< sessions to open as soon as the engine has told which pages there are
    QTimer exportTurn;
    std::unique_ptr<ReportWriter> report; ///< that is being written; null: none

    CommandBar* bar;
    Navigation* navigation;
    QScrollArea* scroll;
    PageView* pageView;
    Presentation* presentation = nullptr;
    SettingsForm* settings;
    WrappedText* about;
    QLabel *status, *reading, *banner, *frameTime;
    QComboBox* device;
    QString chosenDevice;          ///< by the user; empty: each page takes its first
    std::vector<QWidget*> besides; ///< what presentation mode hides, besides commands of the bar
    FrameClock frameClock;
    SystemTheme systemTheme;
    bool followsSystem = false;
    QProgressBar* progress;
    QMenu* openMenu; ///< of sessions: what was opened or saved last
    QAction *runAction, *stopAction, *pinAction, *openAction, *saveAction, *exportAction, *themeAction, *paletteAction,
        *fullScreenAction, *presentAction;
};

} // namespace warplight::app
