// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/experiment.h"
#include "core/lab/frame.h"

#include <nlohmann/json.hpp>

namespace warplight::lab {

/// The vocabulary as JSON: what `--json` prints, what the protocol carries, what run.json holds. In CBOR numbers arrays
/// are typed arrays (binary values with subtype 85 or 86); `plainArrays` writes them as ordinary arrays for readers of
/// text. The fromJson functions throw InputError naming the member at fault.
nlohmann::json toJson(const Value& value);
nlohmann::json toJson(const Parameter& parameter);
nlohmann::json toJson(const Description& description);
nlohmann::json toJson(const Machine& machine);
nlohmann::json toJson(const Figure& figure, bool plainArrays = false);
nlohmann::json toJson(const Frame& frame, bool plainArrays = false);

/// A setting as the protocol carries it: a string is read as on the command line, other JSON by the parameter's type.
Value valueFromJson(const Parameter& parameter, const nlohmann::json& json);
Value valueFromJson(const nlohmann::json& json); ///< without a parameter: by the JSON's own type (session files)
Parameter parameterFromJson(const nlohmann::json& json);
Description descriptionFromJson(const nlohmann::json& json);
Machine machineFromJson(const nlohmann::json& json);
Figure figureFromJson(const nlohmann::json& json);
Frame frameFromJson(const nlohmann::json& json);

} // namespace warplight::lab
