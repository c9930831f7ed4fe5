// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/app/random_use/sandbox.h"

#include <QApplication>
#include <QFile>
#include <QFileDialog>
#include <QFileInfo>
#include <QLineEdit>
#include <QStandardPaths>

#include <algorithm>
#include <cstdint>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

namespace warplight::app {
namespace {

/// All that changes files, in the first version of Landlock (Linux 5.13).
constexpr uint64_t writing = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                             LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                             LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
                             LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;

bool allow(int rules, const char* path, uint64_t what) {
    const int fd = ::open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return false;
    const landlock_path_beneath_attr beneath{.allowed_access = what, .parent_fd = fd};
    const bool added = ::syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) == 0;
    ::close(fd);
    return added;
}

/// Of this process and all that it starts. False where the kernel cannot.
bool confineWritesTo(const QString& folder) {
    landlock_ruleset_attr attributes{}; // newer headers have more members
    attributes.handled_access_fs = writing;
    const int rules = static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0));
    if (rules < 0)
        return false;
    bool done = allow(rules, QFile::encodeName(folder).constData(), writing);
    for (const char* device : {"/dev/null", "/dev/zero", "/dev/full", "/dev/tty", "/dev/pts"})
        allow(rules, device, LANDLOCK_ACCESS_FS_WRITE_FILE);
    allow(rules, "/proc", LANDLOCK_ACCESS_FS_WRITE_FILE);
    allow(rules, "/dev/shm", writing); // ranks that are processes share memory there
    done =
        done && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::syscall(SYS_landlock_restrict_self, rules, 0) == 0;
    ::close(rules);
    return done;
}

} // namespace

Sandbox::Sandbox(const QString& folder) : root(folder) {
    const QDir& here = root;
    for (const char* folder : {"files", "home", "config", "cache", "data", "state", "run", "tmp"})
        here.mkpath(folder);
    const auto set = [&](const char* name, const char* folder) { qputenv(name, here.filePath(folder).toLocal8Bit()); };
    set("HOME", "home");
    set("XDG_CONFIG_HOME", "config");
    set("XDG_CACHE_HOME", "cache");
    set("XDG_DATA_HOME", "data");
    set("XDG_STATE_HOME", "state");
    set("XDG_RUNTIME_DIR", "run");
    set("TMPDIR", "tmp");
    qputenv("DBUS_SESSION_BUS_ADDRESS", "disabled:"); // nobody's desktop is asked for its theme
    QFile::setPermissions(here.filePath("run"), QFile::ReadOwner | QFile::WriteOwner | QFile::ExeOwner);
    QStandardPaths::setTestModeEnabled(true);

    const QString tests = WARPLIGHT_TEST_DATA;
    copy(tests + "/oracles/attention/gqa.npz");
    for (const char* name : {"f4.npy", "bf16.npy", "empty.npy", "bad_object.npy", "one.safetensors", "deflated.npz"})
        copy(tests + "/data/formats/" + name);
    for (const char* name : {"kineto.json.gz", "kineto_cut.json", "ncu_raw.csv", "nsys_both.csv", "expected.json"})
        copy(tests + "/data/profiles/" + name);
    const QString resources = tests + "/../resources/examples/";
    copy(resources + "attention.race.warplight");
    for (const char* name : {"coalesced.ptx", "race.cu", "out_of_bounds.ptx"})
        copy(resources + "kernels/" + name);
    QFile session(newFile("attention.race.warplight"));
    if (!session.open(QIODevice::ReadOnly))
        throw std::runtime_error("the example session cannot be read");
    const QByteArray whole = session.readAll();
    write("cut.warplight", whole.chopped(whole.size() / 3));
    write("empty.warplight", {});
    write("garbage.warplight", whole.left(16) + QByteArray(3000, '\xff'));
    write("garbage.npz", QByteArray("PK\x03\x04") + QByteArray(5000, '\x9c'));
    write("text.csv", "a,b\n1,2\n");
    write(QString::fromUtf8("\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d %1 <b>.npy"), "no tensor");
    write("nothing.docx", "nothing");
    for (const char* name : {"fifo.npy", "fifo.warplight", "fifo.json"}) {
        ::mkfifo(QFile::encodeName(newFile(name)).constData(), 0600);
        names << newFile(name);
    }
    for (const auto& [target, name] : {std::pair("/dev/zero", "zero.npy"), std::pair("/dev/zero", "zero.warplight"),
                                       std::pair("loop.npy", "loop.npy"), std::pair("nowhere", "nowhere.npz")}) {
        QFile::link(target, newFile(name));
        names << newFile(name);
    }
    QDir::setCurrent(root.path());
    confined = confineWritesTo(root.path());
}

void Sandbox::copy(const QString& from) {
    const QString to = newFile(QFileInfo(from).fileName());
    if (!QFile::copy(from, to))
        throw std::runtime_error((from + ": cannot be copied").toStdString());
    names << to;
}

void Sandbox::write(const QString& name, const QByteArray& content) {
    QFile file(newFile(name));
    if (!file.open(QIODevice::WriteOnly) || file.write(content) != content.size())
        throw std::runtime_error(file.errorString().toStdString());
    names << file.fileName();
}

void Sandbox::guardDialogs() const {
    for (QWidget* widget : QApplication::topLevelWidgets()) {
        auto* dialog = qobject_cast<QFileDialog*>(widget);
        if (!dialog || !dialog->isVisible())
            continue;
        const auto inside = [&](const QString& path) {
            const QString clean = QDir::cleanPath(path);
            return clean == root.path() || clean.startsWith(root.path() + '/');
        };
        if (!inside(dialog->directory().absolutePath()))
            dialog->setDirectory(newFile({}));
        if (dialog->acceptMode() != QFileDialog::AcceptSave)
            continue;
        const QStringList chosen = dialog->selectedFiles();
        const bool safe = std::all_of(chosen.begin(), chosen.end(),
                                      [&](const QString& file) { return inside(QFileInfo(file).absoluteFilePath()); });
        if (auto* name = dialog->findChild<QLineEdit*>("fileNameEdit"); name && !safe)
            name->setText("saved");
    }
}

} // namespace warplight::app
