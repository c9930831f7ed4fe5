// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/profiles/byte_source.h"
#include "core/profiles/kernel_record.h"
#include "core/profiles/reading.h"

namespace warplight::profiles {

/// Reads a Chrome trace as PyTorch's profiler (Kineto) writes it: an object with traceEvents or a bare list of events.
/// Keeps kernels, copies and fills; of everything else only how many events and how much time each category has. Memory
/// follows what is kept, not the size of the file. Starts are absolute ns (baseTimeNanoseconds added). A trace that
/// ends early or is damaged gives what is whole, and says so in a warning. Throws InputError when nothing in it is a
/// trace, Cancelled.
Profile readKinetoTrace(ByteSource& source, const Reading& reading);

} // namespace warplight::profiles
