// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::formats {

/// A signal of one channel.
struct Signal {
    std::vector<float> samples;
    std::optional<double> rate; ///< samples a second, where the file says so
};

/// Reads a signal from a .wav, a .csv, .tsv or .txt, or a tensor of one dimension that loadTensor() takes (others of
/// them may be 1). `column` names the column of a text, empty: the first that holds numbers. Throws InputError naming
/// the file, the field and what was expected, also for a signal without samples; Cancelled.
Signal readSignal(const std::string& spec, const std::string& column = {}, const std::atomic<bool>* cancel = nullptr);

/// RIFF WAVE: PCM of 8, 16, 24 and 32 bits as -1..1, or f32; channels are averaged. `where` names it in sentences.
Signal readWav(std::span<const std::byte> file, const std::string& where, const std::atomic<bool>* cancel = nullptr);

/// A table of numbers, cells apart by tabs, semicolons or commas (the first of these in its first line), with or
/// without a line of names. Blank lines and lines that begin with # are left out. Where commas are not between cells,
/// they stand in numbers as points do.
Signal readSignalTable(std::string_view text, const std::string& where, const std::string& column = {},
                       const std::atomic<bool>* cancel = nullptr);

} // namespace warplight::formats
