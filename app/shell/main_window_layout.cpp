// SPDX-License-Identifier: GPL-3.0-or-later
// What stands where in the window, and its commands with their keys.
#include "app/shell/command_bar.h"
#include "app/shell/dialogs.h"
#include "app/shell/main_window.h"
#include "app/shell/navigation.h"
#include "app/shell/page_view.h"
#include "app/shell/presentation.h"
#include "app/shell/settings_form.h"
#include "app/shell/wrapped_text.h"
#include "app/views/theme.h"

#include <QAction>
#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QMenu>
#include <QProgressBar>
#include <QPushButton>
#include <QScrollArea>
#include <QVBoxLayout>

namespace warplight::app {
namespace {

constexpr int navigationWidth = 180, brandWidth = 156, settingsWidth = 260, widestDevice = 420;

} // namespace

void MainWindow::buildActions() {
    const auto make = [this](const QString& text, const QKeySequence& shortcut, auto slot) {
        auto* action = new QAction(text, this);
        action->setShortcut(shortcut);
        action->setToolTip(QString("%1 (%2)").arg(text, shortcut.toString(QKeySequence::NativeText)));
        action->setStatusTip(action->toolTip());
        connect(action, &QAction::triggered, this, slot);
        addAction(action);
        return action;
    };
    runAction = make(tr("Run"), QKeySequence("Ctrl+R"), [this] { runNow(); });
    stopAction = make(tr("Stop"), QKeySequence("Esc"), [this] { stop(); });
    pinAction = make(tr("Compare"), QKeySequence("Ctrl+D"), [this] { togglePin(); });
    pinAction->setToolTip(tr("Pin this run: later runs are drawn over it (Ctrl+D)"));
    openAction = make(tr("Open…"), QKeySequence::Open, [this] {
        askForFile(this, tr("Open session"), tr("Sessions (*.warplight)"),
                   [this](const QString& file) { openSession(file); });
    });
    saveAction = make(tr("Save…"), QKeySequence::Save, [this] {
        askWhereToSave(this, tr("Save session"), "session.warplight", tr("Sessions (*.warplight)"),
                       [this](const QString& file) { saveSession(file); });
    });
    exportAction = make(tr("Export…"), QKeySequence("Ctrl+E"), [this] {
        askWhereToSave(this, tr("Export report"), "report.html",
                       tr("Web page (*.html);;PDF (*.pdf);;Folder of SVG, PNG, CSV, JSON (*)"),
                       [this](const QString& target) { exportReport(target); });
    });
    themeAction = make(tr("Light or dark"), QKeySequence("Ctrl+T"), [this] { toggleTheme(); });
    make(tr("Follow the system's theme"), {}, [this] { followSystemTheme(); });
    make(tr("Motion on or off"), {}, [this] { toggleMotion(); });
    paletteAction = make(tr("Search commands"), QKeySequence("Ctrl+K"), [this] { openPalette(); });
    fullScreenAction =
        make(tr("Full screen"), QKeySequence("F11"), [this] { isFullScreen() ? showNormal() : showFullScreen(); });
    presentAction = make(tr("Present"), QKeySequence("F5"), [this] { togglePresentation(); });
    make(tr("Next page"), QKeySequence("Ctrl+PgDown"), [this] { showExperiment(navigation->neighbour(1)); });
    make(tr("Page before"), QKeySequence("Ctrl+PgUp"), [this] { showExperiment(navigation->neighbour(-1)); });
    make(tr("Frame time"), QKeySequence("Ctrl+Shift+F"), [this] {
        frameClock.setMeasuring(!frameClock.measuring());
        frameTime->setVisible(frameClock.measuring());
    });
    make(tr("Quit"), QKeySequence::Quit, [this] { close(); });
}

QPushButton* MainWindow::button(QAction* action, const char* objectName) {
    auto* result = new QPushButton(action->text(), this);
    if (objectName)
        result->setObjectName(objectName);
    result->setToolTip(action->toolTip());
    connect(result, &QPushButton::clicked, action, &QAction::trigger);
    connect(action, &QAction::changed, result, [result, action] { result->setEnabled(action->isEnabled()); });
    return result;
}

void MainWindow::buildLayout() {
    const auto frame = [this](const char* name) {
        auto* result = new QFrame(this);
        result->setObjectName(name);
        return result;
    };
    bar = new CommandBar(this);
    auto* brand = new QLabel("Warplight", bar);
    brand->setFont(textFont(15, QFont::Bold));
    brand->setFixedWidth(brandWidth);
    device = new QComboBox(bar);
    device->setObjectName("device");
    device->setAccessibleName(tr("Device"));
    device->setToolTip(tr("Where runs run"));
    device->setSizeAdjustPolicy(QComboBox::AdjustToContents);
    device->setSizePolicy(QSizePolicy::Fixed, QSizePolicy::Fixed); // its name is whole
    device->setMaximumWidth(widestDevice);
    bar->addLasting(brand);
    bar->addLasting(button(runAction, "primary"));
    for (QAction* action : {stopAction, pinAction})
        bar->addLasting(button(action));
    bar->addSpace();
    bar->addLasting(device);
    QPushButton* openButton = button(openAction);
    openMenu = new QMenu(openButton);
    bar->addYielding(button(paletteAction), paletteAction);
    bar->addYielding(openButton, openAction);
    for (QAction* action : {saveAction, exportAction, themeAction})
        bar->addYielding(button(action), action);
    bar->addMenu();
    bar->addLasting(button(presentAction));
    openButton->disconnect(openAction); // a menu of its own: with setMenu the button would wait in it
    connect(openButton, &QPushButton::clicked, this, [this, openButton] {
        fillOpenMenu();
        openMenu->popup(openButton->mapToGlobal(QPoint(0, openButton->height())));
    });

    navigation = new Navigation(this);
    navigation->setFixedWidth(navigationWidth);
    connect(navigation, &Navigation::pageChosen, this, &MainWindow::showExperiment);
    auto* left = frame("side");
    auto* leftLayout = new QVBoxLayout(left);
    leftLayout->setContentsMargins(8, 12, 8, 8);
    leftLayout->addWidget(navigation);

    pageView = new PageView(this);
    presentation = new Presentation(this, pageView);
    connect(presentation, &Presentation::endWanted, this, &MainWindow::togglePresentation);
    connect(pageView, &PageView::presentationEnded, this, &MainWindow::togglePresentation);
    scroll = new QScrollArea(this);
    scroll->setWidgetResizable(true);
    scroll->setFrameShape(QFrame::NoFrame);
    scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    scroll->setWidget(pageView);
    banner = new QLabel(this);
    banner->setObjectName("banner");
    banner->setWordWrap(true);
    banner->setTextFormat(Qt::PlainText);
    banner->hide();
    auto* middle = new QVBoxLayout;
    middle->setContentsMargins(0, 0, 0, 0);
    middle->addWidget(banner);
    middle->addWidget(scroll, 1);

    settings = new SettingsForm(this);
    about = new WrappedText(this);
    auto* side = new QWidget;
    auto* sideLayout = new QVBoxLayout(side);
    auto* heading = new QLabel(tr("Settings"), side);
    heading->setFont(textFont(13, QFont::DemiBold));
    sideLayout->setContentsMargins(14, 14, 14, 14);
    sideLayout->addWidget(heading);
    sideLayout->addWidget(settings);
    sideLayout->addSpacing(12);
    sideLayout->addWidget(about);
    sideLayout->addStretch();
    auto* sideScroll = new QScrollArea(this);
    sideScroll->setObjectName("side");
    sideScroll->setWidgetResizable(true);
    sideScroll->setFrameShape(QFrame::NoFrame);
    sideScroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    sideScroll->setWidget(side);
    auto* right = frame("side");
    right->setFixedWidth(settingsWidth);
    auto* rightLayout = new QVBoxLayout(right);
    rightLayout->setContentsMargins(0, 0, 0, 0);
    rightLayout->addWidget(sideScroll);

    auto* foot = frame("bar");
    auto* footLayout = new QHBoxLayout(foot);
    footLayout->setContentsMargins(16, 6, 16, 6);
    progress = new QProgressBar(foot);
    progress->setTextVisible(false);
    progress->setFixedSize(200, 6);
    progress->setRange(0, 1000);
    status = new QLabel(foot);
    status->setObjectName("muted");
    reading = new QLabel(foot);
    reading->setObjectName("muted");
    for (QLabel* line : {status, reading})
        line->setTextFormat(Qt::PlainText);
    footLayout->addWidget(progress);
    footLayout->addWidget(status);
    footLayout->addStretch();
    frameTime = new QLabel(foot);
    frameTime->setObjectName("muted");
    frameTime->setToolTip(tr("The longest that an event waited for the window in the last second (measured)"));
    frameTime->hide();
    footLayout->addWidget(reading);
    footLayout->addWidget(frameTime);
    besides.insert(besides.end(), {bar, left, right, foot});

    auto* body = new QHBoxLayout;
    body->setSpacing(1);
    body->addWidget(left);
    body->addLayout(middle, 1);
    body->addWidget(right);
    auto* central = new QWidget(this);
    auto* all = new QVBoxLayout(central);
    all->setContentsMargins(0, 0, 0, 0);
    all->setSpacing(1);
    all->addWidget(bar);
    all->addLayout(body, 1);
    all->addWidget(foot);
    setCentralWidget(central);
    navigation->setFocus();
}

} // namespace warplight::app
