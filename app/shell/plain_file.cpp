#include "app/shell/plain_file.h"

#include "core/error.h"

#include <QFileInfo>

namespace warplight::app {

const QString& plainFile(const QString& file) {
    if (const QFileInfo info(file); info.exists() && !info.isFile())
        throw InputError(file.toStdString() + ": is no regular file, expected one that can be read from end to end");
    return file;
}

} // namespace warplight::app
