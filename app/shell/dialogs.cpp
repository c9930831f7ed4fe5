// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/shell/dialogs.h"

#include "core/text/echo.h"

#include <QFileDialog>
#include <QFileIconProvider>
#include <QFileInfo>
#include <QLineEdit>
#include <QMessageBox>
#include <QPushButton>
#include <QRegularExpression>

#include <utility>

namespace warplight::app {
namespace {

/// "csv" of "CSV (*.csv)"; empty for a filter that takes any name.
QString suffixOf(const QString& filter) {
    static const QRegularExpression pattern(R"(\(\*\.([^\s)]+))");
    return pattern.match(filter).captured(1);
}

/// Qt reads the beginning of each file for its icon and kind, and some files never begin (/proc/kmsg): a name is
/// enough.
class KindsByName : public QFileIconProvider {
  public:
    using QFileIconProvider::icon;
    QIcon icon(const QFileInfo& info) const override { return icon(info.isDir() ? Folder : File); }
    QString type(const QFileInfo& info) const override {
        return info.isDir() ? QObject::tr("Folder") : QObject::tr("%1 file").arg(info.suffix());
    }
};

/// Says itself that a file is not there: Qt's own box would run an event loop of its own.
class FileDialog : public QFileDialog {
  public:
    using QFileDialog::QFileDialog;

  protected:
    void accept() override {
        const QStringList files = selectedFiles();
        if (fileMode() != ExistingFile || files.isEmpty() || QFileInfo::exists(files.first()))
            return QFileDialog::accept();
        const QString name = QString::fromStdString(echoed(files.first().toStdString()));
        tell(this, windowTitle(), tr("%1 is not there, expected the name of a file.").arg(name));
    }
};

QFileDialog* makeFileDialog(QWidget* owner, const QString& title, const QString& filters) {
    static auto* const kinds = new KindsByName; // dialogs' threads may use it to the end
    constexpr int longestPath = 4096;           // Linux has none longer; Qt lays any text out
    auto* dialog = new FileDialog(owner, title, {}, filters);
    dialog->setIconProvider(kinds);
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    if (auto* name = dialog->findChild<QLineEdit*>("fileNameEdit")) // the desktop's own dialog has none
        name->setMaxLength(longestPath);
    return dialog;
}

} // namespace

void askForFile(QWidget* owner, const QString& title, const QString& filter, TakesFile then) {
    QFileDialog* dialog = makeFileDialog(owner, title, filter);
    dialog->setFileMode(QFileDialog::ExistingFile);
    QObject::connect(dialog, &QFileDialog::fileSelected, owner, std::move(then));
    dialog->open();
}

void askWhereToSave(QWidget* owner, const QString& title, const QString& suggestion, const QString& filters,
                    TakesFile then) {
    QFileDialog* dialog = makeFileDialog(owner, title, filters);
    dialog->setAcceptMode(QFileDialog::AcceptSave);
    dialog->setFileMode(QFileDialog::AnyFile);
    dialog->setOption(QFileDialog::DontConfirmOverwrite); // Qt's own question would run an event loop of its own
    dialog->selectFile(suggestion);
    dialog->setDefaultSuffix(suffixOf(dialog->selectedNameFilter()));
    QObject::connect(dialog, &QFileDialog::filterSelected, dialog,
                     [dialog](const QString& filter) { dialog->setDefaultSuffix(suffixOf(filter)); });
    QObject::connect(dialog, &QFileDialog::fileSelected, owner, [=, then = std::move(then)](const QString& file) {
        if (!QFileInfo(file).isFile())
            return then(file);
        QMessageBox* box = makeBox(owner, title, QObject::tr("%1 exists already. Replace it?").arg(file));
        QPushButton* replace = box->addButton(QObject::tr("Replace"), QMessageBox::AcceptRole);
        QPushButton* other = box->addButton(QObject::tr("Another name…"), QMessageBox::RejectRole);
        box->setStandardButtons(QMessageBox::Cancel);
        box->setDefaultButton(other);
        QObject::connect(replace, &QPushButton::clicked, owner, [=] { then(file); });
        QObject::connect(other, &QPushButton::clicked, owner,
                         [=] { askWhereToSave(owner, title, file, filters, then); });
        box->open();
    });
    dialog->open();
}

QMessageBox* makeBox(QWidget* owner, const QString& title, const QString& text) {
    auto* box = new QMessageBox(QMessageBox::NoIcon, title, text, QMessageBox::NoButton, owner);
    box->setTextFormat(Qt::PlainText);
    box->setAttribute(Qt::WA_DeleteOnClose);
    return box;
}

void tell(QWidget* owner, const QString& title, const QString& sentence) {
    QMessageBox* box = makeBox(owner, title, sentence);
    box->setIcon(QMessageBox::Warning);
    box->setStandardButtons(QMessageBox::Close);
    box->open();
}

} // namespace warplight::app
