#pragma once

#include <QString>

namespace warplight::app {

/// The same name, to be opened by the window itself. Throws InputError for what is there but is no file: a FIFO or a
/// device could keep the window waiting for ever. (The engine reads such things where it can be stopped.)
const QString& plainFile(const QString& file);

} // namespace warplight::app
