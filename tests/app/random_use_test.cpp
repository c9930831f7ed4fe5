// SPDX-License-Identifier: GPL-3.0-or-later
// A user who does anything at any time, with a real engine: nothing of it may end the window, make it hang for 5 s or
// let it grow without bound. Each event comes from a seed and its number alone. `--seed N` and `--events N`, or
// WARPLIGHT_RANDOM_SEED and WARPLIGHT_RANDOM_EVENTS, choose others.
#include "app/shell/main_window.h"
#include "app/views/theme.h"

#include "tests/app/random_use/random_user.h"

#include <QApplication>
#include <QDesktopServices>
#include <QDir>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>
#include <cstdint>
#include <cstdio>

#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <execinfo.h>
#include <unistd.h>
#include <vector>

using namespace warplight;
using namespace warplight::app;

#ifdef __SANITIZE_ADDRESS__
/// Freed memory is kept a while, to find uses of it; little, so that what the window holds can be measured.
extern "C" const char* __asan_default_options() {
    return "handle_abort=1:quarantine_size_mb=32:malloc_context_size=20:detect_stack_use_after_return=0";
}
#endif

namespace {

Journal* theJournal = nullptr;
const Sandbox* theSandbox = nullptr;
constexpr std::array schemes{"http", "https", "file", "mailto"};
QtMessageHandler before = nullptr;

/// The offscreen plugin tells for every window what it cannot do.
void withoutThePlugin(QtMsgType type, const QMessageLogContext& context, const QString& text) {
    if (!text.startsWith("This plugin does not support"))
        before(type, context, text);
}

} // namespace

class RandomUseTest : public QObject {
    Q_OBJECT

  public slots:
    void ignore(const QUrl&) {} ///< links that lead out of the program

  private slots:
    void initTestCase() {
        before = qInstallMessageHandler(withoutThePlugin);
        for (const char* scheme : schemes)
            QDesktopServices::setUrlHandler(scheme, this, "ignore");
        QApplication::setAttribute(Qt::AA_DontUseNativeDialogs);
    }

    void theWindowStands() {
        RandomUser user(*theJournal, *theSandbox);
        while (!user.done()) {
            setUiScale(1);
            Theme::setCurrent(Theme::lightTheme());
            MainWindow window({WARPLIGHT_CLI, "serve"});
            window.resize(1280, 800);
            window.show();
            user.sitDownAt(window);
            QApplication::exec(); // until the window is closed, as in the program
        }
        QVERIFY2(user.faults().isEmpty(), qPrintable('\n' + user.faults().join('\n')));
    }

    void cleanupTestCase() {
        for (const char* scheme : schemes)
            QDesktopServices::unsetUrlHandler(scheme);
    }

    void theWindowIsOfUseAfterwards() {
        MainWindow window({WARPLIGHT_CLI, "serve"});
        window.show();
        QSignalSpy ready(&window.engine(), &EngineClient::ready);
        QVERIFY(ready.wait(30'000));
        window.showExperiment("attention.tiles");
        const auto finished = [&] {
            return window.currentRun() && window.currentRun()->ended() &&
                   window.currentRun()->ended()->outcome == lab::RunEnded::Outcome::Finished;
        };
        QTRY_VERIFY_WITH_TIMEOUT(finished(), 30'000);
    }
};

namespace {

QString folder;

#ifndef __SANITIZE_ADDRESS__
/// Where the program was when it was ended: names of functions, offsets for addr2line.
void printStack(int signal) {
    std::array<void*, 64> frames{};
    ::backtrace_symbols_fd(frames.data(), ::backtrace(frames.data(), frames.size()), STDERR_FILENO);
    std::signal(signal, SIG_DFL);
    std::raise(signal);
}
#endif

uint64_t numberOf(const char* text) { return std::strtoull(text, nullptr, 10); }

int useTheWindow(Journal& journal, int argc, char** argv) {
    const Sandbox sandbox(folder);
    if (!sandbox.writesAreConfined())
        std::puts("This kernel has no Landlock: only file dialogs are kept inside the temporary folder.");
    theJournal = &journal;
    theSandbox = &sandbox;
    qputenv("QTEST_FUNCTION_TIMEOUT", "2000000000"); // the watchdog looks at single events instead
    if (qEnvironmentVariableIsEmpty("QT_QPA_PLATFORM"))
        qputenv("QT_QPA_PLATFORM", "offscreen");
#ifndef __SANITIZE_ADDRESS__ // its own report is better
    for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT})
        std::signal(signal, printStack);
#endif
#ifdef __SANITIZE_ADDRESS__
    qputenv("ASAN_OPTIONS", "detect_leaks=0:quarantine_size_mb=8:log_path=engine-asan"); // of engines
#endif
    QApplication application(argc, argv);
    QApplication::setApplicationName("random-use");
    QApplication::setOrganizationName("random-use");
    loadFonts();
    RandomUseTest test;
    return QTest::qExec(&test, argc, argv);
}

} // namespace

int main(int argc, char** argv) {
    const QTemporaryDir temporary(QDir::tempPath() + "/random-use-XXXXXX");
    if (!temporary.isValid())
        qFatal("%s", qPrintable(temporary.errorString()));
    folder = temporary.path();
    Journal& journal = sharedJournal();
    if (const char* seed = std::getenv("WARPLIGHT_RANDOM_SEED"))
        journal.seed = numberOf(seed);
    if (const char* events = std::getenv("WARPLIGHT_RANDOM_EVENTS"))
        journal.events = numberOf(events);
    std::vector<char*> left;
    for (int i = 0; i < argc; ++i)
        if (std::strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            journal.seed = numberOf(argv[++i]);
        else if (std::strcmp(argv[i], "--events") == 0 && i + 1 < argc)
            journal.events = numberOf(argv[++i]);
        else
            left.push_back(argv[i]);
    char noHandler[] = "-nocrashhandler"; // the sanitizer's report, or the core, is better
    left.push_back(noHandler);
    return supervised(journal, useTheWindow, static_cast<int>(left.size()), left.data());
}

#include "random_use_test.moc"
