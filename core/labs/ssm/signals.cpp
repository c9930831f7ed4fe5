// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/ssm/signals.h"

#include "core/error.h"
#include "core/formats/signal_file.h"
#include "core/tensor/random.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <fmt/format.h>
#include <numbers>
#include <string_view>
#include <system_error>

namespace warplight::labs::ssm {
namespace {

using lab::Parameter;
using lab::Settings;

enum Stream : uint64_t { shapeStream, noiseStream };
constexpr int64_t mostSamples = 4000;
constexpr size_t mostDrawn = 4096; ///< numbers
constexpr double turns = 2 * std::numbers::pi;

/// A sum of slow sines, louder and louder.
float swelling(double share) {
    const double wave = std::sin(turns * 6 * share) + 0.35 * std::sin(turns * 17 * share + 1);
    return static_cast<float>((0.35 + 0.65 * share) * wave / 1.35);
}

/// From one turn to forty in the time of the signal.
float chirp(double share) { return static_cast<float>(std::sin(turns * (share + 19.5 * share * share))); }

/// Sines up to a frequency with phases and sizes by chance, of a root mean square of about a half.
std::vector<float> smoothNoise(int64_t length, uint64_t seed) {
    constexpr int frequencies = 16;
    float parts[2 * frequencies];
    tensor::fillGaussian(parts, seed, shapeStream, 0.5f / std::sqrt(static_cast<float>(frequencies)));
    std::vector<float> samples(static_cast<size_t>(length));
    for (size_t i = 0; i < samples.size(); ++i) {
        const double angle = turns * static_cast<double>(i) / static_cast<double>(length);
        double sum = 0;
        for (int f = 0; f < frequencies; ++f)
            sum += static_cast<double>(parts[2 * f]) * std::sin((f + 1) * angle) +
                   static_cast<double>(parts[2 * f + 1]) * std::cos((f + 1) * angle);
        samples[i] = static_cast<float>(sum);
    }
    return samples;
}

/// Levels by chance, each for a twelfth of the time.
std::vector<float> levels(int64_t length, uint64_t seed) {
    constexpr int count = 12;
    float level[count];
    tensor::fillUniform(level, seed, shapeStream, -1, 1);
    std::vector<float> samples(static_cast<size_t>(length));
    for (size_t i = 0; i < samples.size(); ++i)
        samples[i] = level[i * count / samples.size()];
    return samples;
}

std::vector<float> drawnValues(const std::string& text) {
    std::vector<float> values;
    for (size_t at = 0; at < text.size();) {
        const size_t end = std::min(text.find(',', at), text.size());
        std::string_view word(text.data() + at, end - at);
        while (!word.empty() && (word.front() == ' ' || word.front() == '\n'))
            word.remove_prefix(1);
        while (!word.empty() && (word.back() == ' ' || word.back() == '\n'))
            word.remove_suffix(1);
        float value = 0;
        const auto read = std::from_chars(word.data(), word.data() + word.size(), value);
        if (read.ec != std::errc() || read.ptr != word.data() + word.size() || !std::isfinite(value))
            throw InputError(fmt::format("drawn: value {} is '{}', expected finite numbers with commas between",
                                         values.size() + 1, word.substr(0, 40)));
        values.push_back(value);
        at = end + 1;
    }
    if (values.empty() || values.size() > mostDrawn)
        throw InputError(
            fmt::format("drawn: {} values, expected 1 to {} numbers with commas between", values.size(), mostDrawn));
    return values;
}

/// Between neighbours by a straight line.
std::vector<float> stretched(const std::vector<float>& values, int64_t length) {
    std::vector<float> samples(static_cast<size_t>(length));
    for (size_t i = 0; i < samples.size(); ++i) {
        const double at = samples.size() == 1 ? 0
                                              : static_cast<double>(i) * static_cast<double>(values.size() - 1) /
                                                    static_cast<double>(samples.size() - 1);
        const auto left = static_cast<size_t>(at), right = std::min(left + 1, values.size() - 1);
        const auto share = static_cast<float>(at - static_cast<double>(left));
        samples[i] = values[left] + share * (values[right] - values[left]);
    }
    return samples;
}

std::vector<float> cleanSignal(const Settings& settings, const std::atomic<bool>* cancel) {
    const std::string& kind = settings.text("signal");
    const int64_t length = settings.integer("length");
    const auto seed = static_cast<uint64_t>(settings.integer("seed"));
    if (kind == "file") {
        if (settings.text("file").empty())
            throw InputError("file: no file is named, expected a *.npy, *.csv or *.wav file");
        std::vector<float> samples = formats::readSignal(settings.text("file"), {}, cancel).samples;
        if (samples.empty())
            throw InputError(fmt::format("{}: no samples, expected at least one", settings.text("file")));
        samples.resize(std::min(samples.size(), static_cast<size_t>(length)));
        return samples;
    }
    if (kind == "drawn")
        return stretched(drawnValues(settings.text("drawn")), length);
    if (kind == "smooth")
        return smoothNoise(length, seed);
    if (kind == "levels")
        return levels(length, seed);
    std::vector<float> samples(static_cast<size_t>(length));
    for (size_t i = 0; i < samples.size(); ++i) {
        const double share = static_cast<double>(i) / static_cast<double>(length);
        if (kind == "pulse")
            samples[i] = share >= 0.2 && share < 0.23 ? 1.0f : 0.0f;
        else
            samples[i] = kind == "chirp" ? chirp(share) : swelling(share);
    }
    return samples;
}

} // namespace

std::vector<Parameter> signalParameters() {
    Parameter length = Parameter::integer("length", "Samples", 1000, 16, mostSamples, "Of the signal.");
    length.sliderStep = 8;
    Parameter noise = Parameter::real("noise", "Noise", 0, 0, 2,
                                      "Standard deviation of what is added before the memories hear the signal.");
    noise.sliderStep = 0.02;
    Parameter drawn = Parameter::text("drawn", "Drawn values", "0,0.8,0.3,-0.6,-0.2,0.9,0.1,-0.9,0.4,0",
                                      "What was drawn with the mouse, from the first sample to the last.");
    drawn.shownWhen = {lab::when("signal", {"drawn"})};
    Parameter file = Parameter::file("file", "File", "Signals (*.npy *.csv *.wav)", "Its first samples.");
    file.shownWhen = {lab::when("signal", {"file"})};
    Parameter seed = Parameter::integer("seed", "Seed", 42, 0, 1e15, "Of noise, levels and smooth noise.");
    return {Parameter::choice("signal", "Signal", "swelling",
                              {{"swelling", "Two sines, swelling", "Louder with time."},
                               {"smooth", "Smooth noise", "Sixteen frequencies by chance."},
                               {"chirp", "Chirp", "From one turn to forty."},
                               {"levels", "Levels", "Twelve by chance: corners are hard to remember."},
                               {"pulse", "One pulse", "Where does it go?"},
                               {"drawn", "Drawn", "With the mouse, over the signal."},
                               {"file", "A file", "NumPy, CSV or WAV."}},
                              "What the memories are told. Draw over it with the mouse to have your own."),
            drawn,
            file,
            length,
            noise,
            seed};
}

Signal signalOf(const Settings& settings, const std::atomic<bool>* cancel) {
    Signal signal;
    signal.clean = signal.heard = cleanSignal(settings, cancel);
    if (settings.real("noise") > 0) {
        std::vector<float> noise(signal.heard.size());
        tensor::fillGaussian(noise, static_cast<uint64_t>(settings.integer("seed")), noiseStream,
                             static_cast<float>(settings.real("noise")));
        for (size_t i = 0; i < noise.size(); ++i)
            signal.heard[i] += noise[i];
    }
    signal.name = settings.text("signal") == "file" ? std::filesystem::path(settings.text("file")).filename().string()
                                                    : settings.text("signal");
    return signal;
}

} // namespace warplight::labs::ssm
