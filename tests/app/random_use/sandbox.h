// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDir>
#include <QString>

namespace warplight::app {

/// A folder that a random user cannot leave: home, temporary and working folder are in it, and where the kernel has
/// Landlock, neither this process nor the engines that it starts can write anywhere else. To be made before the
/// application object. The folder is made and removed by a process that is not confined.
class Sandbox {
  public:
    explicit Sandbox(const QString& folder);
    /// Sessions, tensors, profiles and kernels to open and drop; broken ones, a FIFO and links to devices too.
    const QStringList& files() const { return names; }
    QString newFile(const QString& name) const { return root.filePath("files/" + name); }
    bool writesAreConfined() const { return confined; }
    /// File dialogs go back into the sandbox, and what they would save is named inside. To be called before every
    /// single input.
    void guardDialogs() const;

  private:
    void copy(const QString& from);
    void write(const QString& name, const QByteArray& content);

    QDir root;
    QStringList names;
    bool confined = false;
};

} // namespace warplight::app
