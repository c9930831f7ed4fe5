#pragma once

#include "app/engine/engine_client.h"
#include "app/shell/frame_clock.h"
#include "app/shell/system_theme.h"
#include "core/lab/session.h"

#include <QMainWindow>
#include <QTimer>

#include <map>
#include <set>

class QComboBox;
class QLabel;
class QListWidget;
class QMenu;
class QProgressBar;
class QPushButton;
class QScrollArea;

namespace warplight::app {

class PageView;
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
    const lab::RunRecord* currentRun() const;
    QString bannerText() const;

    void listDevices(const lab::Description& description);
    void showExperiment(const QString& id);
    void chooseDevice(const QString& id); ///< where runs of this page run; nothing if it cannot
    /// Shows an experiment with these settings over what was set there, and runs it.
    void openWith(const QString& id, const std::map<std::string, lab::Value>& values);
    void follow(const lab::Link& link);
    /// Session files are opened; tensor files go to the page that takes them.
    void openFiles(const QStringList& files);
    void openSession(const QString& file);
    bool saveSession(const QString& file); ///< false: the window says why
    bool exportReport(const QString& target);

  public slots:
    void runNow();
    void stop();
    void togglePin();
    void toggleTheme();
    void followSystemTheme();  ///< now and whenever it changes, until a theme is chosen
    void togglePresentation(); ///< larger type, nothing but the page
    void openPalette();

  signals:
    void runEnded();

  protected:
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dropEvent(QDropEvent* event) override;

  private:
    void buildActions();
    void buildLayout();
    void connectMaps();
    void engineReady();
    void takeFrames(const std::vector<lab::Frame>& batch);
    void settingsChanged();
    void checkNow();
    void dropOldRuns();
    void showPage(); ///< the current run from scratch, and the pinned one over it
    void showPinned();
    void showState();
    bool showExample(); ///< a finished run that comes with the program; false if there is none for this page
    void addRecent(const QString& file);
    void fillOpenMenu(QMenu* menu);
    void say(const QString& sentence);
    QPushButton* button(QAction* action, const char* objectName = nullptr);

    EngineClient client;
    std::map<lab::RunId, lab::RunRecord> runs;
    std::map<QString, lab::RunId> latest, pinned; ///< by experiment
    std::set<lab::RunId> examples;                ///< runs that came with the program: never saved or exported
    lab::RunId nextOpened = lab::RunId{1} << 62;  ///< ids of runs from files; the engine's own count from 1
    std::map<QString, std::map<std::string, lab::Value>> keptSettings;
    QString experiment;
    quint64 checkTicket = 0;      ///< whose answer decides about a rerun
    quint64 adaptTicket = 0;      ///< whose answer only tells the form which settings there are now
    bool checking = false;        ///< the settings have changed, and the answer to checkTicket is still to come
    bool runsWhenChecked = false; ///< Run was pressed meanwhile
    QTimer debounce;

    QListWidget* navigation;
    QScrollArea* scroll;
    PageView* pageView;
    SettingsForm* settings;
    WrappedText* about;
    QLabel *status, *reading, *banner, *frameTime;
    QComboBox* device;
    QString chosenDevice;          ///< by the user; empty: each page takes its first
    std::vector<QWidget*> besides; ///< what presentation mode hides
    FrameClock frameClock;
    SystemTheme systemTheme;
    bool followsSystem = false;
    QProgressBar* progress;
    QAction *runAction, *stopAction, *pinAction, *openAction, *saveAction, *exportAction, *themeAction, *paletteAction,
        *fullScreenAction, *presentAction;
};

} // namespace warplight::app
